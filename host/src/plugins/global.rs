//! `plugins.bindings` of the configuration: the plugins that every event goes through, whoever gets it.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::manifest::JsonText;
use crate::model::{Binding, OnFailure, PluginName, TopicPattern};

/// As many as an endpoint has: each costs time in every delivery.
const MAX_BINDINGS: usize = 16;
const MAX_TOPICS: usize = 100;

/// A binding as the configuration has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GlobalBinding {
    plugin: PluginName,
    #[serde(default)]
    config: Option<JsonText>,
    #[serde(default)]
    topics: Vec<TopicPattern>,
    #[serde(default)]
    on_failure: Option<OnFailure>,
}

pub(super) fn bindings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Binding>, D::Error> {
    let all = Vec::<GlobalBinding>::deserialize(deserializer)?;
    if all.len() > MAX_BINDINGS || all.iter().any(|binding| binding.topics.len() > MAX_TOPICS) {
        let sentence =
            format!("there may be at most {MAX_BINDINGS} bindings, each with at most {MAX_TOPICS} topics");
        return Err(D::Error::custom(sentence));
    }
    let binding = |GlobalBinding { plugin, config, topics, on_failure }| Binding {
        plugin,
        config: config.as_ref().map(JsonText::text),
        topics,
        on_failure,
    };
    Ok(all.into_iter().map(binding).collect())
}
