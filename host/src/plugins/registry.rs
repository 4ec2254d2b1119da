//! Which plugins there are: one consistent set at a time, swapped as a whole by one writer, the watcher.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::{broadcast, watch};
use tracing::{info, warn};

use super::engine::Runtime;
use super::error::{CallError, LoadError};
use super::load::InUse;
use super::matcher::MatchCache;
use super::version::{Capability, Version};
use crate::model::{PluginName, UnixMs};

/// Receivers that are this far behind are told that they missed some.
const SWAPS_KEPT: usize = 1_024;

/// Asks the rest of the gateway how a plugin is used.
type LookUp = Arc<dyn Fn(&PluginName) -> Vec<InUse> + Send + Sync>;

/// The live set and the news about it.
pub(super) struct Registry {
    runtime: Arc<Runtime>,
    set: ArcSwap<PluginSet>,
    swaps: broadcast::Sender<PluginName>,
    changed: watch::Sender<()>,
    in_use: Mutex<Option<LookUp>>,
}

/// All plugins as they were at one moment. Calls through it use these versions, whatever is swapped meanwhile.
pub struct PluginSet {
    pub(super) runtime: Arc<Runtime>,
    pub(super) entries: BTreeMap<PluginName, Entry>,
    pub(super) matches: Arc<MatchCache>,
}

/// One plugin.
#[derive(Clone, Default)]
pub(super) struct Entry {
    pub(super) active: Option<Arc<Version>>,
    /// What was live before.
    pub(super) previous: Option<Arc<str>>,
    /// The newest file, if it could not be loaded.
    pub(super) rejected: Option<Rejected>,
    pub(super) reloads: Reloads,
}

/// What became of the files of a plugin.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reloads {
    pub(super) live: u64,
    pub(super) rejected: u64,
}

/// A file that did not become a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// What it would have been called: the first 16 hex digits of the SHA-256 of the file and, with a manifest, `+` and the
    /// first 8 of that; empty if it could not be read.
    pub version: String,
    /// Why, in a sentence.
    pub reason: String,
    /// When it was tried.
    pub at: UnixMs,
}

/// How a plugin stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PluginState {
    /// The newest file is live.
    Active,
    /// The newest file could not be loaded; the version before serves on, if there is one.
    Degraded,
    /// The first version is being loaded.
    Loading,
}

/// What there is to know about a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginStatus {
    /// Its name.
    pub name: PluginName,
    /// How it stands.
    pub state: PluginState,
    /// The live version: the first 16 hex digits of the SHA-256 of its file and, with a manifest, `+` and the first 8 of
    /// that.
    pub version: Option<String>,
    /// The version that was live before this one.
    pub previous: Option<String>,
    /// What the live version can do.
    pub capabilities: Vec<Capability>,
    /// When the live version was loaded.
    pub loaded_at: Option<UnixMs>,
    /// The size of the live version's file in bytes.
    pub size: Option<u64>,
    /// The newest file, if it could not be loaded, and why.
    pub rejected: Option<Rejected>,
    /// Calls of the live version.
    pub calls: u64,
    /// How many of them failed.
    pub errors: u64,
    /// Log lines of the live version that were over a quota.
    pub log_lines_dropped: u64,
}

impl Registry {
    pub(super) fn new(runtime: Arc<Runtime>) -> Self {
        let set = ArcSwap::from_pointee(PluginSet::empty(Arc::clone(&runtime)));
        let (swaps, changed) = (broadcast::Sender::new(SWAPS_KEPT), watch::Sender::default());
        Self { runtime, set, swaps, changed, in_use: Mutex::default() }
    }

    pub(super) fn snapshot(&self) -> Arc<PluginSet> {
        self.set.load_full()
    }

    pub(super) fn swaps(&self) -> broadcast::Receiver<PluginName> {
        self.swaps.subscribe()
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn set_in_use(&self, look_up: LookUp) {
        *self.in_use.lock().unwrap_or_else(PoisonError::into_inner) = Some(look_up);
    }

    pub(super) fn in_use(&self, plugin: &PluginName) -> Vec<InUse> {
        let look_up = self.in_use.lock().unwrap_or_else(PoisonError::into_inner).clone();
        look_up.map(|look_up| look_up(plugin)).unwrap_or_default()
    }

    /// Drops instances that were idle for too long.
    pub(super) fn sweep(&self) {
        self.runtime.pool.sweep(self.runtime.clock.deadline(Duration::ZERO));
    }

    pub(super) fn is_live(&self, plugin: &PluginName, hash: &str) -> bool {
        self.snapshot().version(plugin).is_ok_and(|version| version.hash.as_ref() == hash)
    }

    /// A file is there; what it is, is not known yet.
    pub(super) fn announce(&self, plugin: &PluginName) {
        if !self.snapshot().entries.contains_key(plugin) {
            self.store(plugin, Some(Entry::default()));
        }
    }

    /// A version goes live.
    pub(super) fn publish(&self, version: Version) {
        let plugin = version.plugin.clone();
        let Entry { active: before, mut reloads, .. } = self.entry(&plugin);
        info!(%plugin, version = %version.hash, "plugin is live");
        let previous = before.as_ref().map(|version| Arc::clone(&version.hash));
        reloads.live += 1;
        self.store(
            &plugin,
            Some(Entry { active: Some(Arc::new(version)), previous, rejected: None, reloads }),
        );
        self.retire(&plugin, before);
    }

    /// A file cannot go live. The version before stays.
    pub(super) fn reject(&self, plugin: &PluginName, hash: &str, error: &LoadError) {
        let reason = error.to_string();
        warn!(%plugin, version = hash, reason, "plugin is not loaded; the version before it stays, if there is one");
        let rejected = Rejected { version: hash.to_owned(), reason, at: self.runtime.clock.now() };
        let mut entry = Entry { rejected: Some(rejected), ..self.entry(plugin) };
        entry.reloads.rejected += 1;
        self.store(plugin, Some(entry));
    }

    /// The live version's own file is back.
    pub(super) fn accept_again(&self, plugin: &PluginName) {
        self.store(plugin, Some(Entry { rejected: None, ..self.entry(plugin) }));
    }

    /// The file is gone, if it ever was there.
    pub(super) fn unload(&self, plugin: &PluginName) {
        if !self.snapshot().entries.contains_key(plugin) {
            return;
        }
        info!(%plugin, "plugin is unloaded: its file is gone");
        let before = self.entry(plugin).active;
        self.store(plugin, None);
        self.retire(plugin, before);
    }

    fn entry(&self, plugin: &PluginName) -> Entry {
        self.snapshot().entries.get(plugin).cloned().unwrap_or_default()
    }

    fn store(&self, plugin: &PluginName, entry: Option<Entry>) {
        self.set.store(Arc::new(self.snapshot().with(plugin, entry)));
        self.changed.send_replace(());
    }

    fn retire(&self, plugin: &PluginName, before: Option<Arc<Version>>) {
        if let Some(version) = before {
            self.runtime.pool.forget(version.id);
            self.snapshot().matches.forget(version.id);
        }
        // Without receivers there is nobody to tell.
        let _ = self.swaps.send(plugin.clone());
    }
}

impl PluginSet {
    pub(super) fn empty(runtime: Arc<Runtime>) -> Self {
        Self { runtime, entries: BTreeMap::new(), matches: Arc::default() }
    }

    /// The live version.
    pub(super) fn version(&self, plugin: &PluginName) -> Result<&Arc<Version>, CallError> {
        let entry = self.entries.get(plugin).ok_or_else(|| CallError::Unknown(plugin.clone()))?;
        entry.active.as_ref().ok_or_else(|| CallError::NotLoaded(entry.reason()))
    }

    /// The status of one plugin.
    #[must_use]
    pub fn get(&self, plugin: &PluginName) -> Option<PluginStatus> {
        self.entries.get(plugin).map(|entry| entry.status(plugin))
    }

    /// The status of all plugins, by name.
    #[must_use]
    pub fn list(&self) -> Vec<PluginStatus> {
        self.entries.iter().map(|(name, entry)| entry.status(name)).collect()
    }

    /// The same set with another entry for one plugin.
    pub(super) fn with(&self, plugin: &PluginName, entry: Option<Entry>) -> Self {
        let mut entries = self.entries.clone();
        match entry {
            Some(entry) => entries.insert(plugin.clone(), entry),
            None => entries.remove(plugin),
        };
        Self { runtime: Arc::clone(&self.runtime), entries, matches: Arc::clone(&self.matches) }
    }
}

impl Entry {
    fn reason(&self) -> String {
        self.rejected.as_ref().map_or_else(|| "it is being loaded".to_owned(), |it| it.reason.clone())
    }

    fn status(&self, name: &PluginName) -> PluginStatus {
        let state = match (&self.active, &self.rejected) {
            (_, Some(_)) => PluginState::Degraded,
            (Some(_), None) => PluginState::Active,
            (None, None) => PluginState::Loading,
        };
        let active = self.active.as_ref();
        let (calls, errors) = active.map(|version| version.counts()).unwrap_or_default();
        PluginStatus {
            name: name.clone(),
            state,
            version: active.map(|version| version.hash.as_ref().to_owned()),
            previous: self.previous.as_deref().map(str::to_owned),
            capabilities: active.map(|version| version.capabilities()).unwrap_or_default(),
            loaded_at: active.map(|version| version.loaded_at),
            size: active.map(|version| version.size),
            rejected: self.rejected.clone(),
            calls,
            errors,
            log_lines_dropped: active.map(|version| version.log.dropped()).unwrap_or_default(),
        }
    }
}
