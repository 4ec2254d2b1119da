//! A request of a client, as its trace shows it.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use super::event_trace::{random_span, random_trace};
use super::{EventTrace, Kind, Moment, Span, Traces};
use crate::model::{Event, SpanId, TraceContext};

/// Where a request says that it stands; `None` if it does not, or not as the standard has it.
#[must_use]
pub fn incoming(headers: &HeaderMap) -> Option<Arc<TraceContext>> {
    let mut parents = headers.get_all("traceparent").iter().map(http::HeaderValue::as_bytes).peekable();
    parents.peek()?;
    let states = headers.get_all("tracestate").iter().map(http::HeaderValue::as_bytes);
    TraceContext::of_headers(parents, states).map(Arc::new)
}

/// A request that has begun. Clones are the same request.
#[derive(Clone)]
pub struct RequestTrace {
    /// Where it stands: for its events.
    pub parent: Option<Arc<TraceContext>>,
    traces: Traces,
    begun: Option<Moment>,
}

/// A request that is answered now, while there are traces.
pub struct Answered<'a> {
    request: &'a RequestTrace,
    /// When it came and when it is answered.
    time: (Moment, Moment),
}

impl RequestTrace {
    pub(super) fn new(parent: Option<Arc<TraceContext>>, traces: Traces) -> Self {
        let begun = traces.now();
        Self { parent, traces, begun }
    }

    /// Whether anybody wants to know what comes of it.
    #[must_use]
    pub const fn is_recorded(&self) -> bool {
        self.begun.is_some()
    }

    /// It is answered now; `None` if there are no traces.
    #[must_use]
    pub fn answered(&self) -> Option<Answered<'_>> {
        let begun = self.begun?;
        Some(Answered { request: self, time: (begun, begun.end()) })
    }
}

impl Answered<'_> {
    /// A place of its own: below the client's span, or in a trace that begins with it.
    #[must_use]
    pub fn place(&self) -> TraceContext {
        let (span, tracer) = (random_span(), self.request.traces.tracer.as_ref());
        match &self.request.parent {
            Some(parent) => parent.at(span),
            None => {
                let trace = random_trace();
                TraceContext::root(trace, span, tracer.is_some_and(|tracer| tracer.records(trace)))
            }
        }
    }

    /// The span of the request at this place, `POST` at this route.
    #[must_use]
    pub fn span(&self, at: &TraceContext, parent: Option<SpanId>, route: &str, status: StatusCode) -> Span {
        let span = Span::new(format!("POST {route}"), Kind::Server, at, parent, self.time)
            .with("http.request.method", "POST")
            .with("http.route", route)
            .with("http.response.status_code", status.as_u16());
        let span = if parent.is_some() { span.below_another() } else { span };
        if status.is_server_error() { span.failed(status.as_str()) } else { span }
    }

    /// The same at a place of its own, below the client's span.
    #[must_use]
    pub fn own_span(&self, route: &str, status: StatusCode) -> Span {
        self.span(&self.place(), self.parent_span(), route, status)
    }

    /// A span of one of its parts, as long as itself.
    #[must_use]
    pub fn part(&self, name: &str, kind: Kind, at: &TraceContext, parent: Option<SpanId>) -> Span {
        Span::new(name, kind, at, parent, self.time)
    }

    /// Where the client's span is.
    #[must_use]
    pub fn parent(&self) -> Option<&TraceContext> {
        self.request.parent.as_deref()
    }

    /// The client's span.
    #[must_use]
    pub fn parent_span(&self) -> Option<SpanId> {
        self.parent().map(|parent| parent.span)
    }

    /// Where an event stands in its trace.
    #[must_use]
    pub fn event(&self, event: &Event) -> Option<EventTrace> {
        self.request.traces.of(event)
    }

    /// Has a span exported.
    pub fn record(&self, span: Span) {
        self.request.traces.record(span);
    }
}
