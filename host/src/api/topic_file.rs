//! A catalogue in one file, as TOML or JSON.
//!
//! JSON is `{"topics": [{...}]}`. TOML says the same with `[[topics]]`; there, an example or a schema is a table, or a text
//! that holds JSON, which is kept byte for byte and can say what TOML cannot (`null`, long numbers).

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use toml::{Table, Value};

use super::topic_input::Create;
use crate::http::{Object, Problem, objects, parse};

/// In which language a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// `.json`, `application/json`.
    Json,
    /// `.toml`, `application/toml`.
    Toml,
}

/// A catalogue.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TopicFile")]
pub(super) struct File {
    /// The topics to add or replace.
    #[serde(deserialize_with = "objects")]
    #[schemars(with = "Vec<Create>")]
    topics: Option<Vec<Create>>,
}

/// A part of the file as JSON.
type Converted = Result<Box<RawValue>, Problem>;

impl FileFormat {
    /// What the extension of a file says; `None` for any other.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "json" => Some(Self::Json),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }

    /// The topics in the text of a file.
    ///
    /// # Errors
    /// 400 for a text that is not of this language, 422 with its pointer for what cannot be taken.
    pub(super) fn read(self, text: &str) -> Result<Vec<Create>, Problem> {
        let Object(file): Object<File> = match self {
            Self::Json => parse(text)?,
            Self::Toml => parse(&to_json(text)?)?,
        };
        file.topics.ok_or_else(|| Problem::invalid("/topics", "`topics` is a list of topics"))
    }
}

/// The same file as JSON.
fn to_json(toml: &str) -> Result<String, Problem> {
    let table: Table = toml.parse().map_err(|error: toml::de::Error| {
        Problem::malformed(format!("this is not valid TOML: {}", error.to_string().trim_end()))
    })?;
    let json = object(table, &|name, value| match (name, value) {
        ("topics", Value::Array(topics)) => array(topics, &topic),
        (_, value) => plain(value),
    });
    Ok(json?.get().to_owned())
}

/// An element of `topics`; `pointer` is where it stands.
fn topic(index: usize, value: Value) -> Converted {
    let Value::Table(fields) = value else { return plain(value) };
    let place = format!("/topics/{index}");
    object(fields, &|name, value| match (name, value) {
        ("schema", Value::String(text)) => embedded(text, &format!("{place}/schema")),
        ("examples", Value::Array(examples)) => array(examples, &|index, value| {
            let Value::String(text) = value else { return plain(value) };
            embedded(text, &format!("{place}/examples/{index}"))
        }),
        (_, value) => plain(value),
    })
}

/// JSON in a text.
fn embedded(text: String, pointer: &str) -> Converted {
    RawValue::from_string(text).map_err(|error| {
        let detail = format!(
            "in TOML this is a table, or a text that holds JSON (a text as such is '\"text\"'): {error}"
        );
        Problem::invalid(pointer, detail)
    })
}

fn object(table: Table, member: &dyn Fn(&str, Value) -> Converted) -> Converted {
    let members = table.into_iter().map(|(name, value)| Ok((name.clone(), member(&name, value)?)));
    raw(&members.collect::<Result<std::collections::BTreeMap<_, _>, Problem>>()?)
}

fn array(values: Vec<Value>, element: &dyn Fn(usize, Value) -> Converted) -> Converted {
    let elements = values.into_iter().enumerate().map(|(index, value)| element(index, value));
    raw(&elements.collect::<Result<Vec<_>, _>>()?)
}

/// A value of TOML; times become texts.
fn plain(value: Value) -> Converted {
    match value {
        Value::Datetime(time) => raw(&time.to_string()),
        Value::Table(table) => object(table, &|_, value| plain(value)),
        Value::Array(values) => array(values, &|_, value| plain(value)),
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => raw(&value),
    }
}

fn raw(value: &impl serde::Serialize) -> Converted {
    to_raw_value(value).map_err(|error| Problem::internal(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{TopicEntry, UnixMs};

    fn entries(format: FileFormat, text: &str) -> Result<Vec<TopicEntry>, Problem> {
        format.read(text)?.into_iter().map(|create| create.into_entry(UnixMs(1))).collect()
    }

    #[test]
    fn toml_and_json_say_the_same() {
        let toml = r#"
            [[topics]]
            topic = "orders/created"
            use_cases = ["Telling a customer."]
            examples = ['{"id": 1.00, "gone": null}', { id = 2, at = 2024-03-15T14:30:00Z, "a/b" = [1.5, true] }]
            [topics.schema]
            type = "object"
            [[topics]]
            topic = "a"
            schema = 'true'
        "#;
        let json = r#"{"topics": [
            {"topic": "orders/created", "use_cases": ["Telling a customer."],
             "examples": [{"id": 1.00, "gone": null},{"a/b":[1.5,true],"at":"2024-03-15T14:30:00Z","id":2}], "schema": {"type":"object"}},
            {"topic": "a", "schema": true}]}"#;
        assert_eq!(entries(FileFormat::Toml, toml), entries(FileFormat::Json, json));
        assert_eq!(entries(FileFormat::Json, json).unwrap().len(), 2);
    }

    #[test]
    fn a_mistake_is_found_by_its_pointer() {
        for (toml, pointer) in [
            ("[[topics]]\ntopic = 1", Some("/topics/0/topic")),
            (
                "[[topics]]\ntopic = 'a'\n[[topics]]\ntopic = 'b'\nexamples = ['{', 1]",
                Some("/topics/1/examples/0"),
            ),
            ("[[topics]]\ntopic = 'a'\nschema = 'object'", Some("/topics/0/schema")),
            ("[[topics]]\ntopic = 'a'\nfor = 'x'", Some("/topics/0/for")),
            ("topics = 1", Some("/topics")),
            ("other = 1", Some("/other")),
            ("", Some("")),
            ("topics = [", None),
        ] {
            assert_eq!(entries(FileFormat::Toml, toml).unwrap_err().pointer(), pointer, "{toml}");
        }
    }

    #[test]
    fn the_extension_names_the_language() {
        assert_eq!(FileFormat::of(Path::new("a/topics.toml")), Some(FileFormat::Toml));
        assert_eq!(FileFormat::of(Path::new("topics.json")), Some(FileFormat::Json));
        assert_eq!(FileFormat::of(Path::new("topics.yaml")), None);
    }
}
