//! What is said of the delivery log.

use http::StatusCode;
use serde_json::{Value, json};

use super::Params;
use crate::api::attempt_view::RecordView;
use crate::api::delivery_view::RowView;
use crate::api::page::Page;
use crate::model::DeliveryId;
use crate::openapi::{Access, Operation, Tag, json};

pub(in crate::api) const ID: &str = "The id of a delivery.";

pub(in crate::api) fn list() -> Operation {
    let mut row = delivery();
    row["last_status"] = 200.into();
    row["last_duration_ms"] = 48.into();
    let page = json!({ "data": [row], "next_cursor": null });
    Operation::new("list_deliveries", Tag::Deliveries, Access::Manager, "List deliveries, newest first")
        .query::<Params>()
        .answer(StatusCode::OK, "A page of the log", [json::<Page<RowView>>(page)])
}

pub(in crate::api) fn get() -> Operation {
    Operation::new("get_delivery", Tag::Deliveries, Access::Manager, "Get a delivery with every attempt")
        .describe("With the exact body, and the headers that were sent and came back.")
        .path::<DeliveryId>("id", ID)
        .answer(StatusCode::OK, "The delivery", [json::<RecordView>(record())])
}

/// A delivery without its attempts.
pub(in crate::api) fn delivery() -> Value {
    json!({
        "id": "dlv_01JDB6ZK3V8M2Q4R5S6T7V8W9X_0",
        "event_id": "order-42",
        "topic": "orders/created",
        "tenant": "acme",
        "endpoint_id": "ep_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
        "test": false,
        "status": "delivered",
        "attempts": 1,
        "created_at": "2024-03-15T14:30:00.000Z",
        "due_at": null,
        "finished_at": "2024-03-15T14:30:00.051Z",
        "plugins": [{ "plugin": "cel-filter", "version": "9f86d081884c7d65", "outcome": "passed", "duration_us": 21 }],
    })
}

fn record() -> Value {
    let mut record = delivery();
    record["last_status"] = 200.into();
    record["last_duration_ms"] = 48.into();
    record["request_body"] = concat!(
        r#"{"event":"orders/created","event_id":"order-42","#,
        r#""timestamp":"2024-03-15T14:30:00Z","data":{"total":99}}"#
    )
    .into();
    record["request_body_encoding"] = "text".into();
    record["attempt_log"] = json!([{
        "number": 1,
        "started_at": "2024-03-15T14:30:00.003Z",
        "duration_ms": 48,
        "status": 200,
        "request": { "headers": { "content-type": "application/json", "webhook-id": "order-42" } },
        "response": {
            "headers": { "content-type": "text/plain" },
            "body": "ok",
            "body_encoding": "text",
            "truncated": false,
        },
    }]);
    record
}
