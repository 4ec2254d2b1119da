//! What is said of the list of events.

use http::StatusCode;
use serde_json::json;

use super::{EventRowView, Params};
use crate::api::deliveries::docs::delivery;
use crate::api::page::Page;
use crate::openapi::{Access, Operation, Tag, json};

pub(in crate::api) fn list() -> Operation {
    let page = json!({
        "data": [{
            "event_id": "order-42",
            "topic": "orders/created",
            "tenant": "acme",
            "timestamp": "2024-03-15T14:30:00Z",
            "accepted_at": "2024-03-15T14:30:00.000Z",
            "status": "dispatched",
            "test": false,
            "matched": true,
            "delivery_count": 1,
            "deliveries": [delivery()],
        }],
        "next_cursor": null,
    });
    Operation::new("list_events", Tag::Events, Access::Manager, "List events, newest first")
        .describe("Also those that no endpoint wanted: `matched=false`.")
        .query::<Params>()
        .answer(StatusCode::OK, "A page of events", [json::<Page<EventRowView>>(page)])
}
