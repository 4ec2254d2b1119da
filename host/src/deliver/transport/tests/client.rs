//! Requests of plugins: the same guard, names and limits as deliveries.

use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method};

use super::dns::{Dns, Reply};
use super::*;
use crate::deliver::{Client, ClientError, ClientRequest};

const LONG: Duration = Duration::from_secs(15);
const MOST: usize = 1_000;

fn client() -> Client {
    Client::new(&options()).unwrap()
}

fn get(url: String) -> ClientRequest {
    ClientRequest {
        method: Method::GET,
        url: url.parse().unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        deadline: Instant::now() + LONG,
        max_response_bytes: MOST,
    }
}

fn to(receiver: &Receiver) -> ClientRequest {
    get(format!("http://{}/a?b=c", receiver.address))
}

async fn class(client: &Client, request: ClientRequest) -> AttemptErrorClass {
    match client.send(request).await {
        Err(ClientError::Failed(error)) => error.class,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_is_sent_as_it_is_to_the_host_of_its_url_and_connections_are_kept() {
    let receiver = Receiver::answering("HTTP/1.1 201 Created\r\nx: y\r\ncontent-length: 2\r\n\r\nok").await;
    let client = client();
    let mut request = to(&receiver);
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    request.headers.insert(HOST, HeaderValue::from_static("evil.example"));
    (request.method, request.body) = (Method::PUT, Bytes::from_static(b"body"));
    for _ in 0..2 {
        let answer = client.send(request.clone()).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (201, b"ok".as_slice()));
        assert_eq!(answer.headers()["x"], "y");
    }
    assert_eq!(receiver.connections(), 1);
    let sent = &receiver.requests()[0];
    assert!(sent.starts_with("PUT /a?b=c HTTP/1.1\r\n") && sent.ends_with("\r\n\r\nbody"), "{sent}");
    assert!(sent.contains(&format!("host: {}\r\n", receiver.address)) && !sent.contains("evil"), "{sent}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_an_answer_over_the_limit_is_given_up() {
    let target = Receiver::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let location = format!("http://{}/", target.address);
    let moved = format!("HTTP/1.1 307 Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
    let receiver = Receiver::answering(moved).await;
    assert_eq!(client().send(to(&receiver)).await.unwrap().status().as_u16(), 307);
    assert_eq!(target.connections(), 0);
    let mut large = Receiver::start(None, |mut peer| async move {
        peer.request().await;
        peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        while peer.write("100\r\n").await && peer.write(&format!("{}\r\n", "x".repeat(0x100))).await {}
    })
    .await;
    assert!(matches!(client().send(to(&large)).await, Err(ClientError::TooLarge)));
    large.connection_ended().await;
}

#[tokio::test]
async fn an_answer_that_is_not_complete_in_time_is_none() {
    let silent = Receiver::start(None, |mut peer| async move { peer.closed().await }).await;
    let mut request = to(&silent);
    request.deadline = Instant::now() + SHORT;
    assert_eq!(class(&client(), request).await, AttemptErrorClass::ResponseTimeout);
    let half = Receiver::start(None, |mut peer| async move {
        peer.request().await;
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
        peer.closed().await;
    })
    .await;
    let mut request = to(&half);
    request.deadline = Instant::now() + SHORT;
    assert_eq!(class(&client(), request).await, AttemptErrorClass::BodyTimeout);
}

#[tokio::test]
async fn the_guard_judges_where_a_name_leads_at_each_connection() {
    const CLOSE: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let inside = Receiver::answering(CLOSE).await;
    let port = inside.address.port();
    let outside = Receiver::answering_at(SocketAddr::new("127.0.0.2".parse().unwrap(), port), CLOSE).await;
    let mut turn = 0;
    let dns = Dns::start(move |_, _| {
        turn += 1;
        Reply::addresses(if turn <= 2 { &["127.0.0.2"] } else { &["127.0.0.1"] })
    })
    .await;
    let options = Options {
        allow_http: true,
        allow_networks: vec!["127.0.0.2/32".parse().unwrap()],
        dns_servers: vec![dns.address.to_string().parse().unwrap()],
        ..Options::default()
    };
    let client = Client::new(&options).unwrap();
    let request = get(format!("http://api.example.com:{port}/"));
    assert!(client.send(request.clone()).await.is_ok(), "first it leads outside");
    assert_eq!(class(&client, request).await, AttemptErrorClass::Forbidden, "then inside");
    for url in ["https://10.0.0.1/", "http://[::1]/", "https://user@api.example.com/", "https://localhost/"] {
        assert_eq!(class(&client, get(url.to_owned())).await, AttemptErrorClass::Forbidden, "{url}");
    }
    assert_eq!((outside.connections(), inside.connections()), (1, 0));
    let strict = Client::new(&Options { allow_http: false, ..options }).unwrap();
    let plain = class(&strict, get(format!("http://api.example.com:{port}/"))).await;
    assert_eq!(plain, AttemptErrorClass::Forbidden, "plain HTTP is the operator's switch");
}
