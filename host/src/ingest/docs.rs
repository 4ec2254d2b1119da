//! What is said of `POST /v1/events`.

use http::StatusCode;
use serde_json::json;

use super::event::Input;
use super::handler::Taken;
use crate::openapi::refusal::{ID_REUSED, INVALID_IDEMPOTENCY_KEY, SCHEMA_MISMATCH, UNKNOWN_TOPIC};
use crate::openapi::{Access, Content, Operation, Tag, json, text};

pub(super) fn post_events() -> Operation {
    let event = json!({ "event": "orders/created", "event_id": "order-42", "data": { "total": 99 } });
    let lines = concat!(
        r#"{"event":"orders/created","event_id":"order-42","data":{"total":99}}"#,
        "\n",
        r#"{"event":"orders/created","event_id":"order-43","data":{"total":7}}"#,
        "\n",
    );
    let one = json!({ "event_id": "order-42", "duplicate": false });
    let many = json!({ "accepted": 1, "duplicates": 1, "events": [
        { "event_id": "order-42", "duplicate": true },
        { "event_id": "order-43", "duplicate": false },
    ]});
    Operation::new("send_events", Tag::Events, Access::Producer, "Send one event or many")
        .describe(
            "Answered once all of them are on stable storage. The same `event_id`, or the same `Idempotency-Key`, with the same \
             content again is answered like the first time, with `duplicate: true`, and stored once.",
        )
        .header::<String>("Idempotency-Key", "With one event: 1 to 255 visible ASCII characters that stand for it.")
        .body(json::<Input<'_>>(event))
        .body(text("application/x-ndjson", lines))
        .answer(StatusCode::ACCEPTED, "The event, or all of them, are on stable storage", [
            Content::of::<Taken>("application/json").example("one", one).example("many", many),
        ])
        .refuse(&[ID_REUSED, INVALID_IDEMPOTENCY_KEY, SCHEMA_MISMATCH, UNKNOWN_TOPIC])
}
