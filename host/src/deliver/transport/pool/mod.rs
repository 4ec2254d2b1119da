//! Connections that are kept open between POSTs, per origin.
//!
//! A connection was let through by the guard when it was opened and serves only the origin it was opened for. Over
//! HTTP/1.1 it is either in the hands of one attempt or idle in the pool; over HTTP/2 it stays in the pool and is lent to
//! many. Whoever drops it closes it, its tasks included.

mod counts;
mod http1;
mod http2;
mod open;
#[cfg(test)]
mod tests;
mod turn;

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use tokio::task::Id;
use tokio::time::{Instant, sleep_until};

use self::counts::Counted;
pub(super) use self::counts::Counts;
use self::http1::Http1;
use self::http2::{Http2, Lease};
use self::open::Open;
pub(super) use self::turn::{Opened, Turn, Waiting};
use super::connect::Wire;

/// Below the 5 s after which several common servers (Node, Apache, uvicorn) close: a request that meets the close on
/// its way is lost, and counts as a failed attempt.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// A busy connection is given up after this long, so that a change of the name's addresses is followed.
const MAX_AGE: Duration = Duration::from_secs(60);
/// Bounds the open files that do nothing.
const MAX_IDLE: usize = 1_024;

/// Open connections. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Open>>);

/// What one attempt sends its request on.
#[derive(Debug)]
pub(super) enum Connection {
    /// A connection of its own.
    Alone(Http1),
    /// Its part of one.
    Shared(Lease),
}

/// What there is for an attempt.
pub(super) enum Found {
    /// An open connection.
    Connection(Connection),
    /// Nothing: the attempt opens one, and others wait for what comes of it.
    Turn(Turn),
    /// Nothing yet: another attempt opens one.
    Waiting(Waiting),
}

/// What moves the bytes of a connection.
struct Driver {
    origin: Arc<str>,
    pool: Weak<Mutex<Open>>,
    _open: Counted,
}

impl Pool {
    /// A pool without connections, counted with those that had these counts before.
    pub(super) fn counted_by(counts: Counts) -> Self {
        Self(Arc::new(Mutex::new(Open::counted_by(counts))))
    }

    /// An open connection to this origin: the idle one that was used last, or one that others use too.
    pub(super) fn take(&self, origin: &str) -> Option<Connection> {
        self.lock().change(origin, |known| known.take(self)).flatten()
    }

    /// The same; without one, the right to open it, for one attempt at a time.
    pub(super) fn find(&self, origin: &str) -> Found {
        let mut open = self.lock();
        if let Some(connection) = open.change(origin, |known| known.take(self)).flatten() {
            return Found::Connection(connection);
        }
        let (name, known) = open.entry(origin);
        if let Some(opening) = &known.opening {
            return Found::Waiting(Waiting(opening.clone()));
        }
        let (turn, opening) = Turn::new(self.clone(), name);
        known.opening = Some(opening);
        Found::Turn(turn)
    }

    /// Starts HTTP on a new stream to this origin, in the version that the receiver chose.
    pub(super) async fn open(&self, origin: &str, wire: Wire) -> hyper::Result<Connection> {
        let _open = self.lock().counts.opened();
        let driver = Driver { origin: origin.into(), pool: Arc::downgrade(&self.0), _open };
        if !wire.http2 {
            return Ok(Connection::Alone(Http1::open(wire.stream, driver).await?));
        }
        let mut connection = Http2::open(wire.stream, driver).await?;
        let lease = connection.lend(self);
        self.lock().entry(origin).1.shared.push(connection);
        Ok(Connection::Shared(lease))
    }

    /// Keeps a connection whose answer was read to the end for the next request.
    pub(super) async fn put(&self, origin: &str, connection: Connection) {
        let mut connection = match connection {
            Connection::Alone(connection) => connection,
            Connection::Shared(mut lease) => {
                lease.complete = true;
                return;
            }
        };
        if connection.is_reusable().await {
            connection.idle_since = Instant::now();
            self.lock().put(origin, connection);
        }
    }

    /// How many connections carry no request.
    pub(super) fn idle(&self) -> usize {
        self.lock().idle()
    }

    fn give_back(&self, origin: &str, id: Id, complete: bool) {
        self.lock().give_back(origin, id, complete);
    }

    /// Drops a connection that has been idle for too long; otherwise says when it can be next.
    fn expire(&self, origin: &str, id: Id) -> Option<Instant> {
        let (mut open, now) = (self.lock(), Instant::now());
        let idle_since = open.change(origin, |known| known.idle_since(id)).flatten();
        let expires = idle_since.unwrap_or(now) + IDLE_TIMEOUT;
        if expires > now {
            return Some(expires);
        }
        open.change(origin, |known| known.remove(id));
        None
    }

    /// Drops a connection that has ended.
    fn forget(&self, origin: &str, id: Id) {
        self.lock().change(origin, |known| known.remove(id));
    }

    fn turn_ended(&self, origin: &str) {
        self.lock().change(origin, |known| known.opening = None);
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// The version of HTTP that it speaks.
    pub(super) const fn version(&self) -> Version {
        match self {
            Self::Alone(_) => Version::HTTP_11,
            Self::Shared(_) => Version::HTTP_2,
        }
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// The error carries the request if nothing of it was written.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        match self {
            Self::Alone(connection) => connection.sender.try_send_request(request).await,
            Self::Shared(lease) => lease.send(request).await,
        }
    }
}

impl Driver {
    /// Moves the bytes of a connection until it ends or has been idle for too long.
    async fn drive(self, connection: impl Future<Output = hyper::Result<()>>) {
        let id = tokio::task::id();
        {
            let mut connection = pin!(connection);
            let mut check = Instant::now() + IDLE_TIMEOUT;
            loop {
                tokio::select! {
                    // How it ended is told to the attempts that use it. One that takes no new requests (GOAWAY) has ended here
                    // too, while hyper goes on with those under way.
                    _ = &mut connection => break,
                    () = sleep_until(check) => {}
                }
                let Some(pool) = self.pool.upgrade().map(Pool) else { return };
                match pool.expire(&self.origin, id) {
                    Some(next) => check = next,
                    None => return,
                }
            }
        }
        // It is closed by now, so that nobody puts it into the pool after this.
        if let Some(pool) = self.pool.upgrade().map(Pool) {
            pool.forget(&self.origin, id);
        }
    }
}
