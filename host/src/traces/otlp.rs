//! The messages of OTLP 1 that are sent and read here, by their numbers in `opentelemetry/proto` of
//! <https://github.com/open-telemetry/opentelemetry-proto>, which never change. What nobody needs of them is left out.
//!
//! They are written down because the crate that has all of them brings a whole SDK along. A test holds their bytes against what the
//! standard's own library for another language makes of the same spans.

use prost::{Message, Oneof};

/// A request to export spans: all are of one gateway, made by one library.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) resource_spans: Vec<ResourceSpans>,
}

/// The answer to it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) partial_success: Option<PartialSuccess>,
}

/// What was not taken.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(super) rejected_spans: i64,
}

/// Spans of one gateway.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    pub(super) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub(super) scope_spans: Vec<ScopeSpans>,
}

/// A gateway.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub(super) attributes: Vec<KeyValue>,
}

/// Spans that one library made.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    pub(super) scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    pub(super) spans: Vec<Span>,
}

/// A library that makes spans: this one.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Scope {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) version: String,
}

/// A span.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Span {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    pub(super) trace_state: String,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) parent_span_id: Vec<u8>,
    #[prost(fixed32, tag = "16")]
    pub(super) flags: u32,
    #[prost(string, tag = "5")]
    pub(super) name: String,
    /// A [`Kind`].
    #[prost(int32, tag = "6")]
    pub(super) kind: i32,
    /// Nanoseconds since 1970.
    #[prost(fixed64, tag = "7")]
    pub(super) begun: u64,
    #[prost(fixed64, tag = "8")]
    pub(super) ended: u64,
    #[prost(message, repeated, tag = "9")]
    pub(super) attributes: Vec<KeyValue>,
    #[prost(message, repeated, tag = "11")]
    pub(super) events: Vec<Event>,
    #[prost(uint32, tag = "12")]
    pub(super) dropped_events: u32,
    #[prost(message, repeated, tag = "13")]
    pub(super) links: Vec<Link>,
    #[prost(uint32, tag = "14")]
    pub(super) dropped_links: u32,
    #[prost(message, optional, tag = "15")]
    pub(super) status: Option<Status>,
}

/// What a span stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Work of the gateway itself.
    Internal = 1,
    /// A request that it answers.
    Server = 2,
    /// A request that it makes.
    Client = 3,
    /// A message that it takes to hand it on.
    Producer = 4,
}

/// Something that happened in a span.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Event {
    #[prost(fixed64, tag = "1")]
    pub(super) at: u64,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) attributes: Vec<KeyValue>,
}

/// A span that another has to do with.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Link {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    pub(super) trace_state: String,
    #[prost(fixed32, tag = "6")]
    pub(super) flags: u32,
}

/// Whether what a span stands for failed.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    #[prost(int32, tag = "3")]
    pub(super) code: i32,
}

/// An attribute.
#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<AnyValue>,
}

/// Its value.
#[derive(Clone, PartialEq, Message)]
pub(super) struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3")]
    pub(super) value: Option<Value>,
}

/// The kinds of values that are used here.
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Value {
    /// A text.
    #[prost(string, tag = "1")]
    Text(String),
    /// Whether something is so.
    #[prost(bool, tag = "2")]
    Bool(bool),
    /// A number.
    #[prost(int64, tag = "3")]
    Int(i64),
}

impl Status {
    /// `STATUS_CODE_ERROR`.
    pub(super) const FAILED: Self = Self { code: 2 };
}

impl Span {
    /// Of `flags`: it is known whether the parent is somebody else's; it is.
    pub(super) const PARENT_IS_REMOTE: u32 = 0x300;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `opentelemetry-proto` for Python writes of the same spans, and of an answer.
    const REQUEST: &str = "0ab1020a1b0a190a0c736572766963652e6e616d6512090a07686f6f6b7761791291020a0c0a07686f6f6b7761791201311280020a104bf92f3577b34da6a3ce929d0e0e4736120800f067aa0ba902b71a03613d31220800000000000000012a04504f53543003390010b0c482f6bc174100757de282f6bc174a140a0d686f6f6b7761792e746f70696312030a01614a170a11686f6f6b7761792e6475706c6963617465120210014a150a0f686f6f6b7761792e617474656d7074120218024a130a0a6572726f722e7479706512050a033530305a2c0900757de282f6bc17120468656c641a1b0a13686f6f6b7761792e656e64706f696e742e696412040a0265706a260a104bf92f3577b34da6a3ce929d0e0e4736120800000000000000011a03613d3135010000007a021802850101030000";
    const RESPONSE: [u8; 8] = *b"\x0a\x06\x08\x03\x12\x02no";

    fn pair(key: &str, value: Value) -> KeyValue {
        KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
    }

    fn text(key: &str, value: &str) -> KeyValue {
        pair(key, Value::Text(value.to_owned()))
    }

    fn span() -> Span {
        let trace_id = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes().to_vec();
        let (ours, others) = (0x00f0_67aa_0ba9_02b7_u64.to_be_bytes().to_vec(), 1_u64.to_be_bytes().to_vec());
        let (begun, ended) = (1_710_513_000_000_000_000, 1_710_513_000_500_000_000);
        let endpoint = vec![text("hookway.endpoint.id", "ep")];
        Span {
            trace_id: trace_id.clone(),
            span_id: ours,
            trace_state: "a=1".to_owned(),
            parent_span_id: others.clone(),
            flags: Span::PARENT_IS_REMOTE | 1,
            name: "POST".to_owned(),
            kind: Kind::Client as i32,
            begun,
            ended,
            attributes: vec![
                text("hookway.topic", "a"),
                pair("hookway.duplicate", Value::Bool(true)),
                pair("hookway.attempt", Value::Int(2)),
                text("error.type", "500"),
            ],
            events: vec![Event { at: ended, name: "held".to_owned(), attributes: endpoint }],
            dropped_events: 0,
            links: vec![Link { trace_id, span_id: others, trace_state: "a=1".to_owned(), flags: 1 }],
            dropped_links: 0,
            status: Some(Status::FAILED),
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_standard() {
        let resource = Some(Resource { attributes: vec![text("service.name", "hookway")] });
        let scope = Some(Scope { name: "hookway".to_owned(), version: "1".to_owned() });
        let scope_spans = vec![ScopeSpans { scope, spans: vec![span()] }];
        let request = ExportRequest { resource_spans: vec![ResourceSpans { resource, scope_spans }] };
        let hex: String = request.encode_to_vec().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, REQUEST);
        let response = ExportResponse::decode(RESPONSE.as_slice()).unwrap();
        assert_eq!(response.partial_success.map(|partial| partial.rejected_spans), Some(3));
    }
}
