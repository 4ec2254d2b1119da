//! For supervisors and load balancers: `/healthz` and `/readyz`, without a key.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};

use super::Api;
use crate::http::Problem;

/// The process answers.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// The gateway takes events. As soon as it does not, a load balancer should know.
pub(super) async fn ready(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    match (api.readiness)() {
        Ok(()) => Ok(Json(json!({ "status": "ok" }))),
        Err(reason) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", reason)),
    }
}
