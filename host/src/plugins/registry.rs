//! Which plugins there are: one consistent set at a time, swapped as a whole by one writer, the watcher.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, watch};
use tracing::{info, warn};

use super::breaker::Change;
use super::candidate::{Candidate, Shadows, Work};
use super::engine::Runtime;
use super::error::{CallError, LoadError};
use super::load::InUse;
use super::matcher::MatchCache;
use super::rollback::{PROBATION, Probation, Suspicions};
use super::status::{About, PluginStatus, Rejected};
use super::version::Version;
use crate::model::{PluginName, SentBack, TenantId};

/// Receivers that are this far behind are told that they missed some.
const SWAPS_KEPT: usize = 1_024;

/// Asks the rest of the gateway how a plugin is used.
type LookUp = Arc<dyn Fn(&PluginName) -> Vec<InUse> + Send + Sync>;

/// The live set and the news about it.
pub(super) struct Registry {
    pub(super) runtime: Arc<Runtime>,
    set: ArcSwap<PluginSet>,
    /// Held by whoever makes the next set of the one that is there.
    writing: Mutex<()>,
    pub(super) news: Arc<News>,
    in_use: Mutex<Option<LookUp>>,
}

/// What others are told.
pub(super) struct News {
    swaps: broadcast::Sender<PluginName>,
    changed: watch::Sender<()>,
    pub(super) suspicions: Suspicions,
    pub(super) shadows: Shadows,
}

/// All plugins as they were at one moment. Calls through it use these versions, whatever is swapped meanwhile.
pub struct PluginSet {
    pub(super) runtime: Arc<Runtime>,
    pub(super) entries: BTreeMap<PluginName, Entry>,
    pub(super) matches: Arc<MatchCache>,
    pub(super) news: Arc<News>,
    /// Whether there is any.
    pub(super) has_candidates: bool,
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
    /// While the live version is new: what comes back if it turns out bad.
    pub(super) probation: Option<Probation>,
    /// What is tried beside the live version.
    pub(super) candidate: Option<Arc<Candidate>>,
}

/// What became of the files of a plugin.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reloads {
    pub(super) live: u64,
    pub(super) rejected: u64,
    pub(super) rolled_back: u64,
}

impl Registry {
    /// No plugins, and what there will be to do for candidates.
    pub(super) fn new(runtime: Arc<Runtime>) -> (Self, Work) {
        let (empty, work) = PluginSet::with_work(Arc::clone(&runtime));
        let news = Arc::clone(&empty.news);
        let set = ArcSwap::from_pointee(empty);
        (Self { runtime, set, writing: Mutex::default(), news, in_use: Mutex::default() }, work)
    }

    pub(super) fn snapshot(&self) -> Arc<PluginSet> {
        self.set.load_full()
    }

    pub(super) fn swaps(&self) -> broadcast::Receiver<PluginName> {
        self.news.swaps.subscribe()
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.news.changed.subscribe()
    }

    pub(super) fn suspicions(&self) -> &Suspicions {
        &self.news.suspicions
    }

    pub(super) fn set_in_use(&self, look_up: LookUp) {
        *self.in_use.lock().unwrap_or_else(PoisonError::into_inner) = Some(look_up);
    }

    pub(super) fn in_use(&self, plugin: &PluginName) -> Vec<InUse> {
        let look_up = self.in_use.lock().unwrap_or_else(PoisonError::into_inner).clone();
        look_up.map(|look_up| look_up(plugin)).unwrap_or_default()
    }

    /// Drops instances that were idle for too long, and versions that nobody will go back to.
    pub(super) fn sweep(&self) {
        let now = self.runtime.clock.deadline(Duration::ZERO);
        self.runtime.pool.sweep(now);
        for (plugin, entry) in &self.snapshot().entries {
            if entry.probation.as_ref().is_some_and(|probation| now >= probation.ends) {
                self.change(plugin, |entry| entry.probation = None);
            }
        }
    }

    pub(super) fn is_live(&self, plugin: &PluginName, hash: &str) -> bool {
        self.snapshot().version(plugin).is_ok_and(|version| version.hash.as_ref() == hash)
    }

    /// A file is there; what it is, is not known yet.
    pub(super) fn announce(&self, plugin: &PluginName) {
        if !self.snapshot().entries.contains_key(plugin) {
            self.change(plugin, |_| {});
        }
    }

    /// A version goes live.
    pub(super) fn publish(&self, version: Version) {
        let (plugin, hash) = (version.plugin.clone(), Arc::clone(&version.hash));
        info!(%plugin, version = %version.hash, "plugin is live");
        let ends = self.runtime.clock.deadline(PROBATION);
        let before = self.change(&plugin, |entry| {
            let before = entry.active.replace(Arc::new(version));
            entry.previous = before.as_ref().map(|version| Arc::clone(&version.hash));
            entry.rejected = None;
            entry.reloads.live += 1;
            entry.candidate.take_if(|candidate| candidate.version.hash == hash);
            // Of several that come within a minute, the one that proved itself is what to go back to.
            let proven = entry.probation.take().map(|probation| probation.before);
            let fallback = match &before {
                Some(version) if version.is_healthy() => before.clone(),
                _ => proven.or_else(|| before.clone()),
            };
            entry.probation = fallback.map(|before| Probation { ends, before });
            before
        });
        self.retire(&plugin, before);
    }

    /// What is tried beside the live version.
    pub(super) fn candidate(&self, plugin: &PluginName) -> Option<Arc<Candidate>> {
        self.snapshot().entries.get(plugin)?.candidate.clone()
    }

    /// Another candidate is tried, or none.
    pub(super) fn set_candidate(&self, plugin: &PluginName, candidate: Option<Candidate>) {
        if !self.snapshot().entries.contains_key(plugin) {
            return;
        }
        let candidate = candidate.map(Arc::new);
        let id = candidate.as_ref().map(|candidate| candidate.version.id);
        let before = self.change(plugin, |entry| std::mem::replace(&mut entry.candidate, candidate));
        // The same version in another way keeps its instances.
        let gone = before.filter(|before| Some(before.version.id) != id);
        self.retire(plugin, gone.map(|before| Arc::clone(&before.version)));
    }

    /// A file cannot go live. The version before stays.
    pub(super) fn reject(&self, plugin: &PluginName, hash: &str, error: &LoadError) {
        let reason = error.to_string();
        warn!(%plugin, version = hash, reason, "plugin is not loaded; the version before it stays, if there is one");
        let at = self.runtime.clock.now();
        let about = error.about();
        let rejected = Rejected { was_live: false, version: hash.to_owned(), reason, about, at };
        self.change(plugin, |entry| {
            entry.rejected = Some(rejected);
            entry.reloads.rejected += 1;
        });
    }

    /// A version serves in the place of one that was sent back before the gateway stopped.
    pub(super) fn publish_instead(&self, version: Version, bad: &str, sent_back: &SentBack) {
        let plugin = version.plugin.clone();
        let SentBack { at, reason, tenant, .. } = sent_back.clone();
        info!(%plugin, version = %version.hash, sent_back = bad, reason, "plugin is live: the version before the one in its file");
        let about = About::Tenant(tenant);
        let rejected = Rejected { was_live: true, version: bad.to_owned(), reason, about, at };
        self.change(&plugin, |entry| {
            entry.active = Some(Arc::new(version));
            entry.previous = Some(bad.into());
            entry.rejected = Some(rejected);
            entry.reloads.live += 1;
        });
        self.retire(&plugin, None);
    }

    /// The live version turned out bad, and the one before comes back. Says so, unless it is not live any more.
    pub(super) fn roll_back(&self, bad: &Version, tenant: &TenantId, message: &str) -> Option<SentBack> {
        let (plugin, at) = (&bad.plugin, self.runtime.clock.now());
        let (sent_back, bad) = self.change(plugin, |entry| {
            let is_live = entry.active.as_ref().is_some_and(|active| active.id == bad.id);
            let before = entry.probation.take_if(|_| is_live)?.before;
            let reason = format!(
                "it went live and failed on events that the version before can judge, so that one serves again: {message}"
            );
            warn!(%plugin, version = %bad.hash, live = %before.hash, reason, "plugin is rolled back");
            let sent_back =
                SentBack { at, reason, tenant: tenant.clone(), instead: before.hash.to_string() };
            let (version, reason) = (bad.hash.to_string(), sent_back.reason.clone());
            let about = About::Tenant(tenant.clone());
            entry.rejected = Some(Rejected { was_live: true, version, reason, about, at });
            entry.previous = Some(Arc::clone(&bad.hash));
            entry.reloads.rolled_back += 1;
            Some((sent_back, entry.active.replace(before)))
        })?;
        self.retire(plugin, bad);
        Some(sent_back)
    }

    /// Whether this version was live and was sent back.
    pub(super) fn was_rolled_back(&self, plugin: &PluginName, hash: &str) -> bool {
        let set = self.snapshot();
        let rejected = set.entries.get(plugin).and_then(|entry| entry.rejected.as_ref());
        rejected.is_some_and(|rejected| rejected.was_live && rejected.version == hash)
    }

    /// The live version's own file is back.
    pub(super) fn accept_again(&self, plugin: &PluginName) {
        self.change(plugin, |entry| entry.rejected = None);
    }

    /// The file is gone, if it ever was there.
    pub(super) fn unload(&self, plugin: &PluginName) {
        if !self.snapshot().entries.contains_key(plugin) {
            return;
        }
        info!(%plugin, "plugin is unloaded: its file is gone");
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let set = self.snapshot();
        self.set.store(Arc::new(set.with(plugin, None)));
        drop(writing);
        self.news.changed.send_replace(());
        self.runtime.logs.forget(plugin);
        let entry = set.entries.get(plugin);
        if let Some(candidate) = entry.and_then(|entry| entry.candidate.as_ref()) {
            self.runtime.pool.forget(candidate.version.id);
        }
        self.retire(plugin, entry.and_then(|entry| entry.active.clone()));
    }

    /// Makes the next set, in which one plugin is as `change` leaves it.
    fn change<T>(&self, plugin: &PluginName, change: impl FnOnce(&mut Entry) -> T) -> T {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let set = self.snapshot();
        let mut entry = set.entries.get(plugin).cloned().unwrap_or_default();
        let done = change(&mut entry);
        self.set.store(Arc::new(set.with(plugin, Some(entry))));
        drop(writing);
        self.news.changed.send_replace(());
        done
    }

    fn retire(&self, plugin: &PluginName, before: Option<Arc<Version>>) {
        if let Some(version) = before {
            self.runtime.pool.forget(version.id);
            self.snapshot().matches.forget(version.id);
        }
        // Without receivers there is nobody to tell.
        let _ = self.news.swaps.send(plugin.clone());
    }
}

impl PluginSet {
    /// No plugins, and news that nobody is told.
    pub(super) fn empty(runtime: Arc<Runtime>) -> Self {
        Self::with_work(runtime).0
    }

    fn with_work(runtime: Arc<Runtime>) -> (Self, Work) {
        let (swaps, changed) = (broadcast::Sender::new(SWAPS_KEPT), watch::Sender::default());
        let (shadows, work) = Shadows::new();
        let news = Arc::new(News { swaps, changed, suspicions: Suspicions::default(), shadows });
        let entries = BTreeMap::new();
        (Self { runtime, entries, matches: Arc::default(), news, has_candidates: false }, work)
    }

    /// A breaker of a version opened or closed.
    pub(super) fn tell(&self, version: &Version, change: Change) {
        let (plugin, hash) = (&version.plugin, &version.hash);
        match change {
            Change::Opened => {
                warn!(%plugin, version = %hash, "plugin failed on several events; its breaker is open");
            }
            Change::StaysOpen => return,
            Change::Closed => {
                info!(%plugin, version = %hash, "plugin works again; its breaker is closed");
                // What it held is judged again.
                let _ = self.news.swaps.send(plugin.clone());
            }
        }
        self.news.changed.send_replace(());
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
        let (runtime, news) = (Arc::clone(&self.runtime), Arc::clone(&self.news));
        let has_candidates = entries.values().any(|entry| entry.candidate.is_some());
        Self { runtime, entries, matches: Arc::clone(&self.matches), news, has_candidates }
    }
}

impl Entry {
    fn reason(&self) -> String {
        self.rejected.as_ref().map_or_else(|| "it is being loaded".to_owned(), |it| it.reason.clone())
    }

    fn status(&self, name: &PluginName) -> PluginStatus {
        let active = self.active.as_ref();
        PluginStatus {
            name: name.clone(),
            version: active.map(|version| version.hash.as_ref().to_owned()),
            previous: self.previous.as_deref().map(str::to_owned),
            capabilities: active.map(|version| version.capabilities()).unwrap_or_default(),
            loaded_at: active.map(|version| version.loaded_at),
            size: active.map(|version| version.size),
            rejected: self.rejected.clone(),
            grants: active.and_then(|version| version.granted.status()),
            open_breakers: active.map(|version| version.breakers.open()).unwrap_or_default(),
            last_error: active.and_then(|version| version.stats.last_error()),
            usage: active.map(|version| version.stats.usage(version.log.dropped())),
        }
    }
}
