//! Requests of guests, over an [`Outbound`] that the test plays.

use std::sync::Mutex;

use http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use tokio::sync::Notify;
use tokio::time::sleep;
use wasmtime_wasi_http::{Error, WasiBody};

use super::exchange::{Exchange, target};
use super::*;
use crate::model::AttemptErrorClass;

const SECOND: Duration = Duration::from_secs(1);
const LIMITS: HttpLimits =
    HttpLimits { timeout: SECOND, max_requests: 2, max_request_bytes: 100, max_response_bytes: 1_000 };

/// Answers when it is told to.
#[derive(Default)]
struct Peer {
    asked: Mutex<Vec<OutboundRequest>>,
    go_on: Notify,
}

impl Outbound for Peer {
    fn send(&self, request: OutboundRequest) -> OutboundFuture<'_> {
        self.asked.lock().unwrap().push(request.clone());
        Box::pin(async move {
            let answer = async {
                match request.url.path() {
                    "/slow" => self.go_on.notified().await,
                    "/large" => return Err(OutboundError::TooLarge),
                    _ => {}
                }
                Ok(Response::new(Bytes::from_static(b"answer")))
            };
            tokio::time::timeout_at(request.deadline, answer).await.unwrap_or_else(|_| {
                let message = "the receiver did not answer in time".to_owned();
                let class = AttemptErrorClass::ResponseTimeout;
                Err(OutboundError::Failed(AttemptError { class, message, status: None }))
            })
        })
    }
}

fn access(peer: &Arc<Peer>, concurrency: usize) -> Arc<HttpAccess> {
    let hosts = ["api.example.com:443", "[fd00::1]:8443"].map(|host| host.parse().unwrap());
    Arc::new(HttpAccess {
        hosts: hosts.into_iter().collect(),
        limits: LIMITS,
        permits: Semaphore::new(concurrency),
        outbound: Arc::clone(peer) as _,
    })
}

fn request(url: &str, body: &'static [u8]) -> Request<WasiBody> {
    let body = Full::new(Bytes::from_static(body)).map_err(|never| match never {}).boxed_unsync();
    Request::post(url).body(body).unwrap()
}

async fn exchange(
    access: &Arc<HttpAccess>,
    call: &Meter,
    request: Request<WasiBody>,
) -> Result<Bytes, Error> {
    let target = target(&request, &access.hosts)?;
    let (under_way, deadline) = call.begin().ok_or(Error::HttpRequestDenied)?;
    let (access, call) = (Arc::clone(access), call.clone());
    let exchange = Exchange { access, call, target, request, deadline, _under_way: under_way };
    let answer = exchange.run().await?;
    Ok(answer.into_body().collect().await.unwrap().to_bytes())
}

fn meter() -> Meter {
    Meter::new(LIMITS.max_requests, LIMITS.timeout)
}

#[tokio::test(start_paused = true)]
async fn only_a_listed_host_and_port_is_asked_however_it_is_written() {
    let peer = Arc::new(Peer::default());
    let access = access(&peer, 8);
    for url in ["https://api.example.com/a?b=c", "https://API.example.com:443/", "https://api.example.com./"]
    {
        assert_eq!(exchange(&access, &meter(), request(url, b"")).await.unwrap(), "answer", "{url}");
    }
    exchange(&access, &meter(), request("https://[fd00:0:0::1]:8443/", b"")).await.unwrap();
    assert_eq!(peer.asked.lock().unwrap().len(), 4);
    for url in [
        "https://example.com/",
        "https://api.example.com:8443/",
        "https://api.example.com.evil.com/",
        "https://evil.com/api.example.com:443",
        "https://xapi.example.com/",
        "http://api.example.com/",
        "https://127.0.0.1/",
        "https://[fd00::1]/",
    ] {
        let refused = exchange(&access, &meter(), request(url, b"")).await;
        assert!(matches!(refused, Err(Error::HttpRequestDenied)), "{url}: {refused:?}");
    }
    let mut tunnel = request("https://api.example.com/", b"");
    *tunnel.method_mut() = Method::CONNECT;
    assert!(matches!(exchange(&access, &meter(), tunnel).await, Err(Error::HttpRequestMethodInvalid)));
    assert_eq!(peer.asked.lock().unwrap().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn limits_of_size_and_number_hold_and_a_length_that_the_guest_made_up_is_not_sent() {
    let peer = Arc::new(Peer::default());
    let (access, call) = (access(&peer, 8), meter());
    let mut forged = request("https://api.example.com/", b"12345");
    forged.headers_mut().insert("content-length", HeaderValue::from_static("5"));
    exchange(&access, &call, forged).await.unwrap();
    assert!(peer.asked.lock().unwrap()[0].headers.is_empty());
    let large = exchange(&access, &call, request("https://api.example.com/", &[b'x'; 101])).await;
    assert!(matches!(large, Err(Error::HttpRequestBodySize(Some(100)))), "{large:?}");
    let third = exchange(&access, &call, request("https://api.example.com/", b"")).await;
    assert!(matches!(third, Err(Error::HttpRequestDenied)), "{third:?}");
    assert_eq!(peer.asked.lock().unwrap().len(), 1);
    let large = exchange(&access, &meter(), request("https://api.example.com/large", b"")).await;
    assert!(matches!(large, Err(Error::HttpResponseBodySize(Some(1_000)))), "{large:?}");
}

#[tokio::test(start_paused = true)]
async fn all_requests_of_a_call_share_its_time() {
    let peer = Arc::new(Peer::default());
    let (access, call) = (access(&peer, 8), meter());
    let begun = Instant::now();
    for _ in 0..2 {
        let slow = exchange(&access, &call, request("https://api.example.com/slow", b"")).await;
        assert!(matches!(slow, Err(Error::HttpResponseTimeout)), "{slow:?}");
    }
    assert_eq!(begun.elapsed(), SECOND, "the second has none left");
    assert_eq!(call.waited(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_plugin_has_so_many_requests_under_way_and_others_wait_for_them() {
    let peer = Arc::new(Peer::default());
    let access = access(&peer, 1);
    let first = tokio::spawn({
        let access = Arc::clone(&access);
        async move { exchange(&access, &meter(), request("https://api.example.com/slow", b"")).await }
    });
    sleep(SECOND / 2).await;
    let second = tokio::spawn({
        let access = Arc::clone(&access);
        async move { exchange(&access, &meter(), request("https://api.example.com/", b"")).await }
    });
    sleep(SECOND / 4).await;
    assert_eq!(peer.asked.lock().unwrap().len(), 1);
    peer.go_on.notify_one();
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    let _held = access.permits.acquire().await.unwrap();
    let busy = exchange(&access, &meter(), request("https://api.example.com/", b"")).await;
    assert!(matches!(busy, Err(Error::ConnectionLimitReached)), "{busy:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_when_the_call_ends_ends_with_it() {
    let peer = Arc::new(Peer::default());
    let (access, call) = (access(&peer, 1), meter());
    let request = exchange(&access, &call, request("https://api.example.com/slow", b""));
    let (answer, ()) = tokio::join!(request, async {
        sleep(SECOND / 2).await;
        call.end();
    });
    assert!(matches!(answer, Err(Error::ConnectionTerminated)), "{answer:?}");
    assert_eq!(access.permits.available_permits(), 1);
}
