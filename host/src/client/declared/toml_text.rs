//! A file in TOML as people write it: what is short stands on one line, what is long has a table of its own.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::format::{Document, Entry};

/// A line up to here is easier to read than a table.
const MAX_LINE: usize = 100;

type Written = Result<(), toml::ser::Error>;

/// The text of a document.
///
/// # Errors
/// It has a `null`, or a number that TOML has not.
pub(super) fn write(document: &Document) -> Result<String, toml::ser::Error> {
    let mut out = String::new();
    let all =
        [("tenants", &document.tenants), ("topics", &document.topics), ("endpoints", &document.endpoints)];
    for (name, entries) in all {
        let Some(entries) = entries else { continue };
        if entries.is_empty() {
            let _ = writeln!(out, "{name} = []");
        }
        for Entry(fields) in entries {
            header(&mut out, &format!("[[{name}]]"));
            table(&mut out, name, fields.iter().map(|(name, value)| (name.as_str(), value)))?;
        }
    }
    Ok(out)
}

/// The fields of the table at `path`: those that stand on a line first, since what follows a header belongs to it.
fn table<'a>(
    out: &mut String,
    path: &str,
    fields: impl Iterator<Item = (&'a str, &'a Value)> + Clone,
) -> Written {
    let mut tables = Vec::new();
    for (name, value) in fields {
        let line = format!("{} = {}", key(name), inline(value)?);
        if line.len() > MAX_LINE && is_made_of_tables(value) {
            tables.push((name, value));
        } else {
            let _ = writeln!(out, "{line}");
        }
    }
    for (name, value) in tables {
        let path = format!("{path}.{}", key(name));
        match value {
            Value::Object(object) => {
                header(out, &format!("[{path}]"));
                table(out, &path, members(object))?;
            }
            Value::Array(elements) => {
                for object in elements.iter().filter_map(Value::as_object) {
                    header(out, &format!("[[{path}]]"));
                    table(out, &path, members(object))?;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    Ok(())
}

fn members(object: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> + Clone {
    object.iter().map(|(name, value)| (name.as_str(), value))
}

/// Whether it is an object, or a list of nothing else.
fn is_made_of_tables(value: &Value) -> bool {
    value.is_object()
        || value
            .as_array()
            .is_some_and(|elements| !elements.is_empty() && elements.iter().all(Value::is_object))
}

fn header(out: &mut String, header: &str) {
    let space = if out.is_empty() { "" } else { "\n" };
    let _ = writeln!(out, "{space}{header}");
}

fn inline(value: &Value) -> Result<String, toml::ser::Error> {
    toml::Value::try_from(value).map(|value| value.to_string())
}

/// A name in front of `=` or in a header: bare where it may be, else as a basic string.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) {
        return name.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in name.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
