//! The journal: each change of the state of a delivery and each attempt, in the order of the commits, one row a commit or a page.
//!
//! It is what statistics are folded from ([`super::statistics`]) and what a live tail reads. Only the newest part is kept.
//! A row is appended, so it costs the same whatever changed; that is why what is counted goes here first.

use redb::{ReadTransaction, ReadableTable};
use serde::{Deserialize, Serialize};

use super::codec::{Corrupt, DeliveryRow, EventRow};
use super::failure::Failure;
use super::schema::{CHANGES, Tables, delivery_id};
use crate::model::{DeliveryId, DeliveryStatus, EndpointId, UnixMs};

const VERSION: u8 = 1;
/// A row takes no more changes from this many bytes on: the longest change and a page hold it.
const FULL: usize = 3_500;
/// Changes that are kept, at least: some megabytes, and minutes of a busy gateway.
pub(super) const KEPT: u64 = 65_536;

/// One change of one delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Change<'a> {
    event: u128,
    ordinal: u16,
    pub(super) endpoint: EndpointId,
    pub(super) tenant: &'a str,
    pub(super) topic: &'a str,
    /// What it was before; `None` if it is new.
    pub(super) before: Option<Before>,
    after: u8,
    /// When it happened.
    pub(super) at: UnixMs,
    /// The attempt that brought it about.
    pub(super) attempt: Option<AttemptNote>,
}

/// A state that a delivery left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Before {
    status: u8,
    /// When it had ended, if it had.
    pub(super) finished_at: Option<UnixMs>,
}

/// What is counted of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AttemptNote {
    pub(super) number: u16,
    pub(super) took_us: u64,
}

/// What the open transaction changed, not yet in the table.
#[derive(Debug, Default)]
pub(super) struct Journal {
    rows: Vec<Row>,
    /// The first event that one of them is about.
    first: Option<u128>,
}

#[derive(Debug)]
struct Row {
    bytes: Vec<u8>,
    count: u64,
}

impl Change<'_> {
    /// Which delivery.
    pub(super) const fn delivery(&self) -> DeliveryId {
        delivery_id(self.event, self.ordinal)
    }

    /// What it is now.
    pub(super) fn after(&self) -> Option<DeliveryStatus> {
        DeliveryStatus::from_code(self.after)
    }
}

impl Before {
    /// The state.
    pub(super) fn status(&self) -> Option<DeliveryStatus> {
        DeliveryStatus::from_code(self.status)
    }
}

impl Journal {
    /// Notes that a delivery is stored as `after`, and was stored as `before`. Nothing to note is no change.
    pub(super) fn note(
        &mut self,
        id: DeliveryId,
        before: Option<&DeliveryRow>,
        after: &DeliveryRow,
        event: &EventRow<'_>,
    ) {
        let attempts = before.map_or(0, |before| before.attempts);
        let attempt = after.last.filter(|_| after.attempts > attempts).map(|last| AttemptNote {
            number: after.attempts,
            took_us: u64::try_from(last.took.as_micros()).unwrap_or(u64::MAX),
        });
        if attempt.is_none() && before.is_some_and(|before| before.state == after.state) {
            return;
        }
        let change = Change {
            event: id.event.as_u128(),
            ordinal: id.ordinal,
            endpoint: after.endpoint,
            tenant: event.tenant(),
            topic: event.topic(),
            before: before.map(|before| Before {
                status: before.state.status().code(),
                finished_at: before.finished_at,
            }),
            after: after.state.status().code(),
            at: after.entered_at.or(after.finished_at).unwrap_or(after.created_at),
            attempt,
        };
        self.first = Some(self.first.map_or(change.event, |first| first.min(change.event)));
        self.push(&change);
    }

    /// The first event that one of the changes is about.
    pub(super) const fn first_event(&self) -> Option<u128> {
        self.first
    }

    fn push(&mut self, change: &Change<'_>) {
        if self.rows.last().is_none_or(|row| row.bytes.len() >= FULL) {
            self.rows.push(Row { bytes: vec![VERSION], count: 0 });
        }
        let Some(row) = self.rows.last_mut() else { return };
        let bytes = std::mem::take(&mut row.bytes);
        row.bytes = postcard::to_extend(change, bytes).expect("a change has nothing that postcard refuses");
        row.count += 1;
    }
}

#[cfg(test)]
impl Journal {
    /// The last row so far.
    pub(super) fn row(&self) -> Vec<u8> {
        self.rows.last().map(|row| row.bytes.clone()).unwrap_or_default()
    }
}

/// The changes of a row, in their order.
pub(super) fn parse(row: &[u8]) -> impl Iterator<Item = Result<Change<'_>, Corrupt>> {
    let mut rest = row.strip_prefix(&[VERSION]);
    let mut has_failed = false;
    std::iter::from_fn(move || {
        let Some(bytes) = rest else {
            // Said once.
            let version = row.first().copied();
            return (!std::mem::replace(&mut has_failed, true))
                .then_some(Err(Corrupt::Version { table: "changes", version }));
        };
        if bytes.is_empty() || has_failed {
            return None;
        }
        match postcard::take_from_bytes(bytes) {
            Ok((change, left)) => {
                rest = Some(left);
                Some(Ok(change))
            }
            Err(source) => {
                has_failed = true;
                Some(Err(Corrupt::Postcard { table: "changes", source }))
            }
        }
    })
}

/// The number of the next change.
pub(super) fn next_number(changes: &impl ReadableTable<u64, &'static [u8]>) -> Result<u64, Failure> {
    let Some((first, row)) = changes.last()? else { return Ok(1) };
    Ok(first.value() + parse(row.value()).count() as u64)
}

/// When the last change happened, as far as it can be read.
pub(super) fn last_time(changes: &impl ReadableTable<u64, &'static [u8]>) -> Result<Option<UnixMs>, Failure> {
    let Some((_, row)) = changes.last()? else { return Ok(None) };
    let times = parse(row.value()).filter_map(Result::ok).map(|change| change.at);
    Ok(times.max())
}

/// The numbers of the changes that are kept: the first, and the one that comes next.
pub(super) fn kept(transaction: &ReadTransaction) -> Result<(u64, u64), Failure> {
    let changes = transaction.open_table(CHANGES)?;
    let next = next_number(&changes)?;
    let first = changes.first()?.map_or(next, |(first, _)| first.value());
    Ok((first, next))
}

/// Calls `visit` with each change from this number on, until it says that it has enough.
pub(super) fn visit(
    changes: &impl ReadableTable<u64, &'static [u8]>,
    from: u64,
    mut visit: impl FnMut(u64, &Change<'_>) -> bool,
) -> Result<(), Failure> {
    let begin = changes.range(..=from)?.next_back().transpose()?.map_or(from, |(first, _)| first.value());
    for row in changes.range(begin..)? {
        let (first, row) = row?;
        for (number, change) in (first.value()..).zip(parse(row.value())) {
            if number >= from && !visit(number, &change?) {
                return Ok(());
            }
        }
    }
    Ok(())
}

impl Tables<'_> {
    /// Stores what the open transaction changed, from the number `next` on; returns the number that comes next then.
    pub(super) fn store_changes(&mut self, mut next: u64) -> Result<u64, Failure> {
        for Row { bytes, count } in std::mem::take(&mut self.noted.journal).rows {
            self.changes.insert(next, bytes.as_slice())?;
            next += count;
        }
        Ok(next)
    }

    /// Removes what is older than the newest changes, unless it is not folded yet.
    pub(super) fn trim_changes(&mut self, next: u64, folded_below: u64) -> Result<(), Failure> {
        let keep_from = next.saturating_sub(KEPT).min(folded_below);
        // The row that has this number stays.
        let row = self.changes.range(..=keep_from)?.next_back().transpose()?;
        let Some(first_kept) = row.map(|(first, _)| first.value()) else { return Ok(()) };
        self.changes.retain_in(..first_kept, |_, _| false)?;
        Ok(())
    }
}
