//! Opening connections and keeping them.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn a_connection_is_kept_for_the_next_post_to_its_origin_and_no_other() {
    let (first, second) = (Receiver::answering(OK).await, Receiver::answering(OK).await);
    let transport = transport();
    for _ in 0..5 {
        for receiver in [&first, &second] {
            assert!(send(&transport, &to(receiver.address)).await.is_success());
        }
    }
    for receiver in [first, second] {
        assert_eq!((receiver.connections(), receiver.requests().len()), (1, 5));
    }
}

#[tokio::test]
async fn a_connection_that_the_receiver_closes_is_not_used_again() {
    let close = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::answering(close).await;
    let transport = transport();
    for _ in 0..3 {
        assert!(send(&transport, &to(receiver.address)).await.is_success());
    }
    assert_eq!((receiver.connections(), receiver.requests().len()), (3, 3));
}

#[tokio::test]
async fn an_idle_connection_that_died_costs_no_attempt() {
    let mut receiver = Receiver::start(None, |mut peer| async move {
        peer.request().await;
        peer.write(OK).await;
    })
    .await;
    let transport = transport();
    for _ in 0..20 {
        assert!(send(&transport, &to(receiver.address)).await.is_success());
        receiver.connection_ended().await;
    }
    assert_eq!((receiver.connections(), receiver.requests().len()), (20, 20));
}

#[tokio::test]
async fn a_kept_connection_that_breaks_under_a_post_is_a_failed_attempt_and_no_second_post() {
    let receiver = Receiver::start(None, |mut peer| async move {
        peer.request().await;
        peer.write(OK).await;
        peer.request().await;
    })
    .await;
    let transport = transport();
    assert!(send(&transport, &to(receiver.address)).await.is_success());
    let error = failed(send(&transport, &to(receiver.address)).await);
    assert_eq!(error.class, AttemptErrorClass::Protocol);
    assert_eq!((receiver.connections(), receiver.requests().len()), (1, 2));
}

#[tokio::test]
async fn a_receiver_that_answers_before_it_has_read_does_not_get_the_rest_of_the_request_later() {
    let early = AtomicBool::new(true);
    let receiver = Receiver::start(None, move |mut peer| {
        let early = early.swap(false, Ordering::SeqCst);
        async move {
            if early {
                peer.begun().await;
                peer.write(OK).await;
                std::future::pending::<()>().await;
            }
            while peer.request().await && peer.write(OK).await {}
        }
    })
    .await;
    let transport = transport();
    let large = Bytes::from(vec![b'x'; 32 * 1024 * 1024]);
    let mut post = to(receiver.address);
    post.headers[1].value = large.len().to_string().into();
    post.body = large;
    assert!(send(&transport, &post).await.is_success());
    assert!(send(&transport, &to(receiver.address)).await.is_success());
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn a_reset_is_one_failed_attempt() {
    // A socket that is closed before it was read answers with a reset.
    let mut receiver = Receiver::start(None, |_peer| async {}).await;
    let error = failed(send(&transport(), &to(receiver.address)).await);
    assert_eq!((error.class, error.status), (AttemptErrorClass::Protocol, None));
    receiver.connection_ended().await;
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_a_refused_connection() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = failed(send(&transport(), &to(address)).await);
    assert_eq!(error.class, AttemptErrorClass::Connect);
    assert_eq!(error.message, "no connection to the receiver: connection refused");
}

#[tokio::test]
async fn a_host_that_swallows_packets_ends_with_the_connect_timeout() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    // Once one connection waits to be accepted, Linux drops the packets of the next.
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let _waiting = TcpStream::connect(address).await.unwrap();
    let transport = HttpTransport::new(&Options { connect_timeout: SHORT, ..options() }).unwrap();
    assert_eq!(failed(send(&transport, &to(address)).await).class, AttemptErrorClass::ConnectTimeout);
}

#[tokio::test]
async fn localhost_is_loopback_and_nothing_else() {
    let receiver = Receiver::answering(OK).await;
    let post = post("http", "localhost", receiver.address.port());
    assert!(send(&transport(), &post).await.is_success());
    let strict = HttpTransport::new(&Options { allow_networks: Vec::new(), ..options() }).unwrap();
    assert_eq!(failed(send(&strict, &post).await).class, AttemptErrorClass::Forbidden);
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn options_that_are_set_later_hold_for_the_next_post_whatever_is_open() {
    let receiver = Receiver::answering(OK).await;
    let (transport, post) = (transport(), to(receiver.address));
    assert!(send(&transport, &post).await.is_success());
    let strict = Options { allow_networks: Vec::new(), ..options() };
    transport.prepare(&strict).unwrap()();
    assert_eq!(failed(send(&transport, &post).await).class, AttemptErrorClass::Forbidden);
    transport.prepare(&options()).unwrap()();
    assert!(send(&transport, &post).await.is_success());
    assert_eq!((receiver.connections(), receiver.requests().len()), (2, 2));
    let wrong = Options { timeout: Duration::ZERO, ..strict };
    assert!(transport.prepare(&wrong).map(|_| ()).unwrap_err().to_string().contains("`deliver.timeout`"));
    assert!(send(&transport, &post).await.is_success());
    assert_eq!((transport.counts.opened.get(), transport.line.load().pool.idle()), (2, 1));
}
