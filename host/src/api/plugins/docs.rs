//! What is said of plugins.

use http::StatusCode;
use serde_json::{Value, json};

use crate::api::page::Page;
use crate::api::plugin_view::PluginView;
use crate::model::PluginName;
use crate::openapi::{Access, Operation, Tag, json};

pub(in crate::api) const NAME: &str = "The name of a plugin: that of its file without `.wasm`.";

pub(in crate::api) fn list() -> Operation {
    let page = json!({ "data": [plugin()], "next_cursor": null });
    Operation::new("list_plugins", Tag::Plugins, Access::Manager, "List plugins, by name")
        .describe("All of them, on one page.")
        .answer(StatusCode::OK, "The plugins", [json::<Page<PluginView>>(page)])
}

pub(in crate::api) fn get() -> Operation {
    Operation::new("get_plugin", Tag::Plugins, Access::Manager, "Get a plugin")
        .describe("With its version, why a newer file is not live, and how it does.")
        .path::<PluginName>("name", NAME)
        .answer(StatusCode::OK, "The plugin", [json::<PluginView>(plugin())])
}

fn plugin() -> Value {
    json!({
        "name": "cel-filter",
        "state": "active",
        "since": "2024-03-15T14:30:00.000Z",
        "reason": null,
        "rejected_version": null,
        "rejected_at": null,
        "version": "9f86d081884c7d65",
        "previous": null,
        "capabilities": ["filter"],
        "loaded_at": "2024-03-15T14:30:00.000Z",
        "size": 1_048_576,
        "grants": { "env": ["REGION"], "http": null, "kv": { "max_bytes": 1_048_576, "ttl_s": 86_400 } },
        "last_error": {
            "at": "2024-03-15T14:35:00.000Z",
            "tenant": "acme",
            "outcome": "deadline",
            "message": "it ran past its deadline of 50 ms",
        },
        "open_breakers": [],
        "usage": {
            "calls": 1200,
            "errors": 1,
            "outcomes": { "passed": 1100, "dropped": 99, "deadline": 1 },
            "duration_p50_us": 3.4,
            "duration_p99_us": 18.2,
            "memory_peak_bytes": 1_114_112,
            "instances": 2,
            "log_lines_dropped": 0,
        },
    })
}
