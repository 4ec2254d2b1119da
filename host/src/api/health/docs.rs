//! What is said of health.

use http::StatusCode;
use serde_json::json;

use super::HealthView;
use crate::openapi::refusal::NOT_READY;
use crate::openapi::{Access, Operation, Tag, json};

pub(in crate::api) fn alive() -> Operation {
    Operation::new("get_health", Tag::Gateway, Access::Anyone, "Whether the process answers").answer(
        StatusCode::OK,
        "It does",
        [json::<HealthView>(json!({ "status": "ok" }))],
    )
}

pub(in crate::api) fn ready() -> Operation {
    Operation::new("get_readiness", Tag::Gateway, Access::Anyone, "Whether the gateway takes events now")
        .answer(StatusCode::OK, "It does", [json::<HealthView>(json!({ "status": "ok" }))])
        .refuse(&[NOT_READY])
}
