//! A CloudEvent as one JSON object: `application/cloudevents+json`, and each element of a batch.

use std::borrow::Cow;
use std::fmt::{self, Display};

use bytes::Bytes;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Attributes, event};
use crate::http::{Caller, Problem, parse};
use crate::model::UnixMs;
use crate::store::NewEvent;

/// The members of the object, in their order.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// The CloudEvent in `json`, a part of `body`; its bytes become the event's `data`.
///
/// # Errors
/// 400 for what is no JSON or too deep; 422 for an attribute that is missing or cannot be taken, and for names that no
/// attribute has; 403 for a tenant that the caller may not post for.
pub(in crate::ingest) fn read(
    json: &str,
    body: &Bytes,
    caller: &Caller,
    now: UnixMs,
) -> Result<NewEvent, Problem> {
    let members: Members<'_> = parse(json)?;
    members.check_names()?;
    if members.get("data").is_some() && members.get("data_base64").is_some() {
        return Err(members.refuse("data_base64", &"it stands in place of `data`: send one or the other"));
    }
    if let Some(text) = members.text("data_base64")? {
        let is_base64 = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
        if !is_base64 {
            return Err(members.refuse("data_base64", &"it is not base64"));
        }
    }
    event(&members, body.slice_ref(json.trim_ascii().as_bytes()), caller, now)
}

impl Members<'_> {
    /// `null` is as if it were not there, says the JSON format; as payload it is one.
    fn get(&self, name: &str) -> Option<&RawValue> {
        let (_, value) = self.0.iter().find(|(given, _)| given == name)?;
        (name == "data" || value.get() != "null").then_some(*value)
    }

    fn check_names(&self) -> Result<(), Problem> {
        for (index, (name, _)) in self.0.iter().enumerate() {
            let mut letters = name.bytes();
            let is_name = letters.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
            if (name.is_empty() || !is_name) && name != "data_base64" {
                let detail = "the name of an attribute has the letters a-z and digits only";
                return Err(self.refuse(name, &detail));
            }
            if self.0[..index].iter().any(|(other, _)| other == name) {
                return Err(self.refuse(name, &"it is given twice"));
            }
        }
        Ok(())
    }
}

impl Attributes for Members<'_> {
    fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        let text = self.get(name).map(|value| serde_json::from_str(value.get())).transpose();
        text.map_err(|_| self.refuse(name, &"it is a text"))
    }

    fn refuse(&self, name: &str, detail: &dyn Display) -> Problem {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        Problem::invalid(pointer, format!("the attribute `{name}`: {detail}"))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OfObject)
    }
}

struct OfObject;

/// A name, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for OfObject {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CloudEvent, which is an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some((Name(name), value)) = map.next_entry()? {
            if members.len() == MAX_MEMBERS {
                return Err(de::Error::custom(format!(
                    "a CloudEvent has at most {MAX_MEMBERS} attributes here"
                )));
            }
            members.push((name, value));
        }
        Ok(Members(members))
    }
}

/// Far more than the ten or so of real ones; each is compared with each.
const MAX_MEMBERS: usize = 100;
