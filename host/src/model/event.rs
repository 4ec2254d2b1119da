//! Events: what the producer told us, and the body that endpoints get unless a plugin says otherwise.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::text::{checked_text, is_word};
use super::{EndpointId, EventKey, TenantId, Topic, TraceContext, UnixMs};

const MAX_ID_LEN: usize = 64;

checked_text!(
    /// The receiver's key for deduplication, sent as `webhook-id`: 1 to 64 characters of `A-Z a-z 0-9 _ -`, from the
    /// producer or made by us. It never has a `.`, which separates the parts of a signed message.
    EventId,
    EventIdError,
    check,
    MAX_ID_LEN,
    "^[A-Za-z0-9_-]+$",
    "order-42"
);

/// Why a text is not an event id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an event id has 1 to {MAX_ID_LEN} characters of A-Z, a-z, 0-9, `_` and `-`")]
pub struct EventIdError;

/// One occurrence, as it was accepted. Never changes.
#[derive(Debug)]
pub struct Event {
    /// Where it stands in the store.
    pub key: EventKey,
    /// Its id: the producer's, or the text of `key`.
    pub id: EventId,
    /// The customer it belongs to.
    pub tenant: TenantId,
    /// What happened.
    pub topic: Topic,
    /// When it happened, as the producer says; otherwise when it was accepted.
    pub timestamp: jiff::Timestamp,
    /// When we accepted it.
    pub accepted_at: UnixMs,
    /// `data`: the exact bytes of the producer, valid JSON.
    pub data: Bytes,
    /// The endpoint that this event tests: it alone gets it, whatever its topics say. `None` for an event of a producer.
    pub test_of: Option<EndpointId>,
    /// The span of the producer that it came from, if the producer said so. Events of one request share it.
    pub trace: Option<Arc<TraceContext>>,
    /// The default body, once it was built.
    pub envelope: EnvelopeCache,
}

/// The default body of an event, built at its first use.
#[derive(Debug, Default)]
pub struct EnvelopeCache(OnceLock<Bytes>);

impl Event {
    /// The default body: `{"event", "event_id", "timestamp", "data"}`, with the bytes of `data` untouched.
    ///
    /// Built once and shared by all deliveries of the event. No part but `data` can need JSON escapes: topics, ids
    /// and timestamps are limited to characters that have none.
    pub fn envelope(&self) -> Bytes {
        self.envelope.0.get_or_init(|| self.build_envelope()).clone()
    }

    fn build_envelope(&self) -> Bytes {
        let Self { topic, id, timestamp, .. } = self;
        let head = format!(r#"{{"event":"{topic}","event_id":"{id}","timestamp":"{timestamp}","data":"#);
        let mut body = Vec::with_capacity(head.len() + self.data.len() + 1);
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&self.data);
        body.push(b'}');
        body.into()
    }
}

impl From<EventKey> for EventId {
    /// The id of an event whose producer gave none.
    fn from(key: EventKey) -> Self {
        Self(key.to_string().into())
    }
}

fn check(text: &str) -> Result<(), EventIdError> {
    if is_word(text, MAX_ID_LEN) { Ok(()) } else { Err(EventIdError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_is_the_payload_of_the_guide() {
        let event = Event {
            key: EventKey::new(UnixMs(1), 1),
            id: "evt_a1b2c3d4".parse().unwrap(),
            tenant: TenantId::default(),
            topic: "orders/created".parse().unwrap(),
            timestamp: "2024-03-15T14:30:00Z".parse().unwrap(),
            accepted_at: UnixMs(1),
            data: Bytes::from_static(br#"{"order_id": "ord_9x8y7z"}"#),
            test_of: None,
            trace: None,
            envelope: EnvelopeCache::default(),
        };
        assert_eq!(
            event.envelope(),
            r#"{"event":"orders/created","event_id":"evt_a1b2c3d4","timestamp":"2024-03-15T14:30:00Z","data":{"order_id": "ord_9x8y7z"}}"#
        );
    }

    #[test]
    fn an_id_that_could_be_mistaken_for_a_signed_message_is_refused() {
        for text in ["", "a.b", "ü", "a b", &"x".repeat(65)] {
            assert!(text.parse::<EventId>().is_err(), "{text:?}");
        }
        assert!("evt_a1b2c3d4".parse::<EventId>().is_ok());
    }
}
