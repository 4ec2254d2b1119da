//! Rules of the order of endpoints: `due_in_order`, `index_order`, `set_lines`.

use std::collections::{HashMap, HashSet};

use super::fixtures::{
    T0, accept, at, audit, delivered, delivery, dispatched, endpoint, endpoint_id, held_by, new_event, nth,
    pending, retrying, verdict,
};
use crate::model::{DeliveryId, DeliveryState, Endpoint, Line, OrderId, Ordering, UnixMs};
use crate::store::{DueInOrder, FanOut, InOrder, Lookout, NewDelivery, Store};

const KEY: &str = "/customer";

/// Gives the store the first endpoint with this order.
async fn ordered(store: &dyn Store, key: Option<&str>) -> Endpoint {
    let endpoint = with_order(endpoint(1, "https://example.com/1"), Ordering::Fifo, key);
    store.create_endpoint(endpoint.clone(), audit("endpoint.created")).await.unwrap();
    endpoint
}

fn with_order(endpoint: Endpoint, ordering: Ordering, key: Option<&str>) -> Endpoint {
    Endpoint { ordering, ordering_key: key.map(|key| key.parse().unwrap()), ..endpoint }
}

async fn change(store: &dyn Store, endpoint: &Endpoint) {
    store.update_endpoint(endpoint.clone(), Vec::new(), audit("endpoint.updated")).await.unwrap();
}

fn by_key() -> OrderId {
    KEY.parse::<crate::model::OrderingKey>().unwrap().order()
}

/// A line of the order by [`KEY`].
fn line(key: u128) -> Line {
    Line { order: by_key(), key }
}

fn in_line(line: Line) -> NewDelivery {
    NewDelivery { line: Some(line), ..pending(endpoint_id(1)) }
}

/// Fans an event out to the first endpoint.
async fn waits(store: &dyn Store, line: Line) -> DeliveryId {
    nth(dispatched(store, new_event(), vec![in_line(line)]).await, 0)
}

fn from_the_beginning(order: OrderId) -> Lookout {
    Lookout { order, after: None, known: HashMap::new(), passed: HashSet::new() }
}

/// Looks at the first endpoint, which is ordered as a whole.
pub(crate) async fn look(store: &dyn Store, now: UnixMs) -> DueInOrder {
    store.due_in_order(endpoint_id(1), from_the_beginning(OrderId::WHOLE), now, 9).await.unwrap()
}

/// Indexes the first endpoint, two deliveries a transaction.
pub(crate) async fn index(store: &dyn Store, order: OrderId) {
    let mut after = None;
    while let Some(place) = store.index_order(endpoint_id(1), order, after, 2).await.unwrap() {
        after = Some(place);
    }
}

async fn found(store: &dyn Store, lookout: Lookout, now: UnixMs, limit: usize) -> InOrder {
    match store.due_in_order(endpoint_id(1), lookout, now, limit).await.unwrap() {
        DueInOrder::Due(found) => found,
        other @ (DueInOrder::WithoutLine(_) | DueInOrder::NotIndexed) => panic!("{other:?}"),
    }
}

fn ids(found: &InOrder) -> Vec<DeliveryId> {
    found.jobs.iter().map(|job| job.delivery).collect()
}

/// The deliveries to the first endpoint, which is ordered as a whole, when the next is due, and whether an event is
/// awaited.
async fn in_order(store: &dyn Store, now: UnixMs, limit: usize) -> (Vec<DeliveryId>, Option<UnixMs>, bool) {
    let found = found(store, from_the_beginning(OrderId::WHOLE), now, limit).await;
    (ids(&found), found.next, found.awaits_dispatch)
}

pub(crate) async fn what_is_due_in_order_ends_at_the_first_that_is_not_due(store: &dyn Store) {
    ordered(store, None).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        let deliveries = vec![pending(endpoint_id(2)), in_line(Line::WHOLE)];
        ids.push(nth(dispatched(store, new_event(), deliveries).await, 1));
    }
    assert_eq!(in_order(store, T0, 9).await, (ids.clone(), None, false));
    assert_eq!(in_order(store, T0, 2).await, (ids[..2].to_vec(), None, false));
    assert!(found(store, from_the_beginning(OrderId::WHOLE), T0, 2).await.more);
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
    ordered(store, None).await;
    let held = delivery(endpoint_id(1), held_by("jq"), Some(at(9)));
    let held = NewDelivery { line: Some(Line::WHOLE), ..held };
    let first = waits(store, Line::WHOLE).await;
    let hold = nth(dispatched(store, new_event(), vec![held]).await, 0);
    let last = waits(store, Line::WHOLE).await;
    assert_eq!(in_order(store, at(60), 9).await, (vec![first], None, false));
    store.redispatch(hold, verdict(DeliveryState::Pending, None), true).await.unwrap();
    assert_eq!(in_order(store, at(60), 9).await.0, [first, hold, last]);
}

pub(crate) async fn nothing_is_due_in_order_before_an_earlier_event_is_fanned_out(store: &dyn Store) {
    ordered(store, None).await;
    let first = waits(store, Line::WHOLE).await;
    let slow = accept(store, new_event()).await.key;
    let last = waits(store, Line::WHOLE).await;
    assert_eq!(in_order(store, T0, 9).await, (vec![first], None, true));
    let deliveries = vec![in_line(Line::WHOLE)];
    store.fan_out(FanOut { event: slow, at: T0, deliveries, durable: true }).await.unwrap();
    assert_eq!(in_order(store, T0, 9).await, (vec![first, nth(slow, 0), last], None, false));
}

pub(crate) async fn lines_wait_for_themselves_only(store: &dyn Store) {
    ordered(store, Some(KEY)).await;
    let mut rows = Vec::new();
    for key in [1, 2, 1, 3, 2] {
        rows.push(waits(store, line(key)).await);
    }
    store.finish_attempt(retrying(rows[0], 1, at(20))).await.unwrap();
    let looked = found(store, from_the_beginning(by_key()), T0, 80).await;
    assert_eq!(ids(&looked), [rows[1], rows[3], rows[4]]);
    assert_eq!(looked.jobs[1].line, Some(line(3)));
    assert_eq!((looked.next, looked.looked_to), (Some(at(20)), Some(rows[4])));
    assert_eq!(looked.passed, [line(1)].into());
    assert_eq!(ids(&found(store, from_the_beginning(by_key()), at(20), 80).await), rows);
}

pub(crate) async fn of_one_line_no_more_is_taken_than_its_share(store: &dyn Store) {
    ordered(store, Some(KEY)).await;
    let mut rows = Vec::new();
    for key in [1, 1, 1, 1, 2] {
        rows.push(waits(store, line(key)).await);
    }
    let looked = found(store, from_the_beginning(by_key()), T0, 16).await;
    assert_eq!(ids(&looked), [rows[0], rows[1], rows[4]]);
    assert_eq!(looked.passed, [line(1)].into());
    assert!(!looked.more);
}

pub(crate) async fn what_was_passed_by_and_what_is_known_is_not_taken_later(store: &dyn Store) {
    ordered(store, Some(KEY)).await;
    let mut rows = Vec::new();
    for key in [1, 2, 3] {
        rows.push(waits(store, line(key)).await);
    }
    for key in [1, 2, 3, 4] {
        rows.push(waits(store, line(key)).await);
    }
    let known = [(rows[1], line(2))].into();
    let later =
        Lookout { after: Some(rows[2]), known, passed: [line(1)].into(), ..from_the_beginning(by_key()) };
    let looked = found(store, later, T0, 80).await;
    assert_eq!(ids(&looked), [rows[5], rows[6]]);
    assert_eq!(looked.passed, [line(1), line(2)].into());
    let known = [(rows[0], line(1)), (rows[3], line(1))].into();
    let all = Lookout { known, ..from_the_beginning(by_key()) };
    assert_eq!(found(store, all, T0, 80).await.passed, HashSet::new(), "nothing is behind what is known");
}

pub(crate) async fn lines_that_nobody_said_are_asked_for(store: &dyn Store) {
    ordered(store, Some(KEY)).await;
    let first = waits(store, line(1)).await;
    // Dispatched by what the endpoint was before.
    let plain = nth(dispatched(store, new_event(), vec![pending(endpoint_id(1))]).await, 0);
    let other = waits(store, Line::WHOLE).await;
    let last = waits(store, line(2)).await;
    let asked = store.due_in_order(endpoint_id(1), from_the_beginning(by_key()), T0, 80).await.unwrap();
    let DueInOrder::WithoutLine(asked) = asked else { panic!("{asked:?}") };
    assert_eq!(asked.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [plain, other]);
    assert_eq!(asked[0].1.key, plain.event);
    let lines = vec![(plain, line(2)), (other, line(1))];
    store.set_lines(endpoint_id(1), lines).await.unwrap();
    let looked = found(store, from_the_beginning(by_key()), T0, 80).await;
    assert_eq!(ids(&looked), [first, plain, other, last]);
    // One that is over needs no line, and gets no place.
    store.finish_attempt(delivered(first, 1)).await.unwrap();
    store.set_lines(endpoint_id(1), vec![(first, line(1))]).await.unwrap();
    assert_eq!(ids(&found(store, from_the_beginning(by_key()), T0, 80).await), [plain, other, last]);
}

pub(crate) async fn an_order_that_is_new_is_indexed_batch_by_batch(store: &dyn Store) {
    let plain = endpoint(1, "https://example.com/1");
    store.create_endpoint(plain.clone(), audit("endpoint.created")).await.unwrap();
    let mut rows = Vec::new();
    for _ in 0..5 {
        rows.push(nth(dispatched(store, new_event(), vec![pending(endpoint_id(1))]).await, 0));
    }
    let held = delivery(endpoint_id(1), held_by("jq"), Some(at(9)));
    rows.push(nth(dispatched(store, new_event(), vec![held]).await, 0));
    store.finish_attempt(retrying(rows[0], 1, at(20))).await.unwrap();
    change(store, &with_order(plain, Ordering::Fifo, None)).await;
    assert!(matches!(look(store, T0).await, DueInOrder::NotIndexed));
    let begun = store.index_order(endpoint_id(1), OrderId::WHOLE, None, 2).await.unwrap();
    assert!(begun.is_some());
    assert!(matches!(look(store, T0).await, DueInOrder::NotIndexed), "not before all are there");
    // What ends or comes meanwhile is there or gone by itself; and a crash begins anew.
    store.finish_attempt(delivered(rows[4], 1)).await.unwrap();
    rows.remove(4);
    rows.push(waits(store, Line::WHOLE).await);
    let other_order = store.index_order(endpoint_id(1), by_key(), begun, 2).await.unwrap();
    assert_eq!(other_order, None, "it is not the order of the endpoint");
    assert!(matches!(look(store, T0).await, DueInOrder::NotIndexed));
    index(store, OrderId::WHOLE).await;
    let DueInOrder::WithoutLine(asked) = look(store, T0).await else { panic!("they have no lines") };
    assert_eq!(asked.iter().map(|(id, _)| *id).collect::<Vec<_>>(), rows[..5]);
    let lines = asked.iter().map(|(id, _)| (*id, Line::WHOLE)).collect();
    store.set_lines(endpoint_id(1), lines).await.unwrap();
    assert_eq!(in_order(store, T0, 9).await, (Vec::new(), Some(at(20)), false));
    assert_eq!(in_order(store, at(20), 9).await.0, rows[..4], "up to the hold");
}

pub(crate) async fn an_order_that_was_given_up_is_true_when_it_is_taken_up_again(store: &dyn Store) {
    let endpoint = ordered(store, Some(KEY)).await;
    let ended = waits(store, line(1)).await;
    let retried = waits(store, line(1)).await;
    let waiting = waits(store, line(2)).await;
    let free = with_order(endpoint.clone(), Ordering::None, None);
    change(store, &free).await;
    assert_eq!(store.due(endpoint_id(1), T0, 9).await.unwrap().jobs.len(), 3, "all are free");
    store.finish_attempt(delivered(ended, 1)).await.unwrap();
    store.finish_attempt(retrying(retried, 1, at(20))).await.unwrap();
    let meanwhile = nth(dispatched(store, new_event(), vec![pending(endpoint_id(1))]).await, 0);
    change(store, &endpoint).await;
    index(store, by_key()).await;
    store.set_lines(endpoint_id(1), vec![(meanwhile, line(1))]).await.unwrap();
    let looked = found(store, from_the_beginning(by_key()), T0, 80).await;
    assert_eq!((ids(&looked), looked.next), (vec![waiting], Some(at(20))));
    let looked = found(store, from_the_beginning(by_key()), at(20), 80).await;
    assert_eq!(ids(&looked), [retried, waiting, meanwhile]);
}

pub(crate) async fn releasing_and_cancelling_keep_the_lines(store: &dyn Store) {
    ordered(store, Some(KEY)).await;
    let first = waits(store, line(1)).await;
    let second = waits(store, line(1)).await;
    store.finish_attempt(retrying(first, 1, at(3600))).await.unwrap();
    store.release_waiting(endpoint_id(1), None, 10).await.unwrap();
    assert_eq!(ids(&found(store, from_the_beginning(by_key()), at(1), 80).await), [first, second]);
    assert_eq!(store.cancel_waiting(endpoint_id(1), T0, 1).await.unwrap(), 1);
    assert_eq!(ids(&found(store, from_the_beginning(by_key()), at(1), 80).await).len(), 1);
    assert_eq!(store.cancel_waiting(endpoint_id(1), T0, 9).await.unwrap(), 1);
    let looked = found(store, from_the_beginning(by_key()), at(1), 80).await;
    assert_eq!((ids(&looked), looked.looked_to), (Vec::new(), None), "no row is left");
}
