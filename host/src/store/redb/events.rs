//! The list of events, with what became of each.

use std::collections::BTreeSet;
use std::sync::Arc;

use redb::ReadTransaction;

use super::blocks::{Asked, hash_of};
use super::failure::Failure;
use super::log::{Look, Looks, MAX_SCANNED, Window, deliveries_with, in_blocks};
use super::rows;
use super::schema::{BLOCKS, DELIVERIES, EVENTS, deliveries_of};
use super::upkeep::sealed_below;
use crate::model::EventKey;
use crate::store::{EventFilter, EventPage, EventRecord};

/// Which events wait for dispatch. Asked before the transaction begins, so that one which does not wait is seen with its
/// deliveries.
pub(super) struct Undispatched {
    pub(super) keys: BTreeSet<EventKey>,
    /// Those from here on were not asked about.
    pub(super) unknown_from: Option<EventKey>,
}

impl Undispatched {
    fn contains(&self, key: EventKey) -> bool {
        self.keys.contains(&key) || self.unknown_from.is_some_and(|from| key >= from)
    }
}

/// See [`crate::store::Store::events`].
pub(super) fn list(
    transaction: &ReadTransaction,
    filter: &EventFilter,
    cursor: Option<EventKey>,
    limit: usize,
    undispatched: &Undispatched,
) -> Result<EventPage, Failure> {
    let mut page = EventPage::default();
    let cursor = cursor.map(|key| (key.as_u128(), 0));
    let Some(window) = Window::of(filter.since, filter.until, cursor) else { return Ok(page) };
    let (events, deliveries) = (transaction.open_table(EVENTS)?, transaction.open_table(DELIVERIES)?);
    for (scanned, look) in looks(transaction, filter, window)?.enumerate() {
        let look = look?;
        let key = look.id().event;
        // One that cannot be read is in no list, as nobody can say whose it is.
        let event = match look {
            Look::At(_) => rows::listed_event(&events, key)?,
            Look::PastAll(_) => None,
        };
        let event = event.filter(|event| {
            filter.tenant.as_ref().is_none_or(|tenant| *tenant == event.tenant)
                && filter.topic.as_ref().is_none_or(|topic| *topic == event.topic)
        });
        let matches = event.is_some() && {
            let is_matched = deliveries.range(deliveries_of(key))?.next().is_some();
            filter
                .matched
                .is_none_or(|asked| asked == is_matched && (is_matched || !undispatched.contains(key)))
        };
        if matches && page.events.len() == limit {
            page.next = page.events.last().map(|record| record.event.key);
            break;
        }
        if let Some(event) = event.filter(|_| matches) {
            let deliveries = deliveries_with(&deliveries, key)?;
            let dispatched = !deliveries.is_empty() || !undispatched.contains(key);
            page.events.push(EventRecord { event: Arc::new(event), dispatched, deliveries });
        }
        if scanned + 1 == MAX_SCANNED {
            page.next = Some(key);
            break;
        }
    }
    Ok(page)
}

/// The events that can pass, newest first.
fn looks(transaction: &ReadTransaction, filter: &EventFilter, window: Window) -> Result<Looks, Failure> {
    let asked = Asked {
        tenant: filter.tenant.as_ref().map(|tenant| hash_of(tenant.as_str().as_bytes())),
        topic: filter.topic.as_ref().map(|topic| hash_of(topic.as_str().as_bytes())),
        matched: filter.matched,
        ..Asked::default()
    };
    let (from, before) = (window.from.0, window.before.0);
    let unsealed = sealed_below(&transaction.open_table(BLOCKS)?)?.max(from);
    let newest = match unsealed < before {
        true => Some(transaction.open_table(EVENTS)?.range(unsealed..before)?),
        false => None,
    };
    let newest = newest.into_iter().flat_map(Iterator::rev).map(|row| Ok(Look::At((row?.0.value(), 0))));
    let sealed = in_blocks(transaction, window, move |_, block| {
        let events = block.events(&asked).into_iter().filter(|key| (from..before).contains(key));
        Ok(events.map(|key| (key, 0)).collect())
    })?;
    Ok(Box::new(newest.chain(sealed)))
}
