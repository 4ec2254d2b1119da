//! Rules of `changed` and `latest_change`.

use super::fixtures::{
    accept, at, delivered, delivery, dispatched, endpoint_id, held_by, new_event, nth, pending, retrying,
    tenant,
};
use crate::model::{DeliveryId, DeliveryStatus, EventKey};
use crate::store::{DeliveryFilter, DeliverySummary, FanOut, NewEvent, Store};

/// What changed after a number: the numbers with ordinals and states.
async fn changed(store: &dyn Store, filter: DeliveryFilter, after: u64) -> Vec<(u64, u16, &'static str)> {
    let changed = store.changed(filter, after, 100).await.unwrap();
    assert!(!changed.gap);
    let row = |(number, row): &(u64, DeliverySummary)| {
        (*number, row.delivery.id.ordinal, row.delivery.state.name())
    };
    changed.rows.iter().map(row).collect()
}

pub(crate) async fn what_changed_is_told_as_it_is_now_with_its_last_number(store: &dyn Store) {
    let mut latest = store.latest_change();
    assert_eq!(*latest.borrow_and_update(), 0);
    assert!(changed(store, DeliveryFilter::default(), 0).await.is_empty());
    let event = dispatched(store, new_event(), vec![pending(endpoint_id(1)); 3]).await;
    latest.changed().await.unwrap();
    assert_eq!(*latest.borrow_and_update(), 3);
    let all = || DeliveryFilter::default();
    assert_eq!(changed(store, all(), 0).await, [(1, 0, "pending"), (2, 1, "pending"), (3, 2, "pending")]);
    store.finish_attempt(retrying(nth(event, 1), 1, at(9))).await.unwrap();
    store.finish_attempt(delivered(nth(event, 0), 1)).await.unwrap();
    assert_eq!(changed(store, all(), 3).await, [(4, 1, "retrying"), (5, 0, "delivered")]);
    assert_eq!(changed(store, all(), 0).await, [(3, 2, "pending"), (4, 1, "retrying"), (5, 0, "delivered")]);
    // Nobody sees a change of what is due.
    while store.release_waiting(endpoint_id(1), None, 9).await.unwrap().is_none() {}
    assert_eq!(*latest.borrow_and_update(), 5);
    assert_eq!(store.cancel_waiting(endpoint_id(1), at(3), 9).await.unwrap(), 2);
    assert_eq!(changed(store, all(), 5).await.len(), 2);
}

pub(crate) async fn every_filter_narrows_what_is_told(store: &dyn Store) {
    let of = |name, topic: &str| NewEvent {
        tenant: tenant(name),
        topic: topic.parse().unwrap(),
        received_at: at(10),
        id: Some(topic.parse().unwrap()),
        ..new_event()
    };
    let held = delivery(endpoint_id(2), held_by("jq"), Some(at(9)));
    dispatched(store, of("acme", "a"), vec![pending(endpoint_id(1)), held]).await;
    dispatched(store, NewEvent { received_at: at(20), ..of("umbrella", "b") }, vec![pending(endpoint_id(1))])
        .await;
    // Those of one transaction have no order that anyone may count on.
    let number = |row: &DeliverySummary| match (row.event.topic.as_str(), row.delivery.id.ordinal) {
        ("a", ordinal) => 1 + ordinal,
        _ => 3,
    };
    let all = DeliveryFilter::default;
    let cases = [
        (all(), vec![1, 2, 3]),
        (DeliveryFilter { tenant: Some(tenant("acme")), ..all() }, vec![1, 2]),
        (DeliveryFilter { topic: Some("b".parse().unwrap()), ..all() }, vec![3]),
        (DeliveryFilter { endpoint: Some(endpoint_id(1)), ..all() }, vec![1, 3]),
        (DeliveryFilter { state: Some(DeliveryStatus::Held), ..all() }, vec![2]),
        (
            DeliveryFilter { state: Some(DeliveryStatus::Held), inactive: [endpoint_id(1)].into(), ..all() },
            vec![1, 2, 3],
        ),
        (DeliveryFilter { event_id: Some("b".parse().unwrap()), ..all() }, vec![3]),
        (DeliveryFilter { since: Some(at(11)), ..all() }, vec![3]),
        (DeliveryFilter { until: Some(at(11)), ..all() }, vec![1, 2]),
        (DeliveryFilter { since: Some(at(11)), until: Some(at(11)), ..all() }, vec![]),
    ];
    for (filter, expected) in cases {
        let changed = store.changed(filter.clone(), 0, 100).await.unwrap();
        let mut found: Vec<_> = changed.rows.iter().map(|(_, row)| number(row)).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{filter:?}");
    }
}

pub(crate) async fn changes_come_in_parts_and_a_number_that_is_none_is_a_gap(store: &dyn Store) {
    let event = accept(store, new_event()).await.key;
    let deliveries = vec![pending(endpoint_id(1)); 10];
    store.fan_out(FanOut { event, at: at(0), deliveries, durable: true }).await.unwrap();
    let part = async |after| {
        let changed = store.changed(DeliveryFilter::default(), after, 4).await.unwrap();
        (changed.rows.len(), changed.upto, changed.gap)
    };
    assert_eq!(part(0).await, (4, 4, false));
    assert_eq!(part(4).await, (4, 8, false));
    assert_eq!(part(8).await, (2, 10, false));
    assert_eq!(part(10).await, (0, 10, false));
    assert_eq!(part(11).await, (0, 10, true), "a number of another store, or of one that lost its end");
    assert_eq!(part(u64::MAX).await, (0, 10, true));
    let unknown = DeliveryId { event: EventKey::from_u128(1), ordinal: 0 };
    store.finish_attempt(delivered(unknown, 1)).await.unwrap();
    assert_eq!(part(10).await, (0, 10, false));
}
