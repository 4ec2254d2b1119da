//! The files of one `apply` together: what they declare, and that no two of them declare the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::Value;

use super::endpoint::Endpoint;
use super::format::{File, Format};
use super::reference::References;
use super::tenant::Tenant;
use super::topic::Topic;
use crate::client::error::Error;
use crate::client::input::{is_stdin, open, unreadable};

/// A gateway with 10,000 endpoints and long filters.
const MAX_FILE_BYTES: u64 = 32 * 1024 * 1024;

/// What the files say.
#[derive(Debug, Default)]
pub(super) struct Declared {
    /// The tenants that they speak for, if a file says so.
    pub(super) tenants: Option<BTreeSet<String>>,
    /// What goes for all endpoints of a tenant.
    pub(super) settings: Vec<Tenant>,
    /// The catalogue; `None` if no file has one.
    pub(super) topics: Option<Vec<Topic>>,
    /// The endpoints.
    pub(super) endpoints: Vec<Endpoint>,
    /// What cannot be meant, in sentences.
    pub(super) mistakes: Vec<String>,
}

/// Where something stands: the file, and the place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    file: Rc<str>,
    entry: String,
}

/// The files of these paths; of a folder, those in it whose names say what they are.
///
/// # Errors
/// A file cannot be read. Mistakes in what it says are in [`Declared::mistakes`].
pub(super) fn read(
    paths: &[PathBuf],
    format: Option<Format>,
    environment: &[(String, String)],
) -> Result<Declared, Error> {
    let mut declared = Declared::default();
    for path in &files(paths)? {
        let format = format.or_else(|| Format::of(path));
        let format = match format {
            Some(format) => format,
            None if is_stdin(path) => Format::Toml,
            None => {
                let path = path.display();
                let hint =
                    format!("{path}: its name does not end in .toml, .yaml or .yml; say which with --format");
                return Err(Error::Usage(hint));
            }
        };
        let (name, text) = (path.display().to_string(), text(path)?);
        match format.read(&text) {
            Ok(file) => declared.add(&name, file, &References { environment, folder: folder(path) }),
            Err(misread) => declared.mistakes.push(format!("{name}: {misread}")),
        }
    }
    declared.find_duplicates();
    Ok(declared)
}

fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        if is_stdin(path) || !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
        let found = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
        let mut found = found.map_err(|error| unreadable(path, &error))?;
        found.retain(|file| Format::of(file).is_some() && file.is_file());
        if found.is_empty() {
            let path = path.display();
            return Err(Error::Usage(format!("{path}: no file in this folder ends in .toml, .yaml or .yml")));
        }
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

fn text(path: &Path) -> Result<String, Error> {
    let mut bytes = Vec::new();
    open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    let refused = |why: &str| Error::Failed(format!("{}: {why}", path.display()));
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(refused("this file has more than 32 MiB; split it"));
    }
    String::from_utf8(bytes).map_err(|_| refused("this is not text in UTF-8"))
}

/// Paths in standard input begin where the command runs.
fn folder(path: &Path) -> &Path {
    let parent = if is_stdin(path) { None } else { path.parent() };
    parent.unwrap_or_else(|| Path::new(""))
}

impl Declared {
    fn add(&mut self, name: &str, file: File, references: &References<'_>) {
        let name: Rc<str> = name.into();
        let File { tenants, topics, endpoints } = file;
        for (index, tenant) in tenants.into_iter().flatten().enumerate() {
            self.add_tenant(Place::new(&name, "tenants", index), tenant);
        }
        if let Some(topics) = topics {
            let known = self.topics.get_or_insert_default();
            for (index, object) in topics.into_iter().enumerate() {
                match Topic::read(Place::new(&name, "topics", index), object) {
                    Ok(topic) => known.push(topic),
                    Err(mistake) => self.mistakes.push(mistake),
                }
            }
        }
        for (index, object) in endpoints.into_iter().flatten().enumerate() {
            match Endpoint::read(Place::new(&name, "endpoints", index), object, references) {
                Ok(endpoint) => self.endpoints.push(endpoint),
                Err(mistakes) => self.mistakes.extend(mistakes),
            }
        }
    }

    /// A name, or a table that says something about a tenant.
    fn add_tenant(&mut self, place: Place, tenant: Value) {
        let read = match tenant {
            Value::String(tenant) => {
                self.tenants.get_or_insert_default().insert(tenant);
                return;
            }
            Value::Object(object) => Tenant::read(place, object),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                Err(format!("{place}: a tenant is a name, or a table with its `name`"))
            }
        };
        match read {
            Ok(tenant) => self.settings.push(tenant),
            Err(mistake) => self.mistakes.push(mistake),
        }
    }

    fn find_duplicates(&mut self) {
        let mut seen = BTreeMap::new();
        let topics = self.topics.iter().flatten().map(|topic| (&topic.place, topic.name.clone()));
        let endpoints = self.endpoints.iter().map(|endpoint| (&endpoint.place, endpoint.name()));
        let settings = self.settings.iter().map(|tenant| (&tenant.place, tenant.name()));
        for (place, name) in topics.chain(endpoints).chain(settings) {
            if let Some(first) = seen.insert(name.clone(), place) {
                self.mistakes.push(format!("{place}: {name} is declared in {first} already"));
            }
        }
        let Some(tenants) = &self.tenants else { return };
        for endpoint in &self.endpoints {
            if endpoint.tenant.as_ref().is_some_and(|tenant| !tenants.contains(tenant)) {
                let (place, name) = (&endpoint.place, endpoint.name());
                self.mistakes.push(format!("{place}: the tenant of {name} is not among `tenants`"));
            }
        }
    }
}

impl Place {
    fn new(file: &Rc<str>, list: &str, index: usize) -> Self {
        Self { file: Rc::clone(file), entry: format!("{list}[{index}]") }
    }
}

#[cfg(test)]
impl Place {
    /// Somewhere.
    pub(super) fn of_test() -> Self {
        Self::new(&"a.toml".into(), "endpoints", 0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.file, self.entry)
    }
}

#[cfg(test)]
mod tests;
