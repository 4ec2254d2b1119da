//! One level of a JSON text, its parts untouched.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object or the elements of an array, in order.
pub(crate) struct Parts<'a>(pub(crate) Vec<Part<'a>>);

pub(crate) struct Part<'a> {
    /// The name as it was written, quotes and escapes included; `None` in an array.
    pub(crate) key: Option<&'a RawValue>,
    /// What a pointer calls it.
    pub(crate) segment: Cow<'a, str>,
    pub(crate) value: &'a RawValue,
}

impl<'a> Parts<'a> {
    /// Takes an object or array apart.
    pub(crate) fn of(value: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(value)
    }
}

impl<'de> Deserialize<'de> for Parts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Level;
        impl<'de> Visitor<'de> for Level {
            type Value = Parts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or an array")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut parts = Vec::new();
                while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    let segment = name(key).map_err(A::Error::custom)?;
                    parts.push(Part { key: Some(key), segment, value });
                }
                Ok(Parts(parts))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut parts = Vec::new();
                while let Some(value) = seq.next_element()? {
                    parts.push(Part { key: None, segment: parts.len().to_string().into(), value });
                }
                Ok(Parts(parts))
            }
        }
        deserializer.deserialize_any(Level)
    }
}

/// What a key says.
fn name(key: &RawValue) -> Result<Cow<'_, str>, serde_json::Error> {
    match key.get().strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(text) if !text.contains('\\') => Ok(Cow::Borrowed(text)),
        _ => serde_json::from_str(key.get()).map(Cow::Owned),
    }
}
