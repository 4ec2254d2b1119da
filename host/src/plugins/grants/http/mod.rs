//! The grant `http`: `wasi:http/outgoing-handler`, to hosts that author and operator both list.
//!
//! - A request goes to a listed host and port or nowhere; where its name leads is judged by the guard that judges deliveries,
//!   behind the seam [`Outbound`]. Redirects are answers, TLS is verified, no proxy is asked.
//! - A call has a number of requests, a time for all of them together, and limits of size for each; a plugin has a number of
//!   requests at a time. The time is not the guest's own ([`meter`]).
//! - An answer is handed to the guest once it is complete, so nothing of a request outlives its time, and a guest that does
//!   not read holds nothing up.
//! - Whoever waits is a task of its own: neither the thread nor another plugin waits with the guest.

mod exchange;
mod hooks;
mod meter;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;

pub(in crate::plugins) use self::hooks::HttpGuest;
pub(in crate::plugins) use self::meter::Meter;
use crate::model::AttemptError;
use crate::plugins::manifest::HttpHost;

/// What an [`Outbound`] returns.
pub type OutboundFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Response<Bytes>, OutboundError>> + Send + 'a>>;

/// Sends the requests of plugins, through the guard that deliveries go through.
pub trait Outbound: Send + Sync + 'static {
    /// Sends it once and reads the whole answer. Dropping the future ends it.
    fn send(&self, request: OutboundRequest) -> OutboundFuture<'_>;
}

/// A request that a plugin makes.
#[derive(Debug, Clone)]
pub struct OutboundRequest {
    /// The method.
    pub method: Method,
    /// To where; nothing else decides who is connected to.
    pub url: Url,
    /// The headers, without `host` and those that belong to the connection.
    pub headers: http::HeaderMap,
    /// All of the body.
    pub body: Bytes,
    /// Until when the answer has to be complete.
    pub deadline: Instant,
    /// The largest body of an answer.
    pub max_response_bytes: usize,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboundError {
    /// As an attempt of a delivery fails.
    Failed(AttemptError),
    /// The body of the answer is larger than it may be.
    TooLarge,
}

/// What one version of a plugin may do.
pub(in crate::plugins) struct HttpAccess {
    pub(in crate::plugins) hosts: BTreeSet<HttpHost>,
    pub(in crate::plugins) limits: HttpLimits,
    /// Requests at the same time.
    pub(in crate::plugins) permits: Semaphore,
    pub(in crate::plugins) outbound: Arc<dyn Outbound>,
}

/// What one call of a guest may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plugins) struct HttpLimits {
    /// For all requests together.
    pub(in crate::plugins) timeout: Duration,
    /// How many there may be.
    pub(in crate::plugins) max_requests: u32,
    /// The body of each.
    pub(in crate::plugins) max_request_bytes: usize,
    /// The body of each answer.
    pub(in crate::plugins) max_response_bytes: usize,
}
