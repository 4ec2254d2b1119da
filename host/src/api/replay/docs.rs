//! What is said of replaying an event.

use http::StatusCode;
use serde_json::json;

use super::{Input, Replayed};
use crate::api::deliveries::docs::delivery;
use crate::api::events::Params;
use crate::api::events::docs::ID;
use crate::model::EventId;
use crate::openapi::refusal::NOT_DISPATCHED;
use crate::openapi::{Access, Operation, Tag, json};

pub(in crate::api) fn replay() -> Operation {
    let replayed = json!({ "event_id": "order-42", "deliveries": [delivery()], "not_matched": [] });
    Operation::new("replay_event", Tag::Events, Access::Manager, "Deliver an event anew")
        .describe(
            "It is matched and judged by the endpoints, filters and plugins of now; each endpoint that wants it gets a new delivery of the \
             same event, with the same `webhook-id`. Two replays are two deliveries.",
        )
        .path::<EventId>("id", ID)
        .query::<Params>()
        .body(json::<Input>(json!({ "endpoints": ["ep_01JDB6ZK3V8M2Q4R5S6T7V8W9X"] })))
        .optional_body()
        .answer(StatusCode::ACCEPTED, "What came of it", [json::<Replayed>(replayed)])
        .with_location("The path of the event")
        .refuse(&[NOT_DISPATCHED])
}
