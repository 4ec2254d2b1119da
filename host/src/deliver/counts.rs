//! What is counted of attempts.

use crate::metrics::{Counter, DURATIONS, Histogram, Labelled, Metrics, Scale};
use crate::model::{Attempt, AttemptErrorClass, AttemptOutcome, Job, UnixMs};

/// What came of an attempt: the class of the status, or the word of the API for why there was none.
const RESULTS: [&str; 14] = [
    "2xx",
    "3xx",
    "4xx",
    "5xx",
    "other_status",
    AttemptErrorClass::Forbidden.name(),
    AttemptErrorClass::Dns.name(),
    AttemptErrorClass::Connect.name(),
    AttemptErrorClass::ConnectTimeout.name(),
    AttemptErrorClass::Tls.name(),
    AttemptErrorClass::TlsTimeout.name(),
    AttemptErrorClass::Protocol.name(),
    AttemptErrorClass::ResponseTimeout.name(),
    AttemptErrorClass::BodyTimeout.name(),
];
/// Whether the delivery is over with it.
const SUCCESSES: [&str; 2] = ["false", "true"];
const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;
/// From 1 ms to an hour.
static DELAYS: Scale = Scale {
    bounds: &[
        MS,
        2 * MS,
        5 * MS,
        10 * MS,
        20 * MS,
        50 * MS,
        100 * MS,
        200 * MS,
        500 * MS,
        S,
        2 * S,
        5 * S,
        10 * S,
        30 * S,
        60 * S,
        300 * S,
        900 * S,
        3_600 * S,
    ],
    per_unit: 1e9,
};

/// The counts. Clones share them.
#[derive(Debug, Clone)]
pub struct Counts {
    attempts: Labelled<Counter, 1>,
    seconds: Labelled<Histogram, 1>,
    first_delay: Histogram,
}

impl Counts {
    /// Counts for these metrics.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let counts = Self::default();
        metrics.register("attempts", "Attempts by what came of them", counts.attempts.clone());
        metrics.register("attempt_seconds", "How long attempts took", counts.seconds.clone());
        metrics.register(
            "first_attempt_delay_seconds",
            "From the acceptance of an event to the start of the first attempt of a delivery",
            counts.first_delay.clone(),
        );
        counts
    }

    /// An attempt starts.
    pub(super) fn starts(&self, job: &Job, now: UnixMs) {
        if job.attempts == 0 {
            self.first_delay.observe_duration(now.since(job.event.key.time()));
        }
    }

    /// An attempt is over.
    pub(super) fn ended(&self, attempt: &Attempt) {
        self.attempts.at(result(&attempt.outcome)).inc();
        self.seconds.at(usize::from(attempt.outcome.is_success())).observe_duration(attempt.took);
    }
}

impl Default for Counts {
    /// Counts that nobody reads.
    fn default() -> Self {
        Self {
            attempts: Labelled::by("result", &RESULTS, Counter::default),
            seconds: Labelled::by("success", &SUCCESSES, || Histogram::new(&DURATIONS)),
            first_delay: Histogram::new(&DELAYS),
        }
    }
}

/// The place of what came of an attempt.
const fn result(outcome: &AttemptOutcome) -> usize {
    match outcome {
        AttemptOutcome::Answered { status, .. } => match *status / 100 {
            2 => 0,
            3 => 1,
            4 => 2,
            5 => 3,
            _ => 4,
        },
        AttemptOutcome::Failed(error) => match error.class {
            AttemptErrorClass::Forbidden => 5,
            AttemptErrorClass::Dns => 6,
            AttemptErrorClass::Connect => 7,
            AttemptErrorClass::ConnectTimeout => 8,
            AttemptErrorClass::Tls => 9,
            AttemptErrorClass::TlsTimeout => 10,
            AttemptErrorClass::Protocol => 11,
            AttemptErrorClass::ResponseTimeout => 12,
            AttemptErrorClass::BodyTimeout => 13,
        },
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::AttemptError;

    #[test]
    fn each_end_of_an_attempt_counts_under_its_word() {
        let answered = |status| AttemptOutcome::Answered {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            truncated: false,
        };
        let word = |outcome: &AttemptOutcome| RESULTS[result(outcome)];
        for (status, expected) in [
            (204, "2xx"),
            (301, "3xx"),
            (410, "4xx"),
            (503, "5xx"),
            (101, "other_status"),
            (999, "other_status"),
        ] {
            assert_eq!(word(&answered(status)), expected);
        }
        for class in [
            AttemptErrorClass::Forbidden,
            AttemptErrorClass::Dns,
            AttemptErrorClass::Connect,
            AttemptErrorClass::ConnectTimeout,
            AttemptErrorClass::Tls,
            AttemptErrorClass::TlsTimeout,
            AttemptErrorClass::Protocol,
            AttemptErrorClass::ResponseTimeout,
            AttemptErrorClass::BodyTimeout,
        ] {
            let error = AttemptError { class, message: String::new(), status: None };
            assert_eq!(word(&AttemptOutcome::Failed(error)), class.name());
        }
    }
}
