//! How a topic of the catalogue is shown.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::model::TopicEntry;

/// A topic. Examples and schema are shown as they were written, byte for byte.
#[derive(Debug, Serialize)]
pub(super) struct TopicView<'a> {
    topic: &'a str,
    description: &'a str,
    use_cases: &'a [String],
    available_for: &'a [String],
    examples: Vec<&'a RawValue>,
    schema: Option<&'a RawValue>,
    created_at: String,
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
