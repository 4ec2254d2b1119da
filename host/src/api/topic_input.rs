//! What callers and files say about a topic, and the entry that comes of it. Pure: nothing is looked up or stored.
//! Whether the schema can be used and the examples satisfy it is for the catalogue to say.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::endpoint_input::{at_most, even_null};
use crate::catalogue::MAX_SCHEMA_BYTES;
use crate::http::Problem;
use crate::model::{Topic, TopicEntry, UnixMs};
use crate::openapi::Anything;

const MAX_DESCRIPTION_BYTES: usize = 1024;
const MAX_USE_CASES: usize = 16;
const MAX_USE_CASE_BYTES: usize = 1024;
const MAX_LABELS: usize = 16;
const MAX_LABEL_BYTES: usize = 64;
/// All topics with their examples are kept in memory.
const MAX_EXAMPLES: usize = 16;
const MAX_EXAMPLE_BYTES: usize = 64 * 1024;

/// The body of `POST /v1/topics`, and an element of `topics` in a file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "NewTopic", extend("required" = ["topic"]))]
pub(super) struct Create {
    /// Its name.
    #[schemars(with = "Topic")]
    topic: Option<String>,
    /// When it occurs; at most 1024 bytes.
    description: Option<String>,
    /// What receivers do with it; at most 16 sentences of 1024 bytes.
    use_cases: Option<Vec<String>>,
    /// Labels of your own, for people and for the filter of the list; at most 16 of 64 bytes.
    available_for: Option<Vec<String>>,
    /// Payloads, kept as they were written; at most 16 of 64 KiB. Each has to satisfy the schema.
    #[schemars(with = "Option<Vec<Anything>>")]
    examples: Option<Vec<Box<RawValue>>>,
    /// A JSON Schema, at most 64 KiB, that `data` of each event has to satisfy.
    #[schemars(with = "Anything")]
    schema: Option<Box<RawValue>>,
}

/// The body of `PATCH /v1/topics/{topic}`: what is absent stays as it is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "TopicPatch")]
pub(super) struct Patch {
    /// When it occurs.
    description: Option<String>,
    /// What receivers do with it.
    use_cases: Option<Vec<String>>,
    /// Labels.
    available_for: Option<Vec<String>>,
    /// Payloads.
    #[schemars(with = "Option<Vec<Anything>>")]
    examples: Option<Vec<Box<RawValue>>>,
    /// The JSON Schema; `null`: every payload is taken.
    #[serde(deserialize_with = "even_null")]
    #[schemars(with = "Anything")]
    schema: Option<Option<Box<RawValue>>>,
}

impl Create {
    /// The entry that this describes.
    ///
    /// # Errors
    /// 422 for the first field that cannot be taken.
    pub(super) fn into_entry(self, at: UnixMs) -> Result<TopicEntry, Problem> {
        let Self { topic, description, use_cases, available_for, examples, schema } = self;
        let topic = topic.ok_or_else(|| {
            Problem::invalid("/topic", "`topic` is missing: its name, for example `orders/created`")
        })?;
        let topic: Topic = topic
            .parse()
            .map_err(|error: crate::model::TopicError| Problem::invalid("/topic", error.to_string()))?;
        let patch = Patch { description, use_cases, available_for, examples, schema: schema.map(Some) };
        patch.apply(TopicEntry::new(topic, at))
    }
}

impl Patch {
    /// The entry after these changes.
    ///
    /// # Errors
    /// 422 for the first field that cannot be taken.
    pub(super) fn apply(self, mut entry: TopicEntry) -> Result<TopicEntry, Problem> {
        if let Some(description) = self.description {
            at_most(MAX_DESCRIPTION_BYTES, description.len(), "/description", "bytes")?;
            entry.description = description;
        }
        if let Some(sentences) = self.use_cases {
            entry.use_cases = texts(sentences, "/use_cases", MAX_USE_CASES, MAX_USE_CASE_BYTES)?;
        }
        if let Some(labels) = self.available_for {
            entry.available_for = texts(labels, "/available_for", MAX_LABELS, MAX_LABEL_BYTES)?;
        }
        if let Some(examples) = self.examples {
            at_most(MAX_EXAMPLES, examples.len(), "/examples", "examples")?;
            for (index, example) in examples.iter().enumerate() {
                at_most(MAX_EXAMPLE_BYTES, example.get().len(), &format!("/examples/{index}"), "bytes")?;
            }
            entry.examples = examples.iter().map(|example| Arc::from(example.get())).collect();
        }
        if let Some(schema) = self.schema {
            let bytes = schema.as_ref().map_or(0, |schema| schema.get().len());
            at_most(MAX_SCHEMA_BYTES, bytes, "/schema", "bytes")?;
            entry.schema = schema.map(|schema| Arc::from(schema.get()));
        }
        Ok(entry)
    }
}

/// A list of texts, none of them empty.
fn texts(all: Vec<String>, pointer: &str, most: usize, most_bytes: usize) -> Result<Vec<String>, Problem> {
    at_most(most, all.len(), pointer, "texts")?;
    for (index, text) in all.iter().enumerate() {
        let pointer = format!("{pointer}/{index}");
        at_most(most_bytes, text.len(), &pointer, "bytes")?;
        if text.trim().is_empty() {
            return Err(Problem::invalid(pointer, "this text is empty; leave it out"));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse;

    const AT: UnixMs = UnixMs(7);

    fn entry(json: &str) -> Result<TopicEntry, Problem> {
        parse::<Create>(json)?.into_entry(AT)
    }

    #[test]
    fn examples_and_schema_are_kept_as_they_were_written() {
        let entry = entry(
            r#"{"topic": "a/b", "examples": [{"b": 1.00,  "a": 12345678901234567890123}, null], "schema": { "type":"object" }}"#,
        )
        .unwrap();
        assert_eq!(entry.examples[0].as_ref(), r#"{"b": 1.00,  "a": 12345678901234567890123}"#);
        assert_eq!(entry.examples[1].as_ref(), "null");
        assert_eq!(entry.schema.as_deref(), Some(r#"{ "type":"object" }"#));
        assert_eq!((entry.created_at, entry.updated_at), (AT, AT));
    }

    #[test]
    fn a_patch_changes_what_it_names_and_null_takes_the_schema_away() {
        let before =
            entry(r#"{"topic": "a", "description": "old", "use_cases": ["x"], "schema": true}"#).unwrap();
        let patch = |json: &str| parse::<Patch>(json).unwrap().apply(before.clone()).unwrap();
        assert_eq!(patch("{}"), before);
        let after = patch(r#"{"description": "new", "schema": null}"#);
        assert_eq!((after.description.as_str(), after.schema), ("new", None));
        assert_eq!(after.use_cases, ["x"]);
    }

    #[test]
    fn a_field_that_cannot_be_taken_is_named() {
        let long = |bytes| "x".repeat(bytes);
        for (json, pointer) in [
            ("{}".to_owned(), "/topic"),
            (r#"{"topic": "a b"}"#.to_owned(), "/topic"),
            (r#"{"topic": "a/*"}"#.to_owned(), "/topic"),
            (format!(r#"{{"topic": "a", "description": "{}"}}"#, long(1025)), "/description"),
            (r#"{"topic": "a", "use_cases": ["x", " "]}"#.to_owned(), "/use_cases/1"),
            (format!(r#"{{"topic": "a", "available_for": ["{}"]}}"#, long(65)), "/available_for/0"),
            (format!(r#"{{"topic": "a", "examples": [1{}]}}"#, ",1".repeat(16)), "/examples"),
            (format!(r#"{{"topic": "a", "examples": [1, "{}"]}}"#, long(64 * 1024)), "/examples/1"),
            (format!(r#"{{"topic": "a", "schema": {{"description": "{}"}}}}"#, long(64 * 1024)), "/schema"),
            (r#"{"topic": "a", "available-for": []}"#.to_owned(), "/available-for"),
        ] {
            assert_eq!(entry(&json).unwrap_err().pointer(), Some(pointer), "{json:.60}");
        }
        assert_eq!(parse::<Patch>(r#"{"topic": "b"}"#).unwrap_err().pointer(), Some("/topic"));
    }
}
