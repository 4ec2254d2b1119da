//! Rules of `due_in_order`.

use super::fixtures::{
    T0, accept, at, delivered, delivery, dispatched, endpoint_id, held_by, new_event, nth, pending, retrying,
    verdict,
};
use crate::model::{DeliveryId, DeliveryState, UnixMs};
use crate::store::{FanOut, Store};

/// The deliveries to the first endpoint, when the next is due, and whether an event is awaited.
async fn in_order(store: &dyn Store, now: UnixMs, limit: usize) -> (Vec<DeliveryId>, Option<UnixMs>, bool) {
    let found = store.due_in_order(endpoint_id(1), now, limit).await.unwrap();
    let ids = found.due.jobs.iter().map(|job| job.delivery).collect();
    (ids, found.due.next, found.awaits_dispatch)
}

pub(crate) async fn what_is_due_in_order_ends_at_the_first_that_is_not_due(store: &dyn Store) {
    let mut ids = Vec::new();
    for _ in 0..4 {
        let deliveries = vec![pending(endpoint_id(2)), pending(endpoint_id(1))];
        ids.push(nth(dispatched(store, new_event(), deliveries).await, 1));
    }
    assert_eq!(in_order(store, T0, 9).await, (ids.clone(), None, false));
    assert_eq!(in_order(store, T0, 2).await, (ids[..2].to_vec(), Some(T0), false));
    store.finish_attempt(retrying(ids[1], 1, at(20))).await.unwrap();
    assert_eq!(in_order(store, at(19), 9).await, (ids[..1].to_vec(), Some(at(20)), false));
    store.finish_attempt(delivered(ids[0], 1)).await.unwrap();
    assert_eq!(in_order(store, at(19), 9).await, (Vec::new(), Some(at(20)), false));
    assert_eq!(
        in_order(store, at(20), 9).await,
        (ids[1..].to_vec(), None, false),
        "by event, not by due time"
    );
}

pub(crate) async fn a_hold_ends_what_is_due_in_order_until_it_is_over(store: &dyn Store) {
    let held = delivery(endpoint_id(1), held_by("jq"), Some(at(9)));
    let first = nth(dispatched(store, new_event(), vec![pending(endpoint_id(1))]).await, 0);
    let hold = nth(dispatched(store, new_event(), vec![held]).await, 0);
    let last = nth(dispatched(store, new_event(), vec![pending(endpoint_id(1))]).await, 0);
    assert_eq!(in_order(store, at(60), 9).await, (vec![first], None, false));
    store.redispatch(hold, verdict(DeliveryState::Pending, None), true).await.unwrap();
    assert_eq!(in_order(store, at(60), 9).await.0, [first, hold, last]);
}

pub(crate) async fn nothing_is_due_in_order_before_an_earlier_event_is_fanned_out(store: &dyn Store) {
    let first = nth(dispatched(store, new_event(), vec![pending(endpoint_id(1))]).await, 0);
    let slow = accept(store, new_event()).await.key;
    let last = nth(dispatched(store, new_event(), vec![pending(endpoint_id(1))]).await, 0);
    assert_eq!(in_order(store, T0, 9).await, (vec![first], None, true));
    let deliveries = vec![pending(endpoint_id(1))];
    store.fan_out(FanOut { event: slow, at: T0, deliveries, durable: true }).await.unwrap();
    assert_eq!(in_order(store, T0, 9).await, (vec![first, nth(slow, 0), last], None, false));
}
