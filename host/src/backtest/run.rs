//! One backtest, from the newest event back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::pages::Pages;
use super::tally::Summary;
use super::{Difference, Extent, Report};
use crate::dispatch::Judge;
use crate::model::{Binding, Event};
use crate::plugins::{Comparison, Sameness, VersionPair};
use crate::store::{self, Store};

/// Differences that are told at once. Each takes some 80 kB at the very most.
const BATCH: usize = 64;
/// A bar moves smoothly at this.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// Between two looks at whether somebody still wants to know.
const JUDGEMENTS_AT_ONCE: u64 = 64;

/// Everything that one backtest needs and has found out.
pub(super) struct Run {
    store: Arc<dyn Store>,
    judge: Judge,
    pair: VersionPair,
    extent: Extent,
    out: mpsc::Sender<Vec<Report>>,
    waiting: Vec<Report>,
    found: Summary,
    told_at: Instant,
}

/// Why it ends early.
enum End {
    /// Nobody takes the reports.
    Gone,
    Store(store::Error),
}

impl Run {
    pub(super) fn new(
        store: Arc<dyn Store>,
        judge: Judge,
        (pair, extent): (VersionPair, Extent),
        out: mpsc::Sender<Vec<Report>>,
    ) -> Self {
        let found = Summary::new(pair.live(), pair.candidate());
        Self { store, judge, pair, extent, out, waiting: Vec::new(), found, told_at: Instant::now() }
    }

    /// Looks at every event, and returns what is left to be told: at last, what came of it.
    pub(super) async fn run(mut self) -> Vec<Report> {
        let began = Instant::now();
        let report = match self.all().await {
            Ok(()) => {
                self.found.took = began.elapsed();
                Report::Summary(Box::new(self.found))
            }
            Err(End::Store(error)) => Report::Failed(error),
            Err(End::Gone) => return Vec::new(),
        };
        self.waiting.push(report);
        self.waiting
    }

    async fn all(&mut self) -> Result<(), End> {
        let Extent { filter, limit, .. } = self.extent.clone();
        let mut pages = Pages::new(Arc::clone(&self.store), filter, limit);
        while let Some(events) = pages.next().await.map_err(End::Store)? {
            for event in &events {
                self.look_at(event).await?;
                if self.told_at.elapsed() >= PROGRESS_EVERY {
                    self.tell_progress().await?;
                }
            }
        }
        self.found.has_more = pages.has_more();
        Ok(())
    }

    async fn look_at(&mut self, event: &Arc<Event>) -> Result<(), End> {
        self.found.looked_at(event.accepted_at);
        let Some(trial) = self.judge.preview(event) else { return Ok(()) };
        for interest in self.judge.interested(&trial).await {
            let endpoint = interest.endpoint;
            let is_asked = self.extent.endpoint.is_none_or(|only| only == endpoint.id);
            if !is_asked || interest.unsure.is_some() {
                continue;
            }
            let is_meant =
                |binding: &&Binding| binding.plugin == *self.pair.plugin() && binding.covers(&event.topic);
            let bindings: Vec<_> = trial.bindings(endpoint).filter(is_meant).collect();
            if bindings.is_empty() || !trial.passes_filter(endpoint) {
                continue;
            }
            let live_first = self.found.tally.judgements.is_multiple_of(2);
            let both = self.pair.ask(trial.subject(), endpoint, &bindings, live_first).await;
            let Some(both) = both else { continue };
            let comparison = Comparison::of(event, &both.live.answer, &both.candidate.answer);
            self.found.count(&both, comparison.sameness);
            if self.is_told(comparison.sameness) {
                let (event, endpoint) = (Arc::clone(event), Arc::clone(endpoint));
                self.tell(Report::Difference(Box::new(Difference { event, endpoint, comparison }))).await?;
            }
            if self.found.tally.judgements.is_multiple_of(JUDGEMENTS_AT_ONCE) {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    const fn is_told(&self, sameness: Sameness) -> bool {
        match sameness {
            Sameness::Same => false,
            Sameness::Equivalent => self.extent.with_equivalent,
            Sameness::Different => true,
        }
    }

    async fn tell_progress(&mut self) -> Result<(), End> {
        self.told_at = Instant::now();
        let reached = self.found.span.map(|(oldest, _)| oldest);
        self.waiting.push(Report::Progress { tally: self.found.tally, reached });
        self.flush().await
    }

    async fn tell(&mut self, report: Report) -> Result<(), End> {
        self.waiting.push(report);
        if self.waiting.len() >= BATCH { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), End> {
        let reports = std::mem::take(&mut self.waiting);
        self.out.send(reports).await.map_err(|_| End::Gone)
    }
}
