//! Bindings: which plugins are used, and how.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::checked_text;
use super::{Topic, TopicPattern};

const MAX_LEN: usize = 63;

checked_text!(
    /// The name of a plugin: its file name without `.wasm`, `[a-z0-9][a-z0-9_-]{0,62}`.
    PluginName,
    PluginNameError,
    check,
    MAX_LEN,
    "^[a-z0-9][a-z0-9_-]*$",
    "cel-filter"
);

/// Why a text is not a plugin's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a plugin is named by 1 to {MAX_LEN} characters of a-z, 0-9, `_` and `-`, the first a letter or digit"
)]
pub struct PluginNameError;

/// The use of a plugin, by an endpoint or by all of a tenant or of the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The plugin.
    pub plugin: PluginName,
    /// JSON text given to the plugin's `init`; shared, because instances are pooled by it. `None`: what the plugin's
    /// manifest says.
    #[serde(default)]
    pub config: Option<Arc<str>>,
    /// Only for events that one of these accepts; empty = for all.
    pub topics: Vec<TopicPattern>,
    /// What becomes of a delivery that the plugin could not judge. `None`: what the plugin's manifest says.
    #[serde(default)]
    pub on_failure: Option<OnFailure>,
}

/// What becomes of a delivery when a plugin traps, runs out of its limits or is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It waits, is tried again with backoff, and is released by a new version of the plugin.
    #[default]
    Hold,
    /// It goes on as if the plugin were not there.
    Open,
    /// It is dropped, and the log says why.
    Closed,
}

impl Binding {
    /// Whether the binding has a say for this topic.
    #[must_use]
    pub fn covers(&self, topic: &Topic) -> bool {
        self.topics.is_empty() || self.topics.iter().any(|pattern| pattern.matches(topic))
    }
}

fn check(text: &str) -> Result<(), PluginNameError> {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let valid = text.len() <= MAX_LEN
        && text.bytes().next().is_some_and(alphanumeric)
        && text.bytes().all(|b| alphanumeric(b) || b == b'_' || b == b'-');
    if valid { Ok(()) } else { Err(PluginNameError) }
}
