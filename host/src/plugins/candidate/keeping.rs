//! A candidate comes, changes, is promoted or discarded; and is there again after a restart.
//!
//! The row says what is tried, in the transaction of its audit entry, and the registry follows. A candidate is promoted on the way of
//! an upload, and the row that makes it live takes it out of its place: there is no moment with neither or with both.

use std::sync::Arc;

use tracing::info;

use super::Candidate;
use super::shadow::write_down;
use super::tally::{Counts, Example};
use crate::model::{
    AuditEntry, CandidateEnd, Percent, PluginCandidate, PluginName, PluginOrigin, PluginRecord,
    PluginVersion, UnixMs,
};
use crate::plugins::history::Kept;
use crate::plugins::install::{Asked, InstallError, Installed, NewFiles, unreadable};
use crate::plugins::keeper::Keeper;
use crate::plugins::version::{Capability, Version};
use crate::plugins::{Plugins, Usage};

/// How a candidate does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandidateStatus {
    /// The version that is tried.
    pub version: PluginVersion,
    /// The version that is live.
    pub live: Option<String>,
    /// How many of a hundred events it decides; none in shadow.
    pub percent: Option<Percent>,
    /// Since when it is tried like this.
    pub since: UnixMs,
    /// That it is tried no more.
    pub ended: Option<CandidateEnd>,
    /// What came of it, since the gateway started or the mode changed.
    pub counts: Counts,
    /// Where it said something else or nothing, the newest first.
    pub examples: Vec<Example>,
    /// What its calls came to; none while it is not loaded.
    pub usage: Option<Usage>,
}

impl Plugins {
    /// How the candidate of a plugin does, if it has one.
    pub async fn candidate(&self, plugin: &PluginName) -> Option<CandidateStatus> {
        let row = self.history.of(plugin).await?.candidate?;
        let set = self.snapshot();
        let entry = set.entries.get(plugin);
        let candidate = entry.and_then(|entry| entry.candidate.as_ref());
        let usage = |version: &Version| version.stats.usage(version.log.dropped());
        Some(CandidateStatus {
            version: row.version,
            live: entry.and_then(|entry| entry.active.as_ref()).map(|live| live.hash.to_string()),
            percent: row.percent,
            since: row.since,
            ended: candidate.and_then(|candidate| candidate.ended().cloned()).or(row.ended),
            counts: candidate.map(|candidate| candidate.tally.counts()).unwrap_or_default(),
            examples: candidate.map(|candidate| candidate.tally.examples()).unwrap_or_default(),
            usage: candidate.map(|candidate| usage(&candidate.version)),
        })
    }

    /// Has a version tried beside the live one. It takes the place of a candidate that is there.
    ///
    /// # Errors
    /// Nothing has changed.
    pub async fn set_candidate(
        &self,
        plugin: &PluginName,
        files: NewFiles,
        percent: Option<Percent>,
        asked: &Asked,
    ) -> Result<(), InstallError> {
        self.keeper.lock().await.set_candidate(plugin, files, percent, asked).await
    }

    /// Has the candidate tried in another way; one that had ended begins anew.
    ///
    /// # Errors
    /// Nothing has changed.
    pub async fn change_candidate(
        &self,
        plugin: &PluginName,
        percent: Option<Percent>,
        asked: &Asked,
    ) -> Result<(), InstallError> {
        self.keeper.lock().await.change_candidate(plugin, percent, asked).await
    }

    /// Has the candidate go live.
    ///
    /// # Errors
    /// Nothing has changed.
    pub async fn promote(&self, plugin: &PluginName, asked: &Asked) -> Result<Installed, InstallError> {
        self.keeper.lock().await.promote(plugin, asked).await
    }

    /// Gives the candidate up.
    ///
    /// # Errors
    /// Nothing has changed.
    pub async fn discard(&self, plugin: &PluginName, asked: &Asked) -> Result<(), InstallError> {
        self.keeper.lock().await.discard(plugin, asked).await
    }
}

impl Keeper {
    async fn set_candidate(
        &mut self,
        plugin: &PluginName,
        files: NewFiles,
        percent: Option<Percent>,
        asked: &Asked,
    ) -> Result<(), InstallError> {
        let set = match self.keep_new(plugin, files).await {
            Ok(kept) => self.begin(plugin, &kept, percent, asked).await,
            Err(error) => Err(error),
        };
        self.history.sweep().await;
        set
    }

    async fn begin(
        &self,
        plugin: &PluginName,
        kept: &Kept,
        percent: Option<Percent>,
        asked: &Asked,
    ) -> Result<(), InstallError> {
        let live = self.registry.snapshot().version(plugin).ok().cloned().ok_or(InstallError::NotLive)?;
        if live.hash.as_ref() == kept.version {
            return Err(InstallError::IsLive);
        }
        let files = self.history.read(kept.clone()).await.map_err(unreadable)?;
        let version = self.try_files(plugin, files, Some(&live)).await?;
        can_be_tried(&version, percent)?;
        let origin = PluginOrigin::Upload;
        let version_row = self.history.version(kept, origin, &asked.by);
        let row = PluginCandidate { since: version_row.at, version: version_row, percent, ended: None };
        let versions = [Some(live.hash.as_ref()), Some(kept.version.as_str())];
        let entry = self.history.entry(asked.by.clone(), "plugin.candidate_set", plugin, versions);
        let entry = with_share(entry, None, percent);
        let candidate = Candidate::new(Arc::new(version), &row, None);
        self.history.change(plugin, Some(entry), |record| record.candidate = Some(row)).await?;
        info!(%plugin, version = kept.version, percent = percent.map(Percent::get), "a candidate is tried");
        self.registry.set_candidate(plugin, Some(candidate));
        Ok(())
    }

    async fn change_candidate(
        &self,
        plugin: &PluginName,
        percent: Option<Percent>,
        asked: &Asked,
    ) -> Result<(), InstallError> {
        let before = self.row(plugin).await?;
        let candidate = self.registry.candidate(plugin).ok_or(InstallError::NotLoaded)?;
        can_be_tried(&candidate.version, percent)?;
        let since = self.history.now();
        let row = PluginCandidate { percent, since, ended: None, ..before.clone() };
        let entry = self.history.entry(asked.by.clone(), "plugin.candidate_changed", plugin, [None, None]);
        let entry = with_share(entry, before.percent, percent);
        let new = row.clone();
        self.history.change(plugin, Some(entry), |record| record.candidate = Some(new)).await?;
        // A canary and a shadow count other things.
        let goes_on = percent.is_some() == before.percent.is_some();
        let tally = goes_on.then(|| Arc::clone(&candidate.tally));
        let next = Candidate::new(Arc::clone(&candidate.version), &row, tally);
        self.registry.set_candidate(plugin, Some(next));
        Ok(())
    }

    async fn promote(&mut self, plugin: &PluginName, asked: &Asked) -> Result<Installed, InstallError> {
        let row = self.row(plugin).await?;
        let installed = self.put(plugin, Kept::of(&row.version), PluginOrigin::Promote, asked).await?;
        self.history.sweep().await;
        Ok(installed)
    }

    async fn discard(&self, plugin: &PluginName, asked: &Asked) -> Result<(), InstallError> {
        let row = self.row(plugin).await?;
        let versions = [Some(row.version.version.as_str()), None];
        let entry = self.history.entry(asked.by.clone(), "plugin.candidate_discarded", plugin, versions);
        self.history.change(plugin, Some(entry), |record| record.candidate = None).await?;
        self.registry.set_candidate(plugin, None);
        self.history.sweep().await;
        info!(%plugin, version = row.version.version, "the candidate is discarded");
        Ok(())
    }

    /// After a start, or when a plugin is there again: its candidate is tried on.
    pub(in crate::plugins) async fn bring_back_candidate(&self, plugin: &PluginName) {
        let record = self.history.of(plugin).await;
        let row = record.and_then(|record: PluginRecord| record.candidate);
        let (Some(row), None) = (row, self.registry.candidate(plugin)) else { return };
        let live = self.registry.snapshot().version(plugin).ok().cloned();
        let loaded = match self.history.read(Kept::of(&row.version)).await {
            Ok(files) => {
                let loading = self.loader.load(plugin, files, live.as_deref(), &[]);
                loading.await.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        match loaded {
            Ok(version) => {
                let candidate = Candidate::new(Arc::new(version), &row, None);
                self.registry.set_candidate(plugin, Some(candidate));
            }
            // Once is enough to be told.
            Err(_) if row.ended.is_some() => {}
            Err(reason) => {
                let at = self.history.now();
                let ended =
                    CandidateEnd { at, reason: format!("it could not be loaded after a start: {reason}") };
                write_down(&self.history, plugin, &row.version.version, &ended).await;
            }
        }
    }

    async fn row(&self, plugin: &PluginName) -> Result<PluginCandidate, InstallError> {
        let record = self.history.of(plugin).await;
        record.and_then(|record| record.candidate).ok_or(InstallError::NoCandidate)
    }
}

/// In shadow nothing may follow of a call, and a request to somebody else is something.
fn can_be_tried(version: &Version, percent: Option<Percent>) -> Result<(), InstallError> {
    if !version.has(Capability::Filter) && !version.has(Capability::Transform) {
        return Err(InstallError::NotComparable);
    }
    let asks_others = version.granted.status().is_some_and(|status| status.http.is_some());
    if percent.is_none() && asks_others { Err(InstallError::AsksOthers) } else { Ok(()) }
}

fn with_share(entry: AuditEntry, before: Option<Percent>, after: Option<Percent>) -> AuditEntry {
    let [before, after] = [before, after].map(|share| serde_json::Value::from(share.map(Percent::get)));
    entry.with("percent", &before, &after)
}
