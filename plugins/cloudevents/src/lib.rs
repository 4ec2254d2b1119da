//! Sends events as [CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md) in structured mode.
//!
//! - The payload is copied as it was written: key order and numbers of any length included.
//! - What transforms before this one made of the payload is what is wrapped.
//! - An event that came in as a CloudEvent goes out as it came: it has its `source`, `type` and `id` already.

mod attributes;
mod payload;

use std::collections::BTreeMap;

use attributes::{extension_name, type_prefix, uri_reference};
use hookway_plugin::{Endpoint, Error, Event, Outcome, Request, Transform, Value};
use payload::Payload;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What RFC 9110 calls the format: section 3.1 of the CloudEvents JSON format.
const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";

/// Beyond 2^53 a number may not be the one that was written.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where events come from: a URI reference, such as `https://shop.example/orders`.
    source: String,
    /// What stands before a topic to make a type of it: `com.example.` makes `com.example.orders.created` of `orders/created`.
    #[serde(default)]
    type_prefix: String,
    /// Types of topics for which the prefix is not enough.
    #[serde(default)]
    types: BTreeMap<String, String>,
    /// A JSON pointer into the event's data, at which its subject stands.
    subject: Option<String>,
    /// Where the schema of the payload is.
    dataschema: Option<String>,
    /// More attributes, the same for every event.
    #[serde(default)]
    extensions: BTreeMap<String, String>,
}

/// The transform.
#[derive(Debug)]
pub struct CloudEvents(Config);

/// The attributes in the order in which the specification has them.
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: String,
    source: &'a str,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    time: String,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dataschema: Option<&'a str>,
    #[serde(flatten)]
    extensions: &'a BTreeMap<String, String>,
    data: &'a RawValue,
}

impl Transform for CloudEvents {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        uri_reference("source", &config.source)?;
        type_prefix(&config.type_prefix)?;
        if let Some((topic, _)) = config.types.iter().find(|(_, kind)| kind.is_empty()) {
            return Err(format!(
                "`types.{topic}` is empty: name the type, such as `com.example.order.created`"
            ));
        }
        if let Some(schema) = &config.dataschema {
            uri_reference("dataschema", schema)?;
        }
        if config.subject.as_ref().is_some_and(|pointer| !pointer.starts_with('/')) {
            return Err("`subject` is a JSON pointer into the event's data, such as `/order_id`".into());
        }
        config.extensions.keys().try_for_each(|name| extension_name(name))?;
        Ok(Self(config))
    }

    fn transform(&self, event: &Event, _to: &Endpoint) -> Result<Outcome, Error> {
        let body = event.body();
        let payload = Payload::of(&body)?;
        let body = if payload.is_cloud_event() {
            payload.data.get().as_bytes().to_vec()
        } else {
            serde_json::to_vec(&self.envelope(event, &payload))?
        };
        Ok(Outcome::Replace(Request { body, content_type: Some(CONTENT_TYPE.into()), ..Request::default() }))
    }
}

impl CloudEvents {
    fn envelope<'a>(&'a self, event: &Event, payload: &Payload<'a>) -> CloudEvent<'a> {
        let Self(config) = self;
        CloudEvent {
            specversion: "1.0",
            id: event.id(),
            source: &config.source,
            kind: self.kind(&event.topic()),
            subject: config.subject.as_ref().and_then(|pointer| subject(event.get(pointer)?)),
            time: payload.time.clone().unwrap_or_else(|| time(event.timestamp_ms())),
            datacontenttype: "application/json",
            dataschema: config.dataschema.as_deref(),
            extensions: &config.extensions,
            data: payload.data,
        }
    }

    /// What is configured for the topic, or the topic in the form that types have: names joined by dots.
    fn kind(&self, topic: &str) -> String {
        let Self(Config { types, type_prefix, .. }) = self;
        let made = || format!("{type_prefix}{}", topic.replace('/', "."));
        types.get(topic).cloned().unwrap_or_else(made)
    }
}

/// A text or a number; anything else is no subject.
fn subject(value: Value) -> Option<String> {
    let text = match value {
        Value::Text(text) => text,
        Value::Number(number) if number.abs() <= LARGEST_EXACT => number.to_string(),
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::Json(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn time(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX).to_string()
}

hookway_plugin::export!(transform: CloudEvents);

#[cfg(test)]
mod tests;
