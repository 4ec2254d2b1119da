//! Hostile and slow clients over real sockets, with limits short enough to wait for.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::num::NonZeroU32;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;
use crate::http::{Events, event_stream, read_body};

/// A limit that a test waits for.
const SHORT: Duration = Duration::from_millis(50);
/// A limit that no test waits for: what ends, ended for another reason.
const LONG: Duration = Duration::from_secs(3600);

struct Server {
    address: SocketAddr,
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

fn patient() -> Options {
    Options { header_timeout: LONG, body_timeout: LONG, write_timeout: LONG, ..Options::default() }
}

fn router() -> Router {
    let echo = post(async |body: Body| read_body(body, 1000).await);
    Router::new()
        .route("/", get(async || "hello"))
        .route("/echo", echo)
        .route("/big", get(async || vec![b'x'; 64 * 1024 * 1024]))
        .route("/panic", get(async || panic!("a handler panics") as ()))
}

async fn start(router: Router, options: Options) -> Server {
    start_at(TcpListener::bind("127.0.0.1:0").await.unwrap(), router, options)
}

fn start_at(listener: TcpListener, router: Router, options: Options) -> Server {
    let address = listener.local_addr().unwrap();
    let shutdown = Shutdown::new();
    let task = tokio::spawn(serve(listener, router.into(), options, shutdown.clone()));
    Server { address, shutdown, task }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends this and returns all that comes until the server closes.
    async fn exchange(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_ref()).await.unwrap();
        until_closed(&mut stream).await
    }
}

async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// Reads one answer whose body is `hello`, and leaves the connection open.
async fn read_hello(stream: &mut TcpStream) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "closed early: {answer:?}");
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[tokio::test]
async fn a_silent_connection_and_half_a_header_are_closed_in_time() {
    let server = start(router(), Options { header_timeout: SHORT, ..patient() }).await;
    for sent in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: a\r\nx-half: "] {
        server.exchange(sent).await;
    }
}

#[tokio::test]
async fn a_connection_that_is_idle_after_an_answer_is_closed_in_time() {
    let server = start(router(), Options { header_timeout: SHORT, ..patient() }).await;
    let answer = server.exchange("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn a_stalled_body_is_answered_with_408_and_closed() {
    let server = start(router(), Options { body_timeout: SHORT, ..patient() }).await;
    for sent in [
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf",
        "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let answer = server.exchange(sent).await;
        assert_eq!(status(&answer), "408", "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_never_reads_its_answer_is_cut_off() {
    let server =
        start(router(), Options { write_timeout: SHORT, max_connections: NonZeroU32::MIN, ..patient() })
            .await;
    let mut deaf = server.connect().await;
    deaf.write_all(b"GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let answer = server.exchange("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.ends_with("hello"), "its slot is free again: {answer}");
}

#[tokio::test]
async fn a_stream_that_is_quiet_goes_on_and_one_that_nobody_reads_is_cut_off() {
    let (gone, cut_off) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, go_on) = (Arc::clone(&cut_off), Arc::clone(&gone));
    let stream = async move || {
        let (sender, response) = event_stream();
        tokio::spawn(async move {
            // Longer than all limits.
            go_on.notified().await;
            loop {
                let mut events = Events::default();
                events.event("delivery", 1, &"x".repeat(100_000));
                if sender.send(events).await.is_err() {
                    return told.notify_one();
                }
            }
        });
        response
    };
    let short = Options { header_timeout: SHORT, body_timeout: SHORT, write_timeout: SHORT, ..patient() };
    let server = start(Router::new().route("/", get(stream)), short).await;
    let mut client = server.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let ended = tokio::time::timeout(2 * SHORT, cut_off.notified()).await;
    assert!(ended.is_err(), "nothing to send is no reason to end it");
    gone.notify_one();
    cut_off.notified().await;
}

#[tokio::test]
async fn a_client_in_the_middle_of_a_large_body_gets_its_413() {
    let server = start(router(), patient()).await;
    let head = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n";
    let answer = server.exchange([head.as_bytes(), &vec![b'x'; 1_000_000]].concat()).await;
    assert_eq!(status(&answer), "413", "{answer}");
    assert!(answer.contains("at most 1000 bytes"), "{answer}");
    assert!(answer.contains("connection: close"), "the next request must not be sent here: {answer}");
}

#[tokio::test]
async fn a_client_that_goes_on_sending_gets_its_413_and_is_not_read_much_further() {
    /// What the kernel holds of bytes that nobody reads: it takes twice what it is asked for.
    const BUFFER: u32 = 64 * 1024;
    const MAY_BE_READ: usize = 1024 * 1024 + 64 * 1024;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(BUFFER).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let server = start_at(socket.listen(64).unwrap(), router(), patient());
    for length in ["content-length: 1000000000\r\n\r\n", "transfer-encoding: chunked\r\n\r\n3b9aca00\r\n"] {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(BUFFER).unwrap();
        let (mut read, mut write) = socket.connect(server.address).await.unwrap().into_split();
        let sending = tokio::spawn(async move {
            let head = format!("POST /echo HTTP/1.1\r\nhost: a\r\n{length}");
            write.write_all(head.as_bytes()).await.unwrap();
            let mut sent = 0;
            while let Ok(more) = write.write(&[b'x'; 1024]).await {
                sent += more;
            }
            sent
        });
        let mut answer = Vec::new();
        // The connection is reset in the end, as there is still something that nobody reads.
        let _ = read.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(status(&answer), "413", "{answer}");
        let sent = sending.await.unwrap();
        assert!(sent < MAY_BE_READ + 6 * BUFFER as usize, "{sent} bytes were taken");
    }
}

#[tokio::test]
async fn a_connection_whose_body_was_read_is_kept() {
    let server = start(router(), patient()).await;
    let post = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nab";
    let last = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answers = server.exchange([post, post, last].concat()).await;
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 3, "{answers}");
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let server = start(router(), patient()).await;
    let head = |fields: String| format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n");
    let many = |count| (0..count).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    assert_eq!(status(&server.exchange(head(many(62))).await), "200");
    for fields in [many(63), many(500), format!("x: {}\r\n", "y".repeat(17_000))] {
        assert_eq!(status(&server.exchange(head(fields)).await), "431");
    }
}

#[tokio::test]
async fn requests_that_can_be_read_in_two_ways_are_refused() {
    let server = start(router(), patient()).await;
    for fields in [
        "",
        "host: a\r\nhost: b\r\n",
        "host: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n",
        "host: a\r\ntransfer-encoding: gzip\r\n",
        "host: a\r\ntransfer-encoding: chunked, gzip\r\n",
        "host: a\r\nx : y\r\n",
        "host: a\r\nx: y\r\n folded\r\n",
    ] {
        let answer = server.exchange(format!("POST /echo HTTP/1.1\r\n{fields}\r\n")).await;
        assert_eq!(status(&answer), "400", "{fields:?}: {answer}");
    }
}

#[tokio::test]
async fn a_head_that_others_may_read_in_another_way_is_refused_wherever_it_stands_and_however_it_comes() {
    let server = start(router(), patient()).await;
    let get = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let post = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nab";
    for head in [
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n",
        "POST /echo HTTP/1.1\nhost: a\r\ncontent-length: 5\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\n",
        "\nPOST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n",
    ] {
        // Pipelined behind good requests, with one hidden in its body.
        let bytes = [get, post, get, head, "0\r\n\r\n", get].concat();
        let answer = server.exchange(&bytes).await;
        assert_eq!(answer.matches("HTTP/1.1 200").count(), 3, "{head:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 4, "{head:?}: {answer}");
        let refused = answer.rsplit("HTTP/1.1 ").next().unwrap();
        assert!(refused.starts_with("400 ") && refused.contains("connection: close"), "{head:?}: {answer}");
        // The same byte by byte, on a connection that was used before.
        let mut stream = server.connect().await;
        stream.write_all(get.as_bytes()).await.unwrap();
        read_hello(&mut stream).await;
        for byte in [head, "0\r\n\r\n"].concat().bytes() {
            // The refusal may come before the last bytes are sent.
            let _ = stream.write_all(&[byte]).await;
            tokio::task::yield_now().await;
        }
        let answer = until_closed(&mut stream).await;
        assert_eq!((status(&answer), answer.matches("HTTP/1.1").count()), ("400", 1), "{head:?}: {answer}");
    }
}

#[tokio::test]
async fn a_connection_ends_with_its_first_chunked_request() {
    let server = start(router(), patient()).await;
    let chunked = "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    let answer = server.exchange([chunked, chunked].concat()).await;
    assert_eq!((status(&answer), answer.matches("HTTP/1.1").count()), ("200", 1), "{answer}");
    assert!(answer.contains("connection: close") && answer.ends_with("ab"), "{answer}");
}

#[tokio::test]
async fn every_answer_says_that_it_is_what_it_says_and_runs_nothing() {
    let own = get(async || ([("content-security-policy", "default-src 'self'")], "page"));
    let server = start(router().route("/own", own), patient()).await;
    for (target, policy) in [
        ("/", "default-src 'none'; frame-ancestors 'none'"),
        ("/nowhere", "default-src 'none'; frame-ancestors 'none'"),
        ("/own", "default-src 'self'"),
    ] {
        let answer =
            server.exchange(format!("GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await;
        assert!(answer.contains("x-content-type-options: nosniff\r\n"), "{answer}");
        assert!(answer.contains(&format!("content-security-policy: {policy}\r\n")), "{answer}");
    }
    let refused = server.exchange("GET / HTTP/1.1\r\n\r\n").await;
    assert!(refused.contains("nosniff") && refused.contains("default-src 'none'"), "{refused}");
}

#[tokio::test]
async fn a_connection_carries_many_requests() {
    let server = start(router(), patient()).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        read_hello(&mut stream).await;
    }
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let server = start(router(), patient()).await;
    let request = |line: &str| format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let answer = server.exchange(request("GET /nowhere")).await;
    assert_eq!(status(&answer), "404");
    assert!(answer.contains("application/problem+json"), "{answer}");
    let answer = server.exchange(request("DELETE /")).await;
    assert_eq!(status(&answer), "405");
    assert!(answer.contains("application/problem+json") && answer.contains("allow: GET,HEAD"), "{answer}");
}

#[tokio::test]
async fn a_panic_costs_its_own_connection_only() {
    let server = start(router(), Options { max_connections: NonZeroU32::MIN, ..patient() }).await;
    assert_eq!(server.exchange("GET /panic HTTP/1.1\r\nhost: a\r\n\r\n").await, "");
    let answer = server.exchange("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn connections_over_the_cap_wait_for_their_turn() {
    let server = start(router(), Options { max_connections: NonZeroU32::MIN, ..patient() }).await;
    let mut first = server.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_hello(&mut first).await;
    let mut second = server.connect().await;
    second.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let served_early = tokio::time::timeout(SHORT, second.readable()).await;
    assert!(served_early.is_err());
    drop(first);
    read_hello(&mut second).await;
}

#[tokio::test]
async fn shutdown_finishes_the_request_in_flight_and_takes_no_more() {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, gate) = (Arc::clone(&entered), Arc::clone(&release));
    let slow = async move || {
        told.notify_one();
        gate.notified().await;
        "hello"
    };
    let server =
        start(Router::new().route("/slow", get(slow)).route("/", get(async || "hello")), patient()).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_hello(&mut idle).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    entered.notified().await;

    server.shutdown.request();
    assert_eq!(until_closed(&mut idle).await, "", "an idle connection is closed at once");
    release.notify_one();
    assert!(until_closed(&mut busy).await.ends_with("hello"));
    server.task.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let entered = Arc::new(Notify::new());
    let told = Arc::clone(&entered);
    let stuck = async move || -> Infallible {
        told.notify_one();
        std::future::pending().await
    };
    let server = start(Router::new().route("/stuck", get(stuck)), patient()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /stuck HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    entered.notified().await;
    server.shutdown.request();
    server.shutdown.finished(SHORT).await;
    server.task.await.unwrap();
    assert_eq!(until_closed(&mut stream).await, "");
}

#[tokio::test]
async fn what_is_served_can_be_replaced_on_an_open_connection() {
    let front = Front::closed(Router::new().route("/early", get(async || "early")));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), Shutdown::new());
    tokio::spawn(serve(listener, front.clone(), patient(), shutdown.clone()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut ask = async |path: &str| {
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = [0; 2048];
        let read = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    };
    assert!(ask("/early").await.ends_with("early"));
    let early = ask("/").await;
    assert!(early.starts_with("HTTP/1.1 503") && early.contains("retry-after: 2"), "{early}");
    front.open(router());
    assert!(ask("/").await.ends_with("hello"));
    assert!(ask("/early").await.starts_with("HTTP/1.1 404"));
    front.close(Router::new());
    assert!(ask("/").await.contains("is starting"));
}
