//! Masks or drops parts of the body, named by JSON pointers in which `*` stands for every member and element.
//!
//! The body is never parsed as a whole: only what lies on the way to a pointer is taken apart, and everything else
//! is copied as it was written, key order and numbers of any length included. A member that is written twice is
//! redacted twice.

mod json;
mod pointer;

use hookway_plugin::{Endpoint, Error, Event, Outcome, Transform};
use json::Parts;
use pointer::{Action, Node};
use serde::Deserialize;
use serde::de::{Error as _, IgnoredAny};
use serde_json::value::RawValue;

/// What stands where something was masked, unless the configuration says otherwise.
const DEFAULT_MASK: &str = r#""***""#;

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Values to replace.
    #[serde(default)]
    mask: Vec<String>,
    /// Members and elements to leave out.
    #[serde(default)]
    drop: Vec<String>,
    /// What to replace them with: any JSON value.
    with: Option<Box<RawValue>>,
}

/// The transform.
#[derive(Debug)]
pub struct Redact {
    pointers: Node,
    mask: String,
}

impl Transform for Redact {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        if config.mask.is_empty() && config.drop.is_empty() {
            return Err(
                "`mask` and `drop` name nothing: give at least one pointer, such as `/data/card/number`"
                    .into(),
            );
        }
        let mut pointers = Node::default();
        for (index, pointer) in config.mask.iter().enumerate() {
            pointers
                .add(pointer, Action::Mask)
                .map_err(|why| format!("`mask[{index}]` is `{pointer}`: {why}"))?;
        }
        for (index, pointer) in config.drop.iter().enumerate() {
            pointers
                .add(pointer, Action::Drop)
                .map_err(|why| format!("`drop[{index}]` is `{pointer}`: {why}"))?;
        }
        Ok(Self { pointers, mask: config.with.map_or(DEFAULT_MASK.into(), |with| with.get().into()) })
    }

    fn transform(&self, event: &Event, _to: &Endpoint) -> Result<Outcome, Error> {
        let body = event.body();
        let not_json =
            |error| Error::Invalid(format!("the body is not JSON, so nothing can be redacted: {error}"));
        let text = std::str::from_utf8(&body).map_err(|error| not_json(serde_json::Error::custom(error)))?;
        let mut out = String::with_capacity(body.len());
        let changed = self.rewrite(text.trim_ascii(), &[&self.pointers], &mut out).map_err(not_json)?;
        Ok(if changed { Outcome::body(out) } else { Outcome::Unchanged })
    }
}

impl Redact {
    /// Writes a value to `out` without what `nodes` name; whether anything was changed. Reading its parts is what tells
    /// whether it is JSON: one pass over it, and one more over each part that something lies in.
    fn rewrite(&self, value: &str, nodes: &[&Node], out: &mut String) -> Result<bool, serde_json::Error> {
        let (open, close) = match value.as_bytes().first() {
            Some(b'{') => ('{', '}'),
            Some(b'[') => ('[', ']'),
            _ => {
                serde_json::from_str::<IgnoredAny>(value)?;
                out.push_str(value);
                return Ok(false);
            }
        };
        let mut changed = false;
        out.push(open);
        let start = out.len();
        for part in Parts::of(value)?.0 {
            let found: Vec<&Node> = nodes.iter().flat_map(|node| node.step(&part.segment)).collect();
            let action = found.iter().filter_map(|node| node.action()).max();
            if action == Some(Action::Drop) {
                changed = true;
                continue;
            }
            if out.len() > start {
                out.push(',');
            }
            if let Some(key) = part.key {
                out.push_str(key.get());
                out.push(':');
            }
            match action {
                Some(_) => {
                    out.push_str(&self.mask);
                    changed = true;
                }
                None if found.is_empty() => out.push_str(part.value.get()),
                None => changed |= self.rewrite(part.value.get(), &found, out)?,
            }
        }
        out.push(close);
        Ok(changed)
    }
}

hookway_plugin::export!(transform: Redact);

#[cfg(test)]
mod tests;
