//! What is said of testing an endpoint.

use http::StatusCode;
use serde_json::json;

use super::{Input, Sent};
use crate::api::endpoints::docs::ID;
use crate::model::EndpointId;
use crate::openapi::{Access, Operation, Tag, json};

pub(in crate::api) fn send() -> Operation {
    Operation::new("test_endpoint", Tag::Endpoints, Access::Manager, "Send a test to an endpoint")
        .describe(
            "One event for this endpoint alone, whatever its topics say. For the rest it goes the way of every event: filter, \
             plugins, limits, order, signature, retries and log. The delivery is in the log some milliseconds later.",
        )
        .path::<EndpointId>("id", ID)
        .body(json::<Input>(json!({ "event": "orders/created", "data": { "total": 99 } })))
        .optional_body()
        .answer(StatusCode::ACCEPTED, "The test is on stable storage", [json::<Sent>(json!({
            "event_id": "evt_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
            "delivery_id": "dlv_01JDB6ZK3V8M2Q4R5S6T7V8W9X_0",
            "topic": "orders/created",
        }))])
        .with_location("The path of the event")
}
