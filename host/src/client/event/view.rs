//! An event as the API gives it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::delivery::Delivery;

/// An event with its deliveries.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct Event {
    pub(super) event_id: String,
    pub(super) topic: String,
    pub(super) tenant: String,
    timestamp: String,
    pub(super) accepted_at: String,
    data: Box<RawValue>,
    pub(super) status: String,
    pub(super) deliveries: Vec<Delivery>,
}

impl Event {
    /// Its `data`, as it was posted.
    pub(in crate::client) fn data(&self) -> &str {
        self.data.get()
    }

    /// The body that is sent unless a transform makes another.
    pub(in crate::client) fn envelope(&self) -> String {
        let Self { topic, event_id, timestamp, data, .. } = self;
        format!(r#"{{"event":"{topic}","event_id":"{event_id}","timestamp":"{timestamp}","data":{data}}}"#)
    }

    /// Whether it was matched to the endpoints already.
    pub(super) fn is_dispatched(&self) -> bool {
        self.status == "dispatched"
    }
}
