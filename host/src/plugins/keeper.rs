//! Keeps the plugins equal to the directory, and is the one who changes it when the API asks for that.
//!
//! Files are read once they are stable, and what decides is the hash of their content. A component and its manifest are read
//! and swapped together; a change of either makes a new version. Whoever has the keeper is the only one who loads and swaps.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

use super::error::LoadError;
use super::history::{History, Kept};
use super::load::{Files, Loader};
use super::registry::Registry;
use super::scan::{Found, Look, Looks, Scan, read_files, scan};
use super::version::Version;
use super::watch::FirstPass;
use crate::clock::Clock;
use crate::model::{PluginName, UnixMs};

/// Between the two looks that must see the same.
const STABLE: Duration = Duration::from_millis(50);
/// Editors delete a file and write it again.
const GONE: Duration = Duration::from_secs(2);

/// Somebody may fill the directory with badly named files for ever.
const MAX_WARNED: usize = 1_000;

/// The one that changes the registry.
pub(super) struct Keeper {
    pub(super) dir: PathBuf,
    pub(super) max_file_bytes: u64,
    clock: Clock,
    pub(super) registry: Arc<Registry>,
    pub(super) loader: Arc<Loader>,
    pub(super) history: Arc<History>,
    known: HashMap<PluginName, Known>,
    warned: HashSet<String>,
    dir_was_readable: bool,
}

/// What was made of the files of a plugin.
struct Known {
    /// As they were when they were last dealt with.
    dealt_with: Looks,
    /// Since when there is no component.
    gone_since: Option<UnixMs>,
}

/// Whether a pass left something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Settled,
    Unstable,
}

impl Keeper {
    pub(super) fn new(
        (dir, max_file_bytes): (PathBuf, u64),
        (registry, loader): (Arc<Registry>, Arc<Loader>),
        history: Arc<History>,
        clock: Clock,
    ) -> Self {
        Self {
            dir,
            max_file_bytes,
            clock,
            registry,
            loader,
            history,
            known: HashMap::new(),
            warned: HashSet::new(),
            dir_was_readable: true,
        }
    }

    /// Deals with all that changed in the directory.
    pub(super) async fn pass(&mut self, first: &mut FirstPass) -> Pass {
        let Some(before) = self.scan().await else { return Pass::Settled };
        self.deal_with_gone(&before);
        if !before.found.iter().any(|found| self.is_news(found)) {
            return Pass::Settled;
        }
        sleep(STABLE).await;
        let Some(now) = self.scan().await else { return Pass::Settled };
        let mut news: Vec<_> = now.found.into_iter().filter(|found| self.is_news(found)).collect();
        // What takes long makes nobody wait but itself.
        news.sort_by_key(Found::is_large);
        for found in &news {
            self.registry.announce(&found.plugin);
        }
        let mut pass = Pass::Settled;
        for found in news {
            if found.is_large() {
                first.small_done();
                self.loader.give_way();
            }
            let stable = before.found.iter().any(|it| it.plugin == found.plugin && it.looks == found.looks);
            if !(stable && self.deal_with(&found).await) {
                pass = Pass::Unstable;
            }
        }
        pass
    }

    /// The files of a plugin are dealt with as they look now.
    pub(super) fn deal_with_looks(&mut self, plugin: &PluginName, looks: Looks) {
        self.known.insert(plugin.clone(), Known { dealt_with: looks, gone_since: None });
    }

    /// There is nothing of a plugin any more.
    pub(super) fn forget(&mut self, plugin: &PluginName) {
        self.known.remove(plugin);
    }

    /// A version of these files, tried with all that the plugin is used for.
    pub(super) async fn try_files(
        &self,
        plugin: &PluginName,
        files: Files,
        live: Option<&Version>,
    ) -> Result<Version, LoadError> {
        // The first version has no other to stay in its place.
        let in_use = if live.is_some() { self.registry.in_use(plugin) } else { Vec::new() };
        self.loader.load(plugin, files, live, &in_use).await
    }

    async fn scan(&mut self) -> Option<Scan> {
        let dir = self.dir.clone();
        let scanned = tokio::task::spawn_blocking(move || scan(&dir)).await.ok()?;
        if let Err(error) = &scanned
            && self.dir_was_readable
        {
            warn!(%error, dir = %self.dir.display(), "the plugin directory cannot be read: the plugins stay as they are");
        }
        self.dir_was_readable = scanned.is_ok();
        let scan = scanned.ok()?;
        for name in &scan.misnamed {
            if self.warned.len() < MAX_WARNED && self.warned.insert(name.clone()) {
                warn!(file = %name.escape_default(), "not loaded: name the file by 1 to 63 characters of a-z, 0-9, `_` and `-`, then `.wasm`, or `.toml` for its manifest");
            }
        }
        Some(scan)
    }

    /// Whether there is a component, and something to be done with it.
    fn is_news(&self, found: &Found) -> bool {
        !found.has_no_component()
            && self.known.get(&found.plugin).is_none_or(|known| known.dealt_with != found.looks)
    }

    /// What has no component any more is unloaded after a while; a manifest that is left, or that came alone, is told of.
    fn deal_with_gone(&mut self, scan: &Scan) {
        let now = self.clock.now();
        let looks: HashMap<&PluginName, Looks> =
            scan.found.iter().map(|found| (&found.plugin, found.looks)).collect();
        for alone in scan.found.iter().filter(|found| found.has_no_component()) {
            let new = || Known { dealt_with: Looks::default(), gone_since: Some(now) };
            self.known.entry(alone.plugin.clone()).or_insert_with(new);
        }
        self.known.retain(|plugin, known| {
            let found = looks.get(plugin).copied();
            if found.is_some_and(|looks| looks.component != Look::Absent) {
                known.gone_since = None;
                return true;
            }
            let since = *known.gone_since.get_or_insert(now);
            if now.since(since) < GONE || found.is_some_and(|looks| looks == known.dealt_with) {
                return true;
            }
            self.registry.unload(plugin);
            if let Some(looks) = found {
                known.dealt_with = looks;
                self.registry.reject(plugin, "", &LoadError::ManifestAlone(plugin.clone()));
            }
            found.is_some()
        });
    }

    /// False if a file changed while it was read.
    async fn deal_with(&mut self, found: &Found) -> bool {
        let (plugin, max) = (&found.plugin, self.max_file_bytes);
        let (dir, files) = (self.dir.clone(), found.clone());
        let content = tokio::task::spawn_blocking(move || read_files(&dir, &files, max)).await;
        let content = content.unwrap_or_else(|error| Err(LoadError::Unreadable(error.to_string())));
        match content {
            Ok(Some(files)) => self.load(plugin, files).await,
            Ok(None) => return false,
            Err(error) => self.registry.reject(plugin, "", &error),
        }
        self.deal_with_looks(plugin, found.looks);
        true
    }

    /// Makes a version of files that lie in the directory. They are kept before they are tried, so that nothing goes live
    /// without a way back to it.
    async fn load(&self, plugin: &PluginName, files: Files) {
        let hash = files.version();
        if self.registry.was_rolled_back(plugin, &hash) {
            return;
        }
        let live = self.registry.snapshot().version(plugin).ok().cloned();
        if live.is_none() && self.serve_instead(plugin, &hash).await {
            return;
        }
        let (files, kept) = self.history.keep(files).await;
        let kept = kept
            .inspect_err(|error| warn!(%plugin, version = %hash, %error, "this version is not kept: there is no way back to it"))
            .ok();
        if self.registry.is_live(plugin, &hash) {
            self.registry.accept_again(plugin);
            return self.note(plugin, kept).await;
        }
        match self.try_files(plugin, files, live.as_deref()).await {
            Ok(version) => {
                self.note(plugin, kept).await;
                self.publish(version).await;
            }
            Err(error) => self.registry.reject(plugin, &hash, &error),
        }
        self.history.sweep().await;
    }

    /// A version goes live, and its candidate is there again, if it was not.
    pub(super) async fn publish(&self, version: Version) {
        let plugin = version.plugin.clone();
        self.registry.publish(version);
        self.bring_back_candidate(&plugin).await;
    }

    async fn note(&self, plugin: &PluginName, kept: Option<Kept>) {
        if let Some(kept) = kept {
            self.history.note_file(plugin, &kept).await;
        }
    }

    /// After a start: a version that was sent back lies in the directory, and the one that served in its place does so again. If
    /// that one is not kept, the file is loaded: a plugin that fails on something is better than none.
    async fn serve_instead(&self, plugin: &PluginName, hash: &str) -> bool {
        let Some(record) = self.history.of(plugin).await else { return false };
        let newest = record.newest().filter(|newest| newest.version == hash);
        let Some(sent_back) = newest.and_then(|newest| newest.sent_back.as_ref()) else { return false };
        let Some(before) = record.version(&sent_back.instead) else { return false };
        let loaded = match self.history.read(Kept::of(before)).await {
            Ok(files) => self.loader.load(plugin, files, None, &[]).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match loaded {
            Ok(version) => {
                self.registry.publish_instead(version, hash, sent_back);
                self.bring_back_candidate(plugin).await;
                true
            }
            Err(reason) => {
                warn!(%plugin, version = sent_back.instead, reason, "the version before cannot be loaded: the one that was sent back serves again");
                false
            }
        }
    }
}
