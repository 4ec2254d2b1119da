//! Samples: what must come out of which event or topic, before a version goes live.
//!
//! A sample is written in the manifest, or in a file of its own in JSON ([`SampleFile`]), for which `hookway plugin test`
//! looks. Both have the same keys; in JSON `data`, `config` and `body` are the values as they stand.

use std::sync::Arc;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;
use toml::Value;

use super::json::{JsonText, json};
use super::limits::at_most;
use crate::model::{EventId, TenantId, Topic};

const MAX_NAME: usize = 128;
/// As many as an endpoint has.
const MAX_PATTERNS: usize = 100;
const MAX_TOPICS: usize = 1_000;

/// A question to the plugin, and what it is to say.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Written<JsonText, ExpectedBody>")]
pub struct Sample {
    /// For people.
    pub name: Option<String>,
    /// What the plugin is asked, and what is to come out.
    pub asked: Asked,
}

/// What a plugin is asked, and what is to come out.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// What becomes of an event, of a filter or transform.
    Event {
        /// What it is asked about.
        event: SampleEvent,
        /// The configuration that it has; that of the manifest where there is none.
        config: Option<JsonText>,
        /// What it is to say.
        expect: Expected,
    },
    /// Which topics patterns accept, of a matcher.
    Topics {
        /// In its language.
        patterns: Vec<String>,
        /// What they are to accept.
        accepts: Vec<Topic>,
        /// What they are not to accept.
        rejects: Vec<Topic>,
    },
}

/// An event as a sample has it.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleEvent {
    /// What happened.
    pub topic: Topic,
    /// What the producer says about it.
    pub data: JsonText,
    /// Whose it is; `default` where there is none.
    pub tenant: Option<TenantId>,
    /// Its id; made where there is none.
    pub event_id: Option<EventId>,
    /// When it happened; when the sample runs, where there is none.
    pub timestamp: Option<jiff::Timestamp>,
}

/// What is to come out of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// It is delivered, whatever becomes of its body.
    Deliver,
    /// It is not delivered.
    Drop,
    /// It is delivered as it is.
    Unchanged,
    /// It is delivered with this body.
    Body(ExpectedBody),
}

/// A body that is to come out.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpectedBody {
    /// The very bytes.
    Text(Arc<str>),
    /// The same value, however it is written.
    Json(Json),
}

/// A sample as it is written, with values as `J` and a body as `B`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written<J, B> {
    #[serde(default, deserialize_with = "name")]
    name: Option<String>,
    event: Option<WrittenEvent<J>>,
    config: Option<J>,
    pub(super) expect: Option<WrittenExpected<B>>,
    #[serde(default, deserialize_with = "patterns")]
    pub(super) patterns: Option<Vec<String>>,
    #[serde(default, deserialize_with = "topics")]
    accepts: Vec<Topic>,
    #[serde(default, deserialize_with = "topics")]
    rejects: Vec<Topic>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEvent<J> {
    topic: Topic,
    data: J,
    #[serde(default)]
    tenant: Option<TenantId>,
    #[serde(default)]
    event_id: Option<EventId>,
    #[serde(default, deserialize_with = "time")]
    timestamp: Option<jiff::Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WrittenExpected<B> {
    Deliver,
    Drop,
    Unchanged,
    Body(B),
}

impl<J: Into<JsonText>, B: Into<ExpectedBody>> TryFrom<Written<J, B>> for Sample {
    type Error = &'static str;

    fn try_from(written: Written<J, B>) -> Result<Self, &'static str> {
        let Written { name, event, config, expect, patterns, accepts, rejects } = written;
        let names_topics = !accepts.is_empty() || !rejects.is_empty();
        let asked = match (event, patterns) {
            (Some(_), Some(_)) => {
                return Err("a sample has an `event`, or the `patterns` of a matcher, not both");
            }
            (None, None) => return Err("missing field `event` (or, of a matcher, `patterns`)"),
            (Some(_), None) if names_topics => {
                return Err(
                    "`accepts` and `rejects` go with the `patterns` of a matcher, not with an `event`",
                );
            }
            (Some(event), None) => {
                let expect = expect.ok_or("missing field `expect`: what is to come out of the event")?;
                Asked::Event { event: event.into(), config: config.map(Into::into), expect: expect.into() }
            }
            (None, Some(_)) if expect.is_some() => {
                return Err(
                    "`expect` goes with an `event`: with `patterns` say what they accept in `accepts` and `rejects`",
                );
            }
            (None, Some(_)) if config.is_some() => {
                return Err(
                    "a matcher is not bound, so its configuration is the `config` of the manifest, not of a sample",
                );
            }
            (None, Some(_)) if !names_topics => {
                return Err("with `patterns` name at least one topic in `accepts` or `rejects`");
            }
            (None, Some(patterns)) => Asked::Topics { patterns, accepts, rejects },
        };
        Ok(Self { name, asked })
    }
}

impl<J, B> Written<J, B> {
    /// The same with this as what is to come out.
    pub(super) fn expecting(self, expect: WrittenExpected<B>) -> Self {
        Self { expect: Some(expect), ..self }
    }
}

impl<J: Into<JsonText>> From<WrittenEvent<J>> for SampleEvent {
    fn from(written: WrittenEvent<J>) -> Self {
        let WrittenEvent { topic, data, tenant, event_id, timestamp } = written;
        Self { topic, data: data.into(), tenant, event_id, timestamp }
    }
}

impl<B: Into<ExpectedBody>> From<WrittenExpected<B>> for Expected {
    fn from(written: WrittenExpected<B>) -> Self {
        match written {
            WrittenExpected::Deliver => Self::Deliver,
            WrittenExpected::Drop => Self::Drop,
            WrittenExpected::Unchanged => Self::Unchanged,
            WrittenExpected::Body(body) => Self::Body(body.into()),
        }
    }
}

impl<'de> Deserialize<'de> for ExpectedBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if let Value::String(text) = value {
            Ok(Self::Text(text.into()))
        } else {
            json(value).map(Self::Json).map_err(Error::custom)
        }
    }
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = String::deserialize(deserializer)?;
    if name.len() <= MAX_NAME {
        return Ok(Some(name));
    }
    Err(Error::custom(format!("a name has at most {MAX_NAME} bytes")))
}

/// A time of TOML or a text in the same form.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<jiff::Timestamp>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let text = if let Value::String(text) = value { text } else { value.to_string() };
    let wrong = || Error::custom("a time is written as 2026-01-31T12:00:00Z");
    text.parse().map(Some).map_err(|_: jiff::Error| wrong())
}

fn patterns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    at_most(MAX_PATTERNS, "patterns", Vec::deserialize(deserializer)?).map(Some)
}

fn topics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Topic>, D::Error> {
    at_most(MAX_TOPICS, "topics", Vec::deserialize(deserializer)?)
}
