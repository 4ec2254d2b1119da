//! What is said of health.

use http::StatusCode;
use serde_json::json;

use super::{HealthView, ReadyView};
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
    let check = |name: &str, detail: &str| json!({ "name": name, "ok": true, "detail": detail });
    let example = json!({ "status": "ok", "checks": [
        check("start", "the gateway has started"),
        check("stop", "the gateway is not stopping"),
        check("store", "the store takes writes"),
        check("disk", "48231 MiB of the disk are free, and 256 MiB have to be"),
    ] });
    Operation::new("get_readiness", Tag::Gateway, Access::Anyone, "Whether the gateway takes events now")
        .describe(
            "The answer names everything that was looked at, whether it is as it has to be, and how it is.",
        )
        .answer(StatusCode::OK, "It does", [json::<ReadyView>(example)])
        .refuse(&[NOT_READY])
}
