//! What the rules write: small, valid values.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::model::{
    Actor, Attempt, AttemptOutcome, AuditEntry, CustomRequest, DeliveryId, DeliveryState, Endpoint,
    EndpointId, Event, EventKey, Header, HmacKey, HoldReason, PluginRun, PluginRunOutcome, Secret, SecretId,
    SigningKey, Subscription, TenantId, TraceContext, UnixMs,
};
use crate::store::{FanOut, FinishedAttempt, NewDelivery, NewEvent, Retire, Store, Verdict};

/// When everything here begins.
pub(crate) const T0: UnixMs = UnixMs(1_710_513_000_000);

pub(crate) fn at(seconds: u64) -> UnixMs {
    T0.after(Duration::from_secs(seconds))
}

pub(crate) fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

pub(crate) fn endpoint_id(n: u128) -> EndpointId {
    EndpointId::new(T0, n)
}

pub(crate) fn new_event() -> NewEvent {
    NewEvent {
        id: None,
        idempotency_key: None,
        tenant: TenantId::default(),
        topic: "orders/created".parse().unwrap(),
        timestamp: None,
        received_at: T0,
        data: Bytes::from_static(br#"{"order_id": 1}"#),
        test_of: None,
        trace: None,
    }
}

/// Where an event stands in a trace of its producer.
pub(crate) fn trace() -> Arc<TraceContext> {
    let parent: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let state: &[u8] = b"congo=t61rcWkgMzE";
    Arc::new(TraceContext::of_headers([parent].into_iter(), [state].into_iter()).unwrap())
}

pub(crate) fn event_with_id(id: &str) -> NewEvent {
    NewEvent { id: Some(id.parse().unwrap()), ..new_event() }
}

pub(crate) fn pending(endpoint: EndpointId) -> NewDelivery {
    delivery(endpoint, DeliveryState::Pending, None)
}

pub(crate) fn delivery(endpoint: EndpointId, state: DeliveryState, due_at: Option<UnixMs>) -> NewDelivery {
    NewDelivery { endpoint, line: None, verdict: verdict(state, due_at) }
}

pub(crate) fn verdict(state: DeliveryState, due_at: Option<UnixMs>) -> Verdict {
    Verdict { state, due_at, plugins: Vec::new(), custom: None, notice: None }
}

pub(crate) fn held_by(plugin: &str) -> DeliveryState {
    let plugin = plugin.parse().unwrap();
    DeliveryState::Held(HoldReason::PluginFailed {
        plugin,
        message: "trapped".to_owned(),
        tries: 1,
        faults: 0,
    })
}

pub(crate) fn plugin_run() -> PluginRun {
    PluginRun {
        plugin: "cel-filter".parse().unwrap(),
        version: "0123456789abcdef".into(),
        outcome: PluginRunOutcome::Passed,
        took: Duration::from_micros(12),
    }
}

pub(crate) fn custom_request() -> Arc<CustomRequest> {
    Arc::new(CustomRequest {
        body: Bytes::from_static(b"\x00\xff made by a transform"),
        content_type: Some("text/plain".to_owned()),
        set_headers: vec![Header { name: "x-a".into(), value: vec![0xe4].into() }],
        remove_headers: vec!["hookway-topic".to_owned()],
    })
}

pub(crate) fn attempt(number: u16, status: u16) -> Attempt {
    Attempt {
        number,
        started_at: at(u64::from(number)),
        took: Duration::from_millis(37),
        request_headers: vec![Header { name: "webhook-id".into(), value: "evt_1".into() }],
        outcome: AttemptOutcome::Answered {
            status,
            headers: vec![Header { name: "server".into(), value: "x".into() }],
            body: Bytes::from_static(b"an answer"),
            truncated: false,
        },
    }
}

pub(crate) fn retrying(delivery: DeliveryId, number: u16, due_at: UnixMs) -> FinishedAttempt {
    FinishedAttempt {
        delivery,
        attempt: Some(attempt(number, 500)),
        state: DeliveryState::Retrying,
        due_at: Some(due_at),
        at: at(1),
        notice: None,
    }
}

pub(crate) fn delivered(delivery: DeliveryId, number: u16) -> FinishedAttempt {
    FinishedAttempt {
        delivery,
        attempt: Some(attempt(number, 200)),
        state: DeliveryState::Delivered,
        due_at: None,
        at: at(2),
        notice: None,
    }
}

pub(crate) fn endpoint(n: u128, url: &str) -> Endpoint {
    Endpoint {
        description: "for \"people\"".to_owned(),
        subscription: Subscription::Patterns(vec!["orders/*".parse().unwrap(), "**".parse().unwrap()]),
        secrets: vec![Secret {
            id: SecretId::new(T0, 1),
            key: SigningKey::Hmac(HmacKey::new(vec![7; 32]).unwrap()),
            created_at: T0,
            expires_at: Some(at(60)),
        }],
        metadata: [("tier".to_owned(), "gold".to_owned())].into(),
        ..Endpoint::new(endpoint_id(n), TenantId::default(), url.parse().unwrap(), T0)
    }
}

/// What is written down about a change.
pub(crate) fn audit(action: &str) -> AuditEntry {
    AuditEntry::new(T0, Actor::Gateway, action, "ep_1")
}

/// Accepts one event.
pub(crate) async fn accept(store: &dyn Store, event: NewEvent) -> Arc<Event> {
    let accepted = store.accept(vec![event]).await.unwrap();
    Arc::clone(&accepted[0].event)
}

/// Accepts an event and fans it out.
pub(crate) async fn dispatched(store: &dyn Store, event: NewEvent, deliveries: Vec<NewDelivery>) -> EventKey {
    let event = accept(store, event).await.key;
    store.fan_out(FanOut { event, at: T0, deliveries, durable: true }).await.unwrap();
    event
}

/// A delivery of an event.
pub(crate) const fn nth(event: EventKey, ordinal: u16) -> DeliveryId {
    DeliveryId { event, ordinal }
}

/// The state of a delivery.
pub(crate) async fn state(store: &dyn Store, id: DeliveryId) -> DeliveryState {
    store.delivery(id).await.unwrap().unwrap().delivery.state
}

/// Stores events and removes all of them but every tenth, which waits.
pub(crate) async fn mostly_removed(store: &dyn Store) {
    let data = Bytes::from(format!("\"{}\"", "x".repeat(8_000)));
    for n in 0..200 {
        let event = NewEvent { data: data.clone(), ..new_event() };
        let waits = (n % 10 == 0).then(|| pending(endpoint_id(1)));
        dispatched(store, event, waits.into_iter().collect()).await;
    }
    let (mut from, before) = (Some(EventKey::from_u128(0)), EventKey::from_u128(u128::MAX));
    while let Some(place) = from {
        let part = Retire { from: place, before, cut: true, overhead: None };
        from = store.retire(part).await.unwrap().next;
    }
}
