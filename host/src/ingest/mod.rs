//! Events in over HTTP: `POST /v1/events`.
//!
//! - One event as `application/json` or as a CloudEvent, or many as `application/x-ndjson` or as a batch of CloudEvents: all
//!   or none, or each by itself where the producer asks for that.
//! - `202` only after the store has them on stable storage; until then nothing is answered and nothing handed on.
//! - `data` is kept byte for byte: numbers of thirty digits, the order of keys and spaces survive.
//! - An event whose topic has a schema in the catalogue must satisfy it.
//! - While there is too much undelivered work, events are refused (`429`) and repeats of accepted ones are answered. While the
//!   disk is almost full, all are refused (`503`), before their bodies are read.
//! - Whatever is refused has changed nothing, and the answer names the field and, in NDJSON, the line.

mod cloudevent;
mod counts;
mod docs;
mod event;
mod expected;
mod form;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod handler;
mod idempotency;
mod inflate;
mod many;
mod ndjson;
mod spans;

use std::collections::BTreeMap;
use std::sync::Arc;

use ::http::Method;
use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::FromRef;
use axum::routing::post;
use serde::{Deserialize, Serialize};

pub use self::counts::Counts;
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::free_space::FreeSpace;
use crate::handoff;
use crate::http::{self, Keys, Route};
use crate::model::{Event, TenantId};
use crate::openapi::Described;
use crate::store::{BacklogLimit, BacklogLimits, Store};
use crate::traces::Traces;

/// How much is taken at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Bytes of one event as JSON, alone or among others, and of the payload of a CloudEvent.
    pub max_event_bytes: usize,
    /// Bytes of a body with many events, as it was sent and unpacked.
    pub max_batch_bytes: usize,
    /// Events in a body.
    pub max_batch_events: usize,
    /// What becomes of events whose topic is not in the catalogue.
    pub unknown_topics: UnknownTopics,
    /// Deliveries of a tenant that are not over; at this many its events are refused. 0 = no limit. Default: 1 million.
    pub tenant_backlog_deliveries: u64,
    /// The same in bytes of their payloads. Default: 4 GiB.
    pub tenant_backlog_bytes: u64,
    /// The limits of these tenants instead.
    pub tenant_backlogs: BTreeMap<TenantId, BacklogLimit>,
    /// The same of all tenants together. Default: 10 million.
    pub backlog_deliveries: u64,
    /// The same in bytes. Default: 32 GiB.
    pub backlog_bytes: u64,
    /// Bytes of the disk that have to be free; with less, events are refused. 0 = any number. Default: 256 MiB.
    pub min_free_bytes: u64,
}

/// What becomes of events whose topic is not in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownTopics {
    /// They are taken.
    #[default]
    Allow,
    /// They are refused, so that a typing error of a producer is noticed.
    Refuse,
}

/// What ingest needs.
pub struct Ingest {
    /// Where events are kept.
    pub store: Arc<dyn Store>,
    /// Who may post.
    pub keys: Keys,
    /// What is known of their topics.
    pub catalogue: Catalogue,
    /// Tells when they came.
    pub clock: Clock,
    /// Where new events go once they are stored.
    pub accepted: handoff::Sender<Arc<Event>>,
    /// Whether there is room for them.
    pub free_space: FreeSpace,
    /// How much is taken at once: what is put there counts from the next request on.
    pub options: Arc<ArcSwap<Options>>,
    /// What is counted of them.
    pub counts: Counts,
    /// How their traces go on here.
    pub traces: Traces,
}

/// The routes of ingest.
const ROUTES: &[Route<Arc<Ingest>>] = &[Route {
    method: Method::POST,
    path: "/v1/events",
    handler: || post(handler::post_events),
    operation: docs::post_events,
}];

/// The router of ingest.
pub fn router(ingest: Ingest) -> Router {
    http::router(ROUTES, Arc::new(ingest))
}

/// What is said of every route.
pub fn described() -> impl Iterator<Item = Described> {
    http::described(ROUTES)
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // Webhook receivers commonly take a megabyte or less.
            max_event_bytes: 1024 * 1024,
            // One commit carries the whole batch, and no other commit can begin meanwhile.
            max_batch_bytes: 16 * 1024 * 1024,
            max_batch_events: 10_000,
            unknown_topics: UnknownTopics::default(),
            // Ten events a second to a receiver that is down for a day: somebody should know by then.
            tenant_backlog_deliveries: 1_000_000,
            // Those with 4 kB each.
            tenant_backlog_bytes: 4 << 30,
            tenant_backlogs: BTreeMap::new(),
            backlog_deliveries: 10_000_000,
            backlog_bytes: 32 << 30,
            // More than is written in the second until it is noticed, and than what is accepted by then needs to be delivered.
            min_free_bytes: 256 << 20,
        }
    }
}

impl Options {
    /// How much undelivered work there may be.
    #[must_use]
    pub fn backlog_limits(&self) -> BacklogLimits {
        let limit = |deliveries, bytes| BacklogLimit { deliveries, bytes };
        BacklogLimits {
            all: limit(self.backlog_deliveries, self.backlog_bytes),
            tenant: limit(self.tenant_backlog_deliveries, self.tenant_backlog_bytes),
            tenants: self.tenant_backlogs.clone(),
        }
    }
}

impl FromRef<Arc<Ingest>> for Keys {
    fn from_ref(ingest: &Arc<Ingest>) -> Self {
        ingest.keys.clone()
    }
}
