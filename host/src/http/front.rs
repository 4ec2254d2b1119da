//! What is served: a router that can be replaced while connections are open.
//!
//! The listener is open before the gateway has started, so that whoever asks is told so instead of waiting.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use http::StatusCode;

use super::{Problem, Traffic};

/// The router that requests go to from now on. Clones share it.
#[derive(Debug, Clone)]
pub struct Front {
    router: Arc<ArcSwap<Router>>,
    traffic: Traffic,
}

impl Front {
    /// One that shows what this router has, and on every other path says that the gateway is not there yet.
    #[must_use]
    pub fn closed(router: Router) -> Self {
        Self::with(closed(router))
    }

    fn with(router: Router) -> Self {
        Self { router: Arc::new(ArcSwap::from_pointee(router)), traffic: Traffic::default() }
    }

    /// What is counted of its connections and requests, however often the router is replaced.
    #[must_use]
    pub const fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Shows this router from now on. Unknown routes and methods are problems like all others.
    pub fn open(&self, router: Router) {
        self.router.store(Arc::new(with_fallbacks(router)));
    }

    /// The same as at the beginning.
    pub fn close(&self, router: Router) {
        self.router.store(Arc::new(closed(router)));
    }

    /// What is shown now.
    pub(super) fn router(&self) -> Router {
        Router::clone(&self.router.load())
    }
}

/// One that is open from the beginning.
impl From<Router> for Front {
    fn from(router: Router) -> Self {
        Self::with(with_fallbacks(router))
    }
}

fn closed(router: Router) -> Router {
    router.fallback(async || Problem::not_started()).method_not_allowed_fallback(method_not_allowed)
}

fn with_fallbacks(router: Router) -> Router {
    let not_found =
        async || Problem::not_found("there is no such route; see the list of routes in the documentation");
    router.fallback(not_found).method_not_allowed_fallback(method_not_allowed)
}

async fn method_not_allowed() -> Problem {
    let detail = "this route does not take this method; the header `Allow` lists those it takes";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
