//! What the calls of one version came to.
//!
//! Written at each call, so it is made of atomics that are looked up once per version; read by the API and by whoever
//! reads the metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::error::CallError;
use crate::metrics::{DURATIONS, Histogram};
use crate::model::{TenantId, UnixMs};

/// What came of a call, as one of few words: a label of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum CallOutcome {
    /// A filter let the event through.
    Passed,
    /// A filter or transform dropped it.
    Dropped,
    /// A transform left it as it was.
    Unchanged,
    /// A transform replaced the request.
    Replaced,
    /// A matcher said whether it accepts a topic.
    Matched,
    /// It says that it can never handle the event.
    Invalid,
    /// It asks to be called again later.
    Retry,
    /// It ran past its deadline.
    Deadline,
    /// It used more memory than it may.
    Memory,
    /// It overflowed its stack.
    Stack,
    /// It panicked or trapped in another way.
    Trap,
    /// Its output is too big, malformed or not allowed.
    Output,
    /// It refused its configuration or patterns.
    Init,
    /// No instance became free in time.
    Busy,
    /// It does not export what it is called for.
    NotExported,
    /// It was not asked: its breaker is open.
    BreakerOpen,
}

impl CallOutcome {
    /// All of them, by their numbers.
    pub const ALL: [Self; 16] = [
        Self::Passed,
        Self::Dropped,
        Self::Unchanged,
        Self::Replaced,
        Self::Matched,
        Self::Invalid,
        Self::Retry,
        Self::Deadline,
        Self::Memory,
        Self::Stack,
        Self::Trap,
        Self::Output,
        Self::Init,
        Self::Busy,
        Self::NotExported,
        Self::BreakerOpen,
    ];

    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Dropped => "dropped",
            Self::Unchanged => "unchanged",
            Self::Replaced => "replaced",
            Self::Matched => "matched",
            Self::Invalid => "invalid",
            Self::Retry => "retry",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Trap => "trap",
            Self::Output => "output",
            Self::Init => "init",
            Self::Busy => "busy",
            Self::NotExported => "not_exported",
            Self::BreakerOpen => "breaker_open",
        }
    }

    /// Whether the call has an answer.
    #[must_use]
    pub const fn is_answer(self) -> bool {
        matches!(self, Self::Passed | Self::Dropped | Self::Unchanged | Self::Replaced | Self::Matched)
    }
}

impl From<&CallError> for CallOutcome {
    fn from(error: &CallError) -> Self {
        match error {
            CallError::Invalid(_) => Self::Invalid,
            CallError::Retry(_) => Self::Retry,
            CallError::Deadline(_) => Self::Deadline,
            CallError::Memory(_) => Self::Memory,
            CallError::Stack(_) => Self::Stack,
            CallError::Unreachable(_) | CallError::Trap { .. } => Self::Trap,
            CallError::OutputTooBig(_) | CallError::Malformed(_) | CallError::Illegal(_) => Self::Output,
            CallError::Init(_) | CallError::Patterns(_) => Self::Init,
            CallError::Busy(_) => Self::Busy,
            CallError::BreakerOpen { .. } => Self::BreakerOpen,
            CallError::NotExported(_)
            | CallError::WrongTypes(_)
            | CallError::Unknown(_)
            | CallError::NotLoaded(_) => Self::NotExported,
        }
    }
}

/// How the last call failed that did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// When.
    pub at: UnixMs,
    /// Whose event it was about.
    pub tenant: TenantId,
    /// What came of the call.
    pub outcome: CallOutcome,
    /// How, in a sentence.
    pub message: String,
}

/// What the calls of a version came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// How often each outcome was counted, by [`CallOutcome::ALL`]; those that never were are left out.
    pub outcomes: Vec<(CallOutcome, u64)>,
    /// What half of the calls took at most, about; `None` without calls.
    pub p50: Option<Duration>,
    /// What 99 of 100 calls took at most, about.
    pub p99: Option<Duration>,
    /// The most linear memory that one instance had, in bytes.
    pub memory_peak: u64,
    /// How many instances there are, idle ones included.
    pub instances: u64,
    /// Log lines that were over a quota.
    pub log_lines_dropped: u64,
}

impl Usage {
    /// Calls, those included that were not made because a breaker was open.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.outcomes.iter().map(|(_, count)| count).sum()
    }

    /// Calls without an answer.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.outcomes.iter().filter(|(outcome, _)| !outcome.is_answer()).map(|(_, count)| count).sum()
    }
}

/// The counts of one version.
#[derive(Debug)]
pub(super) struct Stats {
    calls: [AtomicU64; CallOutcome::ALL.len()],
    /// How long calls took, waiting included.
    pub(super) durations: Histogram,
    /// How long they waited for their turn and for a place for a new instance.
    pub(super) waits: Histogram,
    memory_peak: AtomicU64,
    instances: AtomicU64,
    last_error: Mutex<Option<LastError>>,
}

/// Counts an instance for as long as it is kept.
#[derive(Debug)]
pub(super) struct CountedInstance(Arc<Stats>);

impl Default for Stats {
    fn default() -> Self {
        Self {
            calls: [const { AtomicU64::new(0) }; CallOutcome::ALL.len()],
            durations: Histogram::new(&DURATIONS),
            waits: Histogram::new(&DURATIONS),
            memory_peak: AtomicU64::new(0),
            instances: AtomicU64::new(0),
            last_error: Mutex::default(),
        }
    }
}

impl Stats {
    /// Counts a call.
    pub(super) fn count(&self, outcome: CallOutcome, took: Duration) {
        self.calls[outcome as usize].fetch_add(1, Ordering::Relaxed);
        self.durations.observe_duration(took);
    }

    /// Remembers how a call failed.
    pub(super) fn note_error(&self, error: &CallError, tenant: &TenantId, at: UnixMs) {
        let (outcome, message) = (CallOutcome::from(error), error.to_string());
        let last = LastError { at, tenant: tenant.clone(), outcome, message };
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    pub(super) fn last_error(&self) -> Option<LastError> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn usage(&self, log_lines_dropped: u64) -> Usage {
        Usage {
            outcomes: self.calls().filter(|(_, count)| *count > 0).collect(),
            p50: self.durations.quantile_duration(0.5),
            p99: self.durations.quantile_duration(0.99),
            memory_peak: self.memory_peak(),
            instances: self.instances(),
            log_lines_dropped,
        }
    }

    /// Counts a call that was not made.
    pub(super) fn count_refused(&self) {
        self.calls[CallOutcome::BreakerOpen as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many calls have an answer.
    pub(super) fn answers(&self) -> u64 {
        self.calls().filter(|(outcome, _)| outcome.is_answer()).map(|(_, count)| count).sum()
    }

    /// How often each outcome was counted, by [`CallOutcome::ALL`].
    pub(super) fn calls(&self) -> impl Iterator<Item = (CallOutcome, u64)> {
        let counts = CallOutcome::ALL.into_iter().zip(&self.calls);
        counts.map(|(outcome, count)| (outcome, count.load(Ordering::Relaxed)))
    }

    /// What was called so far was a trial.
    pub(super) fn forget_calls(&self) {
        self.calls.iter().for_each(|count| count.store(0, Ordering::Relaxed));
        self.durations.reset();
        self.waits.reset();
    }

    /// An instance has so much linear memory.
    pub(super) fn note_memory(&self, bytes: usize) {
        let bytes = bytes as u64;
        // Nearly always it is not a new peak, and then nothing is written.
        if bytes > self.memory_peak() {
            self.memory_peak.fetch_max(bytes, Ordering::Relaxed);
        }
    }

    /// The most linear memory that one instance had, in bytes.
    pub(super) fn memory_peak(&self) -> u64 {
        self.memory_peak.load(Ordering::Relaxed)
    }

    /// How many instances there are.
    pub(super) fn instances(&self) -> u64 {
        self.instances.load(Ordering::Relaxed)
    }
}

impl CountedInstance {
    pub(super) fn new(stats: &Arc<Stats>) -> Self {
        stats.instances.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(stats))
    }

    pub(super) fn stats(&self) -> &Stats {
        &self.0
    }
}

impl Drop for CountedInstance {
    fn drop(&mut self) {
        self.0.instances.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_numbered_in_the_order_of_the_list_and_have_names_of_their_own() {
        let mut names: Vec<_> = CallOutcome::ALL.iter().map(|outcome| outcome.name()).collect();
        for (number, outcome) in CallOutcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, number);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CallOutcome::ALL.len());
    }

    #[test]
    fn calls_instances_and_memory_are_counted() {
        let stats = Arc::new(Stats::default());
        let instances = [CountedInstance::new(&stats), CountedInstance::new(&stats)];
        assert_eq!(stats.instances(), 2);
        drop(instances);
        stats.count(CallOutcome::Passed, Duration::from_micros(3));
        stats.count(CallOutcome::Trap, Duration::from_micros(3));
        stats.note_memory(10);
        stats.note_memory(5);
        assert_eq!((stats.instances(), stats.memory_peak()), (0, 10));
        let counted: Vec<_> = stats.calls().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(CallOutcome::Passed, 1), (CallOutcome::Trap, 1)]);
    }
}
