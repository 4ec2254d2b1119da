//! Rules of `fan_out`, `undispatched`, plugin holds and `redispatch`.

use std::sync::Arc;

use super::fixtures::{
    T0, accept, at, custom_request, delivered, delivery, dispatched, endpoint_id, held_by, new_event, nth,
    pending, plugin_run, state, verdict,
};
use crate::model::{DeliveryState, EventKey, FilteredBy, HoldReason};
use crate::store::{FanOut, NewDelivery, Store, Verdict};

pub(crate) async fn an_event_waits_for_dispatch_until_it_is_fanned_out(store: &dyn Store) {
    let first = accept(store, new_event()).await;
    let second = accept(store, new_event()).await;
    let deliveries = vec![pending(endpoint_id(1))];
    store.fan_out(FanOut { event: first.key, at: T0, deliveries, durable: false }).await.unwrap();
    let waiting = store.undispatched(None, 10).await.unwrap();
    assert_eq!(waiting.iter().map(|event| event.key).collect::<Vec<_>>(), [second.key]);
    // One that matches nothing is dispatched all the same.
    store.fan_out(FanOut { event: second.key, at: T0, deliveries: Vec::new(), durable: true }).await.unwrap();
    assert!(store.undispatched(None, 10).await.unwrap().is_empty());
    for (event, deliveries) in [(first, 1), (second, 0)] {
        let record = store.event(&event.tenant, &event.id).await.unwrap().unwrap();
        assert!(record.dispatched);
        assert_eq!(record.deliveries.len(), deliveries);
    }
}

pub(crate) async fn undispatched_events_come_in_pages_by_rising_key(store: &dyn Store) {
    let accepted = store.accept(vec![new_event(); 5]).await.unwrap();
    let keys: Vec<_> = accepted.iter().map(|accepted| accepted.event.key).collect();
    let mut seen: Vec<EventKey> = Vec::new();
    loop {
        let page = store.undispatched(seen.last().copied(), 2).await.unwrap();
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        seen.extend(page.iter().map(|event| event.key));
    }
    assert_eq!(seen, keys);
}

pub(crate) async fn a_second_fan_out_changes_nothing(store: &dyn Store) {
    let event = accept(store, new_event()).await.key;
    let first = FanOut { event, at: T0, deliveries: vec![pending(endpoint_id(1))], durable: false };
    let second =
        FanOut { deliveries: vec![pending(endpoint_id(2)), pending(endpoint_id(3))], ..first.clone() };
    let calls = [store.fan_out(first), store.fan_out(second.clone())];
    for call in calls {
        call.await.unwrap();
    }
    store.finish_attempt(delivered(nth(event, 0), 1)).await.unwrap();
    store.fan_out(second).await.unwrap();
    assert!(store.waiting_endpoints().await.unwrap().is_empty());
    assert_eq!(state(store, nth(event, 0)).await, DeliveryState::Delivered);
    assert!(store.delivery(nth(event, 1)).await.unwrap().is_none());
}

pub(crate) async fn a_fan_out_of_an_unknown_event_changes_nothing(store: &dyn Store) {
    let event = EventKey::new(T0, 1);
    let deliveries = vec![pending(endpoint_id(1))];
    store.fan_out(FanOut { event, at: T0, deliveries, durable: true }).await.unwrap();
    assert!(store.delivery(nth(event, 0)).await.unwrap().is_none());
    assert!(store.waiting_endpoints().await.unwrap().is_empty());
}

pub(crate) async fn a_pending_delivery_is_due_with_all_that_its_attempt_needs(store: &dyn Store) {
    let (endpoint, custom) = (endpoint_id(1), custom_request());
    let shaped = Verdict {
        plugins: vec![plugin_run()],
        custom: Some(Arc::clone(&custom)),
        ..verdict(DeliveryState::Pending, None)
    };
    let deliveries = vec![NewDelivery { endpoint, line: None, verdict: shaped }, pending(endpoint)];
    let event = dispatched(store, new_event(), deliveries).await;
    let due = store.due(endpoint, T0, 10).await.unwrap();
    assert_eq!(due.next, None);
    let ids: Vec<_> = due.jobs.iter().map(|job| (job.delivery, job.endpoint, job.attempts)).collect();
    assert_eq!(ids, [(nth(event, 0), endpoint, 0), (nth(event, 1), endpoint, 0)]);
    assert_eq!(due.jobs[0].custom.as_ref(), Some(&custom));
    assert_eq!(due.jobs[1].custom, None);
    assert_eq!(due.jobs[1].event.data, new_event().data);
    let record = store.delivery(nth(event, 0)).await.unwrap().unwrap();
    assert_eq!(record.delivery.plugins, [plugin_run()]);
    assert_eq!(record.delivery.due_at, Some(T0));
    assert_eq!(record.custom, Some(custom));
}

pub(crate) async fn a_plugin_hold_waits_for_its_time_or_its_plugin(store: &dyn Store) {
    let held = |plugin, seconds| delivery(endpoint_id(1), held_by(plugin), Some(at(seconds)));
    let deliveries = vec![held("redact", 30), held("jq", 10), held("jq", 50)];
    let event = dispatched(store, new_event(), deliveries).await;
    let due = async |now, released: Option<&str>| -> Vec<u16> {
        let released = released.map(|name| name.parse().unwrap());
        let holds = store.plugin_holds(at(now), released, None, 10).await.unwrap();
        assert!(holds.iter().all(|hold| hold.event.key == event));
        holds.iter().map(|hold| hold.delivery.id.ordinal).collect()
    };
    assert_eq!(due(9, None).await, [0_u16; 0]);
    assert_eq!(due(10, None).await, [1]);
    assert_eq!(due(30, None).await, [1, 0]);
    assert_eq!(due(0, Some("jq")).await, [1, 2]);
    assert_eq!(due(30, Some("jq")).await, [1, 0, 2]);
    assert_eq!(due(0, Some("j")).await, [0_u16; 0]);
    assert_eq!(store.next_plugin_hold().await.unwrap(), Some(at(10)));
    assert!(store.waiting_endpoints().await.unwrap().is_empty());
}

pub(crate) async fn plugin_holds_come_with_the_earliest_first(store: &dyn Store) {
    for second in [5, 3, 4, 1, 2] {
        let plugin = if second % 2 == 0 { "even" } else { "odd" };
        let held = delivery(endpoint_id(1), held_by(plugin), Some(at(second)));
        dispatched(store, new_event(), vec![held]).await;
    }
    let mut after = None;
    for expected in [vec![at(1), at(2), at(3)], vec![at(4), at(5)], vec![]] {
        let holds = store.plugin_holds(at(9), None, after, 3).await.unwrap();
        let due: Vec<_> = holds.iter().filter_map(|hold| hold.delivery.due_at).collect();
        assert_eq!(due, expected);
        after = holds.last().map(|hold| hold.place).or(after);
    }
    let odd = Some("odd".parse().unwrap());
    let released =
        store.plugin_holds(at(0), odd, Some((at(3), nth(EventKey::new(at(9), 1), 0))), 3).await.unwrap();
    assert_eq!(released.iter().filter_map(|hold| hold.delivery.due_at).collect::<Vec<_>>(), [at(5)]);
}

pub(crate) async fn redispatch_replaces_the_verdict_of_a_plugin_hold_only(store: &dyn Store) {
    let endpoint = endpoint_id(1);
    let deliveries = vec![delivery(endpoint, held_by("jq"), Some(at(10))), pending(endpoint)];
    let event = dispatched(store, new_event(), deliveries).await;
    let (held, other) = (nth(event, 0), nth(event, 1));
    let filtered =
        DeliveryState::Filtered { by: FilteredBy::Plugin("jq".parse().unwrap()), reason: "small".to_owned() };

    store.redispatch(other, verdict(filtered.clone(), None), false).await.unwrap();
    assert_eq!(state(store, other).await, DeliveryState::Pending);

    store.redispatch(held, verdict(held_by("redact"), Some(at(20))), false).await.unwrap();
    assert_eq!(store.next_plugin_hold().await.unwrap(), Some(at(20)));

    let unreadable = HoldReason::FilterUnreadable { message: "no operator".to_owned(), tries: 2 };
    store.redispatch(held, verdict(DeliveryState::Held(unreadable), Some(at(15))), false).await.unwrap();
    assert_eq!(store.next_plugin_hold().await.unwrap(), Some(at(15)));
    let due = store.plugin_holds(at(15), None, None, 10).await.unwrap();
    assert_eq!(due.iter().map(|hold| hold.delivery.id).collect::<Vec<_>>(), [held]);

    let shaped = Verdict { custom: Some(custom_request()), ..verdict(DeliveryState::Pending, Some(at(21))) };
    store.redispatch(held, shaped, true).await.unwrap();
    assert_eq!(store.next_plugin_hold().await.unwrap(), None);
    let due = store.due(endpoint, at(21), 10).await.unwrap();
    assert_eq!(due.jobs.iter().map(|job| job.delivery).collect::<Vec<_>>(), [other, held]);
    assert_eq!(due.jobs[1].custom, Some(custom_request()));

    store.redispatch(held, verdict(filtered, None), false).await.unwrap();
    assert_eq!(state(store, held).await, DeliveryState::Pending);
}
