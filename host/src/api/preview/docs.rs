//! What is said of previews.

use http::StatusCode;
use serde_json::json;

use super::Params;
use crate::api::preview_input::Input;
use crate::api::preview_view::PreviewView;
use crate::openapi::refusal::{NOT_FOUND, SCHEMA_MISMATCH};
use crate::openapi::{Access, Operation, Tag, json};

pub(in crate::api) fn show() -> Operation {
    let body = json::<Input>(json!({ "event": "orders/created", "data": { "total": 99 } }))
        .example("one that is stored", json!({ "event_id": "order-42" }));
    let preview = json!({
        "event_id": "order-42",
        "topic": "orders/created",
        "tenant": "acme",
        "timestamp": "2024-03-15T14:30:00Z",
        "stored": true,
        "of_this_moment": ["webhook-timestamp", "webhook-signature", "hookway-delivery-id"],
        "data": [{
            "endpoint_id": "ep_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
            "url": "https://example.com/hook",
            "matches": true,
            "status": "pending",
            "reason": null,
            "filter": { "duration_us": 4 },
            "plugins": [
                { "plugin": "cel-filter", "version": "9f86d081884c7d65", "outcome": "passed", "duration_us": 21 },
            ],
            "request": {
                "method": "POST",
                "url": "https://example.com/hook",
                "headers": { "content-type": "application/json", "webhook-id": "order-42" },
                "body": r#"{"event":"orders/created","event_id":"order-42"}"#,
                "body_encoding": "text",
            },
        }],
        "next_cursor": null,
    });
    Operation::new("preview_event", Tag::Events, Access::Manager, "Show what would be sent to whom")
        .describe(
            "For each endpoint of the tenant whether it wants the event, what its filter and plugins decide and how long they take, and the exact \
             headers and body that it would get, or why it would get nothing. Nothing is stored or sent.",
        )
        .query::<Params>()
        .body(body)
        .answer(StatusCode::OK, "What would be sent", [json::<PreviewView>(preview)])
        .refuse(&[NOT_FOUND, SCHEMA_MISMATCH])
}
