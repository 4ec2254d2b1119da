//! Traces of events for OpenTelemetry, from ingest to attempt: which spans there are, and their way to a collector.
//!
//! ```text
//! producer's span -> POST /v1/events -> dispatch -> POST (attempt 1), POST (attempt 2), ...
//!                                          '-> a plugin, for each call
//! ```
//!
//! - Without `traces.endpoint` there are none, and nothing is spent on them; what a producer sent is handed on to receivers.
//! - Nothing is stored for a trace but what the producer sent. The ids of the spans that others hang on are made of the event's key
//!   ([`EventTrace`]), so the next attempt finds its parent days later and after a restart.
//! - A span is made when it is over, so none is open while a delivery waits.
//! - Spans go through a bounded queue. What does not fit, or cannot be sent, is dropped and counted: nobody waits for a collector.
//! - No payload, no value of a header, no path of a URL, no text of a plugin is ever in a span.

mod collector;
mod counts;
mod event_trace;
mod exporter;
mod moment;
mod options;
mod otlp;
mod request;
mod span;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::mpsc;

use self::collector::Collector;
use self::counts::Counts;
pub use self::event_trace::{EventTrace, below};
use self::exporter::Exporter;
pub use self::exporter::Exporting;
pub use self::moment::Moment;
pub use self::options::{Options, OptionsError};
pub use self::otlp::Kind;
pub use self::request::{Answered, RequestTrace, incoming};
pub use self::span::Span;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{Event, TraceContext, TraceId};

/// Spans that wait for the exporter: a few seconds of a busy gateway, in some 15 MiB.
const QUEUE_SPANS: usize = 16_384;

/// Makes spans, if there are traces. Clones share all of it.
#[derive(Clone)]
pub struct Traces {
    /// Whether receivers are told where they stand.
    reach_receivers: bool,
    tracer: Option<Arc<Tracer>>,
}

/// What makes them.
struct Tracer {
    clock: Clock,
    /// Of the traces that begin here, the part that is recorded.
    ratio: f64,
    queue: mpsc::Sender<Span>,
    counts: Counts,
}

impl Traces {
    /// Those of these options, with the task that exports them.
    ///
    /// # Errors
    /// The options do not work.
    pub fn start(
        options: &Options,
        clock: Clock,
        metrics: &Metrics,
    ) -> Result<(Self, Exporting), OptionsError> {
        let counts = Counts::new(metrics);
        let none = Self { reach_receivers: options.reach_receivers, tracer: None };
        let Some(collector) = Collector::new(options)? else {
            Counts::ask_waiting(metrics, || 0);
            return Ok((none, Exporting::default()));
        };
        let (queue, spans) = mpsc::channel(QUEUE_SPANS);
        // Not what keeps the queue open.
        let waiting = queue.downgrade();
        Counts::ask_waiting(metrics, move || {
            waiting.upgrade().map_or(0, |queue| queue.max_capacity() - queue.capacity())
        });
        let exporter = Exporter::new(spans, collector, counts.clone());
        let tracer = Tracer { clock, ratio: options.sample_ratio, queue, counts };
        Ok((Self { tracer: Some(Arc::new(tracer)), ..none }, Exporting::spawn(exporter)))
    }

    /// The time, if somebody will want to know it.
    #[must_use]
    pub fn now(&self) -> Option<Moment> {
        self.tracer.as_ref().map(|tracer| tracer.now())
    }

    /// Where an event stands in its trace; `None` if there are no traces.
    #[must_use]
    pub fn of(&self, event: &Event) -> Option<EventTrace> {
        let tracer = self.tracer.as_ref()?;
        Some(EventTrace::new(event, |trace| tracer.records(trace)))
    }

    /// What a request with an event says of its trace.
    #[must_use]
    pub fn request(&self, headers: &http::HeaderMap) -> RequestTrace {
        RequestTrace::new(incoming(headers), self.clone())
    }

    /// What a receiver is told: the span of the attempt, or without one what the producer sent.
    #[must_use]
    pub fn for_receiver<'a>(
        &self,
        attempt: Option<&'a TraceContext>,
        event: &'a Event,
    ) -> Option<&'a TraceContext> {
        attempt.or(event.trace.as_deref()).filter(|_| self.reach_receivers)
    }

    /// Has a span exported, if its trace is recorded.
    pub fn record(&self, span: Span) {
        let Some(tracer) = self.tracer.as_ref().filter(|_| span.is_sampled()) else { return };
        if tracer.queue.try_send(span).is_err() {
            tracer.counts.not_queued();
        }
    }
}

impl Tracer {
    fn now(&self) -> Moment {
        Moment::now(&self.clock)
    }

    /// Whether a trace that begins here is recorded: by the lower 63 bits of its id, as the sampler of OpenTelemetry's libraries
    /// decides by ratio.
    fn records(&self, trace: TraceId) -> bool {
        const HALF: f64 = (1_u64 << 63) as f64;
        self.ratio >= 1.0 || (trace.bits() as u64 >> 1) < (self.ratio * HALF) as u64
    }
}

/// None.
impl Default for Traces {
    fn default() -> Self {
        Self { reach_receivers: true, tracer: None }
    }
}
