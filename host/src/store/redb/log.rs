//! The delivery log: events, deliveries and attempts, read for people.

use std::sync::Arc;

use redb::ReadTransaction;

use super::codec::{self, EventRow};
use super::failure::Failure;
use super::schema::{ATTEMPTS, CUSTOM, DELIVERIES, DeliveryKey, ENDPOINT_LOG, EVENTS, IDS, deliveries_of};
use super::schema::{delivery_id, delivery_key};
use super::{ids, rows};
use crate::model::{Attempt, Delivery, DeliveryId, EventId, EventKey, TenantId, UnixMs};
use crate::store::{DeliveryFilter, DeliveryRecord, DeliverySummary, EventRecord, Page};

/// Rows that one call looks at. A filter that hardly anything passes returns a short page and where to go on, instead
/// of a scan of the whole log.
const MAX_SCANNED: usize = 10_000;
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
    let mut deliveries = Vec::new();
    for row in transaction.open_table(DELIVERIES)?.range(deliveries_of(key))? {
        let (id, row) = row?;
        let row = codec::decode_delivery(row.value())?;
        deliveries.push(row.into_delivery(delivery_id(id.value().0, id.value().1)));
    }
    let dispatched = !waited || !deliveries.is_empty();
    Ok(Some(EventRecord { event: Arc::new(event), dispatched, deliveries }))
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
    let Some(window) = Window::of(filter, cursor) else { return Ok(page) };
    let mut last = None;
    for (scanned, id) in candidates(transaction, filter, window)?.enumerate() {
        if scanned == MAX_SCANNED || page.rows.len() == limit {
            page.next = last;
            break;
        }
        let (event, ordinal) = id?;
        let id = delivery_id(event, ordinal);
        page.rows.extend(summary(transaction, filter, id)?);
        last = Some(id);
    }
    Ok(page)
}

/// The keys that a list may show, from `from` on and before `before`.
#[derive(Debug, Clone, Copy)]
struct Window {
    from: DeliveryKey,
    before: DeliveryKey,
}

impl Window {
    /// `None` if it is empty.
    fn of(filter: &DeliveryFilter, cursor: Option<DeliveryId>) -> Option<Self> {
        let start_of = |at: UnixMs| (EventKey::new(UnixMs(at.0.min(MAX_KEY_MS)), 0).as_u128(), 0);
        let from = filter.since.map_or((0, 0), start_of);
        // No delivery has the very last key: ordinals would have to run out in the last millisecond of the year 10889.
        let end = filter.until.map_or((u128::MAX, u16::MAX), start_of);
        let before = cursor.map_or(end, |id| end.min(delivery_key(id)));
        (from < before).then_some(Self { from, before })
    }

    fn contains(&self, key: DeliveryKey) -> bool {
        (self.from..self.before).contains(&key)
    }
}

type Candidates = Box<dyn Iterator<Item = Result<DeliveryKey, redb::StorageError>>>;

/// The deliveries that can pass, newest first, by the narrowest index that the filter allows.
fn candidates(
    transaction: &ReadTransaction,
    filter: &DeliveryFilter,
    window: Window,
) -> Result<Candidates, Failure> {
    let Window { from, before } = window;
    if let Some(id) = &filter.event_id {
        let found = of_event(transaction, filter.tenant.as_ref(), id)?;
        return Ok(Box::new(found.into_iter().rev().filter(move |key| window.contains(*key)).map(Ok)));
    }
    if let Some(endpoint) = filter.endpoint.map(crate::model::EndpointId::as_u128) {
        let log = transaction.open_table(ENDPOINT_LOG)?;
        let rows = log.range((endpoint, from.0, from.1)..(endpoint, before.0, before.1))?;
        return Ok(Box::new(rows.rev().map(|row| {
            let (_, event, ordinal) = row?.0.value();
            Ok((event, ordinal))
        })));
    }
    let rows = transaction.open_table(DELIVERIES)?.range(from..before)?;
    Ok(Box::new(rows.rev().map(|row| Ok(row?.0.value()))))
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

/// The row of the log, if it passes.
fn summary(
    transaction: &ReadTransaction,
    filter: &DeliveryFilter,
    id: DeliveryId,
) -> Result<Option<DeliverySummary>, Failure> {
    let row = rows::indexed_delivery(&transaction.open_table(DELIVERIES)?, id)?;
    let passes = filter.endpoint.is_none_or(|endpoint| endpoint == row.endpoint)
        && filter.state.as_ref().is_none_or(|state| {
            let shown = if filter.inactive.contains(&row.endpoint) {
                row.state.while_inactive().name()
            } else {
                row.state.name()
            };
            state == shown
        });
    if !passes {
        return Ok(None);
    }
    let events = transaction.open_table(EVENTS)?;
    if let Some(event) = events.get(id.event.as_u128())? {
        let event = EventRow::parse(event.value())?;
        let passes = filter.tenant.as_ref().is_none_or(|tenant| tenant.as_str() == event.tenant())
            && filter.topic.as_ref().is_none_or(|topic| topic.as_str() == event.topic());
        if !passes {
            return Ok(None);
        }
    }
    let event = Arc::new(rows::event_of(&events, id)?);
    let last = row.last;
    let delivery: Delivery = row.into_delivery(id);
    let (last_status, last_took) = (last.and_then(|last| last.status), last.map(|last| last.took));
    Ok(Some(DeliverySummary { delivery, event, last_status, last_took }))
}
