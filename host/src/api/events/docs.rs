//! What is said of looking at events.

use http::StatusCode;
use serde_json::json;

use super::{EventView, Params};
use crate::api::deliveries::docs::delivery;
use crate::model::EventId;
use crate::openapi::{Access, Operation, Tag, json};

pub(in crate::api) const ID: &str = "The id of an event.";

pub(in crate::api) fn get() -> Operation {
    Operation::new("get_event", Tag::Events, Access::Manager, "Get an event with its deliveries")
        .describe("One that is `dispatched` and has no deliveries is one that no endpoint wanted.")
        .path::<EventId>("id", ID)
        .query::<Params>()
        .answer(
            StatusCode::OK,
            "The event",
            [json::<EventView>(json!({
                "event_id": "order-42",
                "topic": "orders/created",
                "tenant": "acme",
                "timestamp": "2024-03-15T14:30:00Z",
                "accepted_at": "2024-03-15T14:30:00.000Z",
                "data": { "total": 99 },
                "status": "dispatched",
                "test": false,
                "deliveries": [delivery()],
            }))],
        )
}
