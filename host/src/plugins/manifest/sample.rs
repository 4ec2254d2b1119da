//! Samples: what must come out of which event, before a version goes live.

use std::sync::Arc;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;
use toml::Value;

use super::json::{JsonText, json};
use crate::model::{EventId, TenantId, Topic};

const MAX_NAME: usize = 128;

/// An event, and what the plugin is to say to it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// For people.
    #[serde(default, deserialize_with = "name")]
    pub name: Option<String>,
    /// What the plugin is asked about.
    pub event: SampleEvent,
    /// The configuration that it has; that of the manifest where there is none.
    #[serde(default)]
    pub config: Option<JsonText>,
    /// What it is to say.
    pub expect: Expected,
}

/// An event as a sample has it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleEvent {
    /// What happened.
    pub topic: Topic,
    /// What the producer says about it.
    pub data: JsonText,
    /// Whose it is; `default` where there is none.
    #[serde(default)]
    pub tenant: Option<TenantId>,
    /// Its id; `sample` where there is none.
    #[serde(default)]
    pub event_id: Option<EventId>,
    /// When it happened; when the sample runs, where there is none.
    #[serde(default, deserialize_with = "time")]
    pub timestamp: Option<jiff::Timestamp>,
}

/// What is to come out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// It is delivered, whatever becomes of its body.
    Deliver,
    /// It is not delivered.
    Drop,
    /// It is delivered as it is.
    Unchanged,
    /// It is delivered with this body.
    Body(#[serde(deserialize_with = "body")] ExpectedBody),
}

/// A body that is to come out.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpectedBody {
    /// The very bytes.
    Text(Arc<str>),
    /// The same value, however it is written.
    Json(Json),
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

fn body<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ExpectedBody, D::Error> {
    let value = Value::deserialize(deserializer)?;
    if let Value::String(text) = value {
        Ok(ExpectedBody::Text(text.into()))
    } else {
        json(value).map(ExpectedBody::Json).map_err(Error::custom)
    }
}
