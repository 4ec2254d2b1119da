//! The producers: connections that post one event after the other, as fast as they are answered or at a pace.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::payload::Payload;

/// Producers that wait for an answer at the same time. With fewer, the machine idles while a gateway waits for its disk; with more,
/// the bare forwarder slows down.
pub(crate) const CONNECTIONS: usize = 128;

/// What is posted, and where.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) to: SocketAddr,
    pub(crate) path: &'static str,
    pub(crate) key: String,
    pub(crate) payload: Payload,
    /// Events, numbered from `first` on.
    pub(crate) events: usize,
    pub(crate) first: usize,
    /// Events a second; as many as go through if `None`.
    pub(crate) pace: Option<f64>,
}

/// When an event was to be posted, and when it was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Posted {
    pub(crate) number: usize,
    pub(crate) due: Instant,
    pub(crate) answered: Instant,
}

/// Posts all events; returns their times, in no order.
///
/// # Errors
/// One is not answered with 202.
pub(crate) async fn post_all(work: Work) -> Result<Vec<Posted>> {
    let work = Arc::new(work);
    let (next, start) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let mut producers = JoinSet::new();
    for _ in 0..CONNECTIONS.min(work.events) {
        producers.spawn(produce(Arc::clone(&work), Arc::clone(&next), start));
    }
    let mut posted = Vec::with_capacity(work.events);
    while let Some(done) = producers.join_next().await {
        posted.extend(done??);
    }
    Ok(posted)
}

async fn produce(work: Arc<Work>, next: Arc<AtomicUsize>, start: Instant) -> Result<Vec<Posted>> {
    let mut connection = connect(work.to).await?;
    let mut posted = Vec::new();
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        if at >= work.events {
            return Ok(posted);
        }
        let due = work.due(at, start);
        if let Some(due) = due {
            sleep_until(due).await;
        }
        // At a pace, what a producer waits for its turn counts: events do not wait for each other in the real world.
        let due = due.unwrap_or_else(Instant::now);
        let number = work.first + at;
        post(&mut connection, &work, work.payload.body(number)).await?;
        posted.push(Posted { number, due, answered: Instant::now() });
    }
}

async fn connect(to: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(to).await.context("the target takes no connections")?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn post(connection: &mut SendRequest<Full<Bytes>>, work: &Work, body: Bytes) -> Result<()> {
    let request = Request::post(work.path)
        .header("host", work.to.to_string())
        .header("content-type", "application/json")
        .header("authorization", &work.key)
        .body(Full::new(body))?;
    connection.ready().await?;
    let response = connection.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    ensure!(status == http::StatusCode::ACCEPTED, "answered {status}: {}", String::from_utf8_lossy(&body));
    Ok(())
}

impl Work {
    fn due(&self, at: usize, start: Instant) -> Option<Instant> {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 events")]
        self.pace.map(|pace| start + Duration::from_secs_f64(at as f64 / pace))
    }
}
