//! `GET /metrics`: what the gateway counts, for Prometheus.
//!
//! It says much about the business of all tenants, so it wants a key: of an administrator, or one that opens this and nothing
//! else. A network on which Prometheus can send no key gets a listener of its own ([`Options::listen`]), on purpose.

pub(super) mod docs;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, Method};
use serde::Deserialize;

use super::Api;
use crate::http::{Caller, Problem, Route, router};
use crate::metrics::{Format, Metrics};

/// Where else metrics are served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// An address at which `/metrics` answers without a key, and nothing else does; without one there is none.
    pub listen: Option<SocketAddr>,
}

/// All that a listener of its own serves.
const ROUTES: &[Route<Metrics>] =
    &[Route { method: Method::GET, path: "/metrics", handler: || get(show_openly), operation: docs::show }];

/// The metrics, for whoever has the key.
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.must_read_metrics()?;
    Ok(answer(&api.metrics, &headers))
}

/// The router for the listener of [`Options::listen`].
pub fn open_router(metrics: Metrics) -> Router {
    router(ROUTES, metrics)
}

async fn show_openly(State(metrics): State<Metrics>, headers: HeaderMap) -> Response {
    answer(&metrics, &headers)
}

fn answer(metrics: &Metrics, headers: &HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = Format::accepted(accept);
    ([(CONTENT_TYPE, format.media_type())], metrics.to_text(format)).into_response()
}
