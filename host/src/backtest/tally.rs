//! What a backtest counts.

use std::time::Duration;

use crate::metrics::{DURATIONS, Histogram};
use crate::model::UnixMs;
use crate::plugins::{Answered, BothAnswers, Sameness, Timed};

/// What came of the events so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events that were looked at.
    pub events: u64,
    /// How often both versions were asked: for each endpoint that wants an event and uses the plugin.
    pub judgements: u64,
    /// How often they said the same.
    pub same: u64,
    /// How often they said what means the same.
    pub equivalent: u64,
    /// How often they said something else.
    pub different: u64,
}

/// What one version said.
#[derive(Debug)]
pub struct Record {
    /// What it is called.
    pub version: String,
    /// How often it delivered.
    pub delivered: u64,
    /// How often it dropped.
    pub dropped: u64,
    /// How often it failed.
    pub failed: u64,
    /// How long it took each time.
    pub took: Histogram,
}

/// What a backtest found.
#[derive(Debug)]
pub struct Summary {
    /// The counts.
    pub tally: Tally,
    /// The live version.
    pub live: Record,
    /// The candidate.
    pub candidate: Record,
    /// When the oldest and the newest event were accepted that were looked at.
    pub span: Option<(UnixMs, UnixMs)>,
    /// Whether the limit ended it and there are older events.
    pub has_more: bool,
    /// How long it took.
    pub took: Duration,
}

impl Tally {
    pub(super) const fn count(&mut self, sameness: Sameness) {
        self.judgements += 1;
        match sameness {
            Sameness::Same => self.same += 1,
            Sameness::Equivalent => self.equivalent += 1,
            Sameness::Different => self.different += 1,
        }
    }

    /// The share of judgements that differ, from 0 to 1; 0 if there are none.
    #[must_use]
    pub fn difference_rate(&self) -> f64 {
        self.different as f64 / self.judgements.max(1) as f64
    }
}

impl Record {
    fn new(version: &str) -> Self {
        let (version, took) = (version.to_owned(), Histogram::new(&DURATIONS));
        Self { version, delivered: 0, dropped: 0, failed: 0, took }
    }

    fn count(&mut self, Timed { answer, took }: &Timed) {
        match answer {
            Answered::Deliver { .. } => self.delivered += 1,
            Answered::Drop { .. } => self.dropped += 1,
            Answered::Fail { .. } => self.failed += 1,
        }
        self.took.observe_duration(*took);
    }
}

impl Summary {
    /// Nothing counted yet.
    pub(super) fn new(live: &str, candidate: &str) -> Self {
        Self {
            tally: Tally::default(),
            live: Record::new(live),
            candidate: Record::new(candidate),
            span: None,
            has_more: false,
            took: Duration::ZERO,
        }
    }

    /// An event was looked at; they come from the newest on.
    pub(super) fn looked_at(&mut self, accepted_at: UnixMs) {
        self.tally.events += 1;
        let newest = self.span.map_or(accepted_at, |(_, newest)| newest);
        self.span = Some((accepted_at, newest));
    }

    pub(super) fn count(&mut self, both: &BothAnswers, sameness: Sameness) {
        self.tally.count(sameness);
        self.live.count(&both.live);
        self.candidate.count(&both.candidate);
    }
}
