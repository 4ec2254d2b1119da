//! The transport against receivers that behave badly, over real sockets on loopback.

mod client;
mod connections;
pub(super) mod dns;
mod http2;
mod http2_receiver;
mod names;
mod receiver;
mod refusals;
mod tls;

use std::net::SocketAddr;

use url::Url;

use self::receiver::Receiver;
use super::*;
use crate::model::{AttemptError, AttemptErrorClass, Header};

/// For tests in which a limit is reached; the others keep the default of 15 s, so that a slow machine fails none.
const SHORT: Duration = Duration::from_millis(150);

const BODY: &str = r#"{"event":"orders/created"}"#;

fn options() -> Options {
    let allow_networks = vec!["127.0.0.0/8".parse().unwrap()];
    Options { allow_http: true, allow_networks, ..Options::default() }
}

fn transport() -> HttpTransport {
    HttpTransport::new(&options()).unwrap()
}

fn impatient() -> HttpTransport {
    HttpTransport::new(&Options { timeout: SHORT, ..options() }).unwrap()
}

fn post(scheme: &str, host: &str, port: u16) -> Post {
    post_to(format!("{scheme}://{host}:{port}/hook?a=b").parse().unwrap())
}

fn post_to(url: Url) -> Post {
    let header = |name: &str, value: String| Header { name: name.to_owned().into(), value: value.into() };
    let headers = vec![
        header("host", url[Position::BeforeHost..Position::AfterPort].to_owned()),
        header("content-length", BODY.len().to_string()),
        header("webhook-id", "evt_1".to_owned()),
    ];
    Post { url, headers, body: Bytes::from_static(BODY.as_bytes()), timeout: None }
}

fn to(address: SocketAddr) -> Post {
    post("http", "127.0.0.1", address.port())
}

async fn send(transport: &HttpTransport, post: &Post) -> AttemptOutcome {
    transport.send(post).await.outcome
}

#[track_caller]
fn failed(outcome: AttemptOutcome) -> AttemptError {
    match outcome {
        AttemptOutcome::Failed(error) => error,
        AttemptOutcome::Answered { status, .. } => panic!("answered {status}"),
    }
}

#[tokio::test]
async fn an_answer_is_kept_and_the_headers_on_the_wire_are_those_of_the_post() {
    let receiver =
        Receiver::answering("HTTP/1.1 201 Created\r\nx-shop: 7\r\ncontent-length: 2\r\n\r\nok").await;
    let outcome = send(&transport(), &to(receiver.address)).await;
    let headers = [("x-shop", "7"), ("content-length", "2")]
        .map(|(name, value)| Header { name: name.into(), value: value.into() });
    let expected = AttemptOutcome::Answered {
        status: 201,
        headers: headers.into(),
        body: Bytes::from_static(b"ok"),
        truncated: false,
    };
    assert_eq!(outcome, expected);
    let port = receiver.address.port();
    let request = format!(
        "POST /hook?a=b HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-length: {}\r\nwebhook-id: evt_1\r\n\r\n{BODY}",
        BODY.len()
    );
    assert_eq!(receiver.requests(), [request]);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_its_target_is_never_contacted() {
    let target = Receiver::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("http://{}/", target.address);
        let answer = format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let receiver = Receiver::answering(answer).await;
        let outcome = send(&transport(), &to(receiver.address)).await;
        assert_eq!((outcome.status(), outcome.is_success()), (Some(status), false));
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn an_endless_answer_is_cut_and_its_connection_closed() {
    let mut receiver = Receiver::start(None, |mut peer| async move {
        peer.request().await;
        peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        while peer.write(&chunk).await {}
    })
    .await;
    let outcome = send(&transport(), &to(receiver.address)).await;
    let AttemptOutcome::Answered { status: 200, body, truncated: true, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(body.len(), 16 * 1024);
    receiver.connection_ended().await;
}

#[tokio::test]
async fn an_answer_between_what_is_kept_and_what_is_read_is_complete() {
    let body = "x".repeat(60 * 1024);
    let answer = format!("HTTP/1.1 500 Oops\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let receiver = Receiver::answering(answer).await;
    let transport = transport();
    for _ in 0..2 {
        let outcome = send(&transport, &to(receiver.address)).await;
        let AttemptOutcome::Answered { body, truncated: true, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(body.len(), 16 * 1024);
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_compressed_answer_stays_compressed() {
    let receiver = Receiver::answering(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n\x1f\x08\x01",
    )
    .await;
    let outcome = send(&transport(), &to(receiver.address)).await;
    assert!(matches!(outcome, AttemptOutcome::Answered { body, .. } if body == "\x1f\x08\x01"));
}

#[tokio::test]
async fn a_dripping_answer_ends_with_the_time_for_the_attempt() {
    let mut receiver = Receiver::start(None, |mut peer| async move {
        peer.request().await;
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await;
        while peer.write("x").await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let error = failed(send(&impatient(), &to(receiver.address)).await);
    assert_eq!((error.class, error.status), (AttemptErrorClass::BodyTimeout, Some(200)));
    receiver.connection_ended().await;
}

#[tokio::test]
async fn a_receiver_that_says_nothing_or_only_continue_ends_with_the_time_for_the_attempt() {
    let silent = Receiver::start(None, |mut peer| async move { peer.closed().await }).await;
    let continuing = Receiver::start(None, |mut peer| async move {
        peer.request().await;
        while peer.write("HTTP/1.1 100 Continue\r\n\r\n").await {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for mut receiver in [silent, continuing] {
        let error = failed(send(&impatient(), &to(receiver.address)).await);
        assert_eq!((error.class, error.status), (AttemptErrorClass::ResponseTimeout, None));
        receiver.connection_ended().await;
    }
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_error_with_its_own_sentence() {
    let many = format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", "x: y\r\n".repeat(100));
    let large = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "y".repeat(64 * 1024));
    for (answer, sentence) in [
        ("220 mail.example ESMTP\r\n", "is not HTTP/1.1"),
        ("\x16\x03\x01\x02\x00", "is not HTTP/1.1"),
        ("HTTP/2 200\r\n\r\n", "is not HTTP/1.1"),
        (&many, "headers of the answer are too large"),
        (&large, "headers of the answer are too large"),
    ] {
        let receiver = Receiver::answering(answer).await;
        let error = failed(send(&transport(), &to(receiver.address)).await);
        assert_eq!((error.class, error.status), (AttemptErrorClass::Protocol, None));
        assert!(error.message.contains(sentence), "{}", error.message);
        assert_eq!(receiver.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_one_failed_attempt_and_never_a_second_post() {
    for (answer, status) in [
        ("", None),
        ("HTTP/1.1 200 O", None),
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", Some(200)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel", Some(200)),
    ] {
        let mut receiver = Receiver::start(None, move |mut peer| async move {
            peer.request().await;
            peer.write(answer).await;
        })
        .await;
        let error = failed(send(&transport(), &to(receiver.address)).await);
        assert_eq!((error.class, error.status), (AttemptErrorClass::Protocol, status), "{answer:?}");
        receiver.connection_ended().await;
        assert_eq!((receiver.connections(), receiver.requests().len()), (1, 1), "{answer:?}");
    }
}
