//! What is said of the live tail.

use http::StatusCode;

use super::Params;
use crate::openapi::{Access, Operation, Tag, refusal, text};

pub(in crate::api) fn stream() -> Operation {
    let example = "event: delivery\nid: 4711\ndata: {\"id\":\"dlv_01JDB6ZK3V8M2Q4R5S6T7V8W9X_0\",\"status\":\"delivered\"}\n\n";
    Operation::new("follow_deliveries", Tag::Deliveries, Access::Manager, "Follow the log as it grows")
        .describe(
            "Server-sent events that go on until one side hangs up. Each `delivery` is a row of the list: one that is new, \
             changed its state or was tried again, as it stands then. `gap` says that changes may be missing. Send the last `id` \
             as `Last-Event-ID` to go on from there.",
        )
        .query::<Params>()
        .header::<u64>("Last-Event-ID", "The `id` that was read last.")
        .refuse(&[refusal::INVALID_LAST_EVENT_ID, refusal::TOO_MANY_STREAMS])
        .answer(StatusCode::OK, "The stream", [text("text/event-stream", example)])
}
