//! The two languages of a file, TOML and YAML: the same words in both. JSON is YAML.

use std::fmt;
use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::toml_text;

/// How a time in TOML looks when it is read as something else.
const TOML_TIME: &str = "$__toml_private_datetime";
/// Far deeper than the 64 levels that the gateway takes.
const MAX_DEPTH: usize = 100;
/// Room for 10,000 endpoints with a hundred values each.
const MAX_NODES: usize = 2_000_000;

/// In which language a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
}

/// A file as it is written.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Names: the tenants that it speaks for, should it want to say so. Objects: what goes for all endpoints of a tenant.
    pub(super) tenants: Option<Vec<Value>>,
    /// The catalogue.
    pub(super) topics: Option<Vec<Map<String, Value>>>,
    /// Endpoints, each with its `tenant`.
    pub(super) endpoints: Option<Vec<Map<String, Value>>>,
}

/// A file to be written.
#[derive(Debug, Default, Serialize)]
pub(super) struct Document {
    /// What goes for all endpoints of a tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tenants: Option<Vec<Entry>>,
    /// The catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) topics: Option<Vec<Entry>>,
    /// Endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) endpoints: Option<Vec<Entry>>,
}

/// An object whose fields stay in their order.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Entry(pub(super) Vec<(String, Value)>);

/// Where a text stops making sense, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misread {
    line: Option<usize>,
    reason: String,
}

impl Format {
    /// What the name of a file says; `None` for any other.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" | "json" => Some(Self::Yaml),
            _ => None,
        }
    }

    /// The text of a file.
    ///
    /// # Errors
    /// It is not of this language, or has keys of its own.
    pub(super) fn read(self, text: &str) -> Result<File, Misread> {
        let mut file = match self {
            Self::Toml => read_toml(text)?,
            Self::Yaml => read_yaml(text)?,
        };
        for object in [&mut file.topics, &mut file.endpoints].into_iter().flatten().flatten() {
            object.values_mut().for_each(times_as_texts);
        }
        file.tenants.iter_mut().flatten().for_each(times_as_texts);
        Ok(file)
    }

    /// The text of a file: entries and their fields in this order, what is in a field by its names.
    ///
    /// # Errors
    /// It has something that this language cannot say.
    pub(super) fn write(self, document: &Document) -> Result<String, String> {
        match self {
            Self::Toml => toml_text::write(document).map_err(|error| error.to_string()),
            Self::Yaml => serde_saphyr::to_string(document).map_err(|error| error.to_string()),
        }
    }
}

/// The quoted lines of the parser's own messages may have credentials: none is shown.
fn read_toml(text: &str) -> Result<File, Misread> {
    toml::from_str(text).map_err(|error| Misread {
        line: error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count()),
        reason: error.message().to_owned(),
    })
}

fn read_yaml(text: &str) -> Result<File, Misread> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        reject_unsupported_tags: true,
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: MAX_NODES * 2,
        },
    };
    // A file of nothing but comments says nothing, as in TOML.
    serde_saphyr::from_str_with_options::<Option<File>>(text, options)
        .map(Option::unwrap_or_default)
        .map_err(|error| Misread { line: None, reason: error.to_string() })
}

fn times_as_texts(value: &mut Value) {
    match value {
        Value::Object(object) => match object.get(TOML_TIME).filter(|_| object.len() == 1) {
            Some(time) => *value = time.clone(),
            None => object.values_mut().for_each(times_as_texts),
        },
        Value::Array(elements) => elements.iter_mut().for_each(times_as_texts),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl Document {
    /// What is read from the text of this document.
    pub(super) fn as_file(&self) -> File {
        let objects = |entries: &Vec<Entry>| {
            let object = |Entry(fields): &Entry| fields.iter().cloned().collect();
            entries.iter().map(object).collect::<Vec<Map<String, Value>>>()
        };
        File {
            tenants: self.tenants.as_ref().map(|all| objects(all).into_iter().map(Value::Object).collect()),
            topics: self.topics.as_ref().map(objects),
            endpoints: self.endpoints.as_ref().map(objects),
        }
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

#[cfg(test)]
mod tests;
