//! What is counted of spans.

use crate::metrics::{Counter, Labelled, Metrics};

/// What becomes of a span: sent, or dropped and why.
const RESULTS: [&str; 4] = ["exported", "queue_full", "refused", "unreachable"];

/// The counts. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Counts(Labelled<Counter, 1>);

impl Counts {
    /// Counts for these metrics.
    pub(super) fn new(metrics: &Metrics) -> Self {
        let counts = Self(Labelled::by("result", &RESULTS, Counter::default));
        metrics.register("trace_spans", "Spans by what became of them", counts.0.clone());
        counts
    }

    /// Has these metrics ask how many wait.
    pub(super) fn ask_waiting(metrics: &Metrics, waiting: impl Fn() -> usize + Send + Sync + 'static) {
        let help = "Spans that wait to be exported";
        metrics.ask(move |readings| readings.gauge("trace_waiting_spans", help, waiting() as f64));
    }

    /// The collector took so many.
    pub(super) fn exported(&self, spans: usize) {
        self.add(0, spans);
    }

    /// There was no room for one.
    pub(super) fn not_queued(&self) {
        self.add(1, 1);
    }

    /// The collector does not want so many.
    pub(super) fn refused(&self, spans: usize) {
        self.add(2, spans);
    }

    /// The collector was not there for so many.
    pub(super) fn unreachable(&self, spans: usize) {
        self.add(3, spans);
    }

    fn add(&self, place: usize, spans: usize) {
        self.0.at(place).inc_by(spans as u64);
    }
}
