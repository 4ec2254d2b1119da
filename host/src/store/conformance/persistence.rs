//! What must be the same after the store was closed and opened again: write, reopen, check.

use super::fixtures::{
    T0, accept, at, audit, custom_request, delivered, delivery, dispatched, endpoint, endpoint_id,
    event_with_id, held_by, new_event, nth, pending, retrying, state, trace, verdict,
};
use crate::model::{ApiKey, DeliveryState, EventKey, Scope, TenantId};
use crate::store::{Backlog, Error, FanOut, NewDelivery, NewEvent, Store, Verdict};

/// What was written.
pub(crate) struct Written {
    waiting: Vec<EventKey>,
    fanned_out: EventKey,
    backlog: Backlog,
}

/// Writes something of everything.
pub(crate) async fn write(store: &dyn Store) -> Written {
    store.create_endpoint(endpoint(1, "https://example.com/1"), audit("endpoint.created")).await.unwrap();
    store
        .create_key(ApiKey::new(T0, 1, [1; 32]).record(Scope::Admin, "", T0), audit("key.created"))
        .await
        .unwrap();
    let first = accept(store, event_with_id("order-1")).await.key;
    let shaped = Verdict { custom: Some(custom_request()), ..verdict(DeliveryState::Pending, None) };
    let deliveries = vec![
        NewDelivery { endpoint: endpoint_id(1), line: None, verdict: shaped },
        pending(endpoint_id(1)),
        delivery(endpoint_id(2), held_by("jq"), Some(at(9))),
    ];
    let fanned_out = dispatched(store, new_event(), deliveries).await;
    store.finish_attempt(retrying(nth(fanned_out, 0), 1, at(5))).await.unwrap();
    store.finish_attempt(delivered(nth(fanned_out, 1), 1)).await.unwrap();
    let traced = NewEvent { received_at: at(1_000), trace: Some(trace()), ..new_event() };
    let last = accept(store, traced).await.key;
    let backlog = store.backlog(&TenantId::default());
    Written { waiting: vec![first, last], fanned_out, backlog }
}

/// Everything is as it was, and goes on from there.
pub(crate) async fn check(store: &dyn Store, written: &Written) {
    let Written { waiting, fanned_out, backlog } = written;
    assert_eq!(store.backlog(&TenantId::default()), *backlog);
    assert_eq!(backlog.deliveries, 2 + 2, "two events, one delivery that is retried and one that is held");
    let undispatched = store.undispatched(None, 10).await.unwrap();
    assert_eq!(undispatched.iter().map(|event| event.key).collect::<Vec<_>>(), *waiting);
    let traces: Vec<_> = undispatched.iter().map(|event| event.trace.clone()).collect();
    assert_eq!(traces, [None, Some(trace())]);
    assert_eq!(store.endpoints().await.unwrap(), [endpoint(1, "https://example.com/1")]);
    assert_eq!(store.keys().await.unwrap().len(), 1);
    let chain = store.verify_audit().await.unwrap();
    assert_eq!((chain.rows, chain.broken_at), (2, None));
    assert_eq!(store.waiting_endpoints().await.unwrap(), [(endpoint_id(1), at(5))]);
    let due = store.due(endpoint_id(1), at(5), 9).await.unwrap();
    assert_eq!(due.jobs[0].custom, Some(custom_request()));
    assert_eq!(due.jobs[0].attempts, 1);
    assert_eq!(store.next_plugin_hold().await.unwrap(), Some(at(9)));
    assert_eq!(state(store, nth(*fanned_out, 1)).await, DeliveryState::Delivered);

    let repeat = store.accept(vec![event_with_id("order-1")]).await.unwrap();
    assert!(repeat[0].duplicate && repeat[0].event.key == waiting[0]);
    let reused = store.accept(vec![NewEvent { data: "1".into(), ..event_with_id("order-1") }]).await;
    assert!(matches!(reused, Err(Error::IdReused { .. })));

    let next = accept(store, new_event()).await;
    assert!(Some(&next.key) > waiting.last(), "keys rise over a restart, even if the clock went back");
    let again =
        FanOut { event: *fanned_out, at: T0, deliveries: vec![pending(endpoint_id(3)); 4], durable: true };
    store.fan_out(again).await.unwrap();
    let record = store.event(&TenantId::default(), &(*fanned_out).into()).await.unwrap().unwrap();
    assert_eq!(record.deliveries.len(), 3, "a second fan_out changes nothing after a restart either");
}
