//! A receiver on a real socket: records every request, answers by script, tells when something arrived.
//!
//! It speaks HTTP/1.1, or HTTP/2 over TLS with an authority of its own. Every path is a receiver of its own. A path without a script answers 200. A scripted one uses its answers in
//! order and repeats the last.

mod connection;
mod http2;
mod raw;
mod script;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path as FilePath;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::HeaderMap;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

pub use self::raw::{Conversation, Counts, RawReceiver};
pub use self::script::{Answer, Reply};
use crate::patience::PATIENCE;

/// The receiver. Its socket closes when it is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    records: Arc<Records>,
    authority: Option<http2::Authority>,
    accepting: AbortHandle,
}

/// One request that arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// Path and query.
    pub path: String,
    /// The method.
    pub method: http::Method,
    /// The headers.
    pub headers: HeaderMap,
    /// The exact bytes of the body.
    pub body: Bytes,
    /// When the last byte was read.
    pub at: Instant,
}

/// What arrived and what is still to be answered; the counter wakes who waits.
#[derive(Debug, Default)]
struct Records {
    paths: Mutex<HashMap<String, Path>>,
    connections: AtomicUsize,
    arrived: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Path {
    requests: Vec<Received>,
    script: script::Script,
}

impl Receiver {
    /// Listens on a free port of the loopback address.
    ///
    /// # Errors
    /// There is none.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("the receiver found no free port")?;
        let address = listener.local_addr()?;
        let records = Arc::new(Records::default());
        let accepting = tokio::spawn(connection::accept(listener, Arc::clone(&records))).abort_handle();
        Ok(Self { address, records, authority: None, accepting })
    }

    /// The same over HTTP/2 and TLS, as `localhost`.
    ///
    /// # Errors
    /// There is no free port, or no certificate can be made.
    pub async fn start_http2() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("the receiver found no free port")?;
        let address = listener.local_addr()?;
        let (authority, tls) = http2::Authority::new()?;
        let records = Arc::new(Records::default());
        let accepting = tokio::spawn(http2::accept(listener, tls, Arc::clone(&records))).abort_handle();
        Ok(Self { address, records, authority: Some(authority), accepting })
    }

    /// The file with the authority that vouches for it, for `deliver.ca_file`; `None` without TLS.
    #[must_use]
    pub fn ca_file(&self) -> Option<&FilePath> {
        self.authority.as_ref().map(http2::Authority::file)
    }

    /// How many connections were opened to it.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.records.connections.load(Ordering::Relaxed)
    }

    /// The address of a path (`/a`), for the `url` of an endpoint.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        match self.authority {
            Some(_) => format!("https://localhost:{}{path}", self.address.port()),
            None => format!("http://{}{path}", self.address),
        }
    }

    /// What a path answers from now on: these in order, the last one again and again.
    pub fn script(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        self.records.lock().entry(path.to_owned()).or_default().script = answers.into_iter().collect();
    }

    /// What arrived at a path so far, in order.
    #[must_use]
    pub fn requests(&self, path: &str) -> Vec<Received> {
        self.records.lock().get(path).map(|known| known.requests.clone()).unwrap_or_default()
    }

    /// Waits until `n` requests arrived at a path; returns all of them.
    ///
    /// # Errors
    /// Fewer came in time.
    pub async fn wait_for(&self, path: &str, n: usize) -> Result<Vec<Received>> {
        self.wait_until(path, &format!("{n} requests"), |requests| requests.len() >= n).await
    }

    /// Waits until what arrived at a path is as wanted; returns all of it.
    ///
    /// # Errors
    /// It is not in time.
    pub async fn wait_until(
        &self,
        path: &str,
        what: &str,
        wanted: impl Fn(&[Received]) -> bool,
    ) -> Result<Vec<Received>> {
        let mut arrived = self.records.arrived.subscribe();
        let is_there = |records: &Records| match records.lock().get(path) {
            Some(known) => wanted(&known.requests),
            None => wanted(&[]),
        };
        let waiting = arrived.wait_for(|_| is_there(&self.records));
        let outcome = tokio::time::timeout(PATIENCE, waiting).await;
        outcome.map(|_| self.requests(path)).with_context(|| {
            let count = self.requests(path).len();
            format!("waited {} s for {what} at {path}; {count} requests came", PATIENCE.as_secs())
        })
    }
}

impl Received {
    /// A header as text; empty when it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The `webhook-id`: the id of the event.
    #[must_use]
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// It is not JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).context("the body that arrived is not JSON")
    }
}

impl Records {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Path>> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a request and says what to answer.
    fn record(&self, received: Received) -> Answer {
        let key = received.path.split('?').next().unwrap_or_default().to_owned();
        let answer = {
            let mut paths = self.lock();
            let path = paths.entry(key).or_default();
            path.requests.push(received);
            path.script.next()
        };
        self.arrived.send_modify(|count| *count += 1);
        answer
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
