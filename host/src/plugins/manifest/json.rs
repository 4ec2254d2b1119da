//! JSON in a manifest: written as TOML, or as a text that holds JSON.

use std::sync::Arc;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value as Json};
use toml::Value;

use crate::plugins::text::clean;

/// As much as the configuration of a binding may have.
const MAX_BYTES: usize = 64 << 10;

/// A value as JSON text. A text in the manifest is JSON itself, which can say what TOML cannot (`null`, long numbers) and is
/// kept byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonText(Arc<str>);

impl JsonText {
    /// A value as it stands.
    #[must_use]
    pub fn literal(value: &RawValue) -> Self {
        Self(value.get().into())
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let text = if let Value::String(text) = value {
            embedded(text)
        } else {
            json(value).map(|json| json.to_string())
        };
        let text = text.map_err(Error::custom)?;
        if text.len() > MAX_BYTES {
            return Err(Error::custom(format!("as JSON this may have at most {MAX_BYTES} bytes")));
        }
        Ok(Self(text.into()))
    }
}

/// Reads JSON. What is wrong begins with its place, so that the name of a file goes before it: ``, `event.topic`: ...``.
///
/// # Errors
/// In a sentence without its beginning.
pub fn read_json<T: DeserializeOwned>(content: &[u8]) -> Result<T, String> {
    let mut document = serde_json::Deserializer::from_slice(content);
    let value = serde_path_to_error::deserialize(&mut document).map_err(|error| {
        let path = error.path().to_string();
        // `?`: the text breaks off before there is a field.
        let is_field = path != "." && path != "?";
        let field = if is_field { format!(", `{}`", clean(&path)) } else { String::new() };
        format!("{field}: {}", clean(&error.inner().to_string()))
    })?;
    document.end().map_err(|error| format!(": {error}"))?;
    Ok(value)
}

/// A value of TOML as JSON.
///
/// # Errors
/// For what JSON does not have.
pub(super) fn json(value: Value) -> Result<Json, String> {
    Ok(match value {
        Value::String(text) => Json::String(text),
        Value::Integer(number) => Json::from(number),
        Value::Float(number) => Number::from_f64(number)
            .map(Json::Number)
            .ok_or_else(|| format!("JSON has no number `{number}`: leave it out"))?,
        Value::Boolean(truth) => Json::Bool(truth),
        Value::Datetime(time) => return Err(format!("JSON has no times: write \"{time}\" in quotes")),
        Value::Array(values) => Json::Array(values.into_iter().map(json).collect::<Result<_, _>>()?),
        Value::Table(table) => {
            let members = table.into_iter().map(|(name, value)| Ok((name, json(value)?)));
            Json::Object(members.collect::<Result<Map<_, _>, String>>()?)
        }
    })
}

fn embedded(text: String) -> Result<String, String> {
    let is_json = serde_json::from_str::<Json>(&text);
    is_json.map(|_| text).map_err(|error| {
        format!("this is a table, or a text that holds JSON (a text as such is '\"text\"'): {error}")
    })
}
