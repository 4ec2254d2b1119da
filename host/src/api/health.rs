//! For supervisors and load balancers: `/healthz` and `/readyz`, without a key.
//!
//! Both answer before the gateway has started, too: then they are all that is served.

pub(super) mod docs;

use std::fmt;
use std::sync::Arc;

use axum::extract::{FromRef, State};
use axum::routing::get;
use axum::{Json, Router};
use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::Api;
use crate::http::{Check, Problem, Route, router};

/// Looks at all that has to be so for the gateway to take events. Called at each request, so it must be cheap.
#[derive(Clone)]
pub struct Readiness(Arc<dyn Fn() -> Vec<Check> + Send + Sync>);

/// All is well.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "GatewayHealth")]
pub(super) struct HealthView {
    /// Always `ok`.
    #[schemars(extend("enum" = ["ok"]))]
    status: &'static str,
}

/// All that has to be so is so; what is not is a problem.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "GatewayReadiness")]
pub(super) struct ReadyView {
    /// Always `ok`.
    #[schemars(extend("enum" = ["ok"]))]
    status: &'static str,
    /// What was looked at.
    checks: Vec<Check>,
}

const OK: &str = "ok";

/// All that is served before the gateway has started.
const ROUTES: &[Route<Readiness>] = &[
    Route { method: Method::GET, path: "/healthz", handler: || get(alive), operation: docs::alive },
    Route { method: Method::GET, path: "/readyz", handler: || get(ready), operation: docs::ready },
];

/// The router for as long as there is no other.
pub fn early_router(readiness: Readiness) -> Router {
    router(ROUTES, readiness)
}

/// The process answers.
pub(super) async fn alive() -> Json<HealthView> {
    Json(HealthView { status: OK })
}

/// The gateway takes events. As soon as it does not, a load balancer should know.
pub(super) async fn ready(State(readiness): State<Readiness>) -> Result<Json<ReadyView>, Problem> {
    let checks = (readiness.0)();
    if checks.iter().all(|check| check.ok) {
        Ok(Json(ReadyView { status: OK, checks }))
    } else {
        Err(Problem::not_ready(checks))
    }
}

impl Readiness {
    /// By this look.
    pub fn new(look: impl Fn() -> Vec<Check> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Readiness").field(&(self.0)()).finish()
    }
}

impl FromRef<Api> for Readiness {
    fn from_ref(api: &Api) -> Self {
        api.readiness.clone()
    }
}
