//! The event that a plugin looks at.

use serde::de::DeserializeOwned;

use crate::{Error, source};

/// One event on its way to one endpoint. It lives in the gateway: nothing is copied until a method is called.
#[derive(Debug)]
pub struct Event<'a>(pub(crate) source::Event<'a>);

/// A JSON value that a pointer found.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as the nearest 64-bit float.
    Number(f64),
    /// A string, without quotes and escapes.
    Text(String),
    /// An object or an array, as JSON text.
    Json(String),
}

impl Event<'_> {
    /// Unique id, the receiver's key for deduplication: `evt_...`, or the producer's own.
    #[must_use]
    pub fn id(&self) -> String {
        self.0.id()
    }

    /// What happened, for example `orders/created`.
    #[must_use]
    pub fn topic(&self) -> String {
        self.0.topic()
    }

    /// The customer that the event belongs to.
    #[must_use]
    pub fn tenant(&self) -> String {
        self.0.tenant()
    }

    /// When it happened, in milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn timestamp_ms(&self) -> u64 {
        self.0.timestamp_ms()
    }

    /// The bytes of `data`, exactly as the producer sent them: JSON in UTF-8.
    #[must_use]
    pub fn data(&self) -> Vec<u8> {
        self.0.data()
    }

    /// The value at an RFC 6901 pointer into `data`: `/items/0/sku`, or the empty pointer for all of it. `None` when
    /// there is no such value, or when the pointer is malformed.
    #[must_use]
    pub fn get(&self, pointer: &str) -> Option<Value> {
        self.0.get(pointer)
    }

    /// All of `data`, parsed.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `data` does not have the shape of `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.data()).map_err(|error| Error::Invalid(format!("`data`: {error}")))
    }

    /// The body that would be sent as it stands now: the envelope `{"event", "event_id", "timestamp", "data"}`, or what
    /// the transform before this one made of it, which need not be JSON.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.0.body()
    }
}

impl Value {
    /// The boolean, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        if let Self::Number(value) = self { Some(*value) } else { None }
    }

    /// The text, if it is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Text(value) = self { Some(value) } else { None }
    }

    /// An object or array, parsed; `None` for anything else, or when it does not have the shape of `T`.
    #[must_use]
    pub fn parse<T: DeserializeOwned>(&self) -> Option<T> {
        if let Self::Json(text) = self { serde_json::from_str(text).ok() } else { None }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn a_pointer_finds_what_rfc_6901_says() {
        let event = Event::test(
            "orders/created",
            json!({"a/b": 1, "m~n": true, "": "empty", "items": [{"sku": "x"}, null], "f": 1.5}),
        );
        assert_eq!(event.get("/a~1b"), Some(Value::Number(1.0)));
        assert_eq!(event.get("/m~0n"), Some(Value::Bool(true)));
        assert_eq!(event.get("/"), Some(Value::Text("empty".into())));
        assert_eq!(event.get("/items/0"), Some(Value::Json(r#"{"sku":"x"}"#.into())));
        assert_eq!(event.get("/items/1"), Some(Value::Null));
        for nothing in ["/nope", "/items/2", "/items/-", "/items/00", "items", "/f/x", "/items/0/sku/x"] {
            assert_eq!(event.get(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn data_and_body_are_the_bytes_that_were_given() {
        let data = br#"{"n": 123456789012345678901234567890}"#;
        let event = Event::test("a", json!(null)).with_id("evt_1").with_data(data).with_timestamp_ms(0);
        assert_eq!(event.data(), data);
        let body = r#"{"event":"a","event_id":"evt_1","timestamp":"1970-01-01T00:00:00Z","data":{"n": 123456789012345678901234567890}}"#;
        assert_eq!(String::from_utf8(event.body()).unwrap(), body);
        assert_eq!(event.with_body("not json").body(), b"not json");
    }

    #[test]
    fn json_of_another_shape_is_invalid_for_ever() {
        let event = Event::test("a", json!({"n": "text"}));
        let result = event.json::<std::collections::BTreeMap<String, u32>>();
        assert!(
            matches!(result, Err(Error::Invalid(message)) if message.starts_with("`data`: invalid type"))
        );
    }
}
