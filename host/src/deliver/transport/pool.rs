//! Connections that are kept open between POSTs, per origin.
//!
//! A connection was let through by the guard when it was opened and serves only the origin it was opened for. It is
//! either in the hands of one attempt or idle in the pool; whoever drops it closes it, its task included.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::Id;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::connect::Stream;

/// Below the 5 s after which several common servers (Node, Apache, uvicorn) close: a request that meets the close on
/// its way is lost, and counts as a failed attempt.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// A busy connection is given up after this long, so that a change of the name's addresses is followed.
const MAX_AGE: Duration = Duration::from_secs(60);
/// Bounds the open files that do nothing.
const MAX_IDLE: usize = 1_024;
/// How long a connection may take to be ready again after its answer was read. It is ready at once unless the
/// receiver answered before it had read the request.
const SETTLE_TIMEOUT: Duration = Duration::from_millis(50);
/// Response head and read buffer. The number of headers is limited to 100, hyper's default, which is cheaper than
/// the same limit when it is set.
const MAX_HEAD: usize = 64 * 1024;

/// Idle connections. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Idle>>);

#[derive(Debug, Default)]
struct Idle {
    by_origin: HashMap<Box<str>, Vec<Connection>>,
    count: usize,
}

/// A connection that can carry one request at a time.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    opened: Instant,
    idle_since: Instant,
    id: Id,
    _task: AbortOnDropHandle<()>,
}

impl Pool {
    /// An idle connection to this origin, the one that was used last.
    pub(super) fn take(&self, origin: &str) -> Option<Connection> {
        let mut idle = self.lock();
        loop {
            let connections = idle.by_origin.get_mut(origin)?;
            let last = connections.pop();
            if connections.is_empty() {
                idle.by_origin.remove(origin);
            }
            let connection = last?;
            idle.count -= 1;
            if connection.sender.is_ready() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose answer was read to the end for the next request.
    pub(super) async fn put(&self, origin: &str, mut connection: Connection) {
        let usable = connection.sender.is_ready()
            || matches!(timeout(SETTLE_TIMEOUT, connection.sender.ready()).await, Ok(Ok(())));
        if !usable || connection.opened.elapsed() >= MAX_AGE {
            return;
        }
        connection.idle_since = Instant::now();
        let mut idle = self.lock();
        if idle.count >= MAX_IDLE {
            return;
        }
        idle.count += 1;
        if let Some(connections) = idle.by_origin.get_mut(origin) {
            connections.push(connection);
        } else {
            idle.by_origin.insert(origin.into(), vec![connection]);
        }
    }

    /// Starts HTTP/1.1 on a new stream to this origin.
    pub(super) async fn open(&self, origin: &str, stream: Stream) -> hyper::Result<Connection> {
        let mut http = Builder::new();
        http.max_buf_size(MAX_HEAD).max_header_size(MAX_HEAD);
        let (sender, connection) = http.handshake(TokioIo::new(stream)).await?;
        let task = drive(connection, origin.into(), Arc::downgrade(&self.0));
        let now = Instant::now();
        let task = tokio::spawn(task);
        let (id, task) = (task.id(), AbortOnDropHandle::new(task));
        Ok(Connection { sender, opened: now, idle_since: now, id, _task: task })
    }

    /// Drops a connection that has been idle for too long; otherwise says when it can be next.
    fn expire(&self, origin: &str, id: Id) -> Option<Instant> {
        let (mut idle, now) = (self.lock(), Instant::now());
        let expires = idle.find(origin, id).map_or(now, |connection| connection.idle_since) + IDLE_TIMEOUT;
        if expires > now {
            return Some(expires);
        }
        idle.remove(origin, id);
        None
    }

    /// Drops a connection if it is idle.
    fn forget(&self, origin: &str, id: Id) {
        self.lock().remove(origin, id);
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        // Nothing panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    fn find(&self, origin: &str, id: Id) -> Option<&Connection> {
        self.by_origin.get(origin)?.iter().find(|connection| connection.id == id)
    }

    fn remove(&mut self, origin: &str, id: Id) {
        let Some(connections) = self.by_origin.get_mut(origin) else { return };
        let before = connections.len();
        connections.retain(|connection| connection.id != id);
        self.count -= before - connections.len();
        if connections.is_empty() {
            self.by_origin.remove(origin);
        }
    }
}

impl Connection {
    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// The error carries the request if nothing of it was written.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        self.sender.try_send_request(request).await
    }
}

/// Moves the bytes of a connection until it ends or has been idle for too long.
async fn drive(
    connection: impl Future<Output = hyper::Result<()>>,
    origin: Box<str>,
    pool: Weak<Mutex<Idle>>,
) {
    let id = tokio::task::id();
    let mut connection = pin!(connection);
    let mut check = Instant::now() + IDLE_TIMEOUT;
    loop {
        tokio::select! {
            // How it ended is told to the attempt that uses it, if one does.
            _ = &mut connection => break,
            () = sleep_until(check) => {}
        }
        let Some(pool) = pool.upgrade().map(Pool) else { return };
        match pool.expire(&origin, id) {
            Some(next) => check = next,
            None => return,
        }
    }
    if let Some(pool) = pool.upgrade().map(Pool) {
        pool.forget(&origin, id);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};

    use super::*;

    const ORIGIN: &str = "https://example.com";

    async fn idle(pool: &Pool) -> DuplexStream {
        let (ours, theirs) = duplex(1024);
        let connection = pool.open(ORIGIN, Box::new(ours)).await.unwrap();
        pool.put(ORIGIN, connection).await;
        theirs
    }

    fn count(pool: &Pool) -> (usize, usize) {
        let idle = pool.lock();
        (idle.count, idle.by_origin.values().map(Vec::len).sum())
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_closed_before_its_receiver_would_close_it() {
        let pool = Pool::default();
        let mut theirs = idle(&pool).await;
        tokio::time::sleep(IDLE_TIMEOUT / 2).await;
        let connection = pool.take(ORIGIN).unwrap();
        pool.put(ORIGIN, connection).await;
        tokio::time::sleep(IDLE_TIMEOUT * 3 / 4).await;
        assert_eq!(count(&pool), (1, 1), "its use began a new idle time");
        assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(count(&pool), (0, 0));
        assert!(pool.take(ORIGIN).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_its_receiver_closes_leaves_the_pool() {
        let pool = Pool::default();
        drop(idle(&pool).await);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(count(&pool), (0, 0));
        assert!(pool.lock().by_origin.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_connection_is_not_kept() {
        let pool = Pool::default();
        let _theirs = idle(&pool).await;
        let connection = pool.take(ORIGIN).unwrap();
        tokio::time::sleep(MAX_AGE).await;
        pool.put(ORIGIN, connection).await;
        assert_eq!(count(&pool), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn idle_connections_are_bounded() {
        let pool = Pool::default();
        let mut theirs = Vec::new();
        for _ in 0..MAX_IDLE + 5 {
            theirs.push(idle(&pool).await);
        }
        assert_eq!(count(&pool), (MAX_IDLE, MAX_IDLE));
    }
}
