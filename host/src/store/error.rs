//! What can go wrong in the store.

use std::sync::Arc;

/// Why a verb did not happen.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The event at `index` uses an `event_id` or idempotency key that was seen with other content.
    #[error(
        "event {index} of the request reuses an id or idempotency key of the event {first}, which has other content"
    )]
    IdReused {
        /// Its place in the request, from 0.
        index: usize,
        /// The id of the event that had it first.
        first: String,
    },
    /// There is too much undelivered work for the event at `index`.
    #[error("event {index} of the request is not taken: {full}")]
    BacklogFull {
        /// Its place in the request, from 0.
        index: usize,
        /// Whose, and how much.
        full: super::BacklogFull,
    },
    /// There is no such row.
    #[error("there is no such row")]
    NotFound,
    /// The tenant has another endpoint with this URL.
    #[error("the tenant has another endpoint with this URL: {0}")]
    UrlTaken(crate::model::EndpointId),
    /// The catalogue has this topic.
    #[error("the catalogue has this topic")]
    TopicTaken,
    /// Without this key nobody could manage the gateway.
    #[error("this is the last admin key that opens anything")]
    LastAdminKey,
    /// The delivery changed its state after it was looked at.
    #[error("the delivery is in another state by now")]
    StateChanged,
    /// The delivery is over: there is nothing to cancel.
    #[error("the delivery is over: it is {0}")]
    IsFinal(&'static str),
    /// Attempts of a delivery are numbered with 16 bits.
    #[error("the delivery has had 65535 attempts")]
    TooManyAttempts,
    /// The event was not fanned out yet.
    #[error("the event is not dispatched yet")]
    NotDispatched,
    /// The endpoint has a recovery that runs.
    #[error("a recovery of the endpoint runs already: {0}")]
    RecoveryRuns(crate::model::RecoveryId),
    /// The recovery has ended.
    #[error("the recovery has ended: it is {0}")]
    RecoveryEnded(&'static str),
    /// An event matched more endpoints than its deliveries can be numbered for.
    #[error("an event goes to at most 65536 endpoints; this one matched {0}")]
    TooManyDeliveries(usize),
    /// The data directory cannot be used as it is.
    #[error("{0}")]
    Unusable(String),
    /// Something that is stored is not what was written, and nothing of it is handed out.
    #[error("{0}")]
    Damaged(Arc<dyn std::error::Error + Send + Sync>),
    /// The storage failed; nothing was committed.
    #[error("the storage failed")]
    Storage(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The store is closed: the gateway is shutting down, or its writer died of an earlier error.
    #[error("the store is closed")]
    Closed,
}
