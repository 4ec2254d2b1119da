//! What is said of the logs of plugins.

use http::StatusCode;
use serde_json::json;

use super::{LogsView, Params};
use crate::api::plugins::docs::NAME;
use crate::model::PluginName;
use crate::openapi::{Access, Operation, Tag, json};

pub(in crate::api) fn list() -> Operation {
    let line = json!({
        "number": 17,
        "at": "2024-03-15T14:30:00.000Z",
        "level": "warn",
        "version": "9f86d081884c7d65",
        "tenant": "acme",
        "event_id": "evt_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
        "message": "no total in this order",
    });
    Operation::new("list_plugin_logs", Tag::Plugins, Access::Manager, "List what a plugin logged lately")
        .describe(
            "The last 1,000 lines of all its versions are kept in memory. A tenant sees those of its own calls. To follow, ask again \
             with `after`: the `last` of the answer before.",
        )
        .path::<PluginName>("name", NAME)
        .query::<Params>()
        .answer(StatusCode::OK, "The lines", [json::<LogsView>(json!({ "data": [line], "last": 17 }))])
}
