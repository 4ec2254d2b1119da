//! What waits: events for dispatch, deliveries for an attempt or for a plugin. Reads only.

use std::ops::Bound;
use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable as _};

use super::codec::Corrupt;
use super::failure::Failure;
use super::giving_up::{Damaged, DamagedEvents, readable};
use super::rows;
use super::schema::{
    CUSTOM, DELIVERIES, ENDPOINT_HOLDS, EVENTS, FAILING, HOLDS, QUEUE, delivery_id, delivery_key,
};
use crate::model::{DeliveryId, EndpointId, Event, EventKey, Job, PluginName, UnixMs};
use crate::store::{Due, HoldPlace, PluginHold};

/// The events with these keys, and those that cannot be read or are gone. One that is not committed yet, and so is behind all that
/// are, is left out: whoever accepts it will tell.
pub(super) fn events(
    transaction: &ReadTransaction,
    keys: &[EventKey],
) -> Result<(Vec<Arc<Event>>, DamagedEvents), Failure> {
    let events = transaction.open_table(EVENTS)?;
    let (mut found, mut damaged) = (Vec::with_capacity(keys.len()), Vec::new());
    for key in keys {
        match readable(rows::event(&events, *key))? {
            Ok(Some(event)) => found.push(Arc::new(event)),
            Ok(None) if events.last()?.is_some_and(|(last, _)| key.as_u128() < last.value()) => {
                damaged.push((*key, Corrupt::Missing { table: "events", id: key.to_string() }));
            }
            Ok(None) => {}
            Err(why) => damaged.push((*key, why)),
        }
    }
    Ok((found, damaged))
}

/// See [`crate::store::Store::waiting_endpoints`]. Jumps from endpoint to endpoint.
pub(super) fn endpoints(transaction: &ReadTransaction) -> Result<Vec<(EndpointId, UnixMs)>, Failure> {
    let queue = transaction.open_table(QUEUE)?;
    let mut endpoints = Vec::new();
    let mut from = Some(0);
    while let Some(row) =
        from.map(|id| queue.range((id, 0, 0, 0)..)).transpose()?.and_then(|mut rows| rows.next())
    {
        let (endpoint, due, ..) = row?.0.value();
        endpoints.push((EndpointId::from_u128(endpoint), UnixMs(due)));
        from = endpoint.checked_add(1);
    }
    Ok(endpoints)
}

/// See [`crate::store::Store::failing_endpoints`].
pub(super) fn failing(transaction: &ReadTransaction) -> Result<Vec<(EndpointId, UnixMs)>, Failure> {
    let mut failing = Vec::new();
    for row in transaction.open_table(FAILING)?.iter()? {
        let (endpoint, since) = row?;
        failing.push((EndpointId::from_u128(endpoint.value()), UnixMs(since.value())));
    }
    Ok(failing)
}

/// See [`crate::store::Store::due`]; and those that cannot be read, which are not among them.
pub(super) fn due(
    transaction: &ReadTransaction,
    endpoint: EndpointId,
    now: UnixMs,
    limit: usize,
) -> Result<(Due, Vec<Damaged>), Failure> {
    let queue = transaction.open_table(QUEUE)?;
    let id = endpoint.as_u128();
    let mut found = Due::default();
    let mut ready = Vec::new();
    for row in queue.range((id, 0, 0, 0)..=(id, u64::MAX, u128::MAX, u16::MAX))? {
        let (_, due, event, ordinal) = row?.0.value();
        if due > now.0 || ready.len() == limit {
            found.next = Some(UnixMs(due));
            break;
        }
        ready.push(delivery_id(event, ordinal));
    }
    let mut damaged = Vec::new();
    for delivery in ready {
        match readable(job(transaction, endpoint, delivery))? {
            Ok(job) => found.jobs.push(job),
            Err(why) => damaged.push(Damaged { endpoint, delivery, why }),
        }
    }
    Ok((found, damaged))
}

/// A delivery with all that its attempt needs.
pub(super) fn job(
    transaction: &ReadTransaction,
    endpoint: EndpointId,
    id: DeliveryId,
) -> Result<Job, Failure> {
    let row = rows::indexed_delivery(&transaction.open_table(DELIVERIES)?, id)?;
    let custom =
        if row.has_custom { rows::custom(&transaction.open_table(CUSTOM)?, id)?.map(Arc::new) } else { None };
    let event = Arc::new(rows::event_of(&transaction.open_table(EVENTS)?, id)?);
    let (attempts, schedule_from) = (row.attempts, row.schedule_from);
    Ok(Job { delivery: id, endpoint, attempts, schedule_from, event, custom, line: None })
}

/// See [`crate::store::Store::plugin_holds`]; and those that cannot be read, which are not among them. The rows of one plugin are in the order of their due time; those of
/// all plugins are merged.
pub(super) fn plugin_holds(
    transaction: &ReadTransaction,
    now: UnixMs,
    released: Option<&PluginName>,
    after: Option<HoldPlace>,
    limit: usize,
) -> Result<(Vec<PluginHold>, Vec<Damaged>), Failure> {
    let holds = transaction.open_table(HOLDS)?;
    let mut found: Vec<(u64, DeliveryId)> = Vec::new();
    for (plugin, _) in held_plugins(transaction)? {
        let is_released = released.is_some_and(|released| released.as_str() == plugin);
        let until = if is_released { u64::MAX } else { now.0 };
        let name = plugin.as_str();
        let from = match after {
            Some((due, id)) => Bound::Excluded((name, due.0, id.event.as_u128(), id.ordinal)),
            None => Bound::Included((name, 0, 0, 0)),
        };
        let to = Bound::Included((name, until, u128::MAX, u16::MAX));
        // Beyond what is due by now there may be nothing after that place.
        if after.is_some_and(|(due, _)| due.0 > until) {
            continue;
        }
        for row in holds.range((from, to))?.take(limit) {
            let row = row?.0;
            let (_, due, event, ordinal) = row.value();
            found.push((due, delivery_id(event, ordinal)));
        }
    }
    found.sort_unstable();
    found.truncate(limit);
    let (mut read, mut damaged) = (Vec::with_capacity(found.len()), Vec::new());
    for (due, delivery) in found {
        match readable(hold(transaction, UnixMs(due), delivery))? {
            Ok(hold) => read.push(hold),
            Err(why) => {
                let endpoint = held_for(transaction, delivery)?;
                damaged.push(Damaged { endpoint, delivery, why });
            }
        }
    }
    Ok((read, damaged))
}

/// The endpoint of a delivery that is held and cannot be read.
fn held_for(transaction: &ReadTransaction, id: DeliveryId) -> Result<EndpointId, Failure> {
    if let Ok(Some(row)) = readable(rows::delivery(&transaction.open_table(DELIVERIES)?, id))? {
        return Ok(row.endpoint);
    }
    let (event, ordinal) = delivery_key(id);
    for row in transaction.open_table(ENDPOINT_HOLDS)?.iter()? {
        let (endpoint, of, number) = row?.0.value();
        if (of, number) == (event, ordinal) {
            return Ok(EndpointId::from_u128(endpoint));
        }
    }
    Ok(EndpointId::from_u128(0))
}

/// When the earliest of any plugin is due.
pub(super) fn next_plugin_hold(transaction: &ReadTransaction) -> Result<Option<UnixMs>, Failure> {
    Ok(held_plugins(transaction)?.into_iter().map(|(_, due)| due).min())
}

/// The plugins that deliveries wait for, each with the earliest due time. Jumps from plugin to plugin.
fn held_plugins(transaction: &ReadTransaction) -> Result<Vec<(String, UnixMs)>, Failure> {
    let holds = transaction.open_table(HOLDS)?;
    let mut plugins = Vec::new();
    let mut from = String::new();
    while let Some(row) = holds.range((from.as_str(), 0, 0, 0)..)?.next() {
        let row = row?.0;
        let (plugin, due, ..) = row.value();
        // The least text that sorts after the plugin's name.
        from = format!("{plugin}\0");
        plugins.push((plugin.to_owned(), UnixMs(due)));
    }
    Ok(plugins)
}

fn hold(transaction: &ReadTransaction, due: UnixMs, id: DeliveryId) -> Result<PluginHold, Failure> {
    let row = rows::indexed_delivery(&transaction.open_table(DELIVERIES)?, id)?;
    let event = Arc::new(rows::event_of(&transaction.open_table(EVENTS)?, id)?);
    Ok(PluginHold { place: (due, id), delivery: row.into_delivery(id), event })
}
