//! Keeps the plugins equal to the directory.
//!
//! Events of the file system are hints only: they differ between systems and are missing on some (NFS, swapped
//! ConfigMaps). After a hint and a quiet moment, and every 2 s in any case, the directory is compared with what is known.
//! Files are read once they are stable, and what decides is the hash of their content. A component and its manifest are read
//! and swapped together; a change of either makes a new version.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::warn;

use super::error::LoadError;
use super::load::{Files, Loader};
use super::registry::Registry;
use super::scan::{Found, Look, Looks, Scan, read_files, scan};
use crate::clock::Clock;
use crate::model::{PluginName, UnixMs};
use crate::shutdown::Shutdown;

/// Copying a file makes many events; most copies are over by then.
const QUIET: Duration = Duration::from_millis(200);
/// Somebody who writes all the time does not keep others from being loaded.
const MAX_QUIET: Duration = Duration::from_secs(2);
/// Between the two looks that must see the same.
const STABLE: Duration = Duration::from_millis(50);
/// When a file was not stable.
const RETRY: Duration = Duration::from_millis(100);
/// The net under the events.
const RESCAN: Duration = Duration::from_secs(2);
/// Editors delete a file and write it again.
const GONE: Duration = Duration::from_secs(2);

/// Somebody may fill the directory with badly named files for ever.
const MAX_WARNED: usize = 1_000;

/// The one that changes the registry.
pub(super) struct Watcher {
    dir: PathBuf,
    max_file_bytes: u64,
    clock: Clock,
    registry: Arc<Registry>,
    loader: Loader,
    known: HashMap<PluginName, Known>,
    warned: HashSet<String>,
    dir_was_readable: bool,
}

/// Tells how far the first look at the directory has come.
pub(super) struct FirstPass {
    small: Option<oneshot::Sender<()>>,
    all: Option<oneshot::Sender<()>>,
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
enum Pass {
    Settled,
    Unstable,
}

impl FirstPass {
    /// With what is told when the files are dealt with that are not large, and when all are.
    pub(super) fn new() -> (Self, oneshot::Receiver<()>, oneshot::Receiver<()>) {
        let ((small, small_done), (all, all_done)) = (oneshot::channel(), oneshot::channel());
        (Self { small: Some(small), all: Some(all) }, small_done, all_done)
    }

    /// Whoever waited may have gone on meanwhile.
    fn small_done(&mut self) {
        let _ = self.small.take().map(|small| small.send(()));
    }

    fn all_done(&mut self) {
        self.small_done();
        let _ = self.all.take().map(|all| all.send(()));
    }
}

impl Watcher {
    pub(super) fn new(
        dir: PathBuf,
        max_file_bytes: u64,
        registry: Arc<Registry>,
        loader: Loader,
        clock: Clock,
    ) -> Self {
        Self {
            dir,
            max_file_bytes,
            clock,
            registry,
            loader,
            known: HashMap::new(),
            warned: HashSet::new(),
            dir_was_readable: true,
        }
    }

    /// Loads what is there and follows the directory until shutdown.
    pub(super) async fn run(mut self, mut first: FirstPass, shutdown: Shutdown) {
        let hint = Arc::new(Notify::new());
        let _events = self.subscribe(&hint);
        loop {
            // A compilation that is under way is killed when its future is dropped.
            let pass = tokio::select! {
                biased;
                () = shutdown.requested() => return,
                pass = self.pass(&mut first) => pass,
            };
            first.all_done();
            self.loader.give_way();
            self.registry.sweep();
            let wait = if pass == Pass::Unstable { RETRY } else { RESCAN };
            tokio::select! {
                biased;
                () = shutdown.requested() => return,
                () = hint.notified() => quiet(&hint).await,
                () = sleep(wait) => {}
            }
        }
    }

    /// Without events, plugins are still found every 2 s.
    fn subscribe(&self, hint: &Arc<Notify>) -> Option<RecommendedWatcher> {
        let hint = Arc::clone(hint);
        let handler = move |event: notify::Result<notify::Event>| {
            // Our own reads are events, too. Errors (an overflow) are hints as well.
            if event.as_ref().map_or(true, |event| is_change(event.kind)) {
                hint.notify_one();
            }
        };
        let watch = || {
            let mut watcher = notify::recommended_watcher(handler)?;
            watcher.watch(&self.dir, RecursiveMode::NonRecursive)?;
            Ok::<_, notify::Error>(watcher)
        };
        watch()
            .inspect_err(|error| warn!(%error, "no file system events for the plugin directory: changes are seen every 2 s"))
            .ok()
    }

    async fn pass(&mut self, first: &mut FirstPass) -> Pass {
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
        self.known.insert(plugin.clone(), Known { dealt_with: found.looks, gone_since: None });
        true
    }

    async fn load(&self, plugin: &PluginName, files: Files) {
        let hash = files.version();
        if self.registry.is_live(plugin, &hash) {
            self.registry.accept_again(plugin);
            return;
        }
        if self.registry.was_rolled_back(plugin, &hash) {
            return;
        }
        // The first version has no other to stay in its place.
        let live = self.registry.snapshot().version(plugin).ok().cloned();
        let in_use = if live.is_some() { self.registry.in_use(plugin) } else { Vec::new() };
        match self.loader.load(plugin, files, live.as_deref(), &in_use).await {
            Ok(version) => self.registry.publish(version),
            Err(error) => self.registry.reject(plugin, &hash, &error),
        }
    }
}

const fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(_))
        || matches!(kind, EventKind::Access(AccessKind::Close(AccessMode::Write)))
}

async fn quiet(hint: &Notify) {
    let end = Instant::now() + MAX_QUIET;
    while Instant::now() < end && timeout_at(Instant::now() + QUIET, hint.notified()).await.is_ok() {}
}
