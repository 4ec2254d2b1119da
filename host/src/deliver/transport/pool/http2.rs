//! A connection that carries many requests at the same time.
//!
//! Rules:
//!
//! - The receiver says how many requests it takes at a time; until it has said so it gets one. None is refused for being
//!   one too many.
//! - A connection on which an attempt got no complete answer takes no new request, and neither does one that is old or
//!   that the receiver wants to end (GOAWAY). What is under way on it ends undisturbed.
//! - What a receiver sends ahead of being read is bounded, for each request and for the connection.
//! - A receiver that is gone without a word is noticed: it does not acknowledge a ping.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::Id;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Driver, MAX_AGE, Pool};
use crate::deliver::transport::connect::Stream;

/// Requests at the same time, whatever the receiver says: what RFC 9113, 6.5.2 asks it to take at least.
const MAX_STREAMS: usize = 100;
/// Common servers (nginx) end a connection after 1,000 requests and refuse those that are on their way then.
const MAX_REQUESTS: usize = 900;
/// What an answer may send ahead of being read.
const STREAM_WINDOW: u32 = 64 * 1024;
/// The same for all answers on a connection together.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// The head of an answer, as RFC 9113, 6.5.2 counts it.
const MAX_HEAD: u32 = 16 * 1024;
/// A receiver that owes an answer and is silent for so long is sent a ping,
const PING_AFTER: Duration = Duration::from_secs(4);
/// and has so long to acknowledge it: together well below the time for an attempt.
const PONG_WITHIN: Duration = Duration::from_secs(4);

/// A connection that speaks HTTP/2, as the pool keeps it. Dropping it closes it, whatever is under way.
#[derive(Debug)]
pub(super) struct Http2 {
    pub(super) id: Id,
    pub(super) in_flight: usize,
    pub(super) idle_since: Instant,
    sender: SendRequest<Full<Bytes>>,
    origin: Arc<str>,
    room: Arc<Room>,
    opened: Instant,
    sent: usize,
    retired: bool,
    _tasks: DropGuard,
}

/// One request on an HTTP/2 connection. Unless its answer was read to the end, dropping it cancels it, and the connection
/// takes no new ones.
#[derive(Debug)]
pub(in crate::deliver::transport) struct Lease {
    pub(super) complete: bool,
    sender: SendRequest<Full<Bytes>>,
    room: Arc<Room>,
    pool: Pool,
    origin: Arc<str>,
    id: Id,
}

/// How many requests the receiver takes at the same time.
#[derive(Debug)]
struct Room {
    streams: AtomicUsize,
    answered: AtomicBool,
}

/// Spawns what hyper needs beside a connection, and ends it with the connection.
#[derive(Debug, Clone)]
struct Tasks(CancellationToken);

impl Http2 {
    /// Starts HTTP/2 on a new stream.
    pub(super) async fn open(stream: Stream, driver: Driver) -> hyper::Result<Self> {
        let tasks = Tasks(CancellationToken::new());
        let guard = tasks.0.clone().drop_guard();
        let (sender, connection) = builder(tasks.clone()).handshake(TokioIo::new(stream)).await?;
        let room = Arc::new(Room::default());
        let origin = Arc::clone(&driver.origin);
        let driving = driver.drive(watch_room(connection, Arc::clone(&room)));
        let id = tokio::spawn(tasks.0.run_until_cancelled_owned(driving)).id();
        let now = Instant::now();
        Ok(Self {
            id,
            in_flight: 0,
            idle_since: now,
            sender,
            origin,
            room,
            opened: now,
            sent: 0,
            retired: false,
            _tasks: guard,
        })
    }

    /// Whether it takes another request now.
    pub(super) fn has_room(&self) -> bool {
        self.in_flight < self.room.streams.load(Ordering::Relaxed) && !self.is_over()
    }

    /// Whether it takes no other request ever.
    pub(super) fn is_over(&self) -> bool {
        self.retired
            || self.sent >= MAX_REQUESTS
            || self.opened.elapsed() >= MAX_AGE
            || self.sender.is_closed()
    }

    /// A request more.
    pub(super) fn lend(&mut self, pool: &Pool) -> Lease {
        self.in_flight += 1;
        self.sent += 1;
        Lease {
            complete: false,
            sender: self.sender.clone(),
            room: Arc::clone(&self.room),
            pool: pool.clone(),
            origin: Arc::clone(&self.origin),
            id: self.id,
        }
    }

    /// A request less.
    pub(super) fn give_back(&mut self, complete: bool) {
        self.in_flight -= 1;
        self.idle_since = Instant::now();
        self.retired |= !complete;
    }
}

impl Lease {
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        let response = self.sender.try_send_request(request).await?;
        // Whoever answers has sent its settings before.
        self.room.answered.store(true, Ordering::Relaxed);
        Ok(response)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.give_back(&self.origin, self.id, self.complete);
    }
}

impl Room {
    /// hyper counts one until it has read the settings. Others may gather meanwhile: it sends one and keeps the rest.
    fn learn(&self, streams: usize) {
        if streams != 1 || self.answered.load(Ordering::Relaxed) {
            self.streams.store(streams.min(MAX_STREAMS), Ordering::Relaxed);
        }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self { streams: AtomicUsize::new(MAX_STREAMS), answered: AtomicBool::new(false) }
    }
}

fn builder(tasks: Tasks) -> Builder<Tasks> {
    let mut http = Builder::new(tasks);
    http.timer(TokioTimer::new())
        .initial_max_send_streams(1)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEAD)
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PONG_WITHIN);
    http
}

/// Drives a connection, and looks each time how many requests the receiver takes.
async fn watch_room(
    connection: Connection<TokioIo<Stream>, Full<Bytes>, Tasks>,
    room: Arc<Room>,
) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    poll_fn(|context| {
        let polled = connection.as_mut().poll(context);
        if polled.is_pending() {
            room.learn(connection.current_max_send_streams());
        }
        polled
    })
    .await
}

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        tokio::spawn(self.0.clone().run_until_cancelled_owned(task));
    }
}
