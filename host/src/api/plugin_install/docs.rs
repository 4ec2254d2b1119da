//! What is said of installing plugins, and of their versions.

use http::StatusCode;
use schemars::JsonSchema;
use serde_json::{Value, json};

use super::{InstalledView, Params};
use crate::api::dry_run::DryRun;
use crate::api::page::Page;
use crate::api::plugin_version_view::VersionView;
use crate::api::plugins::docs::NAME;
use crate::model::PluginName;
use crate::openapi::refusal::{INVALID_PLUGIN_NAME, PLUGIN_IN_USE, PLUGIN_REFUSED, PLUGINS_DIR_NOT_WRITABLE};
use crate::openapi::{Access, Content, Operation, Tag, json, text};

/// Component and manifest, each a file; one of them may be left out.
#[derive(JsonSchema)]
#[schemars(rename = "PluginForm", extend("minProperties" = 1))]
#[expect(dead_code, reason = "it is read part by part")]
struct Form {
    /// The component: `NAME.wasm`. That of the plugin directory if there is none.
    component: Option<String>,
    /// The manifest: `NAME.toml`. That of the plugin directory if there is none; an empty one takes it away.
    manifest: Option<String>,
}

pub(in crate::api) fn install() -> Operation {
    Operation::new("install_plugin", Tag::Plugins, Access::Admin, "Install a version of a plugin")
        .describe("Waits until it is live, which takes as long as compiling it. It is tried first as a file in the plugin directory is: checked, compiled, held against the configurations in use and the samples of its manifest. If anything is wrong, nothing changes. As `application/wasm` the body is the component, and the manifest stays as it is. The version that is live already changes nothing. A component has at most `plugins.max_file_bytes`, and the whole body has to come within `http.body_timeout`.")
        .path::<PluginName>("name", NAME)
        .query::<DryRun>()
        .upload([text("application/wasm", "the bytes of NAME.wasm"), form()])
        .answer(StatusCode::OK, "It is live, or was already", [json::<InstalledView>(installed())])
        .answer(StatusCode::CREATED, "It is live, and the plugin is new", [json::<InstalledView>(installed())])
        .refuse(&[INVALID_PLUGIN_NAME, PLUGIN_REFUSED, PLUGINS_DIR_NOT_WRITABLE])
}

pub(in crate::api) fn versions() -> Operation {
    let page = json!({ "data": [version()], "next_cursor": null });
    Operation::new("list_plugin_versions", Tag::Plugins, Access::Admin, "List the versions of a plugin")
        .describe("Those that went live, uploads and files alike, each once, the one that did last first. The last ten are kept.")
        .path::<PluginName>("name", NAME)
        .answer(StatusCode::OK, "The versions, on one page", [json::<Page<VersionView>>(page)])
}

pub(in crate::api) fn roll_back() -> Operation {
    Operation::new("roll_back_plugin", Tag::Plugins, Access::Admin, "Roll back to a version of a plugin")
        .describe("It goes live as an upload does: tried first, and put into the plugin directory with its manifest.")
        .path::<PluginName>("name", NAME)
        .path::<String>("version", "A version that is kept, as the list names it.")
        .query::<DryRun>()
        .answer(StatusCode::OK, "It is live, or was already", [json::<InstalledView>(installed())])
        .refuse(&[PLUGIN_REFUSED, PLUGINS_DIR_NOT_WRITABLE])
}

pub(in crate::api) fn delete() -> Operation {
    Operation::new("delete_plugin", Tag::Plugins, Access::Admin, "Delete a plugin")
        .describe("Its files are taken out of the plugin directory, and its versions are forgotten. To take a plugin out and keep its versions, remove the files. What a plugin keeps for itself stays until it expires.")
        .path::<PluginName>("name", NAME)
        .query::<Params>()
        .answer(StatusCode::NO_CONTENT, "It is gone", [])
        .refuse(&[PLUGIN_IN_USE, PLUGINS_DIR_NOT_WRITABLE])
}

/// Component and manifest as a form.
pub(in crate::api) fn form() -> Content {
    let form = Content::of::<Form>("multipart/form-data");
    form.example("manifest", json!({ "manifest": "topics = [\"orders/*\"]\n" }))
}

pub(in crate::api) fn installed() -> Value {
    json!({
        "name": "cel-filter",
        "version": "9f86d081884c7d65",
        "previous": "60303ae22b998861",
        "changed": true,
    })
}

fn version() -> Value {
    json!({
        "version": "9f86d081884c7d65+fcde2b2e",
        "live": true,
        "at": "2024-03-15T14:30:00.000Z",
        "origin": "upload",
        "key": "key_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
        "size": 1_048_576,
        "component": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "manifest": "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9",
        "sent_back": null,
    })
}
