//! The reference of the API, served by the gateway itself: `/openapi.json` for programs, `/docs` for people.
//!
//! - Both say what this version can do and nothing of this gateway: no names, no counts, no secrets. So no key is needed;
//!   a browser could not send one.
//! - The page is made from the document, here. It has no script, loads nothing but its own style sheet, and says so in its
//!   `Content-Security-Policy`; every text in it is escaped ([`page`]).

mod docs;
mod page;

use std::sync::Arc;

use ::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use serde_json::Value;

use crate::http::{self, Route};
use crate::openapi::Described;

/// What the page may load: its style sheet, from here.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const STYLE: &str = include_str!("style.css");

/// The reference, ready to be served. Cheap to clone.
#[derive(Clone)]
pub struct Reference(Arc<Pages>);

struct Pages {
    document: Bytes,
    page: Bytes,
}

/// The routes of the reference.
const ROUTES: &[Route<Reference>] = &[
    Route {
        method: Method::GET,
        path: "/openapi.json",
        handler: || get(serve_document),
        operation: docs::document,
    },
    Route { method: Method::GET, path: "/docs", handler: || get(serve_page), operation: docs::page },
    Route {
        method: Method::GET,
        path: "/docs/style.css",
        handler: || get(serve_style),
        operation: docs::style,
    },
];

/// The router of the reference.
pub fn router(reference: Reference) -> Router {
    http::router(ROUTES, reference)
}

/// What is said of every route.
pub fn described() -> impl Iterator<Item = Described> {
    http::described(ROUTES)
}

impl Reference {
    /// The reference that this OpenAPI document is.
    #[must_use]
    pub fn new(document: &Value) -> Self {
        let page = page::render(document);
        Self(Arc::new(Pages { document: document.to_string().into(), page: page.into() }))
    }
}

async fn serve_document(State(reference): State<Reference>) -> Response {
    answer("application/json", reference.0.document.clone())
}

async fn serve_page(State(reference): State<Reference>) -> Response {
    answer("text/html; charset=utf-8", reference.0.page.clone())
}

async fn serve_style() -> Response {
    answer("text/css; charset=utf-8", Bytes::from_static(STYLE.as_bytes()))
}

fn answer(kind: &'static str, body: Bytes) -> Response {
    (headers(kind), body).into_response()
}

/// On all three: whoever opens one in a browser gets what it is and nothing around it.
fn headers(kind: &'static str) -> HeaderMap {
    let set = |(name, value): (HeaderName, &'static str)| (name, HeaderValue::from_static(value));
    [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        // Another version of the gateway may answer next time.
        (CACHE_CONTROL, "no-cache"),
    ]
    .map(set)
    .into_iter()
    .collect()
}
