//! HTTP/2: many POSTs on one connection, and each way in which a receiver can end one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use h2::Reason;
use http::{HeaderMap, HeaderValue};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::http2_receiver::{Action, Http2Receiver};
use super::tls::Authority;
use super::*;

const MANY: u32 = 100;

fn ok() -> Action {
    Action::Answer(200, Bytes::from_static(b"ok"))
}

/// A receiver that does this, what to call it with, and how.
async fn receiver<F>(max_streams: u32, script: F) -> (Http2Receiver, Arc<HttpTransport>, Post)
where
    F: Fn(usize, usize) -> Action + Send + Sync + 'static,
{
    let authority = Authority::new();
    let receiver = Http2Receiver::start(authority.offers(&["h2", "http/1.1"]), max_streams, script).await;
    let post = post("https", "localhost", receiver.address.port());
    (receiver, Arc::new(authority.transport()), post)
}

/// The outcomes of as many attempts at the same time.
async fn at_once(transport: &Arc<HttpTransport>, post: &Post, count: usize) -> Vec<AttemptOutcome> {
    let mut attempts = JoinSet::new();
    for _ in 0..count {
        let (transport, post) = (Arc::clone(transport), post.clone());
        attempts.spawn(async move { send(&transport, &post).await });
    }
    attempts.join_all().await
}

#[track_caller]
fn all_succeed(outcomes: &[AttemptOutcome]) {
    assert!(outcomes.iter().all(AttemptOutcome::is_success), "{outcomes:?}");
}

#[tokio::test]
async fn one_connection_carries_many_posts_at_the_same_time() {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let (receiver, transport, post) = receiver(MANY, move |_, _| Action::Later(Arc::clone(&held))).await;
    let opening = async {
        receiver.until(|receiver| receiver.requests().len() == 1).await;
        gate.notify_one();
        receiver.until(|receiver| receiver.requests().len() == 40).await;
        gate.notify_waiters();
    };
    let (outcomes, ()) = tokio::join!(at_once(&transport, &post, 40), opening);
    all_succeed(&outcomes);
    assert_eq!(receiver.connections(), 1);
    let port = receiver.address.port();
    for (head, body) in receiver.requests() {
        assert_eq!(head.uri().to_string(), format!("https://localhost:{port}/hook?a=b"));
        assert_eq!((head.headers().get("host"), &body[..]), (None, BODY.as_bytes()));
        assert_eq!(head.headers()["webhook-id"], "evt_1");
        assert_eq!(head.headers()["content-length"], BODY.len().to_string());
    }
}

#[tokio::test]
async fn an_answer_over_http_2_is_kept_like_any_other() {
    let (_receiver, transport, post) = receiver(MANY, |_, _| Action::Answer(201, "made".into())).await;
    for _ in 0..2 {
        let outcome = send(&transport, &post).await;
        let expected = AttemptOutcome::Answered {
            status: 201,
            headers: Vec::new(),
            body: "made".into(),
            truncated: false,
        };
        assert_eq!(outcome, expected);
    }
}

#[tokio::test]
async fn no_more_posts_are_open_than_the_receiver_takes() {
    // The receiver refuses what is one too many, which would be a failed attempt.
    let (receiver, transport, post) = receiver(2, |_, _| ok()).await;
    all_succeed(&at_once(&transport, &post, 30).await);
    all_succeed(&at_once(&transport, &post, 30).await);
    assert_eq!(receiver.requests().len(), 60);
}

#[tokio::test]
async fn a_receiver_that_takes_one_post_at_a_time_gets_more_connections() {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let script = move |connection, request| match (connection, request) {
        (0, 0) => ok(),
        _ => Action::Later(Arc::clone(&held)),
    };
    let (receiver, transport, post) = receiver(1, script).await;
    // The first answer and the POST after it tell how many it takes.
    all_succeed(&at_once(&transport, &post, 1).await);
    let opening = async {
        receiver.until(|receiver| receiver.requests().len() == 2).await;
        let (transport, post) = (Arc::clone(&transport), post.clone());
        let other = tokio::spawn(async move { send(&transport, &post).await });
        receiver.until(|receiver| receiver.connections() == 2 && receiver.requests().len() == 3).await;
        gate.notify_waiters();
        other.await.unwrap()
    };
    let (outcomes, other) = tokio::join!(at_once(&transport, &post, 1), opening);
    all_succeed(&[&outcomes[..], &[other]].concat());
}

#[tokio::test]
async fn http_1_is_spoken_with_receivers_that_do_not_choose_http_2_or_if_the_operator_wants_it() {
    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let authority = Authority::new();
    let both = authority.offers(&["h2", "http/1.1"]);
    let without = Options { http2: false, ..authority.options() };
    for (tls, options) in [
        (authority.offers(&["http/1.1"]), authority.options()),
        (authority.offers(&[]), authority.options()),
        (both, without),
    ] {
        let receiver = Receiver::start(Some(tls), |mut peer| async move {
            while peer.request().await && peer.write(OK).await {}
        })
        .await;
        let transport = Arc::new(HttpTransport::new(&options).unwrap());
        let post = post("https", "localhost", receiver.address.port());
        all_succeed(&at_once(&transport, &post, 10).await);
        assert_eq!(receiver.requests().len(), 10);
        assert!(receiver.requests()[0].starts_with("POST /hook?a=b HTTP/1.1\r\nhost: localhost"));
    }
}

#[tokio::test]
async fn a_reset_request_is_one_failed_attempt_and_the_next_one_has_a_new_connection() {
    for (reason, words) in [
        (Reason::REFUSED_STREAM, "refused stream"),
        (Reason::INTERNAL_ERROR, "internal error"),
        (Reason::HTTP_1_1_REQUIRED, "HTTP/1.1"),
    ] {
        let script = move |connection, _| if connection == 0 { Action::Reset(reason) } else { ok() };
        let (receiver, transport, post) = receiver(MANY, script).await;
        let error = failed(send(&transport, &post).await);
        assert_eq!((error.class, error.status), (AttemptErrorClass::Protocol, None));
        assert!(error.message.contains("reset the HTTP/2 request"), "{}", error.message);
        assert!(error.message.contains(words), "{}", error.message);
        assert_eq!((receiver.connections(), receiver.requests().len()), (1, 1), "no POST is repeated");
        assert!(send(&transport, &post).await.is_success());
        assert_eq!((receiver.connections(), receiver.requests().len()), (2, 2));
    }
}

#[tokio::test]
async fn a_connection_that_the_receiver_wants_to_end_takes_no_new_post_and_ends_those_under_way() {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let script = move |connection, request| match (connection, request) {
        (0, 1) => Action::Later(Arc::clone(&held)),
        (0, 2) => Action::GoAway,
        _ => ok(),
    };
    let (receiver, transport, post) = receiver(MANY, script).await;
    assert!(send(&transport, &post).await.is_success());
    let others = async {
        receiver.until(|receiver| receiver.requests().len() == 2).await;
        assert!(send(&transport, &post).await.is_success());
        for _ in 0..5 {
            assert!(send(&transport, &post).await.is_success());
        }
        gate.notify_one();
    };
    let (under_way, ()) = tokio::join!(send(&transport, &post), others);
    assert!(under_way.is_success());
    assert_eq!((receiver.connections(), receiver.requests().len()), (2, 8));
}

#[tokio::test]
async fn a_connection_that_is_ended_at_once_is_one_failed_attempt_for_each_post_on_it() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let script = move |connection, request| {
        count.fetch_add(1, Ordering::SeqCst);
        match (connection, request) {
            (0, 0) => ok(),
            (0, 5) => Action::Abort(Reason::ENHANCE_YOUR_CALM),
            (0, _) => Action::Hang,
            _ => ok(),
        }
    };
    let (receiver, transport, post) = receiver(MANY, script).await;
    assert!(send(&transport, &post).await.is_success());
    let outcomes = at_once(&transport, &post, 5).await;
    for outcome in outcomes {
        let error = failed(outcome);
        assert_eq!((error.class, error.status), (AttemptErrorClass::Protocol, None));
        assert!(error.message.contains("connection without an answer"), "{}", error.message);
    }
    assert_eq!((receiver.connections(), sent.load(Ordering::SeqCst)), (1, 6), "no POST is repeated");
    assert!(send(&transport, &post).await.is_success());
    assert_eq!((receiver.connections(), sent.load(Ordering::SeqCst)), (2, 7));
}

#[tokio::test]
async fn an_endless_answer_over_http_2_is_cut_and_its_connection_closed() {
    let (receiver, transport, post) = receiver(MANY, |_, _| Action::Endless).await;
    let outcome = send(&transport, &post).await;
    let AttemptOutcome::Answered { status: 200, body, truncated: true, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(body.len(), 16 * 1024);
    receiver.until(|receiver| receiver.open() == 0).await;
}

#[tokio::test]
async fn a_post_that_is_given_up_is_cancelled_and_does_not_disturb_the_others() {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let script = move |_, request| match request {
        0 => Action::Later(Arc::clone(&held)),
        1 => Action::Half,
        _ => Action::Hang,
    };
    let (receiver, transport, post) = receiver(MANY, script).await;
    let hurried = Post { timeout: Some(SHORT), ..post.clone() };
    let others = async {
        receiver.until(|receiver| receiver.requests().len() == 1).await;
        let error = failed(send(&transport, &hurried).await);
        assert_eq!((error.class, error.status), (AttemptErrorClass::BodyTimeout, Some(200)));
        gate.notify_one();
    };
    let (first, ()) = tokio::join!(send(&transport, &post), others);
    assert!(first.is_success());
    receiver.until(|receiver| receiver.open() == 0).await;
}

#[tokio::test]
async fn heads_that_are_too_large_or_never_come_are_failed_attempts() {
    let value = |length| HeaderValue::from_str(&"y".repeat(length)).unwrap();
    let large = HeaderMap::from_iter([("x".parse().unwrap(), value(600 * 1024))]);
    let many: HeaderMap =
        (0..10_000).map(|n| (format!("x-{n}").parse::<http::HeaderName>().unwrap(), value(1))).collect();
    for headers in [large, many] {
        let script = move |_, _| Action::Headers(headers.clone());
        let (_receiver, transport, post) = receiver(MANY, script).await;
        let error = failed(send(&transport, &post).await);
        assert_eq!(error.class, AttemptErrorClass::Protocol);
        assert!(error.message.contains("16 KiB"), "{}", error.message);
    }
    for script in [|_, _| Action::Hints, |_, _| Action::Hang] {
        let (receiver, transport, post) = receiver(MANY, script).await;
        let error = failed(send(&transport, &Post { timeout: Some(SHORT), ..post }).await);
        assert_eq!((error.class, error.status), (AttemptErrorClass::ResponseTimeout, None));
        receiver.until(|receiver| receiver.open() == 0).await;
    }
}

#[tokio::test]
async fn those_who_wait_for_a_connection_share_its_failure() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let outcomes = at_once(&Arc::new(transport()), &post("https", "localhost", address.port()), 20).await;
    for outcome in outcomes {
        let error = failed(outcome);
        assert_eq!(error.class, AttemptErrorClass::Connect);
        assert_eq!(error.message, "no connection to the receiver: connection refused");
    }
}

#[tokio::test]
async fn an_attempt_that_is_given_up_while_it_connects_for_all_leaves_its_turn_to_another() {
    let (_receiver, transport, post) = receiver(MANY, |_, _| ok()).await;
    // Polled once: it has the turn and has begun to connect.
    let mut first = transport.send(&post);
    std::future::poll_fn(|context| {
        assert!(first.as_mut().poll(context).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    let others = at_once(&transport, &post, 5);
    let mut others = std::pin::pin!(others);
    tokio::select! {
        biased;
        _ = &mut others => panic!("nobody has connected"),
        () = tokio::task::yield_now() => drop(first),
    }
    all_succeed(&others.await);
}
