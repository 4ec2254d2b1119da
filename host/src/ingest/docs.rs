//! What is said of `POST /v1/events`.

use http::StatusCode;
use schemars::JsonSchema;
use serde_json::{Value, json};

use super::event::Input;
use super::handler::{Params, Taken};
use super::many::Outcome;
use crate::model::{TenantId, Topic};
use crate::openapi::refusal::{
    BACKLOG_FULL, DISK_FULL, ID_REUSED, INVALID_IDEMPOTENCY_KEY, SCHEMA_MISMATCH, UNKNOWN_TOPIC,
};
use crate::openapi::{Access, Anything, Content, Lines, Operation, Tag, Time, json};

/// A CloudEvent in its JSON format. Every other attribute is an extension, and is kept.
#[derive(JsonSchema)]
#[schemars(extend("required" = ["specversion", "type", "source", "id"]))]
#[expect(
    dead_code,
    reason = "the schema of what is read member by member, so that all of it is kept as it was written"
)]
struct CloudEvent {
    /// The version of CloudEvents.
    #[schemars(extend("const" = "1.0"))]
    specversion: String,
    /// What happened: the topic.
    #[schemars(with = "Topic")]
    r#type: String,
    /// Where it happened: a URI reference.
    #[schemars(length(min = 1))]
    source: String,
    /// What tells it from all others of its source.
    #[schemars(length(min = 1))]
    id: String,
    /// When it happened; when it was accepted if it is absent.
    #[schemars(with = "Option<Time>")]
    time: Option<String>,
    /// What it is about, within its source.
    subject: Option<String>,
    /// The media type of the payload.
    datacontenttype: Option<String>,
    /// The schema of the payload.
    dataschema: Option<String>,
    /// Whose it is; that of the key, else `default`, where nobody says.
    #[schemars(with = "Option<TenantId>")]
    hookwaytenant: Option<String>,
    /// Where it stands in a trace (distributed tracing), instead of where its request does.
    traceparent: Option<String>,
    /// With `traceparent`: what others say of the trace.
    tracestate: Option<String>,
    /// The payload.
    #[schemars(with = "Anything")]
    data: Option<Value>,
    /// The payload, if it is neither JSON nor text.
    data_base64: Option<String>,
}

/// A batch of CloudEvents is described in words only: clients that `openapi-python-client` makes fail at every call of an
/// operation that takes an array as one of several bodies.
pub(super) fn post_events() -> Operation {
    Operation::new("send_events", Tag::Events, Access::Producer, "Send one event or many")
        .describe(
            "Answered once all of them are on stable storage. The same `event_id`, or the same `Idempotency-Key`, with the same \
             content again is answered like the first time, with `duplicate: true`, and stored once.\n\n\
             Many events are taken all or none; with `partial=true` those that can be, and each gets a result of its own.\n\n\
             CloudEvents 1.0 come in structured mode, in batches (`application/cloudevents-batch+json`, an array of them), and in \
             binary mode: any other `Content-Type` with the headers `ce-specversion`, `ce-type`, `ce-source` and `ce-id`. `type` is the topic, `time` the timestamp; the event id is \
             `ce_` and base64url of SHA-256 over `source`, a line break and `id`; `data` is the whole CloudEvent in its JSON \
             format, so that no attribute is lost.\n\n\
             There may be too much undelivered work, of the tenant or of all: then events are refused with `429` and `Retry-After`, and \
             repeats of those that were accepted before are answered all the same. While the disk is almost full, all are refused with \
             `503`.\n\n\
             Each form may be sent with `Content-Encoding: gzip`.",
        )
        .query::<Params>()
        .header::<String>("Idempotency-Key", "With one event: 1 to 255 visible ASCII characters that stand for it.")
        .header::<String>(
            "traceparent",
            "Where the request stands in a trace, as W3C Trace Context has it. Its events go on from there, and receivers are told.",
        )
        .header::<String>("tracestate", "With `traceparent`: what others say of the trace. Receivers get it, up to 512 characters.")
        .body(json::<Input<'_>>(event(42)))
        .body(Content::of::<Lines<Input<'_>>>("application/x-ndjson").example("example", lines([event(42), event(43)])))
        .body(Content::of::<CloudEvent>("application/cloudevents+json").example("example", cloud_event()))
        .answer(StatusCode::ACCEPTED, "The event, or all of them, are on stable storage", [taken()])
        .answer(StatusCode::OK, "With `partial=true`: a result for each event, one a line, in their order", [results()])
        .refuse(&[BACKLOG_FULL, DISK_FULL, ID_REUSED, INVALID_IDEMPOTENCY_KEY, SCHEMA_MISMATCH, UNKNOWN_TOPIC])
}

fn taken() -> Content {
    let one = |id: &str, duplicate: bool| json!({ "event_id": id, "duplicate": duplicate });
    let all = [one("order-42", true), one("order-43", false)];
    Content::of::<Taken>("application/json")
        .example("one", one("order-42", false))
        .example("many", json!({ "accepted": 1, "duplicates": 1, "events": all }))
}

fn results() -> Content {
    let refused = json!({ "line": 2, "result": "refused", "error": {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "code": "invalid_field",
        "detail": "`data` is missing: the payload, any JSON, `null` included",
        "pointer": "/data",
        "line": 2,
    }});
    let accepted = json!({ "line": 1, "result": "accepted", "event_id": "order-42" });
    Content::of::<Lines<Outcome>>("application/x-ndjson").example("example", lines([accepted, refused]))
}

fn event(number: u32) -> Value {
    json!({ "event": "orders/created", "event_id": format!("order-{number}"), "data": { "total": 99 } })
}

fn cloud_event() -> Value {
    json!({
        "specversion": "1.0",
        "type": "com.example.order.created",
        "source": "/shops/1",
        "id": "42",
        "time": "2024-03-15T14:30:00Z",
        "subject": "orders/42",
        "data": { "total": 99 },
    })
}

fn lines<const N: usize>(all: [Value; N]) -> Value {
    all.map(|one| format!("{one}\n")).concat().into()
}
