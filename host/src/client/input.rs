//! What is read from a file, from standard input or from flags, and becomes the body of a request.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::error::Error;

/// Standard input, where a file can be named.
const STDIN: &str = "-";

/// The fields of an object: from JSON, from flags, or both.
#[derive(Debug, Default, Args)]
pub struct FieldArgs {
    /// A JSON object with fields as in docs/api.md; `-` reads standard input. Other flags are put over it.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Any field, as JSON or as a text: `rate_limit=10`, `retry=["5s","1h"]`, `filter=null`; may be repeated.
    #[arg(long, value_name = "FIELD=VALUE")]
    set: Vec<Field>,
}

/// One field given a value.
#[derive(Debug, Clone)]
pub(super) struct Field(String, Box<RawValue>);

/// Fields with their values as they were written, so that no number loses a digit.
type Object = BTreeMap<String, Box<RawValue>>;

impl FieldArgs {
    /// Whether nothing was given.
    pub(super) const fn is_empty(&self) -> bool {
        self.from.is_none() && self.set.is_empty()
    }

    /// A field that is JSON of the caller.
    ///
    /// # Errors
    /// It is not JSON.
    pub(super) fn put(&mut self, name: &str, json: &str) -> Result<(), Error> {
        let value = serde_json::from_str(json);
        let value = value.map_err(|error| Error::Failed(format!("`{name}` is not JSON: {error}")))?;
        self.set.push(Field(name.to_owned(), value));
        Ok(())
    }

    /// Every field of a JSON object of the caller.
    ///
    /// # Errors
    /// It is not one JSON object.
    pub(super) fn put_all(&mut self, json: &str) -> Result<(), Error> {
        let object = parse_object(json)?;
        self.set.extend(object.into_iter().map(|(name, value)| Field(name, value)));
        Ok(())
    }

    /// The object, with these fields put over it where there is a value.
    ///
    /// # Errors
    /// The file cannot be read, or is not one JSON object.
    pub(super) fn object(self, named: &[(&str, Option<Value>)]) -> Result<String, Error> {
        let mut object = match &self.from {
            Some(path) => parse_object(&read_text(path)?)?,
            None => Object::new(),
        };
        object.extend(self.set.into_iter().map(|Field(name, value)| (name, value)));
        for (name, value) in named {
            if let Some(value) = value {
                object.insert((*name).to_owned(), raw(value)?);
            }
        }
        Ok(raw(&object)?.get().to_owned())
    }
}

impl FromStr for Field {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or("a field is given as `name=value`")?;
        let value = serde_json::from_str(value).or_else(|_| to_raw_value(value));
        value.map(|value| Self(name.trim().to_owned(), value)).map_err(|_| "this value is not text")
    }
}

fn raw(value: &impl serde::Serialize) -> Result<Box<RawValue>, Error> {
    to_raw_value(value).map_err(|error| Error::Failed(format!("this cannot be sent: {error}")))
}

fn parse_object(text: &str) -> Result<Object, Error> {
    serde_json::from_str(text).map_err(|error| Error::Failed(format!("this is not one JSON object: {error}")))
}

/// A list of texts as a field; none if it is empty.
pub(super) fn texts(list: Vec<String>) -> Option<Value> {
    (!list.is_empty()).then(|| Value::from(list))
}

/// Whether the name stands for standard input.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new(STDIN)
}

/// A file, or standard input for `-`.
///
/// # Errors
/// It cannot be opened.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>, Error> {
    if is_stdin(path) {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    Ok(Box::new(file))
}

/// All bytes of a file or of standard input.
///
/// # Errors
/// It cannot be read.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    Ok(bytes)
}

/// All text of a file or of standard input.
///
/// # Errors
/// It cannot be read, or is not text.
pub(super) fn read_text(path: &Path) -> Result<String, Error> {
    let text = String::from_utf8(read_bytes(path)?);
    text.map_err(|_| Error::Failed(format!("{}: this is not text in UTF-8", path.display())))
}

/// What to say about a file that cannot be read.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::Failed(format!("{}: cannot read this file: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_put_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("endpoint.json");
        std::fs::write(&path, r#"{"url": "https://a", "rate_limit": 1, "x": 1.10}"#).unwrap();
        let set = ["rate_limit=2", "filter=null", "timeout=20s"].map(|text| text.parse().unwrap());
        let args = FieldArgs { from: Some(path), set: set.to_vec() };
        let object = args.object(&[("url", Some(Value::from("https://b"))), ("topics", None)]).unwrap();
        assert_eq!(object, r#"{"filter":null,"rate_limit":2,"timeout":"20s","url":"https://b","x":1.10}"#);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["[1]", "{", "", "{} {}"] {
            assert!(parse_object(text).is_err(), "{text}");
        }
        assert!("name".parse::<Field>().is_err());
    }
}
