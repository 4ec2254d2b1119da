//! `NAME.toml`: what the author of a plugin says about it, beside the component.
//!
//! - Read strictly: an unknown key is an error, and so is a value that is out of its bounds. Every error is a sentence that
//!   names the file, the line and the key, and says what would be right.
//! - Every key is optional; a plugin without a manifest is one with an empty manifest.
//! - It asks, and the operator has the last word: limits stay under the ceilings of the configuration, and grants are nothing
//!   until the operator consents to them.

mod error;
mod grants;
mod json;
mod limits;
mod sample;
mod sample_file;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

pub use self::error::ManifestError;
pub use self::grants::{EnvName, Grants, HttpGrant, HttpHost, KvGrant};
pub use self::json::{JsonText, read_json};
pub use self::limits::Limits;
use self::limits::{at_most, seconds, whole};
pub use self::sample::{Asked, Expected, ExpectedBody, Sample, SampleEvent};
pub use self::sample_file::{MAX_BYTES as MAX_SAMPLE_BYTES, SampleFile};
use super::options::Options;
use crate::model::{OnFailure, Topic, TopicPattern};

/// Samples carry payloads; beyond this they belong into a test.
pub const MAX_BYTES: u64 = 256 << 10;
/// As many as a binding has.
const MAX_TOPICS: usize = 100;
/// Each is called with every load, and may take the whole deadline.
const MAX_SAMPLES: usize = 64;

/// What a plugin says about itself. Empty: nothing.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Manifest {
    /// The plugin is used for events that one of these accepts and no others, whatever a binding says beyond it; empty =
    /// for all.
    #[serde(deserialize_with = "topics")]
    pub topics: Vec<TopicPattern>,
    /// What becomes of a delivery that the plugin could not judge, where the binding does not say.
    pub on_failure: Option<OnFailure>,
    /// What an instance is shared by.
    pub isolation: Isolation,
    /// The configuration of bindings that have none.
    pub config: Option<JsonText>,
    /// How long an instance serves.
    pub reuse: Reuse,
    /// What a call may take.
    pub limits: Limits,
    /// What the plugin would like to use beside its event and its log.
    pub grants: Grants,
    /// What must come out of which event, before a version goes live.
    #[serde(deserialize_with = "samples")]
    pub samples: Vec<Sample>,
}

/// What an instance is shared by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// The calls of one tenant with one configuration.
    #[default]
    Tenant,
    /// Nothing: each call has a fresh instance.
    Event,
}

/// How long an instance serves. Neither outlives what the operator says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reuse {
    /// Calls, give or take 20 %.
    #[serde(deserialize_with = "whole::<1, 1_000_000, u32, _>")]
    pub max_calls: Option<u32>,
    /// How long it may be idle.
    #[serde(rename = "idle_s", deserialize_with = "seconds::<1, 86_400, _>")]
    pub idle: Option<Duration>,
}

impl Manifest {
    /// The manifest in the content of a file, under the ceilings of the operator; `file` is its name, for the sentences.
    ///
    /// # Errors
    /// For the first thing that cannot be taken.
    pub fn parse(file: &str, content: &[u8], options: &Options) -> Result<Self, ManifestError> {
        if content.len() as u64 > MAX_BYTES {
            return Err(ManifestError::TooBig { file: file.to_owned() });
        }
        let text = std::str::from_utf8(content).map_err(|error| {
            let before = content.get(..error.valid_up_to()).unwrap_or_default();
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            ManifestError::NotText { file: file.to_owned(), line }
        })?;
        let document =
            toml::Deserializer::parse(text).map_err(|error| ManifestError::syntax(file, text, &error))?;
        let manifest: Self = serde_path_to_error::deserialize(document)
            .map_err(|error| ManifestError::value(file, text, &error))?;
        match manifest.limits.over(options) {
            Some((key, problem)) => Err(ManifestError::limit(file, text, key, problem)),
            None => Ok(manifest),
        }
    }

    /// Whether the plugin is for events of this topic.
    #[must_use]
    pub fn covers(&self, topic: &Topic) -> bool {
        self.topics.is_empty() || self.topics.iter().any(|pattern| pattern.matches(topic))
    }
}

fn topics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<TopicPattern>, D::Error> {
    at_most(MAX_TOPICS, "topics", Vec::deserialize(deserializer)?)
}

fn samples<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Sample>, D::Error> {
    at_most(MAX_SAMPLES, "samples", Vec::deserialize(deserializer)?)
}
