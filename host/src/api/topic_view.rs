//! How a topic of the catalogue is shown.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::model::{Topic, TopicEntry};
use crate::openapi::{Anything, Time};

/// A topic. Examples and schema are shown as they were written, byte for byte.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Topic")]
pub(super) struct TopicView<'a> {
    /// Its name.
    #[schemars(with = "Topic")]
    topic: &'a str,
    /// When it occurs.
    description: &'a str,
    /// What receivers do with it.
    use_cases: &'a [String],
    /// Labels of the platform's.
    available_for: &'a [String],
    /// Payloads, byte for byte as they were written.
    #[schemars(with = "Vec<Anything>")]
    examples: Vec<&'a RawValue>,
    /// A JSON Schema that `data` of each event has to satisfy; `null` if there is none.
    #[schemars(with = "Anything")]
    schema: Option<&'a RawValue>,
    /// When it was added.
    #[schemars(with = "Time")]
    created_at: String,
    /// When it was last changed.
    #[schemars(with = "Time")]
    updated_at: String,
}

impl<'a> TopicView<'a> {
    /// # Errors
    /// A stored example or schema that is not JSON.
    pub(super) fn new(entry: &'a TopicEntry) -> Result<Self, serde_json::Error> {
        Ok(Self {
            topic: entry.topic.as_str(),
            description: &entry.description,
            use_cases: &entry.use_cases,
            available_for: &entry.available_for,
            examples: entry
                .examples
                .iter()
                .map(|text| serde_json::from_str(text))
                .collect::<Result<_, _>>()?,
            schema: entry.schema.as_deref().map(serde_json::from_str).transpose()?,
            created_at: entry.created_at.to_string(),
            updated_at: entry.updated_at.to_string(),
        })
    }
}

/// The fields that people wrote, for the audit log.
pub(super) fn fields(entry: &TopicEntry) -> Value {
    json!({
        "topic": entry.topic,
        "description": entry.description,
        "use_cases": entry.use_cases,
        "available_for": entry.available_for,
        "examples": entry.examples.iter().map(|text| value(text)).collect::<Vec<_>>(),
        "schema": entry.schema.as_deref().map(value),
    })
}

/// A number that no number here can hold is shown in its text.
fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| Value::from(json))
}
