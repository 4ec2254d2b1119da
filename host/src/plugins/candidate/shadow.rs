//! The candidate beside the live version: asked later, compared, and nothing follows.
//!
//! While an event is judged, what the live version got and said is noted, which is two pointers for each binding. It is handed to a
//! queue that never waits, and one task asks the candidate the same.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::warn;

use super::Candidate;
use super::canary::said;
use super::tally::{Counted, Example};
use crate::json::{Rehearsal, Subject};
use crate::model::{Actor, Binding, CandidateEnd, CustomRequest, Endpoint, PluginName, PluginRecord};
use crate::plugins::comparison::{Answered, Comparison, Sameness};
use crate::plugins::error::CallError;
use crate::plugins::history::History;
use crate::plugins::judge::{Answer, Trial};
use crate::plugins::registry::Registry;
use crate::plugins::stats::CallOutcome;
use crate::plugins::version::Capability;
use crate::shutdown::Shutdown;

/// Each holds an event: with the largest that are taken by default, 64 MiB.
const WAITING: usize = 64;

/// What the live version got and said, for one binding of a plugin that has a candidate in shadow.
pub(in crate::plugins) struct Watched<'a> {
    candidate: &'a Arc<Candidate>,
    binding: &'a Binding,
    /// What transforms before it made of the request; none if the transforms were not reached.
    input: Option<Option<Arc<CustomRequest>>>,
    live: Answered,
}

/// The same, for later.
pub(in crate::plugins) struct Shadow {
    candidate: Arc<Candidate>,
    binding: Binding,
    subject: Subject,
    endpoint: Arc<Endpoint>,
    input: Option<Option<Arc<CustomRequest>>>,
    live: Answered,
}

/// What there is to do for candidates.
pub(in crate::plugins) struct Work {
    shadows: mpsc::Receiver<Shadow>,
    ended: mpsc::UnboundedReceiver<Arc<Candidate>>,
}

/// Where that comes from.
pub(in crate::plugins) struct Shadows {
    shadows: mpsc::Sender<Shadow>,
    ended: mpsc::UnboundedSender<Arc<Candidate>>,
}

impl Shadows {
    /// A way in, and what comes out of it. Nobody need take that.
    pub(in crate::plugins) fn new() -> (Self, Work) {
        let (shadows, to_compare) = mpsc::channel(WAITING);
        // At most one for each candidate.
        let (ended, to_write_down) = mpsc::unbounded_channel();
        (Self { shadows, ended }, Work { shadows: to_compare, ended: to_write_down })
    }

    /// A candidate is tried no more, by what it did.
    pub(super) fn ended(&self, candidate: &Arc<Candidate>) {
        // Without anybody to write it down the gateway is stopping.
        let _ = self.ended.send(Arc::clone(candidate));
    }

    fn offer(&self, shadow: Shadow) {
        if let Err(error) = self.shadows.try_send(shadow) {
            error.into_inner().candidate.tally.count(Counted::Skipped);
        }
    }
}

impl<'a> Trial<'a> {
    /// A role of a binding comes next.
    pub(in crate::plugins) fn watch(&mut self, binding: &'a Binding, role: Capability) {
        let (set, custom) = (self.set, &self.custom);
        if role == Capability::Transform {
            if let Some(watched) = watched(&mut self.candidates.watched, binding) {
                watched.input = Some(custom.clone());
                watched.live = Answered::Deliver { request: custom.clone() };
            }
            return;
        }
        let candidate = set.entries.get(&binding.plugin).and_then(|entry| entry.candidate.as_ref());
        let Some(candidate) = candidate.filter(|candidate| candidate.is_shadow()) else { return };
        if self.subject.rehearsal().is_none() {
            let live = Answered::Deliver { request: None };
            self.candidates.watched.push(Watched { candidate, binding, input: None, live });
        }
    }

    /// The live version said something.
    pub(in crate::plugins) fn note_answer(&mut self, binding: &Binding) {
        let (run, custom) = (self.runs.last(), &self.custom);
        if let (Some(run), Some(watched)) = (run, watched(&mut self.candidates.watched, binding)) {
            watched.live = said(run, custom);
        }
    }

    /// The delivery is decided: candidates may say what they would have.
    pub(in crate::plugins) fn offer_shadows(&mut self) {
        for Watched { candidate, binding, input, live } in std::mem::take(&mut self.candidates.watched) {
            self.set.news.shadows.offer(Shadow {
                candidate: Arc::clone(candidate),
                binding: binding.clone(),
                subject: self.subject.clone(),
                endpoint: Arc::clone(self.endpoint),
                input,
                live,
            });
        }
    }
}

fn watched<'w, 'a>(all: &'w mut [Watched<'a>], binding: &Binding) -> Option<&'w mut Watched<'a>> {
    all.iter_mut().find(|watched| std::ptr::eq(watched.binding, binding))
}

/// Compares, and writes down which candidates are tried no more, until it is time to stop. What waits then is left out.
pub(in crate::plugins) async fn run(
    registry: Arc<Registry>,
    history: Arc<History>,
    mut work: Work,
    shutdown: Shutdown,
) {
    loop {
        tokio::select! {
            biased;
            () = shutdown.requested() => return,
            Some(candidate) = work.ended.recv() => {
                if let Some(ended) = candidate.ended() {
                    let version = &candidate.version;
                    write_down(&history, &version.plugin, &version.hash, ended).await;
                }
            }
            Some(shadow) = work.shadows.recv() => registry.compare(shadow).await,
        }
    }
}

/// The candidate of this version is tried no more.
pub(super) async fn write_down(history: &History, plugin: &PluginName, version: &str, ended: &CandidateEnd) {
    warn!(%plugin, version, reason = ended.reason, "the candidate of a plugin is tried no more");
    let entry = history.entry(Actor::Gateway, "plugin.candidate_ended", plugin, [Some(version), None]);
    let end = |record: &mut PluginRecord| {
        let row = record.candidate.as_mut().filter(|row| row.version.version == version);
        if let Some(row) = row {
            row.ended = Some(ended.clone());
        }
    };
    if let Err(error) = history.change(plugin, Some(entry), end).await {
        warn!(%plugin, version, %error, "it could not be written down that the candidate is tried no more: a restart tries it again");
    }
}

impl Registry {
    async fn compare(&self, shadow: Shadow) {
        let Shadow { candidate, live, endpoint, subject, .. } = &shadow;
        if !candidate.is_running() {
            return;
        }
        let event = subject.event();
        let answer = self.shadow(&shadow).await;
        let said = match &answer {
            Ok(said) => said.clone(),
            Err(error) => Answered::Fail { message: error.to_string() },
        };
        let comparison = Comparison::of(event, live, &said);
        let did_better = answer.is_err() && !matches!(live, Answered::Fail { .. });
        let counted = match comparison.sameness {
            _ if did_better => Counted::Failed,
            Sameness::Same => Counted::Same,
            Sameness::Equivalent => Counted::Equivalent,
            Sameness::Different => Counted::Different,
        };
        candidate.tally.count(counted);
        let at = self.runtime.clock.now();
        if matches!(counted, Counted::Failed | Counted::Different) {
            let (event, tenant, endpoint) = (event.id.clone(), event.tenant.clone(), endpoint.id);
            candidate.tally.remember(Example { at, event, tenant, endpoint, comparison });
        }
        match answer {
            Err(error) if did_better && error.is_fault() => {
                if candidate.failed(event.key, &error, at) {
                    self.news.shadows.ended(candidate);
                }
            }
            Ok(_) => candidate.answered(),
            Err(_) => {}
        }
    }

    /// What the candidate says to what the live version got.
    async fn shadow(&self, shadow: &Shadow) -> Result<Answered, CallError> {
        let Shadow { candidate, binding, subject, endpoint, input, .. } = shadow;
        let (set, version) = (self.snapshot(), &candidate.version);
        let before = input.clone().flatten();
        if !version.manifest.covers(&subject.event().topic) {
            return Ok(Answered::Deliver { request: before });
        }
        let subject = subject.rehearse(Rehearsal::Preview);
        let trial = Trial::new(&set, &subject, endpoint, before.clone());
        let config = version.config(binding.config.as_ref());
        // Filters come before transforms, so they have the event as it is.
        let filtering = Trial::new(&set, &subject, endpoint, None);
        let rounds =
            [(Capability::Filter, &filtering, true), (Capability::Transform, &trial, input.is_some())];
        let mut request = before;
        for (role, trial, is_reached) in rounds {
            if !is_reached || !version.has(role) {
                continue;
            }
            let started = Instant::now();
            let result = trial.call(version, &config, role).await;
            let outcome = result.as_ref().map_or_else(CallOutcome::from, CallOutcome::from);
            version.stats.count(outcome, started.elapsed());
            if let Err(error) = &result {
                version.stats.note_error(error, &endpoint.tenant, self.runtime.clock.now());
            }
            match result? {
                Answer::Pass | Answer::Unchanged => {}
                Answer::Replace(custom) => request = Some(Arc::new(custom)),
                Answer::Drop(reason) => return Ok(Answered::Drop { reason }),
            }
        }
        Ok(Answered::Deliver { request })
    }
}
