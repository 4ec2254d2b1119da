//! Rules of `deliveries`.

use std::time::Duration;

use super::fixtures::{
    at, delivered, dispatched, endpoint_id, event_with_id, new_event, nth, pending, retrying, tenant,
};
use crate::model::DeliveryId;
use crate::store::{DeliveryFilter, NewEvent, Store};

/// All that passes, page by page.
async fn list(store: &dyn Store, filter: &DeliveryFilter, limit: usize) -> Vec<DeliveryId> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.deliveries(filter.clone(), cursor, limit).await.unwrap();
        assert!(page.rows.len() <= limit);
        found.extend(page.rows.iter().map(|row| row.delivery.id));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return found,
        }
    }
}

pub(crate) async fn the_log_pages_from_the_newest_to_the_oldest(store: &dyn Store) {
    let mut written = Vec::new();
    for _ in 0..3 {
        let event = dispatched(store, new_event(), vec![pending(endpoint_id(1)); 2]).await;
        written.extend([nth(event, 0), nth(event, 1)]);
    }
    written.reverse();
    let of_endpoint = DeliveryFilter { endpoint: Some(endpoint_id(1)), ..DeliveryFilter::default() };
    for filter in [DeliveryFilter::default(), of_endpoint] {
        for limit in [1, 2, 4, 6, 7] {
            assert_eq!(list(store, &filter, limit).await, written, "{limit} {filter:?}");
        }
        let page = store.deliveries(filter, None, 6).await.unwrap();
        assert_eq!(page.next, None, "the last page says so even if it is full");
    }
}

pub(crate) async fn every_filter_narrows(store: &dyn Store) {
    let mut events = Vec::new();
    for (n, name) in (0..).zip(["acme", "umbrella", "acme"]) {
        let topic = if n == 2 { "orders/paid" } else { "orders/created" };
        let event = NewEvent {
            tenant: tenant(name),
            topic: topic.parse().unwrap(),
            received_at: at(n * 10),
            ..new_event()
        };
        events.push(dispatched(store, event, vec![pending(endpoint_id(1)), pending(endpoint_id(2))]).await);
    }
    let [first, second, third] = events[..] else { panic!("three events") };
    store.finish_attempt(delivered(nth(second, 0), 1)).await.unwrap();
    let all = DeliveryFilter::default;
    let cases = [
        (DeliveryFilter { tenant: Some(tenant("acme")), ..all() }, vec![third, third, first, first]),
        (DeliveryFilter { endpoint: Some(endpoint_id(2)), ..all() }, vec![third, second, first]),
        (DeliveryFilter { state: Some("delivered".to_owned()), ..all() }, vec![second]),
        (DeliveryFilter { topic: Some("orders/paid".parse().unwrap()), ..all() }, vec![third, third]),
        (DeliveryFilter { since: Some(at(10)), ..all() }, vec![third, third, second, second]),
        (DeliveryFilter { until: Some(at(10)), ..all() }, vec![first, first]),
        (
            DeliveryFilter {
                since: Some(at(1)),
                until: Some(at(20)),
                endpoint: Some(endpoint_id(1)),
                ..all()
            },
            vec![second],
        ),
        (DeliveryFilter { since: Some(at(20)), until: Some(at(10)), ..all() }, vec![]),
        (DeliveryFilter { since: Some(crate::model::UnixMs(u64::MAX)), ..all() }, vec![]),
        (DeliveryFilter { endpoint: Some(endpoint_id(9)), ..all() }, vec![]),
    ];
    for (filter, expected) in cases {
        let found: Vec<_> = list(store, &filter, 1).await.iter().map(|id| id.event).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

pub(crate) async fn an_event_id_finds_deliveries_with_and_without_its_tenant(store: &dyn Store) {
    let of = |name| NewEvent { tenant: tenant(name), ..event_with_id("order-1") };
    let first = dispatched(store, of("acme"), vec![pending(endpoint_id(1)); 2]).await;
    let second = dispatched(store, of("umbrella"), vec![pending(endpoint_id(2))]).await;
    let ours = dispatched(store, new_event(), vec![pending(endpoint_id(1))]).await;
    let by = |id: &str, name: Option<&str>| DeliveryFilter {
        event_id: Some(id.parse().unwrap()),
        tenant: name.map(tenant),
        ..DeliveryFilter::default()
    };
    let all = [nth(second, 0), nth(first, 1), nth(first, 0)];
    assert_eq!(list(store, &by("order-1", None), 2).await, all);
    assert_eq!(list(store, &by("order-1", Some("acme")), 1).await, all[1..]);
    assert_eq!(list(store, &by(&ours.to_string(), None), 1).await, [nth(ours, 0)]);
    assert_eq!(list(store, &by(&ours.to_string(), Some("default")), 1).await, [nth(ours, 0)]);
    assert!(list(store, &by(&ours.to_string(), Some("acme")), 1).await.is_empty());
    assert!(list(store, &by("order-2", None), 1).await.is_empty());
    let to_first = DeliveryFilter { endpoint: Some(endpoint_id(2)), ..by("order-1", None) };
    assert_eq!(list(store, &to_first, 5).await, [nth(second, 0)]);
}

pub(crate) async fn a_list_shows_the_last_attempt(store: &dyn Store) {
    let event = dispatched(store, new_event(), vec![pending(endpoint_id(1)); 2]).await;
    store.finish_attempt(retrying(nth(event, 0), 1, at(5))).await.unwrap();
    store.finish_attempt(delivered(nth(event, 0), 2)).await.unwrap();
    let page = store.deliveries(DeliveryFilter::default(), None, 9).await.unwrap();
    let last: Vec<_> = page.rows.iter().map(|row| (row.last_status, row.last_took)).collect();
    assert_eq!(last, [(None, None), (Some(200), Some(Duration::from_millis(37)))]);
    assert_eq!(page.rows[0].event.key, event);
}
