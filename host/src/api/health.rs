//! For supervisors and load balancers: `/healthz` and `/readyz`, without a key.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Api;
use crate::http::Problem;

/// The process answers.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// The gateway takes events: it is not stopping, and its store can be read.
pub(super) async fn ready(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    if api.shutdown.is_requested() {
        let detail = "the gateway is stopping; send requests to another one";
        return Err(Problem::new(http::StatusCode::SERVICE_UNAVAILABLE, "stopping", detail));
    }
    api.store.undispatched(None, 1).await?;
    Ok(Json(json!({ "status": "ok" })))
}
