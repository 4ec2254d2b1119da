//! The use of a plugin as the API shows it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::model::{Binding, OnFailure, PluginName};
use crate::openapi::Anything;

/// The use of a plugin.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Binding")]
pub(super) struct BindingView {
    /// The plugin.
    #[schemars(with = "PluginName")]
    plugin: String,
    /// Its configuration, as it was written; `null`: what the plugin's manifest says, else `{}`.
    #[schemars(with = "Anything")]
    config: Option<Box<RawValue>>,
    /// Patterns of the topics that it is for; empty = for all.
    topics: Vec<String>,
    /// What becomes of a delivery that it could not judge; `null`: what the plugin's manifest says, else `hold`.
    on_failure: Option<OnFailure>,
}

impl BindingView {
    /// All of these.
    ///
    /// # Errors
    /// A stored configuration that is not JSON.
    pub(super) fn all(bindings: &[Binding]) -> Result<Vec<Self>, serde_json::Error> {
        bindings.iter().map(Self::new).collect()
    }

    fn new(binding: &Binding) -> Result<Self, serde_json::Error> {
        Ok(Self {
            plugin: binding.plugin.to_string(),
            config: binding.config.as_deref().map(serde_json::from_str).transpose()?,
            topics: binding.topics.iter().map(ToString::to_string).collect(),
            on_failure: binding.on_failure,
        })
    }
}
