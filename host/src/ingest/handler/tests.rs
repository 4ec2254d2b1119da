//! The route as a producer sees it, over a store that remembers what it was given.

use std::sync::Mutex;

use arc_swap::ArcSwap;
use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Builder;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tower_service::Service as _;

use super::*;
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::free_space::FreeSpace;
use crate::handoff::{self, Received, Receiver};
use crate::http::Keys;
use crate::ingest::{Counts, Options, UnknownTopics, router};
use crate::metrics::Metrics;
use crate::model::{
    ApiKey, ApiKeyRecord, AuditEntry, Delivery, DeliveryId, Endpoint, EndpointId, EnvelopeCache, Event,
    EventId, EventKey, KeyId, KvSpace, KvWrite, Line, OrderId, PluginName, PluginRecord, Recovery,
    RecoveryId, Scope, TenantId, TenantSettings, Topic, TopicEntry, UnixMs,
};
use crate::store::{
    AuditChain, AuditFilter, AuditPage, Backlog, BacklogFull, BacklogLimit, BacklogLimits, Changed,
    DeliveryFilter, DeliveryRecord, Due, DueInOrder, EventFilter, EventPage, EventRecord, FanOut,
    FinishedAttempt, HoldPlace, IndexPlace, KvRead, Lookout, Page, PluginHold, QueuePlace, Statistics,
    StatisticsScope, Store, StoreFuture, Verdict,
};
use crate::traces::Traces;

/// Takes events in memory. The tenant `full` may have no more. An id that it has is a duplicate; `broken` fails, `reused` has other content, and `slow` is
/// stored once `go_on` says so.
#[derive(Default)]
struct Shelf {
    events: Mutex<Vec<Arc<Event>>>,
    began: Notify,
    go_on: Notify,
}

/// The verbs that ingest never uses.
macro_rules! unused_verbs {
    ($($name:ident($($argument:ident: $type:ty),*) -> $output:ty;)*) => {$(
        fn $name(&self, $($argument: $type),*) -> StoreFuture<'_, $output> {
            $(let _ = $argument;)*
            Box::pin(async { Err(store::Error::Closed) })
        }
    )*};
}

impl store::Retention for Shelf {
    fn refuse_events(&self, _: Option<store::StoreFull>) {}

    unused_verbs! {
        size() -> store::StoreSize;
        retire(part: store::Retire) -> store::Retired;
        sweep(place: store::SweepPlace, below: EventKey, limit: usize) -> Option<store::SweepPlace>;
    }
}

impl store::Snapshots for Shelf {
    unused_verbs! {
        snapshot(audit: AuditEntry) -> Box<dyn store::Snapshot>;
        note_backup(at: UnixMs) -> ();
    }
}

impl Store for Shelf {
    fn limit_backlog(&self, _: BacklogLimits) {}

    fn backlog(&self, _: &TenantId) -> Backlog {
        Backlog::default()
    }

    fn backlog_full(&self, tenant: &TenantId) -> Option<BacklogFull> {
        let full = BacklogFull::Work {
            tenant: Some(tenant.clone()),
            backlog: Backlog::default(),
            limit: BacklogLimit::default(),
        };
        (tenant.as_str() == "full").then_some(full)
    }

    fn accept_each(&self, events: Vec<NewEvent>) -> StoreFuture<'_, Vec<Result<Accepted, Refused>>> {
        Box::pin(async move {
            let mut shelf = self.events.lock().unwrap();
            let one = |new: NewEvent| match &new.id {
                Some(id) if id.as_str() == "reused" => Err(Refused::Reused(id.clone())),
                _ => Ok(put(&mut shelf, new)),
            };
            Ok(events.into_iter().map(one).collect())
        })
    }

    fn accept(&self, events: Vec<NewEvent>) -> StoreFuture<'_, Vec<Accepted>> {
        Box::pin(async move {
            let has = |id: &str| {
                events.iter().position(|event| event.id.as_ref().is_some_and(|given| given.as_str() == id))
            };
            if has("broken").is_some() {
                return Err(store::Error::Closed);
            }
            if let Some(index) = has("reused") {
                return Err(store::Error::IdReused { index, first: "reused".to_owned() });
            }
            if has("slow").is_some() {
                self.began.notify_one();
                self.go_on.notified().await;
            }
            let mut shelf = self.events.lock().unwrap();
            Ok(events.into_iter().map(|event| put(&mut shelf, event)).collect())
        })
    }

    fn is_writable(&self) -> bool {
        true
    }

    fn count_in(&self, _: &Metrics) {}

    fn latest_change(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }

    fn topics(&self) -> StoreFuture<'_, Vec<TopicEntry>> {
        let entry = |topic: &str| TopicEntry::new(topic.parse().unwrap(), UnixMs(1));
        let schema = Some(r#"{"properties": {"n": {"type": "number"}}}"#.into());
        Box::pin(async move { Ok(vec![entry("known"), TopicEntry { schema, ..entry("checked") }]) })
    }

    unused_verbs! {
        accept_test(event: NewEvent, audit: AuditEntry) -> Arc<Event>;
        undispatched(after: Option<EventKey>, limit: usize) -> Vec<Arc<Event>>;
        fan_out(fan_out: FanOut) -> ();
        plugin_holds(now: UnixMs, released: Option<PluginName>, after: Option<HoldPlace>, limit: usize) -> Vec<PluginHold>;
        next_plugin_hold() -> Option<UnixMs>;
        redispatch(id: DeliveryId, verdict: Verdict, durable: bool) -> bool;
        waiting_endpoints() -> Vec<(EndpointId, UnixMs)>;
        failing_endpoints() -> Vec<(EndpointId, UnixMs)>;
        due(endpoint: EndpointId, now: UnixMs, limit: usize) -> Due;
        due_in_order(endpoint: EndpointId, lookout: Lookout, now: UnixMs, limit: usize) -> DueInOrder;
        index_order(endpoint: EndpointId, order: OrderId, after: Option<IndexPlace>, limit: usize) -> Option<IndexPlace>;
        set_lines(endpoint: EndpointId, lines: Vec<(DeliveryId, Line)>) -> ();
        finish_attempt(finished: FinishedAttempt) -> store::Recorded;
        retry(retry: store::Retry, audit: AuditEntry) -> Delivery;
        cancel(id: DeliveryId, at: UnixMs, audit: AuditEntry) -> Delivery;
        replay(replay: store::Replay, audit: AuditEntry) -> Vec<Delivery>;
        create_recovery(recovery: Recovery, audit: AuditEntry) -> ();
        recovery(id: RecoveryId) -> Option<Recovery>;
        recoveries(filter: store::RecoveryFilter, before: Option<RecoveryId>, limit: usize) -> store::RecoveryPage;
        candidates(recovery: Recovery, limit: usize) -> store::Candidates;
        advance_recovery(step: store::RecoveryStep) -> Recovery;
        cancel_recovery(id: RecoveryId, at: UnixMs, audit: AuditEntry) -> Recovery;
        release_waiting(endpoint: EndpointId, after: Option<QueuePlace>, limit: usize) -> Option<QueuePlace>;
        cancel_waiting(endpoint: EndpointId, now: UnixMs, limit: usize) -> usize;
        release_unsigned(endpoint: EndpointId, now: UnixMs, until: UnixMs, limit: usize) -> usize;
        reseal(limit: usize) -> store::Resealed;
        create_endpoint(endpoint: Endpoint, audit: AuditEntry) -> ();
        update_endpoint(endpoint: Endpoint, notices: Vec<NewEvent>, audit: AuditEntry) -> ();
        delete_endpoint(id: EndpointId, audit: AuditEntry) -> ();
        endpoints() -> Vec<Endpoint>;
        create_key(key: ApiKeyRecord, audit: AuditEntry) -> ();
        delete_key(id: KeyId, now: UnixMs, audit: AuditEntry) -> ();
        note_key_uses(uses: Vec<(KeyId, UnixMs)>) -> ();
        set_tenant(settings: TenantSettings, audit: AuditEntry) -> ();
        tenants() -> Vec<TenantSettings>;
        create_topic(entry: TopicEntry, audit: AuditEntry) -> ();
        update_topic(entry: TopicEntry, audit: AuditEntry) -> ();
        delete_topic(topic: Topic, audit: AuditEntry) -> ();
        import_topics(entries: Vec<(TopicEntry, AuditEntry)>) -> ();
        audit(filter: AuditFilter, before: Option<u64>, limit: usize) -> AuditPage;
        verify_audit() -> AuditChain;
        set_plugin(record: PluginRecord, audit: Option<AuditEntry>) -> ();
        plugins() -> Vec<PluginRecord>;
        kv_read(space: KvSpace, key: String) -> KvRead;
        kv_write(writes: Vec<KvWrite>, now: UnixMs) -> Vec<(KvSpace, u64)>;
        kv_sweep(now: UnixMs, limit: usize) -> usize;
        kv_tenants() -> Vec<TenantId>;
        kv_clear(tenant: TenantId, limit: usize) -> usize;
        keys() -> Vec<ApiKeyRecord>;
        event(tenant: &TenantId, id: &EventId) -> Option<EventRecord>;
        deliveries(filter: DeliveryFilter, cursor: Option<DeliveryId>, limit: usize) -> Page;
        events(filter: EventFilter, cursor: Option<EventKey>, limit: usize) -> EventPage;
        changed(filter: DeliveryFilter, after: u64, limit: usize) -> Changed;
        statistics(scope: StatisticsScope, now: UnixMs) -> Statistics;
        delivery(id: DeliveryId) -> Option<DeliveryRecord>;
    }
}

fn put(shelf: &mut Vec<Arc<Event>>, new: NewEvent) -> Accepted {
    let known = shelf.iter().find(|event| new.id.as_ref() == Some(&event.id)).map(Arc::clone);
    if let Some(event) = known {
        return Accepted { event, duplicate: true };
    }
    let key = EventKey::new(new.received_at, shelf.len() as u128);
    let event = Arc::new(Event {
        key,
        id: new.id.unwrap_or_else(|| key.into()),
        tenant: new.tenant,
        topic: new.topic,
        timestamp: new.timestamp.unwrap_or_default(),
        accepted_at: new.received_at,
        data: new.data,
        test_of: new.test_of,
        trace: new.trace,
        envelope: EnvelopeCache::default(),
    });
    shelf.push(Arc::clone(&event));
    Accepted { event, duplicate: false }
}

struct Gateway {
    router: axum::Router,
    shelf: Arc<Shelf>,
    handed_on: Receiver<Arc<Event>>,
    key: String,
}

async fn gateway(scope: Scope) -> Gateway {
    gateway_with(scope, UnknownTopics::Allow).await
}

async fn gateway_with(scope: Scope, unknown_topics: UnknownTopics) -> Gateway {
    let key = ApiKey::new(UnixMs(1), 1, [1; 32]);
    let clock = Clock::starting_at(UnixMs(1));
    let (accepted, handed_on) = handoff::channel(100);
    let shelf = Arc::new(Shelf::default());
    let options = Options {
        max_event_bytes: 100,
        max_batch_bytes: 300,
        max_batch_events: 3,
        unknown_topics,
        ..Options::default()
    };
    let ingest = Ingest {
        free_space: FreeSpace::endless(),
        store: Arc::clone(&shelf) as Arc<dyn Store>,
        keys: Keys::new(vec![key.record(scope, "", UnixMs(1))], clock),
        catalogue: Catalogue::load(Arc::clone(&shelf) as Arc<dyn Store>).await.unwrap(),
        clock,
        accepted,
        options: Arc::new(ArcSwap::from_pointee(options)),
        counts: Counts::default(),
        traces: Traces::default(),
    };
    Gateway { router: router(ingest), shelf, handed_on, key: key.reveal() }
}

impl Gateway {
    fn request(&self) -> Builder {
        http::Request::post("/v1/events").header(AUTHORIZATION, format!("Bearer {}", self.key))
    }

    async fn send(&mut self, request: Builder, body: impl Into<Body>) -> (StatusCode, Value) {
        let (head, body) = self.router.call(request.body(body.into()).unwrap()).await.unwrap().into_parts();
        let bytes = axum::body::to_bytes(body, 10_000).await.unwrap();
        (head.status, serde_json::from_slice(&bytes).unwrap())
    }

    async fn json(&mut self, body: &'static str) -> (StatusCode, Value) {
        self.send(self.request(), body).await
    }

    /// The results of many events that stand for themselves.
    async fn partial(&mut self, kind: &str, body: &'static str) -> Vec<Value> {
        let request = http::Request::post("/v1/events?partial=true")
            .header(AUTHORIZATION, format!("Bearer {}", self.key))
            .header(CONTENT_TYPE, kind);
        let (head, body) =
            self.router.call(request.body(Body::from(body)).unwrap()).await.unwrap().into_parts();
        assert_eq!(
            (head.status, &head.headers[CONTENT_TYPE]),
            (StatusCode::OK, &"application/x-ndjson".parse().unwrap())
        );
        let bytes = axum::body::to_bytes(body, 10_000).await.unwrap();
        std::str::from_utf8(&bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn ndjson(&mut self, body: &'static str) -> (StatusCode, Value) {
        self.send(self.request().header(CONTENT_TYPE, "application/x-ndjson"), body).await
    }

    fn stored(&self) -> usize {
        self.shelf.events.lock().unwrap().len()
    }

    /// How many were handed on; ends the gateway.
    async fn handed_on(mut self) -> usize {
        drop(self.router);
        let mut count = 0;
        while let Received::Item(_) = self.handed_on.receive().await {
            count += 1;
        }
        count
    }
}

#[tokio::test]
async fn an_event_is_stored_then_handed_on_then_answered() {
    let mut gateway = gateway(Scope::Admin).await;
    let (status, answer) = gateway.json(r#"{"event":"a/b","data":1,"event_id":"e-1"}"#).await;
    assert_eq!((status, answer), (StatusCode::ACCEPTED, json!({"event_id": "e-1", "duplicate": false})));
    assert_eq!(gateway.stored(), 1);
    assert_eq!(gateway.handed_on().await, 1);
}

#[tokio::test]
async fn a_duplicate_gets_the_same_id_and_is_not_handed_on_again() {
    let mut gateway = gateway(Scope::Admin).await;
    for duplicate in [false, true] {
        let (status, answer) = gateway.json(r#"{"event":"a","data":1,"event_id":"e-1"}"#).await;
        assert_eq!(
            (status, answer),
            (StatusCode::ACCEPTED, json!({"event_id": "e-1", "duplicate": duplicate}))
        );
    }
    assert_eq!(gateway.handed_on().await, 1);
}

#[tokio::test]
async fn lines_are_answered_in_their_order() {
    let mut gateway = gateway(Scope::Admin).await;
    let (status, answer) = gateway
        .ndjson("{\"event\":\"a\",\"data\":1,\"event_id\":\"x\"}\n\n{\"event\":\"a\",\"data\":1,\"event_id\":\"x\"}\r\n")
        .await;
    let events = json!([{"event_id": "x", "duplicate": false}, {"event_id": "x", "duplicate": true}]);
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(answer, json!({"accepted": 1, "duplicates": 1, "events": events}));
}

#[tokio::test]
async fn one_bad_line_keeps_all_of_them_out_and_is_named() {
    let mut gateway = gateway(Scope::Admin).await;
    let (status, answer) =
        gateway.ndjson("{\"event\":\"a\",\"data\":1}\n\n{\"event\":\"a b\",\"data\":1}").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!((&answer["line"], &answer["pointer"]), (&json!(3), &json!("/event")));
    let reused = "\n{\"event\":\"a\",\"data\":1}\n{\"event\":\"a\",\"data\":1,\"event_id\":\"reused\"}";
    let (status, answer) = gateway.ndjson(reused).await;
    assert_eq!((status, &answer["line"]), (StatusCode::CONFLICT, &json!(3)));
    assert_eq!(gateway.stored(), 0);
    assert_eq!(gateway.handed_on().await, 0);
}

#[tokio::test]
async fn of_lines_that_stand_for_themselves_each_gets_its_result() {
    let mut gateway = gateway(Scope::EventsWrite(Some("acme".parse().unwrap()))).await;
    let body = "{\"event\":\"a\",\"data\":1,\"event_id\":\"x\"}\n\n{\"event\":\"a b\",\"data\":1}\n\
                {\"event\":\"a\",\"data\":1,\"event_id\":\"reused\"}";
    let results = gateway.partial("application/x-ndjson", body).await;
    assert_eq!(results[0], json!({ "line": 1, "result": "accepted", "event_id": "x" }));
    let error = &results[1]["error"];
    assert_eq!((&results[1]["line"], &results[1]["result"]), (&json!(3), &json!("refused")));
    assert_eq!(
        (&error["line"], &error["pointer"], &error["status"]),
        (&json!(3), &json!("/event"), &json!(422))
    );
    assert_eq!((&results[2]["line"], &results[2]["error"]["code"]), (&json!(4), &json!("id_reused")));
    assert_eq!((results.len(), gateway.stored()), (3, 1));
    let body = "{\"event\":\"a\",\"data\":1,\"event_id\":\"x\"}\n{\"event\":\"a\",\"data\":1,\"tenant\":\"other\"}\n";
    let results = gateway.partial("application/x-ndjson", body).await;
    assert_eq!((&results[0]["result"], &results[1]["error"]["status"]), (&json!("duplicate"), &json!(403)));
    let long = "{\"event\":\"a\",\"data\":\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"}\n{\"event\":\"a\",\"data\":2}";
    let results = gateway.partial("application/x-ndjson", long).await;
    assert_eq!((&results[0]["error"]["status"], &results[1]["result"]), (&json!(413), &json!("accepted")));
    assert_eq!(gateway.handed_on().await, 2);
}

#[tokio::test]
async fn a_batch_of_cloud_events_is_taken_like_many_lines() {
    const BATCH: &str = "application/cloudevents-batch+json";
    const GOOD: &str = r#"{"specversion":"1.0","id":"1","source":"/s","type":"a","data":1}"#;
    let mut gateway = gateway(Scope::Admin).await;
    let request = |gateway: &Gateway| gateway.request().header(CONTENT_TYPE, BATCH);
    let empty = json!({ "accepted": 0, "duplicates": 0, "events": [] });
    assert_eq!(gateway.send(request(&gateway), "[]").await, (StatusCode::ACCEPTED, empty));
    let (status, answer) = gateway.send(request(&gateway), format!("[{GOOD}, {{}}]")).await;
    assert_eq!((status, &answer["pointer"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("/1/specversion")));
    assert_eq!(gateway.stored(), 0);
    let (status, answer) = gateway.send(request(&gateway), format!("[{GOOD}, {GOOD}]")).await;
    assert_eq!((status, &answer["duplicates"]), (StatusCode::ACCEPTED, &json!(1)));
    for (body, expected) in [
        ("[0,0,0,0]", StatusCode::PAYLOAD_TOO_LARGE),
        ("{}", StatusCode::UNPROCESSABLE_ENTITY),
        ("[0", StatusCode::BAD_REQUEST),
        ("", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(gateway.send(request(&gateway), body).await.0, expected, "{body}");
    }
    let keyed = request(&gateway).header("idempotency-key", "a");
    assert_eq!(gateway.send(keyed, "[]").await.0, StatusCode::BAD_REQUEST);
    let results = gateway
        .partial(BATCH, r#"[{"specversion":"1.0","id":"1","source":"/s","type":"a","data":1},5]"#)
        .await;
    assert_eq!((&results[0]["index"], &results[0]["result"]), (&json!(0), &json!("duplicate")));
    assert_eq!((&results[1]["index"], &results[1]["error"]["pointer"]), (&json!(1), &json!("/1")));
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_not_stored() {
    let mut gateway = gateway(Scope::Admin).await;
    let large = format!(r#"{{"event":"a","data":"{}"}}"#, "x".repeat(100));
    let request = gateway.request();
    assert_eq!(gateway.send(request, large.clone()).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let ndjson = gateway.request().header(CONTENT_TYPE, "application/x-ndjson");
    let (status, answer) = gateway.send(ndjson, large).await;
    assert_eq!((status, &answer["line"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!(1)));
    assert_eq!(gateway.stored(), 0);
}

#[tokio::test]
async fn a_request_that_cannot_be_taken_says_why() {
    let mut gateway = gateway(Scope::Admin).await;
    let body = r#"{"event":"a","data":1}"#;
    let cases = [
        (gateway.request().header(CONTENT_TYPE, "text/plain"), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (gateway.request().header(CONTENT_ENCODING, "br"), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (gateway.request().header(CONTENT_ENCODING, "gzip"), StatusCode::BAD_REQUEST),
        (gateway.request().header("idempotency-key", "a b"), StatusCode::BAD_REQUEST),
        (http::Request::post("/v1/events"), StatusCode::UNAUTHORIZED),
    ];
    for (request, expected) in cases {
        assert_eq!(gateway.send(request, body).await.0, expected);
    }
    let ndjson =
        gateway.request().header(CONTENT_TYPE, "application/x-ndjson").header("idempotency-key", "a");
    assert_eq!(gateway.send(ndjson, body).await.0, StatusCode::BAD_REQUEST);
    let request = gateway.request();
    assert_eq!(gateway.send(request, &b"{\"event\":\"\xff\"}"[..]).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(gateway.stored(), 0);
}

#[tokio::test]
async fn what_is_too_much_is_429_before_the_store_is_asked_unless_it_may_be_a_repeat() {
    let mut gateway = gateway(Scope::Admin).await;
    let (status, answer) = gateway.json(r#"{"event":"a","data":1,"tenant":"full"}"#).await;
    assert_eq!((status, &answer["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("backlog_full")));
    assert_eq!(gateway.stored(), 0);
    let (status, _) = gateway.json(r#"{"event":"a","data":1,"tenant":"full","event_id":"order-1"}"#).await;
    assert_eq!(status, StatusCode::ACCEPTED, "the store knows whether it is one");
    let lines = "{\"event\":\"a\",\"data\":1}\n\n{\"event\":\"a\",\"data\":1,\"tenant\":\"full\"}\n";
    let ndjson = gateway.request().header(CONTENT_TYPE, "application/x-ndjson");
    let (status, answer) = gateway.send(ndjson, lines).await;
    assert_eq!((status, &answer["line"]), (StatusCode::TOO_MANY_REQUESTS, &json!(3)));
    assert_eq!(gateway.stored(), 1, "all or none");
}

#[tokio::test]
async fn a_store_that_fails_is_503_and_nothing_is_handed_on() {
    let mut gateway = gateway(Scope::Admin).await;
    let (status, answer) = gateway.json(r#"{"event":"a","data":1,"event_id":"broken"}"#).await;
    assert_eq!((status, &answer["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable")));
    assert_eq!(gateway.handed_on().await, 0);
}

#[tokio::test]
async fn a_key_that_may_not_post_is_refused_before_the_body_is_read() {
    let mut gateway = gateway(Scope::Tenant("acme".parse().unwrap())).await;
    let request = gateway.request();
    assert_eq!(gateway.send(request, "not json").await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_event_that_was_stored_is_handed_on_even_if_its_producer_hung_up() {
    let mut gateway = gateway(Scope::Admin).await;
    let body = Body::from(r#"{"event":"a","data":1,"event_id":"slow"}"#);
    let answering = gateway.router.call(gateway.request().body(body).unwrap());
    let connection = tokio::spawn(answering);
    gateway.shelf.began.notified().await;
    connection.abort();
    assert!(connection.await.unwrap_err().is_cancelled());
    gateway.shelf.go_on.notify_one();
    assert_eq!(gateway.handed_on().await, 1);
}

#[tokio::test]
async fn data_that_does_not_satisfy_the_schema_of_its_topic_is_refused_with_its_place() {
    let mut gateway = gateway(Scope::Admin).await;
    let (status, answer) = gateway.json(r#"{"event":"checked","data":{"n":"x"}}"#).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!((&answer["code"], &answer["pointer"]), (&json!("schema_mismatch"), &json!("/data/n")));
    let lines = "{\"event\":\"checked\",\"data\":{\"n\":1}}\n\n{\"event\":\"checked\",\"data\":{\"n\":[]}}";
    let (status, answer) = gateway.ndjson(lines).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!((&answer["pointer"], &answer["line"]), (&json!("/data/n"), &json!(3)));
    assert_eq!(gateway.stored(), 0);
    for good in [r#"{"event":"checked","data":{"n":1}}"#, r#"{"event":"known","data":{"n":"x"}}"#] {
        assert_eq!(gateway.json(good).await.0, StatusCode::ACCEPTED);
    }
    assert_eq!(gateway.handed_on().await, 2);
}

#[tokio::test]
async fn a_topic_that_nobody_announced_is_refused_where_that_is_asked_for() {
    let body = r#"{"event":"typo","data":1}"#;
    assert_eq!(gateway(Scope::Admin).await.json(body).await.0, StatusCode::ACCEPTED);
    let mut gateway = gateway_with(Scope::Admin, UnknownTopics::Refuse).await;
    let (status, answer) = gateway.json(body).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!((&answer["code"], &answer["pointer"]), (&json!("unknown_topic"), &json!("/event")));
    assert!(text_of(&answer["detail"]).contains("`typo`"), "{answer}");
    assert_eq!(gateway.json(r#"{"event":"known","data":1}"#).await.0, StatusCode::ACCEPTED);
    assert_eq!(gateway.stored(), 1);
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
