//! A span that is over, as OTLP has it.

use super::Moment;
use super::otlp::{self, AnyValue, Event, KeyValue, Kind, Link, Status, Value};
use crate::model::{self, SpanId, TraceContext};

/// Events and links of one span: the limit that OpenTelemetry recommends. Further ones are counted.
const MAX_PARTS: usize = 128;

/// A span.
#[derive(Debug, Clone)]
pub struct Span(pub(super) otlp::Span);

impl Span {
    /// The span `at`, below `parent`.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        kind: Kind,
        at: &TraceContext,
        parent: Option<SpanId>,
        (begun, ended): (Moment, Moment),
    ) -> Self {
        Self(otlp::Span {
            trace_id: at.trace.bits().to_be_bytes().to_vec(),
            span_id: at.span.bits().to_be_bytes().to_vec(),
            trace_state: at.state.as_deref().unwrap_or_default().to_owned(),
            parent_span_id: parent.map(|span| span.bits().to_be_bytes().to_vec()).unwrap_or_default(),
            flags: u32::from(at.flags),
            name: name.into(),
            kind: kind as i32,
            begun: begun.as_nanos(),
            ended: ended.as_nanos(),
            ..otlp::Span::default()
        })
    }

    /// With an attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Attribute>) -> Self {
        self.0.attributes.push(attribute(name, value));
        self
    }

    /// With which event it is about.
    #[must_use]
    pub fn about(self, event: &model::Event) -> Self {
        self.with("hookway.tenant", event.tenant.as_str())
            .with("hookway.event.id", event.id.as_str())
            .with("hookway.topic", event.topic.as_str())
    }

    /// The parent is a span of somebody else.
    #[must_use]
    pub fn below_another(mut self) -> Self {
        self.0.flags |= otlp::Span::PARENT_IS_REMOTE;
        self
    }

    /// With something that happened in it.
    #[must_use]
    pub fn event<const N: usize>(
        mut self,
        name: &str,
        at: Moment,
        attributes: [(&'static str, Attribute); N],
    ) -> Self {
        if self.0.events.len() == MAX_PARTS {
            self.0.dropped_events += 1;
            return self;
        }
        self.0.events.push(Event {
            at: at.as_nanos(),
            name: name.to_owned(),
            attributes: attributes.into_iter().map(|(name, value)| attribute(name, value)).collect(),
        });
        self
    }

    /// It has to do with another span.
    #[must_use]
    pub fn link(mut self, to: &TraceContext) -> Self {
        if self.0.links.len() == MAX_PARTS {
            self.0.dropped_links += 1;
            return self;
        }
        self.0.links.push(Link {
            trace_id: to.trace.bits().to_be_bytes().to_vec(),
            span_id: to.span.bits().to_be_bytes().to_vec(),
            trace_state: to.state.as_deref().unwrap_or_default().to_owned(),
            flags: u32::from(to.flags),
        });
        self
    }

    /// What it stands for failed, for this reason, in a word.
    #[must_use]
    pub fn failed(mut self, error: impl Into<Attribute>) -> Self {
        self.0.status = Some(Status::FAILED);
        self.with("error.type", error)
    }

    pub(super) const fn is_sampled(&self) -> bool {
        self.0.flags & 1 != 0
    }
}

/// The value of an attribute.
#[derive(Debug, Clone)]
pub struct Attribute(Value);

pub(super) fn attribute(name: &str, value: impl Into<Attribute>) -> KeyValue {
    let value = Some(AnyValue { value: Some(value.into().0) });
    KeyValue { key: name.to_owned(), value }
}

impl From<String> for Attribute {
    fn from(text: String) -> Self {
        Self(Value::Text(text))
    }
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<bool> for Attribute {
    fn from(is: bool) -> Self {
        Self(Value::Bool(is))
    }
}

impl From<u16> for Attribute {
    fn from(number: u16) -> Self {
        Self(Value::Int(number.into()))
    }
}

impl From<usize> for Attribute {
    fn from(number: usize) -> Self {
        Self(Value::Int(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}
