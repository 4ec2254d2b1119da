//! `hookway export`: what a gateway has, as a file that `hookway apply` takes.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::current::{self, Current};
use super::endpoint::State;
use super::format::{Document, Entry, Format};
use super::is_default;
use super::raw::raw;
use crate::client::error::Error;
use crate::client::output::hint;
use crate::client::same_json::is_same;
use crate::client::session::Session;

/// What stands at the top of each file.
const HEAD: &str = "# Written by `hookway export`; `hookway apply` brings a gateway to what it says.\n";
const HEAD_KEPT: &str = "# `keep = true` leaves the value of a header as the gateway has it. For another gateway name it there: { env = \"NAME\" }.\n";
/// The type of a secret that nobody asked for.
const USUAL_SECRET: &str = "hmac-sha256";

const EXAMPLE: &str = "\
Examples:
  hookway export > hookway.toml
  hookway export --tenant acme --output acme.yaml
  hookway export | hookway apply - --dry-run      says that there is nothing to do";

/// What to write, and where.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct ExportArgs {
    /// Only this tenant and its endpoints, and no topics; may be repeated.
    #[arg(long = "tenant", value_name = "NAME")]
    tenants: Vec<String>,
    /// The language [default: what the name of `--output` says, or TOML].
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Where to write it [default: standard output].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the values of headers, which may be credentials; without it, `{ keep = true }` stands in their place.
    #[arg(long)]
    with_header_values: bool,
}

pub(crate) fn run(args: ExportArgs, session: &mut Session) -> Result<(), Error> {
    let named = args.output.as_deref().and_then(Format::of);
    let format = args.format.or(named).unwrap_or(Format::Toml);
    let exporter = Exporter {
        format,
        now: session.world.clock.now().to_string(),
        with_headers: args.with_header_values,
    };
    let document = Document {
        tenants: tenants(&args, &exporter, session)?,
        topics: topics(&args, &exporter, session)?,
        endpoints: Some(endpoints(&args, &exporter, session)?),
    };
    let body = format.write(&document).map_err(|error| not_written(&error))?;
    // Better no file than one that says something else.
    if format.read(&body).ok() != Some(document.as_file()) {
        return Err(not_written("it would not be read as it is"));
    }
    let kept = document.endpoints.iter().flatten().filter(|entry| has_kept(entry)).count();
    let text = if kept > 0 { format!("{HEAD}{HEAD_KEPT}\n{body}") } else { format!("{HEAD}\n{body}") };
    if kept > 0 {
        hint(&format!(
            "endpoints with headers that are `keep = true`: {kept}. For another gateway give them values (--with-header-values \
             writes them)"
        ));
    }
    match &args.output {
        None => session.out.text(&text),
        Some(path) => write(path, &text),
    }
}

/// Topics belong to the gateway: those who ask for a tenant, or have a tenant's key, could not bring them anywhere.
fn topics(args: &ExportArgs, exporter: &Exporter, session: &Session) -> Result<Option<Vec<Entry>>, Error> {
    if !args.tenants.is_empty() || !current::is_admin(session)? {
        return Ok(None);
    }
    let topics = current::topics(session)?;
    if topics.is_empty() {
        return Ok(None);
    }
    topics.into_values().map(|fields| exporter.entry(fields)).collect::<Result<_, _>>().map(Some)
}

/// Those about whom something is said; for who may say it.
fn tenants(args: &ExportArgs, exporter: &Exporter, session: &Session) -> Result<Option<Vec<Entry>>, Error> {
    if !current::is_admin(session)? {
        return Ok(None);
    }
    let mut tenants = current::tenants(session)?;
    tenants.retain(|(name, _)| args.tenants.is_empty() || args.tenants.contains(name));
    if tenants.is_empty() {
        return Ok(None);
    }
    tenants.into_iter().map(|(_, fields)| exporter.entry(fields)).collect::<Result<_, _>>().map(Some)
}

fn endpoints(args: &ExportArgs, exporter: &Exporter, session: &Session) -> Result<Vec<Entry>, Error> {
    let mut all = Vec::new();
    if args.tenants.is_empty() {
        all = current::endpoints(None, session)?;
    }
    for tenant in &args.tenants {
        all.extend(current::endpoints(Some(tenant), session)?);
    }
    all.sort_by(|a, b| (&a.tenant, &a.url).cmp(&(&b.tenant, &b.url)));
    all.dedup_by(|a, b| a.id == b.id);
    all.into_iter().map(|endpoint| exporter.endpoint(endpoint)).collect()
}

/// How entries are written.
struct Exporter {
    format: Format,
    /// The time, as the API writes it.
    now: String,
    with_headers: bool,
}

impl Exporter {
    fn endpoint(&self, endpoint: Current) -> Result<Entry, Error> {
        let secrets = self.secrets(&endpoint);
        let Current { tenant, url, state, is_deactivated, fields, .. } = endpoint;
        let mut first = vec![("tenant".to_owned(), raw(&tenant)), ("url".to_owned(), raw(&url))];
        first.extend(fields);
        let mut entry = self.entry(first)?;
        // One that fails is inactive too, but nobody decided that.
        if state == State::Inactive && is_deactivated {
            entry.0.push(("state".to_owned(), state.name().into()));
        }
        entry.0.extend(secrets.map(|secrets| ("secrets".to_owned(), secrets)));
        Ok(entry)
    }

    /// Secrets of the same types, if they are not the one that an endpoint has anyway. Their values are nowhere to be had.
    fn secrets(&self, endpoint: &Current) -> Option<Value> {
        let signs = endpoint
            .secrets
            .iter()
            .filter(|secret| secret.expires_at.as_ref().is_none_or(|at| *at > self.now));
        let kinds: Vec<_> = signs.map(|secret| secret.kind.as_str()).collect();
        let is_usual = kinds.is_empty() || kinds == [USUAL_SECRET];
        (!is_usual).then(|| kinds.iter().map(|kind| json!({ "type": kind })).collect())
    }

    /// The fields that say something.
    fn entry(&self, fields: Vec<(String, Box<RawValue>)>) -> Result<Entry, Error> {
        let said = fields.into_iter().filter(|(name, value)| !is_default(name, value));
        said.map(|(name, value)| self.value(&name, &value).map(|value| (name, value)))
            .collect::<Result<_, _>>()
            .map(Entry)
    }

    fn value(&self, name: &str, json: &RawValue) -> Result<Value, Error> {
        match (name, plain(json)?) {
            ("filter" | "schema", value) => Ok(self.readable(json, value)),
            ("examples", _) => {
                let examples: Vec<Box<RawValue>> = parsed(json)?;
                examples.iter().map(|example| Ok(self.readable(example, plain(example)?))).collect()
            }
            ("plugins", _) => {
                let bindings: Vec<super::Fields> = parsed(json)?;
                bindings.into_iter().map(|binding| self.binding(binding)).collect()
            }
            ("headers", Value::Object(headers)) if !self.with_headers => {
                Ok(headers.into_iter().map(|(name, _)| (name, json!({ "keep": true }))).collect())
            }
            (_, value) => Ok(value),
        }
    }

    fn binding(&self, fields: super::Fields) -> Result<Value, Error> {
        // Where a binding says nothing, the plugin's manifest speaks; an empty configuration is something that it says.
        let said = fields.into_iter().filter(|(_, value)| !["null", "[]"].contains(&value.get()));
        let field = |(name, value): (String, Box<RawValue>)| {
            let plain = plain(&value)?;
            let value = if name == "config" { self.readable(&value, plain) } else { plain };
            Ok((name, value))
        };
        said.map(field).collect()
    }

    /// JSON of others as values of the language, if it comes back as it was; else as a text that holds the JSON.
    fn readable(&self, json: &RawValue, value: Value) -> Value {
        let entry = |value| Document {
            endpoints: Some(vec![Entry(vec![("v".to_owned(), value)])]),
            ..Document::default()
        };
        let written = self.format.write(&entry(value.clone())).ok();
        let read = written.and_then(|text| self.format.read(&text).ok()).and_then(|file| file.endpoints);
        let read = read.and_then(|mut all| all.pop()?.remove("v"));
        let is_exact = read.is_some_and(|read| is_same(&raw(&read), json));
        if is_exact && !value.is_string() { value } else { Value::from(json.get()) }
    }
}

/// A number that no number here can hold is not exact, and then its text is taken.
fn plain(json: &RawValue) -> Result<Value, Error> {
    parsed::<Value>(json).or_else(|_| Ok(Value::from(json.get())))
}

fn parsed<T: serde::de::DeserializeOwned>(json: &RawValue) -> Result<T, Error> {
    serde_json::from_str(json.get()).map_err(|error| crate::client::output::not_understood(&error))
}

fn has_kept(Entry(fields): &Entry) -> bool {
    let headers =
        fields.iter().find(|(name, _)| name == "headers").and_then(|(_, headers)| headers.as_object());
    headers.is_some_and(|headers| headers.values().any(Value::is_object))
}

fn not_written(why: &str) -> Error {
    Error::Failed(format!(
        "this configuration cannot be written in this language: {why}; try the other one with --format"
    ))
}

/// For its owner only: URLs and headers may have credentials.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Error::Failed(format!("{}: cannot write this file: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported(format: Format, json: &str) -> Value {
        let exporter = Exporter { format, now: "2024".to_owned(), with_headers: false };
        let endpoint: Current = serde_json::from_str(json).unwrap();
        let Entry(fields) = exporter.endpoint(endpoint).unwrap();
        fields.into_iter().collect()
    }

    #[test]
    fn what_is_default_is_left_out_and_credentials_are_kept_back() {
        let json = r#"{
            "id": "ep_1", "tenant": "acme", "url": "https://a.example/", "description": "", "topics": ["a"], "matcher": null,
            "plugins": [{"plugin": "p", "config": null, "topics": [], "on_failure": null}, {"plugin": "q", "config": {}, "on_failure": "hold"}], "metadata": {}, "rate_limit": 0,
            "ordering": "none", "filter": null, "state": "inactive", "inactive_reason": "failing", "health": "failed",
            "headers": {"a": "s3cret"}, "signature": {"style": "standard"},
            "secrets": [{"id": "sec_1", "type": "hmac-sha256", "expires_at": null}]}"#;
        let expected = json!({
            "tenant": "acme", "url": "https://a.example/", "topics": ["a"],
            "plugins": [{"plugin": "p"}, {"plugin": "q", "config": {}, "on_failure": "hold"}],
            "headers": {"a": {"keep": true}},
        });
        assert_eq!(exported(Format::Toml, &json.replace(": \"standard\"", ":\"standard\"")), expected);
    }

    #[test]
    fn only_what_somebody_decided_is_declared() {
        let endpoint = |reason: &str, secrets: &str| {
            let json = format!(
                r#"{{"id": "ep_1", "tenant": "t", "url": "u", "state": "inactive", "inactive_reason": "{reason}", "secrets": [{secrets}]}}"#
            );
            exported(Format::Yaml, &json)
        };
        let old = r#"{"id": "sec_1", "type": "ed25519", "expires_at": "2023-01-01T00:00:00.000Z"}"#;
        assert_eq!(endpoint("gone", old), json!({ "tenant": "t", "url": "u" }));
        let new = r#"{"id": "sec_2", "type": "ed25519", "expires_at": "2025-01-01T00:00:00.000Z"}"#;
        let both = endpoint("deactivated", &format!("{new},{old}"));
        assert_eq!((&both["state"], &both["secrets"]), (&json!("inactive"), &json!([{ "type": "ed25519" }])));
    }

    #[test]
    fn what_a_language_cannot_say_is_a_text_that_holds_the_json() {
        let config = |format, json: &str| {
            let endpoint = format!(
                r#"{{"tenant": "t", "url": "u", "plugins": [{{"config": {json}}}], "filter": {json}}}"#
            );
            let exported = exported(format, &endpoint);
            assert_eq!(exported["filter"], exported["plugins"][0]["config"]);
            exported["filter"].clone()
        };
        for format in [Format::Toml, Format::Yaml] {
            assert_eq!(config(format, r#"{"a": [1, 2.5, "x"]}"#), json!({ "a": [1, 2.5, "x"] }));
            for exact in [r#"{"a": 12345678901234567890123}"#, r#"{"a": 1.10}"#, r#""text""#] {
                assert_eq!(config(format, exact), exact, "{format:?}");
            }
        }
        assert_eq!(config(Format::Toml, r#"{"a": null}"#), r#"{"a": null}"#);
        assert_eq!(config(Format::Yaml, r#"{"a": null}"#), json!({ "a": null }));
    }
}
