//! The stage without sockets: what goes out for a job, and what is concluded from what comes back.

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::model::{
    AttemptOutcome, CustomRequest, DeliveryId, EndpointId, EnvelopeCache, Event, EventKey, FailReason,
    Header, Secret, SecretId, TenantId, UnixMs,
};

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const START: UnixMs = UnixMs(1_710_513_000_000);

/// Answers each POST with the next outcome, and keeps what was posted.
#[derive(Default)]
struct ScriptedTransport {
    outcomes: Mutex<VecDeque<AttemptOutcome>>,
    posts: Mutex<Vec<Post>>,
}

impl Transport for ScriptedTransport {
    fn send<'a>(&'a self, post: &'a Post) -> SendFuture<'a> {
        self.posts.lock().unwrap().push(post.clone());
        let outcome = self.outcomes.lock().unwrap().pop_front().unwrap();
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            Sent { outcome, took: Duration::from_secs(2) }
        })
    }
}

fn job(attempts: u16, custom: Option<CustomRequest>) -> Job {
    let key = EventKey::new(START, 1);
    let event = Event {
        key,
        id: "evt_a1b2c3d4".parse().unwrap(),
        tenant: TenantId::default(),
        topic: "orders/created".parse().unwrap(),
        timestamp: "2024-03-15T14:30:00Z".parse().unwrap(),
        accepted_at: START,
        data: Bytes::from_static(br#"{"order_id":"ord_9x8y7z"}"#),
        test_of: None,
        envelope: EnvelopeCache::default(),
    };
    Job {
        delivery: DeliveryId { event: key, ordinal: 3 },
        endpoint: EndpointId::from_u128(7),
        attempts,
        event: Arc::new(event),
        custom: custom.map(Arc::new),
        line: None,
    }
}

fn endpoint(expires_at: Option<UnixMs>) -> Endpoint {
    let secret =
        Secret { id: SecretId::from_u128(1), key: KEY.parse().unwrap(), created_at: UnixMs(0), expires_at };
    Endpoint {
        secrets: vec![secret],
        ..Endpoint::new(
            EndpointId::from_u128(7),
            TenantId::default(),
            "https://example.com:8443/hook?a=b".parse().unwrap(),
            UnixMs(0),
        )
    }
}

fn answered(status: u16) -> AttemptOutcome {
    AttemptOutcome::Answered { status, headers: Vec::new(), body: Bytes::new(), truncated: false }
}

fn attempts(outcomes: impl IntoIterator<Item = AttemptOutcome>) -> (Attempts, Arc<ScriptedTransport>) {
    let outcomes = Mutex::new(outcomes.into_iter().collect());
    let transport = Arc::new(ScriptedTransport { outcomes, ..ScriptedTransport::default() });
    let retry = RetrySchedule::new(vec![Duration::from_secs(10)]);
    let attempts = Attempts { transport: transport.clone(), clock: Clock::starting_at(START), retry };
    (attempts, transport)
}

fn value(post: &Post, name: &str) -> Option<String> {
    let header = post.headers.iter().find(|header| header.name == name)?;
    Some(String::from_utf8(header.value.clone()).unwrap())
}

#[test]
fn a_post_carries_the_envelope_and_every_promised_header() {
    let post = Post::new(&job(1, None), &endpoint(None), START).unwrap();
    let names = post.headers.iter().map(|header| &*header.name).collect::<Vec<_>>();
    assert_eq!(
        names,
        [
            "host",
            "user-agent",
            "accept-encoding",
            "content-type",
            "content-length",
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
            "hookway-delivery-id",
            "hookway-topic",
            "hookway-attempt"
        ]
    );
    for (name, expected) in [
        ("host", "example.com:8443".to_owned()),
        ("user-agent", format!("Hookway/{}", env!("CARGO_PKG_VERSION"))),
        ("accept-encoding", "identity".to_owned()),
        ("content-type", "application/json".to_owned()),
        ("content-length", post.body.len().to_string()),
        ("webhook-id", "evt_a1b2c3d4".to_owned()),
        ("webhook-timestamp", "1710513000".to_owned()),
        ("hookway-delivery-id", job(1, None).delivery.to_string()),
        ("hookway-topic", "orders/created".to_owned()),
        ("hookway-attempt", "2".to_owned()),
    ] {
        assert_eq!(value(&post, name), Some(expected), "{name}");
    }
    assert_eq!(post.body, job(1, None).event.envelope());
}

#[test]
fn an_independent_receiver_verifies_what_is_signed() {
    let custom = CustomRequest {
        body: Bytes::from_static(br#"{"other":"body"}"#),
        content_type: None,
        set_headers: Vec::new(),
        remove_headers: Vec::new(),
    };
    for custom in [None, Some(custom)] {
        let post = Post::new(&job(0, custom), &endpoint(None), Clock::system().wall()).unwrap();
        let headers: HeaderMap = post
            .headers
            .iter()
            .map(|h| (HeaderName::try_from(&h.name).unwrap(), HeaderValue::from_bytes(&h.value).unwrap()))
            .collect();
        let receiver = standardwebhooks::Webhook::new(KEY).unwrap();
        assert!(receiver.verify(&post.body, &headers).is_ok());
        assert!(receiver.verify(b"{}", &headers).is_err());
    }
}

#[test]
fn every_attempt_sends_the_same_bytes_and_id_with_a_fresh_timestamp() {
    let first = Post::new(&job(0, None), &endpoint(None), START).unwrap();
    let second = Post::new(&job(1, None), &endpoint(None), START.after(Duration::from_secs(5))).unwrap();
    assert_eq!((&first.body, value(&first, "webhook-id")), (&second.body, value(&second, "webhook-id")));
    for name in ["webhook-timestamp", "webhook-signature", "hookway-attempt"] {
        assert_ne!(value(&first, name), value(&second, name), "{name}");
    }
}

#[test]
fn a_transform_sets_and_removes_headers_but_none_of_ours() {
    let header = |name: &str, value: &str| Header { name: name.into(), value: value.into() };
    let reserved = [
        "host",
        "Host",
        "connection",
        "content-length",
        "transfer-encoding",
        "te",
        "upgrade",
        "expect",
        "webhook-id",
        "webhook-signature",
        "hookway-topic",
        "Hookway-Attempt",
        "proxy-authorization",
    ];
    let free = [
        header("x-shop", "7"),
        header("user-agent", "Shop/1"),
        header("x-bad", "a\r\nwebhook-id: b"),
        header("bad name", "a"),
        header("", "a"),
    ];
    let custom = CustomRequest {
        body: Bytes::from_static(b"<order/>"),
        content_type: Some("application/xml".to_owned()),
        set_headers: free.into_iter().chain(reserved.iter().map(|name| header(name, "evil"))).collect(),
        remove_headers: reserved.into_iter().chain(["accept-encoding"]).map(str::to_owned).collect(),
    };
    let plain = Post::new(&job(0, None), &endpoint(None), START).unwrap();
    let post = Post::new(&job(0, Some(custom)), &endpoint(None), START).unwrap();
    assert_eq!(post.body, "<order/>");
    assert_eq!(post.headers.len(), plain.headers.len(), "one removed, one added");
    for (name, expected) in [
        ("content-type", "application/xml"),
        ("x-shop", "7"),
        ("user-agent", "Shop/1"),
        ("content-length", "8"),
    ] {
        assert_eq!(value(&post, name).as_deref(), Some(expected));
    }
    for name in ["accept-encoding", "x-bad", "bad name", "connection", "te"] {
        assert_eq!(value(&post, name), None, "{name}");
    }
    for name in ["host", "webhook-id", "hookway-topic", "hookway-attempt"] {
        assert_eq!(value(&post, name), value(&plain, name), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_is_recorded_with_what_was_sent() {
    let (attempts, transport) = attempts([answered(204)]);
    let finished = attempts.attempt(&job(0, None), Some(&endpoint(None))).await;
    assert_eq!((finished.state, finished.due_at), (DeliveryState::Delivered, None));
    let attempt = finished.attempt.unwrap();
    assert_eq!((attempt.number, attempt.started_at, attempt.took), (1, START, Duration::from_secs(2)));
    assert_eq!(attempt.request_headers, transport.posts.lock().unwrap()[0].headers);
    assert_eq!(finished.at, START.after(Duration::from_secs(2)));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_due_again_and_the_last_one_is_final() {
    let (attempts, transport) = attempts([answered(500), answered(302)]);
    let first = attempts.attempt(&job(0, None), Some(&endpoint(None))).await;
    assert_eq!(first.state, DeliveryState::Retrying);
    let wait = first.due_at.unwrap().since(first.at).as_secs();
    assert!((8..=12).contains(&wait), "{wait}");
    let last = attempts.attempt(&job(1, None), Some(&endpoint(None))).await;
    assert_eq!((last.state, last.due_at), (DeliveryState::Failed(FailReason::Exhausted), None));
    assert_eq!(transport.posts.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_an_active_secret_nothing_goes_out_and_the_delivery_is_held() {
    let (attempts, transport) = attempts([]);
    let finished = attempts.attempt(&job(0, None), Some(&endpoint(Some(START)))).await;
    assert_eq!(finished.state, DeliveryState::Held(HoldReason::NoActiveSecret));
    assert_eq!(finished.due_at, Some(START.after(HELD_WAIT)));
    assert!(finished.attempt.is_none() && transport.posts.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_delivery_to_a_deleted_endpoint_is_cancelled_without_an_attempt() {
    let (attempts, transport) = attempts([]);
    let finished = attempts.attempt(&job(0, None), None).await;
    assert_eq!((finished.state, finished.due_at), (DeliveryState::Cancelled, None));
    assert!(finished.attempt.is_none() && transport.posts.lock().unwrap().is_empty());
}
