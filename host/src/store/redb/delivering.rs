//! `finish_attempt`, `cancel_waiting`, `release_unsigned` and `release_waiting`: where a delivery goes after it waited.

use std::ops::Bound;

use redb::ReadableTable as _;

use super::accept;
use super::codec::DeliveryRow;
use super::failure::Failure;
use super::rows;
use super::schema::{Tables, delivery_id};
use super::writer::{Awaited, Batch, Change};
use crate::failpoint;
use crate::model::{DeliveryId, DeliveryState, EndpointId, HoldReason, UnixMs, failing_since};
use crate::store::{FinishedAttempt, QueuePlace, Recorded};

impl Change for FinishedAttempt {
    type Output = Recorded;

    fn awaits(&self) -> Awaited {
        Awaited::Commit
    }

    fn is_of_flow(&self) -> bool {
        true
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<Self::Output, Failure> {
        let id = self.delivery;
        let tables = &mut batch.tables;
        let Some(mut row) = tables.attempted(id)? else { return Ok(Recorded::default()) };
        let was_over = row.state.is_final();
        let ended = self.attempt.as_ref().map(|attempt| attempt.outcome.is_success());
        let is_recorded = self.attempt.as_ref().is_none_or(|attempt| attempt.number <= row.attempts);
        // One that was cancelled while the attempt was under way.
        let is_late = row.state == DeliveryState::Cancelled && !is_recorded;
        if was_over && !is_late {
            return Ok(Recorded { failing_since: None, was_over });
        }
        tables.stop_waiting(id, &row)?;
        if let Some(attempt) = &self.attempt {
            row.note(attempt);
            tables.insert_attempt(id, attempt)?;
        }
        if !was_over || ended == Some(true) {
            row.enter(self.state, self.due_at, self.at);
        }
        tables.store_delivery(id, &row)?;
        if !was_over {
            accept::notices(batch, self.notice)?;
        }
        let failing_since = match ended {
            Some(success) => note_ended(&mut batch.tables, row.endpoint, success, self.at)?,
            None => None,
        };
        failpoint::reached(failpoint::APPLIED);
        Ok(Recorded { failing_since, was_over })
    }
}

/// Notes how an attempt of an endpoint ended; tells since when all have failed. Writes only when that changes.
fn note_ended(
    tables: &mut Tables<'_>,
    endpoint: EndpointId,
    success: bool,
    at: UnixMs,
) -> Result<Option<UnixMs>, Failure> {
    let endpoint = endpoint.as_u128();
    let before = tables.failing.get(endpoint)?.map(|row| UnixMs(row.value()));
    let after = failing_since(before, success, at);
    if after == before {
        return Ok(after);
    }
    match after {
        Some(since) => tables.failing.insert(endpoint, since.0)?,
        None => tables.failing.remove(endpoint)?,
    };
    Ok(after)
}

/// The verb.
pub(super) struct CancelWaiting {
    pub(super) endpoint: EndpointId,
    pub(super) at: UnixMs,
    pub(super) limit: usize,
}

impl Change for CancelWaiting {
    type Output = usize;

    fn awaits(&self) -> Awaited {
        Awaited::Commit
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<usize, Failure> {
        let tables = &mut batch.tables;
        let endpoint = self.endpoint.as_u128();
        let mut waiting = Vec::new();
        for row in tables
            .queue
            .range((endpoint, 0, 0, 0)..=(endpoint, u64::MAX, u128::MAX, u16::MAX))?
            .take(self.limit)
        {
            let (_, _, event, ordinal) = row?.0.value();
            waiting.push(delivery_id(event, ordinal));
        }
        let rest = self.limit - waiting.len();
        for row in tables.endpoint_holds.range((endpoint, 0, 0)..=(endpoint, u128::MAX, u16::MAX))?.take(rest)
        {
            let (_, event, ordinal) = row?.0.value();
            waiting.push(delivery_id(event, ordinal));
        }
        let mut found = Vec::with_capacity(waiting.len());
        for id in waiting {
            found.push((id, rows::indexed_delivery(&tables.deliveries, id)?));
        }
        move_rows(tables, found, |row| row.enter(DeliveryState::Cancelled, None, self.at))
    }
}

/// The verb.
pub(super) struct ReleaseUnsigned {
    pub(super) endpoint: EndpointId,
    pub(super) at: UnixMs,
    pub(super) until: UnixMs,
    pub(super) limit: usize,
}

impl Change for ReleaseUnsigned {
    type Output = usize;

    fn awaits(&self) -> Awaited {
        Awaited::Commit
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<usize, Failure> {
        let tables = &mut batch.tables;
        let endpoint = self.endpoint.as_u128();
        let from = (endpoint, self.at.0.saturating_add(1), 0, 0);
        let mut found = Vec::new();
        for entry in tables.queue.range(from..=(endpoint, self.until.0, u128::MAX, u16::MAX))? {
            let (_, _, event, ordinal) = entry?.0.value();
            let id = delivery_id(event, ordinal);
            let row = rows::indexed_delivery(&tables.deliveries, id)?;
            if row.state == DeliveryState::Held(HoldReason::NoActiveSecret) {
                found.push((id, row));
            }
            if found.len() == self.limit {
                break;
            }
        }
        move_rows(tables, found, |row| row.due_at = Some(self.at))
    }
}

/// The verb.
pub(super) struct ReleaseWaiting {
    pub(super) endpoint: EndpointId,
    pub(super) after: Option<QueuePlace>,
    pub(super) at: UnixMs,
    pub(super) limit: usize,
}

impl Change for ReleaseWaiting {
    type Output = Option<QueuePlace>;

    fn awaits(&self) -> Awaited {
        Awaited::Commit
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<Self::Output, Failure> {
        let tables = &mut batch.tables;
        let endpoint = self.endpoint.as_u128();
        let from = self.after.map_or((endpoint, 0, 0, 0), |QueuePlace { due_at, delivery }| {
            (endpoint, due_at.0, delivery.event.as_u128(), delivery.ordinal)
        });
        let range = (Bound::Excluded(from), Bound::Included((endpoint, u64::MAX, u128::MAX, u16::MAX)));
        let mut places = Vec::new();
        for row in tables.queue.range(range)?.take(self.limit) {
            let (_, due, event, ordinal) = row?.0.value();
            places.push(QueuePlace { due_at: UnixMs(due), delivery: delivery_id(event, ordinal) });
        }
        // A new row is due when its event was accepted and has its place already: only those that failed are moved.
        for QueuePlace { due_at, delivery } in places.iter().copied() {
            let accepted_at = delivery.event.time().min(self.at);
            if due_at > accepted_at {
                let mut row = rows::indexed_delivery(&tables.deliveries, delivery)?;
                tables.stop_waiting(delivery, &row)?;
                row.due_at = Some(accepted_at);
                tables.store_delivery(delivery, &row)?;
            }
        }
        Ok(places.pop())
    }
}

/// Takes deliveries from where they wait, changes them, and puts them where they wait then, if they do.
fn move_rows(
    tables: &mut Tables<'_>,
    rows: Vec<(DeliveryId, DeliveryRow)>,
    change: impl Fn(&mut DeliveryRow),
) -> Result<usize, Failure> {
    let count = rows.len();
    for (id, mut row) in rows {
        tables.stop_waiting(id, &row)?;
        change(&mut row);
        tables.store_delivery(id, &row)?;
    }
    Ok(count)
}
