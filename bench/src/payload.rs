//! What is sent: events of about a size, each with its number in a fixed place.
//!
//! Small ones are orders as shops send them; larger ones are recorded events where those are there, one alone or some in a
//! list, so that they have the depth and the texts of real ones.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use hookway_tests::events;
use serde_json::{Value, json};

/// The topic of every event.
pub(crate) const TOPIC: &str = "orders/created";
/// Before the number, in the body that is sent and in the one that arrives.
const MARK: &[u8] = br#""bench_number":""#;
const DIGITS: usize = 10;
/// Before the topic.
const BEGIN: &[u8] = br#"{"event":""#;
/// The number stands near the beginning, behind the envelope.
const SEARCHED: usize = 512;

/// An event without its number.
#[derive(Debug, Clone)]
pub(crate) struct Payload {
    topic: Topic,
    head: Vec<u8>,
    tail: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Topic {
    /// [`TOPIC`].
    Usual,
    /// One of so many below a name, by the number of the event.
    OneOf(&'static str, usize),
}

impl Payload {
    /// An event of about this many bytes.
    ///
    /// # Errors
    /// The recorded events cannot be read.
    pub(crate) fn of_size(bytes: usize) -> Result<Self> {
        let order = json!({
            "total": 120.5,
            "currency": "EUR",
            "customer": { "email": "jane@example.com", "name": "Jane Doe", "vip": true },
            "items": [{ "sku": "A-100", "count": 2 }, { "sku": "B-7", "count": 1 }],
            "note": "leave at the door ".repeat(8),
        });
        let data = if bytes <= 1024 { order } else { recorded(order, bytes)? };
        let data = serde_json::to_string(&data)?;
        let rest = data.strip_prefix('{').context("data is an object")?;
        let head = format!(r#"","data":{{{}"#, String::from_utf8_lossy(MARK));
        let tail = format!("\",{rest}}}").into_bytes();
        Ok(Self { topic: Topic::Usual, head: head.into_bytes(), tail })
    }

    /// The same with topics `NAME/0`, `NAME/1` and so on, in turn.
    pub(crate) const fn spread(mut self, name: &'static str, count: usize) -> Self {
        self.topic = Topic::OneOf(name, count);
        self
    }

    /// The body of the event with this number.
    pub(crate) fn body(&self, number: usize) -> Bytes {
        let mut body = Vec::with_capacity(self.size());
        body.extend_from_slice(BEGIN);
        match self.topic {
            Topic::Usual => body.extend_from_slice(TOPIC.as_bytes()),
            Topic::OneOf(name, count) => {
                body.extend_from_slice(format!("{name}/{}", number % count).as_bytes());
            }
        }
        body.extend_from_slice(&self.head);
        body.extend_from_slice(format!("{number:0DIGITS$}").as_bytes());
        body.extend_from_slice(&self.tail);
        body.into()
    }

    /// Bytes of a body with the usual topic.
    pub(crate) const fn size(&self) -> usize {
        BEGIN.len() + TOPIC.len() + self.head.len() + DIGITS + self.tail.len()
    }
}

/// The number of the event in a body that arrived.
pub(crate) fn number(body: &[u8]) -> Option<usize> {
    let searched = &body[..body.len().min(SEARCHED)];
    let at = searched.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    std::str::from_utf8(body.get(at..at + DIGITS)?).ok()?.parse().ok()
}

/// An order with recorded events in it, until it has the size.
fn recorded(mut order: Value, bytes: usize) -> Result<Value> {
    let size = |value: &Value| value.to_string().len();
    let mut left = bytes.saturating_sub(size(&order));
    let mut chosen = Vec::new();
    for event in events::load(&events::recorded())? {
        if size(&event) <= left {
            left -= size(&event);
            chosen.push(event);
        }
    }
    order["events"] = Value::Array(chosen);
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_again_in_the_body_and_in_its_envelope() {
        for size in [500, 8_000, 64_000] {
            let payload = Payload::of_size(size).unwrap();
            let body = payload.body(1_234_567);
            let parsed: Value = serde_json::from_slice(&body).unwrap();
            let envelope = format!(r#"{{"event":"{TOPIC}","event_id":"e","data":{}}}"#, parsed["data"]);
            assert_eq!((body.len(), number(&body)), (payload.size(), Some(1_234_567)));
            assert_eq!(number(envelope.as_bytes()), Some(1_234_567));
            assert!(body.len() <= size + size / 5, "{} for {size}", body.len());
        }
        assert_eq!(number(br#"{"event":"orders/created","data":1}"#), None);
    }
}
