//! The spans of an event that others hang on.
//!
//! Each has an id that is made of the event's key. Whoever needs it, a retry after a restart included, makes it again: nothing of it
//! is stored. An event whose producer sent no `traceparent` has a trace of its own, whose id is made in the same way.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::model::{Event, SpanId, TraceContext, TraceId};

/// Where an event stands in its trace.
#[derive(Debug, Clone)]
pub struct EventTrace {
    /// The span of its producer.
    producer: Option<Arc<TraceContext>>,
    /// Its trace, at the span of its acceptance.
    accepted: TraceContext,
    /// The span of its dispatch.
    dispatched: SpanId,
    /// Whether a request brought it, so that there is a span of its acceptance.
    has_request: bool,
}

impl EventTrace {
    /// That of an event; `records` decides about traces that begin with one.
    pub(super) fn new(event: &Event, records: impl Fn(TraceId) -> bool) -> Self {
        let hash: [u8; 32] = Sha256::digest(event.key.as_u128().to_be_bytes()).into();
        let (own, accepted, dispatched) = (word(&hash, 0), word(&hash, 16), word(&hash, 24));
        let accepted = match &event.trace {
            Some(producer) => producer.at(span(accepted)),
            None => {
                let trace = trace(own << 64 | word(&hash, 8));
                TraceContext::root(trace, span(accepted), records(trace))
            }
        };
        Self {
            producer: event.trace.clone(),
            accepted,
            dispatched: span(dispatched),
            has_request: event.test_of.is_none() && !event.topic.is_reserved(),
        }
    }

    /// Whether it is recorded.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.accepted.is_sampled()
    }

    /// Its acceptance.
    #[must_use]
    pub const fn accepted(&self) -> &TraceContext {
        &self.accepted
    }

    /// What comes before its acceptance.
    #[must_use]
    pub fn producer(&self) -> Option<&TraceContext> {
        self.producer.as_deref()
    }

    /// Its dispatch, and what that hangs on.
    #[must_use]
    pub fn dispatched(&self) -> (TraceContext, Option<SpanId>) {
        let before =
            if self.has_request { Some(self.accepted.span) } else { self.producer().map(|at| at.span) };
        (self.accepted.at(self.dispatched), before)
    }

    /// A new span that hangs on its dispatch.
    #[must_use]
    pub fn below(&self) -> (TraceContext, Option<SpanId>) {
        (self.accepted.at(random_span()), Some(self.dispatched))
    }
}

/// A new span that hangs on another.
#[must_use]
pub fn below(parent: &TraceContext) -> TraceContext {
    parent.at(random_span())
}

/// A span that nobody has to find again.
pub(super) fn random_span() -> SpanId {
    span(rand::random::<u64>().into())
}

/// A trace that nobody has to find again.
pub(super) fn random_trace() -> TraceId {
    trace(rand::random())
}

/// Eight bytes of a hash.
fn word(hash: &[u8; 32], at: usize) -> u128 {
    hash[at..at + 8].iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// Zero stands for no span; it comes up once in 2^64.
fn span(bits: u128) -> SpanId {
    SpanId::new((bits as u64).max(1)).expect("it is not zero")
}

fn trace(bits: u128) -> TraceId {
    TraceId::new(bits.max(1)).expect("it is not zero")
}
