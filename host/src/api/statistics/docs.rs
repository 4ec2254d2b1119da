//! What is said of statistics.

use http::StatusCode;
use serde_json::{Value, json};

use super::Params;
use crate::api::statistics_view::StatisticsView;
use crate::model::EndpointId;
use crate::openapi::{Access, Operation, Tag, json};

const DESCRIPTION: &str = "`delivery_rate` is delivered / (delivered + failed) of the deliveries that ended in the window; what was \
                           filtered or cancelled was not meant to arrive. Percentiles are exact to 5 %. A window is up to five minutes \
                           (`1h`) or an hour longer than its name and begins at `since`.";

pub(in crate::api) fn of_all() -> Operation {
    Operation::new(
        "get_stats",
        Tag::Deliveries,
        Access::Manager,
        "Count how deliveries ended and how long attempts took",
    )
    .describe(DESCRIPTION)
    .query::<Params>()
    .answer(StatusCode::OK, "The statistics", [json::<StatisticsView>(example("tenant", "acme"))])
}

pub(in crate::api) fn of_endpoint() -> Operation {
    let id = "ep_01JDB6ZK3V8M2Q4R5S6T7V8W9X";
    Operation::new("get_endpoint_stats", Tag::Endpoints, Access::Manager, "Count how its deliveries ended")
        .describe(DESCRIPTION)
        .path::<EndpointId>("id", "The id of an endpoint.")
        .answer(StatusCode::OK, "The statistics", [json::<StatisticsView>(example("endpoint_id", id))])
}

fn example(scope: &str, name: &str) -> Value {
    let window = json!({
        "since": "2024-03-15T13:30:00.000Z",
        "delivery_rate": 0.997,
        "created": 1001,
        "delivered": 997,
        "failed": 3,
        "filtered": 1,
        "cancelled": 0,
        "attempts": { "total": 1012, "failed": 15, "p50_ms": 124.0, "p95_ms": 405.0, "p99_ms": 2340.0 },
    });
    json!({
        scope: name,
        "at": "2024-03-15T14:30:00.000Z",
        "waiting": { "pending": 0, "retrying": 2, "held": 0 },
        "windows": { "1h": window, "24h": window, "7d": window },
        "last_error": {
            "at": "2024-03-15T14:29:12.000Z",
            "delivery_id": "dlv_01JDB6ZK3V8M2Q4R5S6T7V8W9X_0",
            "attempt": 2,
            "status": 503,
            "class": "status",
            "message": "the receiver answered 503",
        },
    })
}
