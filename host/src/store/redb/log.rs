//! The delivery log: deliveries and attempts, read for people.
//!
//! A list looks at the newest events row by row, as they are in no block yet, and at all others through [`super::blocks`]. What
//! a block offers is checked by its rows before it is shown.

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;

use redb::{ReadOnlyTable, ReadTransaction};

use super::blocks::{Asked, Block, endpoint_hash, hash_of};
use super::changes;
use super::codec;
use super::failure::Failure;
use super::schema::{
    ATTEMPTS, BLOCK_STATES, BLOCKS, CHANGES, CUSTOM, DELIVERIES, DeliveryKey, EVENTS, IDS, deliveries_of,
    delivery_id, delivery_key,
};
use super::upkeep::sealed_below;
use super::{ids, rows};
use crate::model::{
    Attempt, AttemptError, AttemptOutcome, Delivery, DeliveryId, DeliveryState, EventId, EventKey, TenantId,
    UnixMs,
};
use crate::store::{Changed, DeliveryFilter, DeliveryRecord, DeliverySummary, EventRecord, Page};

/// Rows and blocks that one call looks at. A filter that nothing passes in some ten million deliveries returns a short page
/// and where to go on.
pub(super) const MAX_SCANNED: usize = 10_000;
/// The last time that a key can carry.
const MAX_KEY_MS: u64 = (1 << 48) - 1;

/// The key of an event.
pub(super) fn find(
    transaction: &ReadTransaction,
    tenant: &TenantId,
    id: &EventId,
) -> Result<Option<EventKey>, Failure> {
    ids::find(&transaction.open_table(IDS)?, &transaction.open_table(EVENTS)?, tenant, id)
}

/// See [`crate::store::Store::event`]. Whether the event waits for dispatch was asked before this transaction began, so
/// that one which did not wait is seen with its deliveries.
pub(super) fn event(
    transaction: &ReadTransaction,
    key: EventKey,
    waited: bool,
) -> Result<Option<EventRecord>, Failure> {
    let Some(event) = rows::event(&transaction.open_table(EVENTS)?, key)? else { return Ok(None) };
    let deliveries = deliveries_with(&transaction.open_table(DELIVERIES)?, key)?;
    let dispatched = !waited || !deliveries.is_empty();
    Ok(Some(EventRecord { event: Arc::new(event), dispatched, deliveries }))
}

/// The deliveries of an event.
pub(super) fn deliveries_with(
    table: &ReadOnlyTable<DeliveryKey, &'static [u8]>,
    event: EventKey,
) -> Result<Vec<Delivery>, Failure> {
    let mut deliveries = Vec::new();
    for row in table.range(deliveries_of(event))? {
        let (id, row) = row?;
        let row = codec::decode_delivery(row.value())?;
        deliveries.push(row.into_delivery(delivery_id(id.value().0, id.value().1)));
    }
    Ok(deliveries)
}

/// See [`crate::store::Store::delivery`].
pub(super) fn delivery(
    transaction: &ReadTransaction,
    id: DeliveryId,
) -> Result<Option<DeliveryRecord>, Failure> {
    let Some(row) = rows::delivery(&transaction.open_table(DELIVERIES)?, id)? else { return Ok(None) };
    let (event, ordinal) = delivery_key(id);
    let mut attempts = Vec::new();
    for row in transaction.open_table(ATTEMPTS)?.range((event, ordinal, 0)..=(event, ordinal, u16::MAX))? {
        attempts.push(codec::decode::<Attempt>("attempts", row?.1.value())?);
    }
    Ok(Some(DeliveryRecord {
        delivery: row.into_delivery(id),
        event: Arc::new(rows::event_of(&transaction.open_table(EVENTS)?, id)?),
        custom: rows::custom(&transaction.open_table(CUSTOM)?, id)?.map(Arc::new),
        attempts,
    }))
}

/// See [`crate::store::Store::deliveries`].
pub(super) fn deliveries(
    transaction: &ReadTransaction,
    filter: &DeliveryFilter,
    cursor: Option<DeliveryId>,
    limit: usize,
) -> Result<Page, Failure> {
    let mut page = Page::default();
    let Some(window) = Window::of(filter.since, filter.until, cursor.map(delivery_key)) else {
        return Ok(page);
    };
    let rows = Rows::open(transaction)?;
    for (scanned, look) in looks(transaction, filter, window)?.enumerate() {
        let look = look?;
        let found = match look {
            Look::At((event, ordinal)) => rows.summary(filter, delivery_id(event, ordinal))?,
            Look::PastAll(_) => None,
        };
        if page.rows.len() == limit && found.is_some() {
            page.next = page.rows.last().map(|row| row.delivery.id);
            break;
        }
        page.rows.extend(found);
        if scanned + 1 == MAX_SCANNED {
            page.next = Some(look.id());
            break;
        }
    }
    Ok(page)
}

/// See [`crate::store::Store::changed`].
pub(super) fn changed(
    transaction: &ReadTransaction,
    filter: &DeliveryFilter,
    after: u64,
    limit: usize,
) -> Result<Changed, Failure> {
    let (first, next) = changes::kept(transaction)?;
    let gap = after.saturating_add(1) < first || after >= next;
    let after = if after >= next { next - 1 } else { after.max(first - 1) };
    let mut found = HashMap::new();
    let mut upto = after;
    let asked = Asked::of(filter);
    let mut left = limit;
    changes::visit(&transaction.open_table(CHANGES)?, after + 1, |number, change| {
        if left == 0 {
            return false;
        }
        left -= 1;
        upto = number;
        let is_asked = asked.endpoint.is_none_or(|endpoint| endpoint == endpoint_hash(change.endpoint))
            && filter.tenant.as_ref().is_none_or(|tenant| tenant.as_str() == change.tenant)
            && filter.topic.as_ref().is_none_or(|topic| topic.as_str() == change.topic);
        if is_asked {
            found.insert(change.delivery(), number);
        }
        true
    })?;
    let mut found: Vec<_> = found.into_iter().map(|(id, number)| (number, id)).collect();
    found.sort_unstable();
    let window = Window::of(filter.since, filter.until, None);
    let table_rows = Rows::open(transaction)?;
    let mut rows = Vec::new();
    for (number, id) in found {
        if window.is_some_and(|window| window.contains(delivery_key(id))) {
            let summary = table_rows.summary(filter, id)?;
            let is_asked =
                |row: &DeliverySummary| filter.event_id.as_ref().is_none_or(|asked| *asked == row.event.id);
            rows.extend(summary.filter(is_asked).map(|row| (number, row)));
        }
    }
    Ok(Changed { rows, upto, gap })
}

/// The keys that a list may show, from `from` on and before `before`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) from: DeliveryKey,
    pub(super) before: DeliveryKey,
}

impl Window {
    /// `None` if it is empty.
    pub(super) fn of(
        since: Option<UnixMs>,
        until: Option<UnixMs>,
        cursor: Option<DeliveryKey>,
    ) -> Option<Self> {
        let start_of = |at: UnixMs| (EventKey::new(UnixMs(at.0.min(MAX_KEY_MS)), 0).as_u128(), 0);
        let from = since.map_or((0, 0), start_of);
        // No delivery has the very last key: ordinals would have to run out in the last millisecond of the year 10889.
        let end = until.map_or((u128::MAX, u16::MAX), start_of);
        let before = cursor.map_or(end, |key| end.min(key));
        (from < before).then_some(Self { from, before })
    }

    fn contains(&self, key: DeliveryKey) -> bool {
        (self.from..self.before).contains(&key)
    }
}

/// A step of the way back through the log.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look {
    /// This one may pass.
    At(DeliveryKey),
    /// Nothing that was not looked at passes, down to this key.
    PastAll(DeliveryKey),
}

impl Look {
    pub(super) const fn id(self) -> DeliveryId {
        match self {
            Self::At((event, ordinal)) | Self::PastAll((event, ordinal)) => delivery_id(event, ordinal),
        }
    }
}

pub(super) type Looks = Box<dyn Iterator<Item = Result<Look, Failure>>>;

/// The deliveries that can pass, newest first.
fn looks(transaction: &ReadTransaction, filter: &DeliveryFilter, window: Window) -> Result<Looks, Failure> {
    if let Some(id) = &filter.event_id {
        let found = of_event(transaction, filter.tenant.as_ref(), id)?;
        let found = found.into_iter().rev().filter(move |key| window.contains(*key));
        return Ok(Box::new(found.map(|key| Ok(Look::At(key)))));
    }
    let deliveries = transaction.open_table(DELIVERIES)?;
    let unsealed = (sealed_below(&transaction.open_table(BLOCKS)?)?, 0).max(window.from);
    let newest = match unsealed < window.before {
        true => Some(deliveries.range(unsealed..window.before)?),
        false => None,
    };
    let newest = newest.into_iter().flat_map(Iterator::rev).map(|row| Ok(Look::At(row?.0.value())));
    let states = transaction.open_table(BLOCK_STATES)?;
    let asked = Asked::of(filter);
    let sealed = in_blocks(transaction, window, move |first, block| {
        let row = states.get(first)?;
        let mut found = block.deliveries(row.as_ref().map_or(&[], |row| row.value()), &asked);
        found.retain(|key| window.contains(*key));
        Ok(found)
    })?;
    Ok(Box::new(newest.chain(sealed)))
}

/// What `find` finds in each block that has keys of the window, from the newest back.
pub(super) fn in_blocks(
    transaction: &ReadTransaction,
    window: Window,
    find: impl Fn(u128, &Block<'_>) -> Result<Vec<DeliveryKey>, Failure> + 'static,
) -> Result<Looks, Failure> {
    let blocks = transaction.open_table(BLOCKS)?;
    let range = blocks.range::<u128>((Bound::Unbounded, Bound::Included(window.before.0)))?;
    let mut ended = false;
    let found = range.rev().map_while(move |row| {
        if ended {
            return None;
        }
        let look = || -> Result<_, Failure> {
            let (first, row) = row?;
            let block = Block::parse(row.value())?;
            let is_last = first.value() <= window.from.0;
            let mut looks: Vec<_> = find(first.value(), &block)?.into_iter().map(Look::At).collect();
            looks.insert(0, Look::PastAll((first.value(), 0)));
            looks.reverse();
            Ok((looks, is_last))
        };
        match look() {
            Ok((looks, is_last)) => {
                ended = is_last;
                Some(looks.into_iter().map(Ok).collect::<Vec<Result<Look, Failure>>>())
            }
            Err(error) => {
                ended = true;
                Some(vec![Err(error)])
            }
        }
    });
    Ok(Box::new(found.flatten()))
}

/// The deliveries of the event with this id, or of one per tenant, oldest first.
fn of_event(
    transaction: &ReadTransaction,
    tenant: Option<&TenantId>,
    id: &EventId,
) -> Result<Vec<DeliveryKey>, Failure> {
    let (ids, events) = (transaction.open_table(IDS)?, transaction.open_table(EVENTS)?);
    let keys = match tenant {
        Some(tenant) => Vec::from_iter(ids::find(&ids, &events, tenant, id)?),
        None => ids::find_all(&ids, &events, id)?,
    };
    let deliveries = transaction.open_table(DELIVERIES)?;
    let mut found = Vec::new();
    for key in keys {
        for row in deliveries.range(deliveries_of(key))? {
            found.push(row?.0.value());
        }
    }
    Ok(found)
}

impl Asked {
    /// What a filter asks of blocks.
    fn of(filter: &DeliveryFilter) -> Self {
        Self {
            tenant: filter.tenant.as_ref().map(|tenant| hash_of(tenant.as_str().as_bytes())),
            topic: filter.topic.as_ref().map(|topic| hash_of(topic.as_str().as_bytes())),
            endpoint: filter.endpoint.map(endpoint_hash),
            status: filter.state,
            inactive: filter.inactive.iter().copied().map(endpoint_hash).collect(),
            matched: None,
        }
    }
}

/// The tables that a row of the log is made of.
struct Rows {
    deliveries: ReadOnlyTable<DeliveryKey, &'static [u8]>,
    events: ReadOnlyTable<u128, &'static [u8]>,
    attempts: ReadOnlyTable<(u128, u16, u16), &'static [u8]>,
}

impl Rows {
    fn open(transaction: &ReadTransaction) -> Result<Self, Failure> {
        Ok(Self {
            deliveries: transaction.open_table(DELIVERIES)?,
            events: transaction.open_table(EVENTS)?,
            attempts: transaction.open_table(ATTEMPTS)?,
        })
    }

    /// The row of the log, if it passes.
    fn summary(&self, filter: &DeliveryFilter, id: DeliveryId) -> Result<Option<DeliverySummary>, Failure> {
        // Of one that was removed there is still what the journal says.
        let Some(row) = rows::delivery(&self.deliveries, id)? else { return Ok(None) };
        let passes = filter.endpoint.is_none_or(|endpoint| endpoint == row.endpoint)
            && filter.state.is_none_or(|state| {
                let is_inactive = filter.inactive.contains(&row.endpoint);
                state == if is_inactive { row.state.while_inactive().status() } else { row.state.status() }
            });
        if !passes {
            return Ok(None);
        }
        // One that cannot be read is in no list, as nobody can say whose it is.
        let Some(event) = rows::listed_event(&self.events, id.event)? else { return Ok(None) };
        let passes = filter.tenant.as_ref().is_none_or(|tenant| *tenant == event.tenant)
            && filter.topic.as_ref().is_none_or(|topic| *topic == event.topic);
        if !passes {
            return Ok(None);
        }
        let event = Arc::new(event);
        let last = row.last;
        let delivery: Delivery = row.into_delivery(id);
        let last_error = match last {
            Some(_) if delivery.state != DeliveryState::Delivered => self.error(id, delivery.attempts)?,
            Some(_) | None => None,
        };
        let (last_status, last_took) = (last.and_then(|last| last.status), last.map(|last| last.took));
        Ok(Some(DeliverySummary { delivery, event, last_status, last_took, last_error }))
    }

    /// Why an attempt got no complete answer.
    fn error(&self, id: DeliveryId, number: u16) -> Result<Option<AttemptError>, Failure> {
        let (event, ordinal) = delivery_key(id);
        let Some(row) = self.attempts.get((event, ordinal, number))? else { return Ok(None) };
        match codec::decode::<Attempt>("attempts", row.value())?.outcome {
            AttemptOutcome::Failed(error) => Ok(Some(error)),
            AttemptOutcome::Answered { .. } => Ok(None),
        }
    }
}
