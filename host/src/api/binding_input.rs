//! What callers say about a plugin of an endpoint or a tenant.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::endpoint_input::{at_most, plugin_name};
use crate::http::Problem;
use crate::model::{Binding, OnFailure, PluginName, TopicPattern};
use crate::openapi::Anything;

/// Instances of a plugin are pooled by the text of their configuration, and each keeps its own.
const MAX_CONFIG_BYTES: usize = 64 * 1024;
/// Each costs time in every delivery.
const MAX_PLUGINS: usize = 16;
/// As many as an endpoint has.
const MAX_TOPICS: usize = 100;

/// One element of `plugins`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "NewBinding", extend("required" = ["plugin"]))]
pub(super) struct BindingInput {
    /// The plugin.
    #[schemars(with = "PluginName")]
    plugin: Option<String>,
    /// Its configuration, kept as it was written, at most 64 KiB; absent or `null` = what the plugin's manifest says, else
    /// `{}`.
    #[schemars(with = "Anything")]
    config: Option<Box<RawValue>>,
    /// Patterns of the topics that it is for; empty = for all.
    #[schemars(with = "Vec<TopicPattern>")]
    topics: Vec<String>,
    /// What becomes of a delivery that it could not judge; absent or `null` = what the plugin's manifest says, else `hold`.
    on_failure: Option<OnFailure>,
}

impl BindingInput {
    /// The binding that this describes; `pointer` is where it stands.
    ///
    /// # Errors
    /// 422 for the first field that cannot be taken.
    fn into_binding(self, pointer: &str) -> Result<Binding, Problem> {
        let at = |field: &str| format!("{pointer}/{field}");
        let name = self.plugin.ok_or_else(|| {
            Problem::invalid(
                at("plugin"),
                "`plugin` is missing: the name of the plugin's file without `.wasm`",
            )
        })?;
        let config = self.config.as_deref().map(RawValue::get);
        at_most(MAX_CONFIG_BYTES, config.map_or(0, str::len), &at("config"), "bytes")?;
        at_most(MAX_TOPICS, self.topics.len(), &at("topics"), "topics")?;
        Ok(Binding {
            plugin: plugin_name(&name, &at("plugin"))?,
            config: config.map(Arc::from),
            topics: patterns(&self.topics, &at("topics"))?,
            on_failure: self.on_failure,
        })
    }
}

/// The bindings that a list describes; `pointer` is where it stands.
///
/// # Errors
/// 422 for the first field that cannot be taken.
pub(super) fn bindings(inputs: Vec<BindingInput>, pointer: &str) -> Result<Vec<Binding>, Problem> {
    at_most(MAX_PLUGINS, inputs.len(), pointer, "plugins")?;
    let all = inputs.into_iter().enumerate();
    all.map(|(index, input)| input.into_binding(&format!("{pointer}/{index}"))).collect()
}

/// Patterns of our own language; `pointer` is where their list stands.
///
/// # Errors
/// 422 for the first that is none.
pub(super) fn patterns(texts: &[String], pointer: &str) -> Result<Vec<TopicPattern>, Problem> {
    let parse = |(index, text): (usize, &String)| {
        text.parse().map_err(|error: crate::model::PatternError| {
            Problem::invalid(format!("{pointer}/{index}"), error.to_string())
        })
    };
    texts.iter().enumerate().map(parse).collect()
}
