//! What differs between two values of JSON, place by place.
//!
//! Values are compared as everywhere in the gateway ([`crate::json`]): numbers exactly, keys in any order. Arrays are laid
//! beside each other where they have most in common, so that an element that comes first is one change and not many.

use std::cmp::Ordering;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::json::{Document, Inside, Value, escape};

/// Changes that are told of one body.
const MAX_CHANGES: usize = 50;
/// Bytes of a value that are told.
const MAX_SHOWN: usize = 512;
/// Arrays with more elements are compared element by element: finding what they have in common takes quadratic time.
const MAX_ALIGNED: usize = 500;

/// One place at which two JSON texts differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PluginJsonChange")]
pub struct JsonChange {
    /// A JSON pointer. Elements are counted in the candidate's array, and those that only the live version has in its own.
    pub pointer: String,
    /// The value in the live version's body; absent if there is none. One of more than 512 bytes is a text of its beginning.
    #[serde(serialize_with = "as_json", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub live: Option<String>,
    /// The same of the candidate.
    #[serde(serialize_with = "as_json", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub candidate: Option<String>,
}

/// The first changes, and how many there are beyond them.
pub(super) fn changes(live: &Document, candidate: &Document) -> (Vec<JsonChange>, usize) {
    let mut found = Changes { all: Vec::new(), left_out: 0, pointer: String::new() };
    if let (Some(live), Some(candidate)) = (live.value(), candidate.value()) {
        found.compare(&live, &candidate);
    }
    (found.all, found.left_out)
}

struct Changes {
    all: Vec<JsonChange>,
    left_out: usize,
    /// Where it is looked at.
    pointer: String,
}

impl Changes {
    fn compare(&mut self, live: &Value<'_>, candidate: &Value<'_>) {
        match (live, candidate) {
            (Value::Object(a), Value::Object(b)) => self.members(*a, *b),
            (Value::Array(a), Value::Array(b)) => self.elements(*a, *b),
            (a, b) if a == b => {}
            (a, b) => self.note(Some(a), Some(b)),
        }
    }

    /// Both are sorted by key.
    fn members(&mut self, live: Inside<'_>, candidate: Inside<'_>) {
        let (mut live, mut candidate) = (live.members().peekable(), candidate.members().peekable());
        loop {
            let order = match (live.peek(), candidate.peek()) {
                (None, None) => return,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((a, _)), Some((b, _))) => a.cmp(b),
            };
            let a = if order.is_le() { live.next() } else { None };
            let b = if order.is_ge() { candidate.next() } else { None };
            let key = a.as_ref().or(b.as_ref()).map(|(key, _)| escape(key)).unwrap_or_default();
            self.at(&key, a.as_ref().map(|(_, value)| value), b.as_ref().map(|(_, value)| value));
        }
    }

    fn elements(&mut self, live: Inside<'_>, candidate: Inside<'_>) {
        let (live, candidate): (Vec<_>, Vec<_>) = (live.elements().collect(), candidate.elements().collect());
        if live.len().max(candidate.len()) > MAX_ALIGNED {
            self.side_by_side(&live, 0, &candidate, 0);
            return;
        }
        let keys = |values: &[Value<'_>]| values.iter().map(canonical).collect::<Vec<_>>();
        for op in capture_diff_slices(Algorithm::Myers, &keys(&live), &keys(&candidate)) {
            if !matches!(op, DiffOp::Equal { .. }) {
                let (old, new) = (op.old_range(), op.new_range());
                let (first, second) = (old.start, new.start);
                self.side_by_side(&live[old], first, &candidate[new], second);
            }
        }
    }

    /// Elements that stand for each other, each list counted from its first number on.
    fn side_by_side(&mut self, live: &[Value<'_>], first: usize, candidate: &[Value<'_>], second: usize) {
        for n in 0..live.len().max(candidate.len()) {
            let (a, b) = (live.get(n), candidate.get(n));
            let index = if b.is_some() { second + n } else { first + n };
            self.at(&index.to_string(), a, b);
        }
    }

    fn at(&mut self, token: &str, live: Option<&Value<'_>>, candidate: Option<&Value<'_>>) {
        let before = self.pointer.len();
        let _ = write!(self.pointer, "/{token}");
        match (live, candidate) {
            (Some(live), Some(candidate)) => self.compare(live, candidate),
            (live, candidate) => self.note(live, candidate),
        }
        self.pointer.truncate(before);
    }

    fn note(&mut self, live: Option<&Value<'_>>, candidate: Option<&Value<'_>>) {
        // Keys can be as long as a body.
        if self.all.len() == MAX_CHANGES || self.pointer.len() > MAX_SHOWN {
            self.left_out += 1;
            return;
        }
        let (live, candidate) = (live.map(shown), candidate.map(shown));
        self.all.push(JsonChange { pointer: self.pointer.clone(), live, candidate });
    }
}

fn canonical(value: &Value<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.canonical(&mut |part| bytes.extend_from_slice(part));
    bytes
}

/// The value as JSON.
fn shown(value: &Value<'_>) -> String {
    let text = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(text) => (*text).to_owned(),
        Value::Text(text) => quoted(text),
        Value::Array(inside) | Value::Object(inside) => inside.text().to_owned(),
    };
    if text.len() <= MAX_SHOWN { text } else { quoted(&format!("{}…", beginning(&text))) }
}

fn beginning(text: &str) -> &str {
    let end = (0..=MAX_SHOWN).rev().find(|&end| text.is_char_boundary(end)).unwrap_or_default();
    &text[..end]
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn as_json<S: Serializer>(json: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    let raw = json.as_deref().map(serde_json::from_str::<&RawValue>).transpose();
    raw.map_err(serde::ser::Error::custom)?.serialize(serializer)
}
