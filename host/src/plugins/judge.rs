//! An event before the plugins of an endpoint: all filters in the order of the bindings (global, tenant, endpoint), then all
//! transforms.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::bindings::filter::Verdict;
use super::bindings::transform::Outcome;
use super::bindings::types::Error as GuestError;
use super::breaker::{Admission, Change};
use super::candidate::InTrial;
use super::error::CallError;
use super::output::replace;
use super::registry::PluginSet;
use super::rollback::Suspicion;
use super::state::Current;
use super::stats::CallOutcome;
use super::text::clean;
use super::version::{Capability, Version};
use crate::json::Subject;
use crate::model::{
    Binding, CustomRequest, Endpoint, Event, OnFailure, PluginName, PluginRun, PluginRunOutcome, Topic,
};

/// What the plugins of an endpoint made of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What becomes of the delivery.
    pub decision: Decision,
    /// What each plugin said, in the order of the calls.
    pub runs: Vec<PluginRun>,
}

/// What becomes of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is sent, as a transform made it or, if `None`, as it is.
    Send(Option<Arc<CustomRequest>>),
    /// It is not sent.
    Drop {
        /// Which plugin says so.
        plugin: PluginName,
        /// Why.
        reason: String,
    },
    /// A plugin failed; it is tried again later.
    Hold {
        /// Which plugin.
        plugin: PluginName,
        /// How it failed, in a sentence.
        message: String,
        /// Whose fault that seems to be.
        blame: Blame,
        /// Nothing can come of it sooner.
        pause: Duration,
    },
    /// A plugin says that it can never handle the event.
    Refuse {
        /// Which plugin.
        plugin: PluginName,
        /// What it said.
        message: String,
    },
}

impl Decision {
    /// Held, since the plugin failed like this.
    pub fn hold(plugin: PluginName, error: &CallError, blame: Blame) -> Self {
        Self::Hold { plugin, message: error.to_string(), blame, pause: error.pause() }
    }
}

/// Whose fault it seems to be that a plugin failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The event's: the plugin works otherwise, as far as is known.
    Event,
    /// Not the event's: the plugin is missing, busy, does not start, or has failed on several events.
    Plugin,
}

/// What one call said.
pub(super) enum Answer {
    Pass,
    Unchanged,
    Replace(CustomRequest),
    Drop(String),
}

impl From<&Answer> for CallOutcome {
    fn from(answer: &Answer) -> Self {
        match answer {
            Answer::Pass => Self::Passed,
            Answer::Unchanged => Self::Unchanged,
            Answer::Replace(_) => Self::Replaced,
            Answer::Drop(_) => Self::Dropped,
        }
    }
}

/// The state of one judgement.
pub(super) struct Trial<'a> {
    pub(super) set: &'a PluginSet,
    pub(super) subject: &'a Subject,
    pub(super) endpoint: &'a Arc<Endpoint>,
    /// In the order of the calls of one role.
    bindings: Vec<&'a Binding>,
    pub(super) custom: Option<Arc<CustomRequest>>,
    pub(super) runs: Vec<PluginRun>,
    /// What candidates do in it.
    pub(super) candidates: InTrial<'a>,
}

impl PluginSet {
    /// Asks the plugins about an event: those that are `inherited`, as all endpoints of the tenant have them, then the
    /// endpoint's own. Never fails: failures go through each binding's `on_failure`.
    pub async fn judge(
        &self,
        subject: &Subject,
        endpoint: &Arc<Endpoint>,
        inherited: &[Binding],
    ) -> Judgement {
        let event = subject.event();
        let all = inherited.iter().chain(&endpoint.plugins);
        let is_asked = |binding: &&Binding| binding.covers(&event.topic) && self.concerns(binding, event);
        let bindings = all.filter(is_asked).collect();
        let mut trial = Trial { bindings, ..Trial::new(self, subject, endpoint, None) };
        let decision = trial.decide().await;
        Judgement { decision, runs: trial.runs }
    }

    /// Whether the plugin of a binding is for the topic by its own word. One that is not there has none.
    fn is_for(&self, binding: &Binding, topic: &Topic) -> bool {
        self.version(&binding.plugin).map_or(true, |version| version.manifest.covers(topic))
    }

    /// The same of the version that decides the event.
    fn concerns(&self, binding: &Binding, event: &Event) -> bool {
        match self.chosen(&binding.plugin, event) {
            Some(candidate) => candidate.version.manifest.covers(&event.topic),
            None => self.is_for(binding, &event.topic),
        }
    }
}

impl<'a> Trial<'a> {
    /// Begins with what the transforms before made of the request.
    pub(super) const fn new(
        set: &'a PluginSet,
        subject: &'a Subject,
        endpoint: &'a Arc<Endpoint>,
        custom: Option<Arc<CustomRequest>>,
    ) -> Self {
        Self {
            set,
            subject,
            endpoint,
            bindings: Vec::new(),
            custom,
            runs: Vec::new(),
            candidates: InTrial::none(),
        }
    }

    /// A transform made this of the request.
    pub(super) fn go_on_with(&mut self, custom: CustomRequest) {
        self.custom = Some(Arc::new(custom));
    }

    /// The request as the transforms made it, if one did.
    pub(super) fn into_custom(self) -> Option<Arc<CustomRequest>> {
        self.custom
    }

    async fn decide(&mut self) -> Decision {
        let bindings = std::mem::take(&mut self.bindings);
        if !self.set.has_candidates {
            return self.go_through(&bindings).await;
        }
        self.choose(&bindings);
        let decision = self.go_through(&bindings).await;
        self.count_candidates();
        self.offer_shadows();
        decision
    }

    async fn go_through(&mut self, bindings: &[&'a Binding]) -> Decision {
        for role in [Capability::Filter, Capability::Transform] {
            for &binding in bindings {
                if self.set.has_candidates {
                    self.watch(binding, role);
                }
                if self.plays(binding, role)
                    && let Some(decision) = self.run(binding, role).await
                {
                    return decision;
                }
            }
        }
        Decision::Send(self.custom.take())
    }

    /// Whether the binding is asked in this round. One that cannot be asked at all fails in the first.
    pub(super) fn plays(&self, binding: &Binding, role: Capability) -> bool {
        let Ok(version) = self.asked(binding) else { return role == Capability::Filter };
        let idle = !version.has(Capability::Filter) && !version.has(Capability::Transform);
        version.has(role) || (idle && role == Capability::Filter)
    }

    /// Calls one plugin and records what it said. Some if that is the end.
    async fn run(&mut self, binding: &'a Binding, role: Capability) -> Option<Decision> {
        if let Some(candidate) = self.candidate(binding) {
            return self.run_candidate(candidate, binding, role).await;
        }
        let decision = self.run_live(binding, role).await;
        self.note_answer(binding);
        decision
    }

    pub(super) async fn run_live(&mut self, binding: &Binding, role: Capability) -> Option<Decision> {
        let started = Instant::now();
        let set = self.set;
        let version = set.version(&binding.plugin);
        let (result, blame, took) = match version {
            Ok(version) => self.ask(version, binding, role, started).await,
            Err(error) => (Err(error), Blame::Plugin, started.elapsed()),
        };
        let (outcome, decision) = self.weigh(binding, result, blame);
        self.runs.push(PluginRun {
            plugin: binding.plugin.clone(),
            version: set
                .version(&binding.plugin)
                .map(|version| Arc::clone(&version.hash))
                .unwrap_or_default(),
            outcome,
            took,
        });
        decision
    }

    /// Calls one plugin unless its breaker is open. Says whose fault a failure is, and how long it took.
    async fn ask(
        &self,
        version: &Arc<Version>,
        binding: &Binding,
        role: Capability,
        started: Instant,
    ) -> (Result<Answer, CallError>, Blame, Duration) {
        let config = version.config(binding.config.as_ref());
        let using = (&self.endpoint.tenant, &config);
        let admission = match version.breakers.admit(using, self.subject.event().key, started) {
            Ok(admission) => admission,
            Err(error) => {
                version.stats.count_refused();
                return (Err(error), Blame::Plugin, started.elapsed());
            }
        };
        let result = self.call(version, &config, role).await;
        let took = started.elapsed();
        let outcome = result.as_ref().map_or_else(CallOutcome::from, CallOutcome::from);
        version.stats.count(outcome, took);
        let error = result.as_ref().err();
        if let Some(error) = error {
            version.stats.note_error(error, using.0, self.set.runtime.clock.now());
        }
        let call = (self.subject.event().key, admission);
        if let Some(change) = version.breakers.report(using, call, error, started + took) {
            self.set.tell(version, change);
            if let (Change::Opened | Change::StaysOpen, Some(error)) = (change, error) {
                self.suspect(version, binding, error);
            }
        }
        let is_event = admission == Admission::Call && error.is_some_and(CallError::is_fault_of_event);
        (result, if is_event { Blame::Event } else { Blame::Plugin }, took)
    }

    /// Has the version looked into, if it is new.
    fn suspect(&self, version: &Arc<Version>, binding: &Binding, error: &CallError) {
        self.set.news.suspicions.add(Suspicion {
            version: Arc::clone(version),
            binding: binding.clone(),
            subject: self.subject.clone(),
            endpoint: Arc::clone(self.endpoint),
            custom: self.custom.clone(),
            message: error.to_string(),
        });
    }

    pub(super) async fn call(
        &self,
        version: &Version,
        config: &Arc<str>,
        role: Capability,
    ) -> Result<Answer, CallError> {
        let runtime = &self.set.runtime;
        let body = self.custom.as_ref().map(|custom| custom.body.clone());
        let current = Current { subject: self.subject.clone(), endpoint: Arc::clone(self.endpoint), body };
        let mut lease = version.lease(runtime, &self.endpoint.tenant, config).await?;
        let answer = if role == Capability::Transform {
            let answer = lease.instance.transform(runtime, current).await?;
            answer.map(Said::Outcome)
        } else {
            let answer = lease.instance.filter(runtime, current).await?;
            answer.map(Said::Verdict)
        };
        lease.give_back(runtime);
        let answer = match answer.map_err(CallError::from)? {
            Said::Verdict(Verdict::Deliver) => Answer::Pass,
            Said::Outcome(Outcome::Unchanged) => Answer::Unchanged,
            Said::Outcome(Outcome::Replace(request)) => {
                Answer::Replace(replace(self.custom.as_deref(), request)?)
            }
            Said::Verdict(Verdict::Drop(reason)) | Said::Outcome(Outcome::Drop(reason)) => {
                Answer::Drop(clean(&reason))
            }
        };
        Ok(answer)
    }

    /// What the binding says, else the manifest.
    fn on_failure(&self, binding: &Binding) -> OnFailure {
        let manifest = || self.set.version(&binding.plugin).ok()?.manifest.on_failure;
        binding.on_failure.or_else(manifest).unwrap_or_default()
    }

    pub(super) fn weigh(
        &mut self,
        binding: &Binding,
        result: Result<Answer, CallError>,
        blame: Blame,
    ) -> (PluginRunOutcome, Option<Decision>) {
        match result {
            Ok(Answer::Pass) => (PluginRunOutcome::Passed, None),
            Ok(Answer::Unchanged) => (PluginRunOutcome::Unchanged, None),
            Ok(Answer::Replace(custom)) => {
                self.go_on_with(custom);
                (PluginRunOutcome::Replaced, None)
            }
            Ok(Answer::Drop(reason)) => {
                let decision = Decision::Drop { plugin: binding.plugin.clone(), reason: reason.clone() };
                (PluginRunOutcome::Dropped(reason), Some(decision))
            }
            Err(error) => {
                let decision = after(binding, self.on_failure(binding), &error, blame);
                (PluginRunOutcome::Failed(error.to_string()), decision)
            }
        }
    }
}

/// What either interface says when all is well.
enum Said {
    Verdict(Verdict),
    Outcome(Outcome),
}

impl From<GuestError> for CallError {
    fn from(error: GuestError) -> Self {
        match error {
            GuestError::Invalid(message) => Self::Invalid(clean(&message)),
            GuestError::Retry(message) => Self::Retry(clean(&message)),
        }
    }
}

/// What becomes of a delivery after a plugin failed; none if it goes on.
fn after(binding: &Binding, on_failure: OnFailure, error: &CallError, blame: Blame) -> Option<Decision> {
    let plugin = binding.plugin.clone();
    match on_failure {
        OnFailure::Open => None,
        OnFailure::Closed => {
            let reason =
                format!("the plugin failed, and it is bound with `on_failure = \"closed\"`: {error}");
            Some(Decision::Drop { plugin, reason })
        }
        OnFailure::Hold if error.is_final() => Some(Decision::Refuse { plugin, message: error.to_string() }),
        OnFailure::Hold => Some(Decision::hold(plugin, error, blame)),
    }
}
