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
        .describe("With its version, and why a newer file is not live.")
        .path::<PluginName>("name", NAME)
        .answer(StatusCode::OK, "The plugin", [json::<PluginView>(plugin())])
}

fn plugin() -> Value {
    json!({
        "name": "cel-filter",
        "state": "active",
        "reason": null,
        "rejected_version": null,
        "rejected_at": null,
        "version": "9f86d081884c7d65",
        "previous": null,
        "capabilities": ["filter"],
        "loaded_at": "2024-03-15T14:30:00.000Z",
        "size": 1_048_576,
        "calls": 1200,
        "errors": 0,
        "log_lines_dropped": 0,
    })
}
