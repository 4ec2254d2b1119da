//! What is counted of events that come in.

use crate::http::Problem;
use crate::metrics::{Counter, Labelled, Metrics};
use crate::store::Accepted;

/// What becomes of an event that is taken.
const RESULTS: [&str; 2] = ["accepted", "duplicate"];
/// Why a request, or an event of one, is refused: what each status means here.
const REASONS: [&str; 12] = [
    "malformed",
    "unauthorized",
    "forbidden",
    "timeout",
    "conflict",
    "too_large",
    "unsupported",
    "invalid",
    "backlog",
    "internal",
    "unavailable",
    "disk_full",
];

/// The counts. Clones share them.
#[derive(Debug, Clone)]
pub struct Counts {
    events: Labelled<Counter, 1>,
    bytes: Counter,
    refusals: Labelled<Counter, 1>,
}

impl Counts {
    /// Counts for these metrics.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let counts = Self::default();
        metrics.register(
            "ingest_events",
            "Events that were taken: new ones, and repeats of accepted ones",
            counts.events.clone(),
        );
        metrics.register(
            "ingest_event_bytes",
            "Bytes of the data of events that were accepted",
            counts.bytes.clone(),
        );
        metrics.register(
            "ingest_refusals",
            "Requests with events that were refused, and single events of others, by reason",
            counts.refusals.clone(),
        );
        counts
    }

    /// An event is on stable storage, from now or from before.
    pub(super) fn taken(&self, event: &Accepted) {
        self.events.at(usize::from(event.duplicate)).inc();
        if !event.duplicate {
            self.bytes.inc_by(event.event.data.len() as u64);
        }
    }

    /// A producer is told this.
    pub(super) fn refused(&self, problem: &Problem) {
        self.refusals.at(reason(problem)).inc();
    }
}

impl Default for Counts {
    /// Counts that nobody reads.
    fn default() -> Self {
        Self {
            events: Labelled::by("result", &RESULTS, Counter::default),
            bytes: Counter::default(),
            refusals: Labelled::by("reason", &REASONS, Counter::default),
        }
    }
}

/// The place of the reason.
fn reason(problem: &Problem) -> usize {
    match problem.status().as_u16() {
        401 => 1,
        403 => 2,
        408 => 3,
        409 => 4,
        413 => 5,
        415 => 6,
        422 => 7,
        429 => 8,
        500 => 9,
        503 if problem.code() == Problem::disk_full().code() => 11,
        501..=599 => 10,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn each_status_of_a_problem_has_its_reason() {
        let word = |problem: &Problem| REASONS[reason(problem)];
        assert_eq!(word(&Problem::malformed("")), "malformed");
        assert_eq!(word(&Problem::unauthorized()), "unauthorized");
        assert_eq!(word(&Problem::forbidden("")), "forbidden");
        assert_eq!(word(&Problem::new(StatusCode::REQUEST_TIMEOUT, "", "")), "timeout");
        assert_eq!(word(&Problem::conflict("", "")), "conflict");
        assert_eq!(word(&Problem::too_large("")), "too_large");
        assert_eq!(word(&Problem::unsupported("")), "unsupported");
        assert_eq!(word(&Problem::invalid("", "")), "invalid");
        assert_eq!(word(&Problem::new(StatusCode::TOO_MANY_REQUESTS, "", "")), "backlog");
        let cause = std::io::Error::other("x");
        assert_eq!(word(&Problem::internal(&cause)), "internal");
        assert_eq!(word(&Problem::unavailable(&cause)), "unavailable");
        assert_eq!(word(&Problem::disk_full()), "disk_full");
    }
}
