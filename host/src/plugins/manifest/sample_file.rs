//! A sample in a file of its own, in JSON.

use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::json::{JsonText, read_json};
use super::sample::{ExpectedBody, Sample, Written, WrittenExpected};

/// As much as ingest takes in one request: the payload of a sample is one of an event.
pub const MAX_BYTES: u64 = 1 << 20;

/// A sample in a file of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleFile {
    /// What it says.
    pub sample: Sample,
    /// Whether it leaves out what is to come out, for somebody who has it filled in.
    pub is_open: bool,
}

/// A value as it stands.
#[derive(Debug)]
struct Literal(Box<RawValue>);

/// A body: a text is the very bytes.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct LiteralBody(Json);

impl SampleFile {
    /// The sample in the content of a file; `file` is its name, for the sentences.
    ///
    /// # Errors
    /// In a sentence, with the file and the field.
    pub fn parse(file: &str, content: &[u8]) -> Result<Self, String> {
        let written: Written<Literal, LiteralBody> =
            read_json(content).map_err(|problem| format!("{file}{problem}"))?;
        let is_open = written.expect.is_none() && written.patterns.is_none();
        let written = if is_open { written.expecting(WrittenExpected::Deliver) } else { written };
        let sample = Sample::try_from(written).map_err(|problem| format!("{file}: {problem}"))?;
        Ok(Self { sample, is_open })
    }
}

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

impl From<Literal> for JsonText {
    fn from(Literal(value): Literal) -> Self {
        Self::literal(&value)
    }
}

impl From<LiteralBody> for ExpectedBody {
    fn from(LiteralBody(body): LiteralBody) -> Self {
        match body {
            Json::String(text) => Self::Text(text.into()),
            body @ (Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_)) => {
                Self::Json(body)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Asked, Expected};
    use super::*;

    fn parse(text: &str) -> Result<SampleFile, String> {
        SampleFile::parse("samples/a.json", text.as_bytes())
    }

    #[test]
    fn values_are_taken_as_they_stand() {
        let text = r#"{"name": "n", "event": {"topic": "a/b", "data": {"n": null, "long": 12345678901234567890.10},
            "timestamp": "2026-01-31T12:00:00Z"}, "config": "text", "expect": {"body": {"a": null}}}"#;
        let file = parse(text).unwrap();
        let Asked::Event { event, config, expect } = file.sample.asked else { panic!() };
        assert_eq!(&*event.data.text(), r#"{"n": null, "long": 12345678901234567890.10}"#);
        assert_eq!(&*config.unwrap().text(), r#""text""#);
        assert_eq!(expect, Expected::Body(ExpectedBody::Json(serde_json::json!({ "a": null }))));
        assert!(!file.is_open && event.timestamp.is_some());
        let file = parse(r#"{"event": {"topic": "a", "data": null}, "expect": {"body": "x"}}"#).unwrap();
        let Asked::Event { expect, .. } = file.sample.asked else { panic!() };
        assert_eq!(expect, Expected::Body(ExpectedBody::Text("x".into())));
    }

    #[test]
    fn what_is_to_come_out_may_be_left_open() {
        assert!(parse(r#"{"event": {"topic": "a", "data": 1}}"#).unwrap().is_open);
        assert!(!parse(r#"{"patterns": ["+"], "accepts": ["a"]}"#).unwrap().is_open);
    }

    #[test]
    fn what_cannot_be_read_names_the_file_and_the_field() {
        for (text, place, about) in [
            (r#"{"event": {"topic": "a b", "data": 1}}"#, "samples/a.json, `event.topic`: ", "topic"),
            (r#"{"event": {"topic": "a"}}"#, "samples/a.json, `event`: ", "missing field `data`"),
            (
                r#"{"event": {"topic": "a", "data": 1}, "expekt": 1}"#,
                "samples/a.json, `expekt`: ",
                "unknown field",
            ),
            (
                r#"{"event": {"topic": "a", "data": 1}, "expect": "vanish"}"#,
                "samples/a.json, `expect`: ",
                "`drop`",
            ),
            (r#"{"event": {"topic": "a", "data": 1}, "accepts": ["a"]}"#, "samples/a.json: ", "`patterns`"),
            (r#"{"patterns": ["+"]}"#, "samples/a.json: ", "at least one topic"),
            (r#"{"patterns": ["+"], "accepts": ["a"], "expect": "drop"}"#, "samples/a.json: ", "`accepts`"),
            ("{}", "samples/a.json: ", "missing field `event`"),
            (r#"{"event": {"topic": "a", "data": 1}} {}"#, "samples/a.json: ", "trailing characters"),
            ("{", "samples/a.json: ", "EOF"),
        ] {
            let sentence = parse(text).unwrap_err();
            assert!(sentence.starts_with(place) && sentence.contains(about), "{text}: {sentence}");
            assert!(!sentence.contains('\n'), "{sentence}");
        }
    }
}
