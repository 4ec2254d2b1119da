//! Which line of an ordered endpoint an event belongs to, by the value at the place that the endpoint names.
//!
//! Values are compared as JSON, not by their spelling: `1` and `1.0` are the same, `1` and `"1"` are not, and the order of
//! an object's keys is without meaning. Events that have no value there are a line of their own, apart from those that
//! have `null`.

use sha2::{Digest as _, Sha256};

use crate::json::{Document, Value};
use crate::model::{Endpoint, Line, Ordering, OrderingKey};

/// Comes before the bytes of the value, so that none is not the same as any.
const PRESENT: u8 = 1;
const ABSENT: u8 = 0;

/// The line of an event with this `data`; `None` if the endpoint has no order.
#[must_use]
pub fn line(endpoint: &Endpoint, data: &Document) -> Option<Line> {
    match (endpoint.ordering, &endpoint.ordering_key) {
        (Ordering::None, _) => None,
        (Ordering::Fifo, None) => Some(Line::WHOLE),
        (Ordering::Fifo, Some(key)) => Some(line_by(key, data)),
    }
}

fn line_by(key: &OrderingKey, data: &Document) -> Line {
    Line { order: key.order(), key: hash(data.get(key.as_str()).as_ref()) }
}

/// The first 128 bits of SHA-256: nobody finds two values that share a line by chance.
fn hash(value: Option<&Value<'_>>) -> u128 {
    let mut hash = Sha256::new();
    match value {
        Some(value) => {
            hash.update([PRESENT]);
            value.canonical(&mut |part| hash.update(part));
        }
        None => hash.update([ABSENT]),
    }
    hash.finalize().into_iter().take(16).fold(0, |number, byte| number << 8 | u128::from(byte))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::{EndpointId, TenantId, UnixMs};

    fn endpoint(ordering: Ordering, key: Option<&str>) -> Endpoint {
        let url = "https://example.com".parse().unwrap();
        let blank = Endpoint::new(EndpointId::from_u128(1), TenantId::default(), url, UnixMs(0));
        Endpoint { ordering, ordering_key: key.map(|key| key.parse().unwrap()), ..blank }
    }

    fn line_of(key: &str, data: &'static str) -> Line {
        line(&endpoint(Ordering::Fifo, Some(key)), &Document::new(Bytes::from_static(data.as_bytes())))
            .unwrap()
    }

    #[test]
    fn equal_values_share_a_line_however_they_are_spelled() {
        let one = line_of("/customer/id", r#"{"customer": {"id": 1}}"#);
        assert_eq!(line_of("/customer/id", r#"{"x": 2, "customer":{"id":1.0}}"#), one);
        assert_ne!(line_of("/customer/id", r#"{"customer": {"id": "1"}}"#), one);
        assert_ne!(line_of("/customer/id", r#"{"customer": {"id": 2}}"#), one);
        assert_eq!(line_of("/a", r#"{"a": {"x": 1, "y": [2]}}"#), line_of("/a", r#"{"a":{"y":[2],"x":1}}"#));
    }

    #[test]
    fn events_without_a_value_are_a_line_of_their_own() {
        let none = line_of("/id", "{}");
        assert_eq!(line_of("/id", "[]"), none);
        assert_eq!(line_of("/id", "7"), none);
        assert_ne!(line_of("/id", r#"{"id": null}"#), none);
        assert_ne!(line_of("/id", r#"{"id": ""}"#), none);
    }

    #[test]
    fn without_a_key_the_endpoint_is_one_line_and_without_an_order_it_has_none() {
        let data = Document::new(Bytes::from_static(b"{}"));
        assert_eq!(line(&endpoint(Ordering::Fifo, None), &data), Some(Line::WHOLE));
        assert_eq!(line(&endpoint(Ordering::None, None), &data), None);
    }

    #[test]
    fn a_key_of_the_most_steps_is_looked_up() {
        let key = "/0".repeat(32);
        let deep = |value: &str| format!("{}{value}{}", "[".repeat(32), "]".repeat(32));
        let endpoint = endpoint(Ordering::Fifo, Some(&key));
        let of = |value| line(&endpoint, &Document::new(Bytes::from(deep(value))));
        assert_ne!(of("1"), of("2"));
    }
}
