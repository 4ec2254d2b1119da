//! Two versions of a plugin that are asked about the same events, side by side, while others serve.
//!
//! Nothing follows of the answers. Both are asked apart from the version that is live, so whatever they do is counted nowhere,
//! opens no breaker, stands in no log and takes no instance from events; no request to others leaves the gateway.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Plugins;
use super::comparison::Answered;
use super::engine::Runtime;
use super::error::CallError;
use super::history::Kept;
use super::install::{InstallError, NewFiles, unreadable};
use super::judge::{Answer, Trial};
use super::keeper::Keeper;
use super::load::Files;
use super::registry::PluginSet;
use super::version::{Capability, Version};
use crate::json::Subject;
use crate::model::{Binding, Endpoint, PluginName, Topic};

/// A version that is not live.
#[derive(Debug)]
pub enum Candidate {
    /// One of these files.
    Files(NewFiles),
    /// One that was live before and is kept.
    Kept(String),
}

/// The version that is live and one that is not.
pub struct VersionPair {
    /// Empty: what is called here is none of it.
    set: PluginSet,
    live: Version,
    candidate: Version,
}

/// What both said of one event for one endpoint.
#[derive(Debug)]
pub struct BothAnswers {
    /// The live version.
    pub live: Timed,
    /// The candidate.
    pub candidate: Timed,
}

/// An answer, and how long the plugin took for it.
#[derive(Debug)]
pub struct Timed {
    /// What it said.
    pub answer: Answered,
    /// In all of its calls.
    pub took: Duration,
}

impl Plugins {
    /// The live version of a plugin beside a candidate, which is loaded with every check of a file in the directory and does not go
    /// live.
    ///
    /// # Errors
    /// There is no live version, or the candidate could not go live.
    pub async fn pair(&self, plugin: &PluginName, candidate: Candidate) -> Result<VersionPair, InstallError> {
        let snapshot = self.snapshot();
        let live = snapshot.version(plugin).map_err(|error| {
            if matches!(error, CallError::NotLoaded(_)) {
                InstallError::NotLive
            } else {
                InstallError::NoPlugin
            }
        })?;
        let files = self.keeper.lock().await.files_of(plugin, candidate).await?;
        let in_use = self.registry.in_use(plugin);
        let candidate = self.loader.load(plugin, files, Some(live), &in_use).await?;
        let apart = |version: &Version| version.apart(self.loader.next_id(), &self.runtime);
        let (live, candidate) = (apart(live), apart(&candidate));
        Ok(VersionPair { set: PluginSet::empty(Arc::clone(&self.runtime)), live, candidate })
    }
}

impl Keeper {
    /// The files of a candidate. Nothing of it is kept beyond this.
    async fn files_of(&self, plugin: &PluginName, candidate: Candidate) -> Result<Files, InstallError> {
        match candidate {
            Candidate::Files(new) => {
                let files = match self.keep_new(plugin, new).await {
                    Ok(kept) => self.history.read(kept).await.map_err(unreadable),
                    Err(error) => Err(error),
                };
                self.history.sweep().await;
                files
            }
            Candidate::Kept(version) => {
                let record = self.history.of(plugin).await;
                let kept = record.as_ref().and_then(|record| record.version(&version));
                let kept = kept.map(Kept::of).ok_or(InstallError::NoVersion)?;
                self.history.read(kept).await.map_err(unreadable)
            }
        }
    }
}

impl VersionPair {
    /// Which plugin.
    #[must_use]
    pub const fn plugin(&self) -> &PluginName {
        &self.live.plugin
    }

    /// What the version is called that was live when the two were put together.
    #[must_use]
    pub fn live(&self) -> &str {
        &self.live.hash
    }

    /// What the candidate is called.
    #[must_use]
    pub fn candidate(&self) -> &str {
        &self.candidate.hash
    }

    /// Asks both about an event for an endpoint, through those of its bindings that are of this plugin; `None` if it is for neither
    /// of them. Whoever is asked first pays for what both share, so the turn should change.
    pub async fn ask(
        &self,
        subject: &Subject,
        endpoint: &Arc<Endpoint>,
        bindings: &[&Binding],
        live_first: bool,
    ) -> Option<BothAnswers> {
        let topic = &subject.event().topic;
        if bindings.is_empty() || !self.live.is_for(topic) && !self.candidate.is_for(topic) {
            return None;
        }
        let ask = |version| self.ask_one(version, subject, endpoint, bindings);
        let (live, candidate) = if live_first {
            let live = ask(&self.live).await;
            (live, ask(&self.candidate).await)
        } else {
            let candidate = ask(&self.candidate).await;
            (ask(&self.live).await, candidate)
        };
        Some(BothAnswers { live, candidate })
    }

    async fn ask_one(
        &self,
        version: &Version,
        subject: &Subject,
        endpoint: &Arc<Endpoint>,
        bindings: &[&Binding],
    ) -> Timed {
        let trial = Trial::new(&self.set, subject, endpoint, None);
        if !version.is_for(&subject.event().topic) {
            return Timed { answer: Answered::Deliver { request: None }, took: Duration::ZERO };
        }
        let began = Instant::now();
        let answer = self.answer(trial, version, bindings).await;
        Timed { answer, took: began.elapsed() }
    }

    /// All filters, then all transforms, as for an event; a failure is one, whatever the binding makes of it.
    async fn answer(&self, mut trial: Trial<'_>, version: &Version, bindings: &[&Binding]) -> Answered {
        for role in [Capability::Filter, Capability::Transform] {
            for binding in bindings.iter().filter(|_| version.has(role)) {
                let config = version.config(binding.config.as_ref());
                match patient(&trial, version, &config, role).await {
                    Ok(Answer::Pass | Answer::Unchanged) => {}
                    Ok(Answer::Replace(custom)) => trial.go_on_with(custom),
                    Ok(Answer::Drop(reason)) => return Answered::Drop { reason },
                    Err(error) => return Answered::Fail { message: error.to_string() },
                }
            }
        }
        Answered::Deliver { request: trial.into_custom() }
    }

    fn runtime(&self) -> &Runtime {
        &self.set.runtime
    }
}

/// An instance may be taken by events for as long as it likes. Beside a machine that is busy a call can run past its deadline
/// once, which says nothing of the version.
async fn patient(
    trial: &Trial<'_>,
    version: &Version,
    config: &Arc<str>,
    role: Capability,
) -> Result<Answer, CallError> {
    let mut was_late = false;
    loop {
        match trial.call(version, config, role).await {
            Err(CallError::Busy(_)) => {}
            Err(CallError::Deadline(_)) if !was_late => was_late = true,
            answer => return answer,
        }
    }
}

impl Version {
    /// Whether it is for the topic by its own word.
    fn is_for(&self, topic: &Topic) -> bool {
        self.manifest.covers(topic)
    }
}

impl Drop for VersionPair {
    fn drop(&mut self) {
        for version in [&self.live, &self.candidate] {
            self.runtime().pool.forget(version.id);
        }
    }
}

impl std::fmt::Debug for VersionPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (live, candidate) = (self.live(), self.candidate());
        f.debug_struct("VersionPair").field("live", &live).field("candidate", &candidate).finish()
    }
}
