//! Events in over HTTP: `POST /v1/events`.
//!
//! - One event as `application/json` or as a CloudEvent, or many as `application/x-ndjson` or as a batch of CloudEvents: all
//!   or none, or each by itself where the producer asks for that.
//! - `202` only after the store has them on stable storage; until then nothing is answered and nothing handed on.
//! - `data` is kept byte for byte: numbers of thirty digits, the order of keys and spaces survive.
//! - An event whose topic has a schema in the catalogue must satisfy it.
//! - Whatever is refused has changed nothing, and the answer names the field and, in NDJSON, the line.

mod cloudevent;
mod docs;
mod event;
mod expected;
mod form;
mod handler;
mod idempotency;
mod inflate;
mod many;
mod ndjson;

use std::sync::Arc;

use ::http::Method;
use axum::Router;
use axum::extract::FromRef;
use axum::routing::post;
use serde::{Deserialize, Serialize};

use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::handoff;
use crate::http::{self, Keys, Route};
use crate::model::Event;
use crate::openapi::Described;
use crate::store::Store;

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

/// What ingest needs. Cheap to clone.
#[derive(Clone)]
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
    /// How much is taken at once.
    pub options: Options,
}

/// The routes of ingest.
const ROUTES: &[Route<Ingest>] = &[Route {
    method: Method::POST,
    path: "/v1/events",
    handler: || post(handler::post_events),
    operation: docs::post_events,
}];

/// The router of ingest.
pub fn router(ingest: Ingest) -> Router {
    http::router(ROUTES, ingest)
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
        }
    }
}

impl FromRef<Ingest> for Keys {
    fn from_ref(ingest: &Ingest) -> Self {
        ingest.keys.clone()
    }
}
