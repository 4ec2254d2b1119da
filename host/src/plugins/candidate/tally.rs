//! What came of a candidate so far, since the gateway started or its mode changed.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::model::{EndpointId, EventId, TenantId, UnixMs};
use crate::plugins::comparison::Comparison;

/// Enough to see what is different, and bounded: each has at most some tens of kilobytes.
const EXAMPLES: usize = 20;

/// Counts, and the last examples.
#[derive(Default)]
pub(in crate::plugins) struct Tally {
    decided: AtomicU64,
    same: AtomicU64,
    equivalent: AtomicU64,
    different: AtomicU64,
    failed: AtomicU64,
    skipped: AtomicU64,
    examples: Mutex<VecDeque<Example>>,
}

/// What there is to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plugins) enum Counted {
    /// A canary: it decided.
    Decided,
    /// In shadow: the receiver would have got the same.
    Same,
    /// The same in other bytes.
    Equivalent,
    /// Something else.
    Different,
    /// It has no answer.
    Failed,
    /// It was not asked, as it had too much to do.
    Skipped,
}

/// How often what came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Deliveries that it decided, as a canary.
    pub decided: u64,
    /// Comparisons in which it said the same.
    pub same: u64,
    /// Those in which it said the same in other bytes.
    pub equivalent: u64,
    /// Those in which it said something else.
    pub different: u64,
    /// It had no answer: as a canary, the live version decided.
    pub failed: u64,
    /// Comparisons that were left out, as there were too many.
    pub skipped: u64,
}

/// One event about which it said something else, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// When it was asked.
    pub at: UnixMs,
    /// The event.
    pub event: EventId,
    /// Whose it is.
    pub tenant: TenantId,
    /// For which endpoint.
    pub endpoint: EndpointId,
    /// What both said.
    pub comparison: Comparison,
}

impl Tally {
    pub(in crate::plugins) fn count(&self, what: Counted) {
        self.of(what).fetch_add(1, Ordering::Relaxed);
    }

    /// Remembers an example, in the place of the oldest if there are too many.
    pub(in crate::plugins) fn remember(&self, example: Example) {
        let mut examples = self.examples.lock().unwrap_or_else(PoisonError::into_inner);
        examples.truncate(EXAMPLES - 1);
        examples.push_front(example);
    }

    /// The newest first.
    pub(in crate::plugins) fn examples(&self) -> Vec<Example> {
        self.examples.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(in crate::plugins) fn counts(&self) -> Counts {
        let of = |what| self.of(what).load(Ordering::Relaxed);
        Counts {
            decided: of(Counted::Decided),
            same: of(Counted::Same),
            equivalent: of(Counted::Equivalent),
            different: of(Counted::Different),
            failed: of(Counted::Failed),
            skipped: of(Counted::Skipped),
        }
    }

    const fn of(&self, what: Counted) -> &AtomicU64 {
        match what {
            Counted::Decided => &self.decided,
            Counted::Same => &self.same,
            Counted::Equivalent => &self.equivalent,
            Counted::Different => &self.different,
            Counted::Failed => &self.failed,
            Counted::Skipped => &self.skipped,
        }
    }
}

impl Counts {
    /// Each with its word: a label of metrics.
    #[must_use]
    pub const fn words(self) -> [(&'static str, u64); 6] {
        [
            ("decided", self.decided),
            ("same", self.same),
            ("equivalent", self.equivalent),
            ("different", self.different),
            ("failed", self.failed),
            ("skipped", self.skipped),
        ]
    }
}
