//! Where settings come from: a TOML file, environment variables, flags. Each becomes a list of assignments.

use std::fmt;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::Errors;

/// The tables of `hookway.toml`; anything else stands at the top.
pub(super) const SECTIONS: [&str; 14] = [
    "deliver",
    "dispatch",
    "http",
    "ingest",
    "lanes",
    "log",
    "metrics",
    "operations",
    "plugins",
    "retention",
    "secrets",
    "shutdown",
    "store",
    "traces",
];
const ENV_PREFIX: &str = "HOOKWAY_";
/// Names the file, so it is not a setting.
pub(super) const ENV_FILE: &str = "HOOKWAY_CONFIG";
/// Which gateway the command line asks and with which key; whoever sets them may start a gateway from the same shell. And where a test
/// has a development build die.
const ENV_OTHERS: [&str; 3] = ["HOOKWAY_ADDRESS", "HOOKWAY_KEY", "HOOKWAY_FAILPOINT"];

/// One setting given a value.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// Who says so.
    pub origin: Origin,
    section: Option<String>,
    key: String,
    value: Value,
}

/// Where an assignment comes from, as people would look for it.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A setting in this file.
    File(String, String),
    /// This environment variable.
    Variable(String),
    /// This flag.
    Flag(String),
}

impl Assignment {
    /// The assignment in `section.key=value` or `key=value`, as `--set` takes it.
    ///
    /// # Errors
    /// There is no `=`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, value) =
            text.split_once('=').ok_or_else(|| format!("`{text}` is not of the form section.key=value"))?;
        Ok(Self::new(Origin::Flag(format!("--set {name}")), name.trim(), value))
    }

    /// The assignment of a flag of its own, such as `--listen`.
    #[must_use]
    pub fn from_flag(flag: &str, name: &str, value: &str) -> Self {
        Self {
            value: Value::String(value.to_owned()),
            ..Self::new(Origin::Flag(flag.to_owned()), name, value)
        }
    }

    fn new(origin: Origin, name: &str, value: &str) -> Self {
        let (section, key) = match name.split_once('.') {
            Some((section, key)) => (Some(section.to_owned()), key.to_owned()),
            None => (None, name.to_owned()),
        };
        Self { origin, section, key, value: parse_value(value) }
    }

    /// The value as `T` takes it, or why it does not. A text from a flag or variable that looks like a number or the
    /// like is taken as a text where a text is wanted.
    pub(super) fn check<T: DeserializeOwned>(&self) -> Result<Value, String> {
        let try_value = |value: &Value| {
            let mut table = Table::new();
            self.put(value.clone(), &mut table);
            Value::Table(table)
                .try_into::<T>()
                .map(|_| value.clone())
                .map_err(|error| error.message().to_owned())
        };
        let looks_like_more = self.value.is_integer() || self.value.is_float() || self.value.is_bool();
        let as_text = || {
            let text = Value::String(self.value.to_string());
            looks_like_more.then(|| try_value(&text).ok()).flatten()
        };
        try_value(&self.value).or_else(|error| as_text().ok_or(error))
    }

    pub(super) fn put(&self, value: Value, table: &mut Table) {
        let Some(section) = &self.section else {
            table.insert(self.key.clone(), value);
            return;
        };
        if let Value::Table(inner) =
            table.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()))
        {
            inner.insert(self.key.clone(), value);
        }
    }
}

/// The assignments of a file.
pub(super) fn from_file(path: &Path) -> Result<Vec<Assignment>, Errors> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Errors::one(format!("{name}: cannot read this file: {error}")))?;
    from_toml(&name, &text)
}

/// The assignments in the text of a file.
pub(super) fn from_toml(name: &str, text: &str) -> Result<Vec<Assignment>, Errors> {
    let table: Table = text.parse().map_err(|error| Errors::one(format!("{name}: {error}")))?;
    let mut all = Vec::new();
    let assignment = |section: Option<&String>, key: String, value| {
        let setting = section.map_or_else(|| key.clone(), |section| format!("{section}.{key}"));
        Assignment { origin: Origin::File(name.to_owned(), setting), section: section.cloned(), key, value }
    };
    for (key, value) in table {
        if let (true, Value::Table(section)) = (SECTIONS.contains(&key.as_str()), &value) {
            let settings = section.clone().into_iter();
            all.extend(settings.map(|(inner, value)| assignment(Some(&key), inner, value)));
        } else {
            all.push(assignment(None, key, value));
        }
    }
    Ok(all)
}

/// The assignments of environment variables: `HOOKWAY_LISTEN`, `HOOKWAY_DELIVER_ALLOW_HTTP`.
pub(super) fn from_environment(variables: impl Iterator<Item = (String, String)>) -> Vec<Assignment> {
    let mut all: Vec<_> = variables
        .filter(|(name, _)| name != ENV_FILE && !ENV_OTHERS.contains(&name.as_str()))
        .filter_map(|(name, value)| {
            let setting = name.strip_prefix(ENV_PREFIX)?.to_lowercase();
            let section = SECTIONS.iter().find_map(|section| {
                setting.strip_prefix(section)?.strip_prefix('_').map(|key| (section, key))
            });
            let path = section.map_or_else(|| setting.clone(), |(section, key)| format!("{section}.{key}"));
            Some(Assignment::new(Origin::Variable(name), &path, &value))
        })
        .collect();
    all.sort_by_key(|assignment| assignment.origin.to_string());
    all
}

/// A TOML value where it is one, a text otherwise: `true`, `3`, `["a"]`, `15s`.
fn parse_value(text: &str) -> Value {
    let document: Result<Table, _> = format!("value = {text}").parse();
    document
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file, setting) => write!(f, "{file}: {setting}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}
