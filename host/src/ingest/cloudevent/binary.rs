//! A CloudEvent whose attributes are `ce-` headers and whose payload is the body.
//!
//! It becomes what it would be in structured mode: a payload that is JSON stands in `data` as it is, other text in `data` as a
//! string, and all else in `data_base64`.

use std::collections::BTreeMap;
use std::fmt::Display;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use serde_json::value::{RawValue, to_raw_value};

use super::{Attributes, event};
use crate::http::{Caller, Problem, parse, text};
use crate::model::UnixMs;
use crate::store::NewEvent;

/// How the headers of attributes begin.
const PREFIX: &str = "ce-";
/// One of them says that a CloudEvent is meant.
const TELLING: [&str; 4] = ["ce-specversion", "ce-type", "ce-source", "ce-id"];

/// The attributes, by name: proxies may change the order of headers, and the same event has to have the same bytes again.
struct Headers(BTreeMap<String, String>);

/// Whether the headers are those of a CloudEvent, whatever is missing. Types of CloudEvents that are not read here are none.
pub(in crate::ingest) fn is_meant(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(|value| value.as_bytes().to_ascii_lowercase());
    let is_other_mode = kind.is_some_and(|kind| kind.starts_with(b"application/cloudevents"));
    !is_other_mode && TELLING.iter().any(|name| headers.contains_key(*name))
}

/// The CloudEvent with these headers and this payload.
///
/// # Errors
/// 400 for a payload that is not what its type says; 422 for an attribute that is missing or cannot be taken; 403 for a tenant
/// that the caller may not post for.
pub(in crate::ingest) fn read(
    headers: &HeaderMap,
    body: &Bytes,
    caller: &Caller,
    now: UnixMs,
) -> Result<NewEvent, Problem> {
    let kind = headers
        .get(CONTENT_TYPE)
        .map(decoded)
        .transpose()
        .map_err(|detail| refused("content-type", &detail))?;
    let attributes = Headers::of(headers)?;
    // Checked first, so that an attribute that is missing is said before what is wrong with a payload.
    let event = event(&attributes, Bytes::new(), caller, now)?;
    let data = attributes.in_json(kind.as_deref(), body)?;
    // The JSON of both together: names that occur twice and depth are checked where all JSON is.
    parse::<&RawValue>(&data)?;
    Ok(NewEvent { data: data.into(), ..event })
}

impl Headers {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut attributes = BTreeMap::new();
        for (header, value) in headers {
            let Some(name) = header.as_str().strip_prefix(PREFIX) else { continue };
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !is_name || ["data", "datacontenttype"].contains(&name) {
                return Err(refused(header.as_str(), &"no attribute has this name"));
            }
            let value = decoded(value).map_err(|detail| refused(header.as_str(), &detail))?;
            if attributes.insert(name.to_owned(), value).is_some() {
                return Err(refused(header.as_str(), &"it is given twice"));
            }
        }
        Ok(Self(attributes))
    }

    /// The CloudEvent in its JSON format.
    fn in_json(&self, kind: Option<&str>, body: &Bytes) -> Result<String, Problem> {
        let kind_attribute = kind.map(|kind| ("datacontenttype", kind));
        let attributes =
            self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(kind_attribute);
        let mut members = Vec::new();
        for (name, value) in attributes {
            members.push(member(name, &raw(value)?));
        }
        if !body.is_empty() {
            members.push(if kind.is_none_or(is_json) {
                member("data", parse(text(body)?)?)
            } else if let Ok(text) = std::str::from_utf8(body) {
                member("data", &raw(text)?)
            } else {
                member("data_base64", &raw(&STANDARD.encode(body))?)
            });
        }
        Ok(format!("{{{}}}", members.join(",")))
    }
}

impl Attributes for Headers {
    fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        Ok(self.0.get(name).cloned())
    }

    fn refuse(&self, name: &str, detail: &dyn Display) -> Problem {
        refused(&format!("{PREFIX}{name}"), detail)
    }
}

fn refused(header: &str, detail: &dyn Display) -> Problem {
    Problem::new(
        http::StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_field",
        format!("the header `{header}`: {detail}"),
    )
}

/// Names of attributes need no escapes.
fn member(name: &str, value: &RawValue) -> String {
    format!("\"{name}\":{value}")
}

fn raw(text: &str) -> Result<Box<RawValue>, Problem> {
    to_raw_value(text).map_err(|error| Problem::internal(&error))
}

/// `application/json`, `text/json`, and every type that ends with `+json`.
fn is_json(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}

/// The value of a header as the HTTP binding has it (section 3.1.3.2): perhaps in quotes, with `%` and two hex digits for each byte
/// of UTF-8 that a header does not take.
fn decoded(value: &HeaderValue) -> Result<String, &'static str> {
    let bytes = value.as_bytes();
    let quoted = bytes.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = quoted.unwrap_or(bytes).iter();
    while let Some(&byte) = rest.next() {
        match byte {
            b'%' => decoded.push(hex(rest.next(), rest.next()).ok_or("after `%` stand two hex digits")?),
            b'\\' if quoted.is_some() => decoded.push(*rest.next().ok_or("it ends with `\\`")?),
            byte => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).map_err(|_| "it is not UTF-8")
}

fn hex(high: Option<&u8>, low: Option<&u8>) -> Option<u8> {
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}
