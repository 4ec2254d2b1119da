//! The stage without sockets: what goes out for a job, and what is concluded from what comes back.

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::chance::Chance;
use crate::model::{
    AttemptOutcome, CustomRequest, DeliveryId, Ed25519Key, EndpointId, EnvelopeCache, Event, EventKey,
    FailReason, Header, RetrySchedule, Secret, SecretId, SignatureStyle, SigningKey, TenantId, UnixMs,
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
        trace: None,
        envelope: EnvelopeCache::default(),
    };
    Job {
        schedule_from: 0,
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
    let counts = Counts::default();
    let (clock, chance) = (Clock::starting_at(START), Chance::of_machine());
    let traces = Traces::default();
    let options = Arc::new(ArcSwap::from_pointee(Options { retry, ..Options::default() }));
    let attempts = Attempts { transport: transport.clone(), clock, options, chance, counts, traces };
    (attempts, transport)
}

fn value(post: &Post, name: &str) -> Option<String> {
    let header = post.headers.iter().find(|header| header.name == name)?;
    Some(String::from_utf8(header.value.to_vec()).unwrap())
}

#[test]
fn a_post_carries_the_envelope_and_every_promised_header() {
    let post = Post::new(&job(1, None), &endpoint(None), START, None).unwrap();
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
        let post = Post::new(&job(0, custom), &endpoint(None), Clock::system().wall(), None).unwrap();
        let headers: HeaderMap = post
            .headers
            .iter()
            .map(|h| (HeaderName::try_from(&*h.name).unwrap(), HeaderValue::from_bytes(&h.value).unwrap()))
            .collect();
        let receiver = standardwebhooks::Webhook::new(KEY).unwrap();
        assert!(receiver.verify(&post.body, &headers).is_ok());
        assert!(receiver.verify(b"{}", &headers).is_err());
    }
}

#[test]
fn every_attempt_sends_the_same_bytes_and_id_with_a_fresh_timestamp() {
    let first = Post::new(&job(0, None), &endpoint(None), START, None).unwrap();
    let second =
        Post::new(&job(1, None), &endpoint(None), START.after(Duration::from_secs(5)), None).unwrap();
    assert_eq!((&first.body, value(&first, "webhook-id")), (&second.body, value(&second, "webhook-id")));
    for name in ["webhook-timestamp", "webhook-signature", "hookway-attempt"] {
        assert_ne!(value(&first, name), value(&second, name), "{name}");
    }
}

#[test]
fn a_transform_sets_and_removes_headers_but_none_of_ours() {
    let header =
        |name: &str, value: &str| Header { name: name.to_owned().into(), value: value.to_owned().into() };
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
    let plain = Post::new(&job(0, None), &endpoint(None), START, None).unwrap();
    let post = Post::new(&job(0, Some(custom)), &endpoint(None), START, None).unwrap();
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

#[test]
fn the_header_of_a_style_comes_beside_the_standard_ones_and_a_transform_does_not_change_it() {
    let name = "x-hub-signature-256".to_owned();
    let mut endpoint = endpoint(None);
    let plain = Post::new(&job(0, None), &endpoint, START, None).unwrap();
    endpoint.request.signature =
        SignatureStyle::HmacHex { header: name.clone(), prefix: "sha256=".to_owned() };
    let signed = Post::new(&job(0, None), &endpoint, START, None).unwrap();
    assert_eq!(signed.headers[..plain.headers.len()], plain.headers, "the standard headers are as they were");
    let custom = |set: &[&str], remove: &[&str]| CustomRequest {
        body: signed.body.clone(),
        content_type: None,
        set_headers: set
            .iter()
            .map(|&name| Header { name: name.to_owned().into(), value: "evil".into() })
            .collect(),
        remove_headers: remove.iter().map(|&name| name.into()).collect(),
    };
    for custom in [custom(&[&name], &[]), custom(&[], &[&name]), custom(&["X-Hub-Signature-256"], &[&name])] {
        let post = Post::new(&job(0, Some(custom)), &endpoint, START, None).unwrap();
        assert_eq!(post.headers, signed.headers);
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
async fn an_endpoint_with_a_style_and_no_active_symmetric_secret_sends_nothing() {
    let (attempts, transport) = attempts([answered(204)]);
    let mut endpoint = endpoint(Some(START));
    let pair = SigningKey::Ed25519(Ed25519Key::from_seed(&[1; 32]));
    let id = SecretId::from_u128(2);
    endpoint.secrets.push(Secret { id, key: pair, created_at: UnixMs(0), expires_at: None });
    endpoint.request.signature = SignatureStyle::Timestamped { header: "x-sig".to_owned() };
    let held = attempts.attempt(&job(0, None), Some(&endpoint)).await;
    assert_eq!(held.state, DeliveryState::Held(HoldReason::NoActiveSecret));
    assert!(transport.posts.lock().unwrap().is_empty());
    endpoint.request.signature = SignatureStyle::Standard;
    let sent = attempts.attempt(&job(0, None), Some(&endpoint)).await;
    assert_eq!(sent.state, DeliveryState::Delivered);
}

/// The signatures of the last POST.
fn last_signatures(transport: &ScriptedTransport) -> Vec<String> {
    let posts = transport.posts.lock().unwrap();
    let value = value(posts.last().unwrap(), "webhook-signature").unwrap();
    value.split(' ').map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn in_a_rotation_both_secrets_sign_until_the_old_one_expires_to_the_second_or_is_revoked() {
    const GRACE: Duration = Duration::from_mins(10);
    let (attempts, transport) = attempts((0..5).map(|_| answered(500)));
    let old_until = START.after(GRACE);
    let mut rotated = endpoint(Some(old_until));
    let key = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".parse().unwrap();
    let new = Secret { id: SecretId::from_u128(2), key, created_at: START, expires_at: None };
    rotated.secrets.insert(0, new);
    for (wait, expected) in [(0, 2), (GRACE.as_secs() - 3, 2), (0, 1)] {
        tokio::time::advance(Duration::from_secs(wait)).await;
        attempts.attempt(&job(0, None), Some(&rotated)).await;
        let signatures = last_signatures(&transport);
        assert_eq!(signatures.len(), expected, "at {}", attempts.clock.wall());
        // An attempt takes two seconds.
        let started_at = UnixMs(attempts.clock.wall().0 - 2000);
        assert_eq!(started_at < old_until, expected == 2);
        assert!(started_at.0.abs_diff(old_until.0) <= 1000 || started_at == START);
    }
    rotated.secrets[1].expires_at = None;
    attempts.attempt(&job(0, None), Some(&rotated)).await;
    assert_eq!(last_signatures(&transport).len(), 2, "an expiry can be taken back");
    rotated.secrets[1].expires_at = Some(attempts.clock.wall());
    attempts.attempt(&job(0, None), Some(&rotated)).await;
    let only_new = Endpoint { secrets: vec![rotated.secrets[0].clone()], ..endpoint(None) };
    let last = transport.posts.lock().unwrap().last().cloned();
    let started_at = UnixMs(attempts.clock.wall().0 - 2000);
    assert_eq!(
        last,
        Post::new(&job(0, None), &only_new, started_at, None),
        "the next attempt is signed by the new one"
    );
}

#[tokio::test(start_paused = true)]
async fn a_delivery_to_a_deleted_endpoint_is_cancelled_without_an_attempt() {
    let (attempts, transport) = attempts([]);
    let finished = attempts.attempt(&job(0, None), None).await;
    assert_eq!((finished.state, finished.due_at), (DeliveryState::Cancelled, None));
    assert!(finished.attempt.is_none() && transport.posts.lock().unwrap().is_empty());
}
