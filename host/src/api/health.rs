//! For supervisors and load balancers: `/healthz` and `/readyz`, without a key.

pub(super) mod docs;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::Api;
use crate::http::Problem;

/// That all is well; what is not is a problem.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "GatewayHealth")]
pub(super) struct HealthView {
    /// Always `ok`.
    #[schemars(extend("enum" = ["ok"]))]
    status: &'static str,
}

const OK: HealthView = HealthView { status: "ok" };

/// The process answers.
pub(super) async fn alive() -> Json<HealthView> {
    Json(OK)
}

/// The gateway takes events. As soon as it does not, a load balancer should know.
pub(super) async fn ready(State(api): State<Api>) -> Result<Json<HealthView>, Problem> {
    match (api.readiness)() {
        Ok(()) => Ok(Json(OK)),
        Err(reason) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", reason)),
    }
}
