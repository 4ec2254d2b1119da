//! A collector on a real socket: what it is sent over OTLP/HTTP, as spans.

use anyhow::{Context, Result, ensure};
use hookway_tests::receiver::{Received, Receiver};
use prost::{Message, Oneof};

const PATH: &str = "/v1/traces";

/// The collector; a receiver like any other, so that it can be scripted.
pub(super) struct Collector(pub(super) Receiver);

/// A span, with ids as hexadecimal.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) trace: String,
    pub(super) id: String,
    /// Empty for one that begins a trace.
    pub(super) parent: String,
    pub(super) state: String,
    pub(super) name: String,
    pub(super) kind: i32,
    pub(super) time: (u64, u64),
    pub(super) failed: bool,
    /// The traces and spans that it has to do with.
    pub(super) links: Vec<(String, String)>,
    pub(super) events: Vec<String>,
    attributes: Vec<Attribute>,
}

impl Collector {
    pub(super) async fn start() -> Result<Self> {
        Ok(Self(Receiver::start().await?))
    }

    /// The setting that has spans sent here.
    pub(super) fn setting(&self) -> String {
        format!("traces.endpoint=\"{}\"", self.0.url(""))
    }

    /// Waits until the spans that arrived are as wanted; returns all of them.
    pub(super) async fn when(&self, what: &str, wanted: impl Fn(&[Span]) -> bool) -> Result<Vec<Span>> {
        let is_wanted = |requests: &[Received]| spans(requests).is_ok_and(|spans| wanted(&spans));
        spans(&self.0.wait_until(PATH, what, is_wanted).await?)
    }

    /// Waits until there are so many spans of each of these names.
    pub(super) async fn when_named(&self, names: &[(&str, usize)]) -> Result<Vec<Span>> {
        let wanted = |spans: &[Span]| names.iter().all(|(name, least)| named(spans, name).len() >= *least);
        self.when(&format!("spans {names:?}"), wanted).await
    }

    /// All that it was sent.
    pub(super) fn requests(&self) -> Vec<Received> {
        self.0.requests(PATH)
    }

    /// What it answers from now on.
    pub(super) fn script(&self, answers: impl IntoIterator<Item = hookway_tests::receiver::Answer>) {
        self.0.script(PATH, answers);
    }
}

impl Span {
    /// An attribute as text; empty if it is not there.
    pub(super) fn get(&self, name: &str) -> String {
        let found = self.attributes.iter().find(|attribute| attribute.key == name);
        match found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
            Some(AnyValue::Text(text)) => text.clone(),
            Some(AnyValue::Bool(is)) => is.to_string(),
            Some(AnyValue::Int(number)) => number.to_string(),
            None => String::new(),
        }
    }

    /// The `traceparent` of whoever is told of this span, if it is recorded.
    pub(super) fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace, self.id)
    }
}

/// Those of this name, in the order of their beginnings.
pub(super) fn named(spans: &[Span], name: &str) -> Vec<Span> {
    let mut found: Vec<_> = spans.iter().filter(|span| span.name == name).cloned().collect();
    found.sort_by_key(|span| span.time);
    found
}

/// The only one of this name.
pub(super) fn only(spans: &[Span], name: &str) -> Result<Span> {
    let found = named(spans, name);
    ensure!(found.len() == 1, "{} spans are called `{name}`: {found:#?}", found.len());
    found.into_iter().next().context("there is one")
}

fn spans(requests: &[Received]) -> Result<Vec<Span>> {
    let mut all = Vec::new();
    for request in requests {
        ensure!(request.header("content-type") == "application/x-protobuf");
        let export = Export::decode(request.body.clone())?;
        let scopes = export.resources.into_iter().flat_map(|resource| resource.scopes);
        all.extend(scopes.flat_map(|scope| scope.spans).map(Span::from));
    }
    Ok(all)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl From<Wire> for Span {
    fn from(wire: Wire) -> Self {
        Self {
            trace: hex(&wire.trace),
            id: hex(&wire.id),
            parent: hex(&wire.parent),
            state: wire.state,
            name: wire.name,
            kind: wire.kind,
            time: (wire.begun, wire.ended),
            failed: wire.status.is_some_and(|status| status.code == 2),
            links: wire.links.iter().map(|link| (hex(&link.trace), hex(&link.span))).collect(),
            events: wire.events.into_iter().map(|event| event.name).collect(),
            attributes: wire.attributes,
        }
    }
}

/// What is read of the messages of OTLP.
#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<Resource>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<Scope>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Wire>,
}

#[derive(Clone, PartialEq, Message)]
struct Wire {
    #[prost(bytes = "vec", tag = "1")]
    trace: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    id: Vec<u8>,
    #[prost(string, tag = "3")]
    state: String,
    #[prost(bytes = "vec", tag = "4")]
    parent: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    begun: u64,
    #[prost(fixed64, tag = "8")]
    ended: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<Attribute>,
    #[prost(message, repeated, tag = "11")]
    events: Vec<Event>,
    #[prost(message, repeated, tag = "13")]
    links: Vec<Link>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(string, tag = "2")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Link {
    #[prost(bytes = "vec", tag = "1")]
    trace: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(oneof = "AnyValue", tags = "1, 2, 3")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Oneof)]
enum AnyValue {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
}
