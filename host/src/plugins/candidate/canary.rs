//! A share of the events is decided by the candidate, and by the live version wherever the candidate fails.
//!
//! What is chosen is chosen once for a judgement, for filter and transform alike. A candidate that fails in its transform takes its
//! filter with it: the live version is asked as if the candidate had not been.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Candidate;
use super::shadow::Watched;
use super::tally::{Counted, Example};
use crate::model::{Binding, CustomRequest, Event, PluginName, PluginRun, PluginRunOutcome};
use crate::plugins::comparison::{Answered, Comparison};
use crate::plugins::error::CallError;
use crate::plugins::judge::{Blame, Decision, Trial};
use crate::plugins::registry::PluginSet;
use crate::plugins::stats::CallOutcome;
use crate::plugins::version::{Capability, Version};

/// What candidates do in one judgement. Where there is none, nothing is allocated for it.
pub(in crate::plugins) struct InTrial<'a> {
    /// The bindings that they decide for.
    deciding: Vec<(&'a Binding, &'a Arc<Candidate>)>,
    /// Those that failed; the live version has the word there.
    failed: Vec<Failure<'a>>,
    /// The bindings that they are compared for.
    pub(super) watched: Vec<Watched<'a>>,
}

/// A candidate that has no answer.
struct Failure<'a> {
    candidate: &'a Arc<Candidate>,
    error: CallError,
    /// How many runs there were by then: the live version's come behind.
    runs: usize,
}

impl InTrial<'_> {
    pub(in crate::plugins) const fn none() -> Self {
        Self { deciding: Vec::new(), failed: Vec::new(), watched: Vec::new() }
    }
}

impl PluginSet {
    /// The candidate that decides this event.
    pub(in crate::plugins) fn chosen(&self, plugin: &PluginName, event: &Event) -> Option<&Arc<Candidate>> {
        if !self.has_candidates {
            return None;
        }
        let candidate = self.entries.get(plugin)?.candidate.as_ref()?;
        candidate.decides(event).then_some(candidate)
    }
}

impl<'a> Trial<'a> {
    /// Chooses who decides, for all bindings at once.
    pub(in crate::plugins) fn choose(&mut self, bindings: &[&'a Binding]) {
        let (set, event) = (self.set, self.subject.event());
        let chosen = |binding: &&'a Binding| Some((*binding, set.chosen(&binding.plugin, event)?));
        self.candidates.deciding = bindings.iter().filter_map(chosen).collect();
    }

    /// The candidate that decides for a binding.
    pub(in crate::plugins) fn candidate(&self, binding: &Binding) -> Option<&'a Arc<Candidate>> {
        let mut deciding = self.candidates.deciding.iter();
        deciding.find(|(chosen, _)| std::ptr::eq(*chosen, binding)).map(|(_, candidate)| *candidate)
    }

    /// The version that is asked for a binding.
    pub(in crate::plugins) fn asked(&self, binding: &Binding) -> Result<&'a Arc<Version>, CallError> {
        match self.candidate(binding) {
            Some(candidate) => Ok(&candidate.version),
            None => self.set.version(&binding.plugin),
        }
    }

    /// Asks the candidate and, if it has no answer, the live version. Some if that is the end.
    pub(in crate::plugins) async fn run_candidate(
        &mut self,
        candidate: &'a Arc<Candidate>,
        binding: &'a Binding,
        role: Capability,
    ) -> Option<Decision> {
        let (version, started) = (&candidate.version, Instant::now());
        let config = version.config(binding.config.as_ref());
        let result = self.call(version, &config, role).await;
        let took = started.elapsed();
        version.stats.count(result.as_ref().map_or_else(CallOutcome::from, CallOutcome::from), took);
        let error = match result {
            Ok(answer) => {
                if self.subject.rehearsal().is_none() {
                    candidate.answered();
                }
                let (outcome, decision) = self.weigh(binding, Ok(answer), Blame::Plugin);
                self.record(binding, version, outcome, took);
                return decision;
            }
            Err(error) => error,
        };
        version.stats.note_error(&error, &self.endpoint.tenant, self.set.runtime.clock.now());
        self.record(binding, version, PluginRunOutcome::Failed(error.to_string()), took);
        self.candidates.deciding.retain(|(chosen, _)| !std::ptr::eq(*chosen, binding));
        self.candidates.failed.push(Failure { candidate, error, runs: self.runs.len() });
        self.run_in_its_place(binding, role).await
    }

    /// Asks the live version in the place of a candidate that failed in this role.
    async fn run_in_its_place(&mut self, binding: &'a Binding, role: Capability) -> Option<Decision> {
        if role == Capability::Transform
            && self.plays(binding, Capability::Filter)
            && let Some(decision) = self.run_live(binding, Capability::Filter).await
        {
            return Some(decision);
        }
        if self.plays(binding, role) { self.run_live(binding, role).await } else { None }
    }

    /// Counts what candidates decided, and where they failed. Nothing counts of which nothing follows.
    pub(in crate::plugins) fn count_candidates(&mut self) {
        let failed = std::mem::take(&mut self.candidates.failed);
        if self.subject.rehearsal().is_some() {
            return;
        }
        for (_, candidate) in &self.candidates.deciding {
            candidate.tally.count(Counted::Decided);
        }
        failed.iter().for_each(|failure| self.blame(failure));
    }

    /// Counts a failure, and holds it against the candidate if the live version did better.
    fn blame(&self, failure: &Failure<'a>) {
        let Failure { candidate, error, runs } = failure;
        let (event, at) = (self.subject.event(), self.set.runtime.clock.now());
        let mut behind = self.runs.iter().skip(*runs).rev();
        let live = behind.find(|run| run.plugin == candidate.version.plugin);
        let live = live.map_or(Answered::Deliver { request: None }, |run| said(run, &None));
        let failed = Answered::Fail { message: error.to_string() };
        candidate.tally.count(Counted::Failed);
        candidate.tally.remember(Example {
            at,
            event: event.id.clone(),
            tenant: event.tenant.clone(),
            endpoint: self.endpoint.id,
            comparison: Comparison::of(event, &live, &failed),
        });
        let did_better = !matches!(live, Answered::Fail { .. });
        if did_better && error.is_fault() && candidate.failed(event.key, error, at) {
            self.set.news.shadows.ended(candidate);
        }
    }

    pub(in crate::plugins) fn record(
        &mut self,
        binding: &Binding,
        version: &Version,
        outcome: PluginRunOutcome,
        took: Duration,
    ) {
        let (plugin, version) = (binding.plugin.clone(), Arc::clone(&version.hash));
        self.runs.push(PluginRun { plugin, version, outcome, took });
    }
}

/// What a run says, where `custom` is the request after it.
pub(super) fn said(run: &PluginRun, custom: &Option<Arc<CustomRequest>>) -> Answered {
    match &run.outcome {
        PluginRunOutcome::Passed | PluginRunOutcome::Unchanged | PluginRunOutcome::Replaced => {
            Answered::Deliver { request: custom.clone() }
        }
        PluginRunOutcome::Dropped(reason) => Answered::Drop { reason: reason.clone() },
        PluginRunOutcome::Failed(message) => Answered::Fail { message: message.clone() },
    }
}
