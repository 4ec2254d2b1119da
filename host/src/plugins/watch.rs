//! Follows the plugin directory: when to look, and when the first look is over.
//!
//! Events of the file system are hints only: they differ between systems and are missing on some (NFS, swapped
//! ConfigMaps). After a hint and a quiet moment, and every 2 s in any case, the directory is compared with what is known.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::{Mutex, Notify, oneshot};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::warn;

use super::keeper::{Keeper, Pass};
use crate::shutdown::Shutdown;

/// Copying a file makes many events; most copies are over by then.
const QUIET: Duration = Duration::from_millis(200);
/// Somebody who writes all the time does not keep others from being loaded.
const MAX_QUIET: Duration = Duration::from_secs(2);
/// When a file was not stable.
const RETRY: Duration = Duration::from_millis(100);
/// The net under the events.
const RESCAN: Duration = Duration::from_secs(2);

/// Tells how far the first look at the directory has come.
pub(super) struct FirstPass {
    small: Option<oneshot::Sender<()>>,
    all: Option<oneshot::Sender<()>>,
}

impl FirstPass {
    /// With what is told when the files are dealt with that are not large, and when all are.
    pub(super) fn new() -> (Self, oneshot::Receiver<()>, oneshot::Receiver<()>) {
        let ((small, small_done), (all, all_done)) = (oneshot::channel(), oneshot::channel());
        (Self { small: Some(small), all: Some(all) }, small_done, all_done)
    }

    /// Whoever waited may have gone on meanwhile.
    pub(super) fn small_done(&mut self) {
        let _ = self.small.take().map(|small| small.send(()));
    }

    fn all_done(&mut self) {
        self.small_done();
        let _ = self.all.take().map(|all| all.send(()));
    }
}

/// Loads what is in `dir` and follows it until shutdown.
pub(super) async fn run(
    keeper: Arc<Mutex<Keeper>>,
    dir: impl AsRef<Path> + Send,
    mut first: FirstPass,
    shutdown: Shutdown,
) {
    let hint = Arc::new(Notify::new());
    let _events = subscribe(dir.as_ref(), &hint);
    loop {
        // A compilation that is under way is killed when its future is dropped.
        let pass = tokio::select! {
            biased;
            () = shutdown.requested() => return,
            pass = look(&keeper, &mut first) => pass,
        };
        first.all_done();
        let wait = if pass == Pass::Unstable { RETRY } else { RESCAN };
        tokio::select! {
            biased;
            () = shutdown.requested() => return,
            () = hint.notified() => quiet(&hint).await,
            () = sleep(wait) => {}
        }
    }
}

/// Nobody else changes plugins meanwhile.
async fn look(keeper: &Mutex<Keeper>, first: &mut FirstPass) -> Pass {
    let mut keeper = keeper.lock().await;
    let pass = keeper.pass(first).await;
    keeper.loader.give_way();
    keeper.registry.sweep();
    pass
}

/// Without events, plugins are still found every 2 s.
fn subscribe(dir: &Path, hint: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let hint = Arc::clone(hint);
    let handler = move |event: notify::Result<notify::Event>| {
        // Our own reads are events, too. Errors (an overflow) are hints as well.
        if event.as_ref().map_or(true, |event| is_change(event.kind)) {
            hint.notify_one();
        }
    };
    let watch = || {
        let mut watcher = notify::recommended_watcher(handler)?;
        watcher.watch(dir, RecursiveMode::NonRecursive)?;
        Ok::<_, notify::Error>(watcher)
    };
    watch()
        .inspect_err(|error| warn!(%error, "no file system events for the plugin directory: changes are seen every 2 s"))
        .ok()
}

const fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(_))
        || matches!(kind, EventKind::Access(AccessKind::Close(AccessMode::Write)))
}

async fn quiet(hint: &Notify) {
    let end = Instant::now() + MAX_QUIET;
    while Instant::now() < end && timeout_at(Instant::now() + QUIET, hint.notified()).await.is_ok() {}
}
