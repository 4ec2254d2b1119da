//! Rules of `deliveries`.

use std::time::Duration;

use super::fixtures::{
    T0, accept, at, delivered, delivery, dispatched, endpoint_id, event_with_id, held_by, new_event, nth,
    pending, retrying, tenant,
};
use crate::model::{DeliveryId, DeliveryState, DeliveryStatus, EventKey, FilteredBy};
use crate::store::{
    DeliveryFilter, DeliverySummary, EventFilter, FanOut, FinishedAttempt, NewDelivery, NewEvent, Store,
};

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
        (DeliveryFilter { state: Some(DeliveryStatus::Delivered), ..all() }, vec![second]),
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

/// All that passes, page by page.
async fn all(store: &dyn Store, filter: &DeliveryFilter) -> Vec<DeliverySummary> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.deliveries(filter.clone(), cursor, 100).await.unwrap();
        found.extend(page.rows);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return found,
        }
    }
}

/// What `n` decides, so that no two columns go together.
fn nth_of<T: Copy>(n: usize, prime: usize, of: &[T]) -> T {
    of[n / prime % of.len()]
}

/// Fills a store with some thousand deliveries in all states.
async fn fill(store: &dyn Store) {
    let events = (0..1_800)
        .map(|n| NewEvent {
            tenant: tenant(nth_of(n, 7, &["acme", "umbrella", "hooli"])),
            topic: nth_of(n, 3, &["orders/created", "orders/paid", "returns"]).parse().unwrap(),
            received_at: T0.after(Duration::from_secs(n as u64)),
            ..new_event()
        })
        .collect();
    let accepted = store.accept(events).await.unwrap();
    let filtered = DeliveryState::Filtered { by: FilteredBy::Filter, reason: "no".to_owned() };
    let mut calls = Vec::new();
    for (n, event) in accepted.iter().enumerate() {
        let to = |m: usize| match (n * 3 + m) % 11 {
            0 => delivery(endpoint_id(m as u128), filtered.clone(), None),
            1 => delivery(endpoint_id(m as u128), held_by("jq"), Some(at(9_000))),
            _ => pending(endpoint_id(m as u128)),
        };
        let deliveries = (0..n % 4).map(to).collect();
        calls.push(store.fan_out(FanOut { event: event.event.key, at: T0, deliveries, durable: true }));
    }
    for call in calls {
        call.await.unwrap();
    }
    // By now most of them are old; their states change all the same.
    let mut calls = Vec::new();
    for (n, event) in accepted.iter().enumerate().filter(|(n, _)| n % 5 != 0) {
        for ordinal in 0..n % 4 {
            let id = nth(event.event.key, u16::try_from(ordinal).unwrap());
            let failed = DeliveryState::Failed(crate::model::FailReason::Exhausted);
            calls.push(store.finish_attempt(match (n + ordinal) % 7 {
                0 => FinishedAttempt { state: failed, ..delivered(id, 1) },
                1 => retrying(id, 1, at(8_000)),
                2 => FinishedAttempt { state: DeliveryState::Cancelled, attempt: None, ..delivered(id, 1) },
                _ => delivered(id, 1),
            }));
        }
    }
    for call in calls {
        call.await.unwrap();
    }
}

pub(crate) async fn every_filter_finds_all_that_passes_among_thousands(store: &dyn Store) {
    fill(store).await;
    let rows = all(store, &DeliveryFilter::default()).await;
    assert_eq!(rows.len(), 2_700, "1,800 events with none to three");
    assert!(rows.is_sorted_by(|a, b| a.delivery.id > b.delivery.id), "newest first, each once");
    let inactive = [endpoint_id(2)].into();
    let mut seen = 0;
    for n in 0..200 {
        let maybe = |bit: usize| n >> bit & 1 == 1;
        let filter = DeliveryFilter {
            tenant: maybe(0).then(|| tenant(nth_of(n, 5, &["acme", "umbrella", "nobody"]))),
            topic: maybe(1).then(|| nth_of(n, 3, &["orders/paid", "returns", "none"]).parse().unwrap()),
            endpoint: maybe(2).then(|| endpoint_id(nth_of(n, 11, &[0, 1, 2, 7]))),
            state: maybe(3).then(|| nth_of(n, 1, &DeliveryStatus::ALL)),
            since: maybe(4).then(|| at(nth_of(n, 13, &[0, 400, 1_500]))),
            until: maybe(5).then(|| at(nth_of(n, 17, &[100, 1_200, 1_790]))),
            inactive: if maybe(6) { std::collections::HashSet::clone(&inactive) } else { Default::default() },
            event_id: None,
        };
        let passes = |row: &&DeliverySummary| {
            let is_inactive = filter.inactive.contains(&row.delivery.endpoint);
            let state = &row.delivery.state;
            let status = if is_inactive { state.while_inactive().status() } else { state.status() };
            filter.tenant.as_ref().is_none_or(|tenant| *tenant == row.event.tenant)
                && filter.topic.as_ref().is_none_or(|topic| *topic == row.event.topic)
                && filter.endpoint.is_none_or(|endpoint| endpoint == row.delivery.endpoint)
                && filter.state.is_none_or(|state| state == status)
                && filter.since.is_none_or(|since| row.event.accepted_at >= since)
                && filter.until.is_none_or(|until| row.event.accepted_at < until)
        };
        let expected: Vec<_> = rows.iter().filter(passes).map(|row| row.delivery.id).collect();
        let found: Vec<_> = all(store, &filter).await.iter().map(|row| row.delivery.id).collect();
        seen += expected.len();
        assert_eq!(found, expected, "{filter:?}");
        let page = store.deliveries(filter.clone(), None, 100).await.unwrap();
        assert_eq!(
            page.rows.len(),
            expected.len().min(100),
            "a page is full as long as there is more: {filter:?}"
        );
    }
    assert!(seen > 10_000, "{seen}");
}

pub(crate) async fn a_delivery_that_an_old_event_gets_is_found(store: &dyn Store) {
    let first = accept(store, new_event()).await.key;
    fill(store).await;
    let late: Vec<NewDelivery> = vec![pending(endpoint_id(77))];
    store.fan_out(FanOut { event: first, at: at(9_999), deliveries: late, durable: true }).await.unwrap();
    for _ in 0..2 {
        let filter = DeliveryFilter { endpoint: Some(endpoint_id(77)), ..DeliveryFilter::default() };
        assert_eq!(list(store, &filter, 5).await, [nth(first, 0)]);
        dispatched(store, new_event(), vec![pending(endpoint_id(1)); 2_000]).await;
    }
}

async fn list_events(store: &dyn Store, filter: &EventFilter, limit: usize) -> Vec<(EventKey, usize, bool)> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.events(filter.clone(), cursor, limit).await.unwrap();
        assert!(page.events.len() <= limit);
        let row = |record: &crate::store::EventRecord| {
            (record.event.key, record.deliveries.len(), record.dispatched)
        };
        found.extend(page.events.iter().map(row));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return found,
        }
    }
}

pub(crate) async fn events_are_listed_with_what_became_of_them(store: &dyn Store) {
    fill(store).await;
    let of = |name, topic: &str| NewEvent {
        tenant: tenant(name),
        topic: topic.parse().unwrap(),
        received_at: at(5_000),
        ..new_event()
    };
    let unmatched = dispatched(store, of("initech", "a"), Vec::new()).await;
    let matched = dispatched(store, of("initech", "b"), vec![pending(endpoint_id(1)); 2]).await;
    let waits = accept(store, of("initech", "a")).await.key;
    let everything = list_events(store, &EventFilter::default(), 250).await;
    assert_eq!(everything.len(), 1_803);
    assert!(everything.is_sorted_by(|a, b| a.0 > b.0), "newest first, each once");
    let initech = EventFilter { tenant: Some(tenant("initech")), ..EventFilter::default() };
    let all = [(waits, 0, false), (matched, 2, true), (unmatched, 0, true)];
    for limit in [1, 2, 3, 4] {
        assert_eq!(list_events(store, &initech, limit).await, all, "{limit}");
    }
    let only = async |matched| list_events(store, &EventFilter { matched, ..initech.clone() }, 5).await;
    assert_eq!(only(Some(true)).await, [all[1]]);
    assert_eq!(only(Some(false)).await, [all[2]], "one that waits for dispatch is neither");
    let topic = EventFilter { topic: Some("a".parse().unwrap()), ..initech.clone() };
    assert_eq!(list_events(store, &topic, 5).await, [all[0], all[2]]);
    let old = EventFilter { since: Some(at(10)), until: Some(at(14)), ..EventFilter::default() };
    let counts: Vec<_> = list_events(store, &old, 1).await.iter().map(|row| row.1).collect();
    assert_eq!(counts, [1, 0, 3, 2]);
    let old_unmatched = EventFilter { matched: Some(false), ..old };
    assert_eq!(list_events(store, &old_unmatched, 1).await.len(), 1);
}
