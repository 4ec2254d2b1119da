//! A version that turns out bad soon after it went live gives way to the one before.
//!
//! - Soon is [`PROBATION`]. The version before is kept that long, loaded; when several come within it, the one that worked is kept.
//! - An opened breaker is a suspicion. Whether the *version* is at fault is found out by asking the version before about the
//!   very event: if it has an answer, the new one is worse and goes. If it fails as well, the event, the configuration or the
//!   machine is at fault, and nothing changes. So no tenant can send a version away for all others with events that no
//!   version can stand.
//! - The file stays where it is, and is not loaded again until it changes. That it was sent back is written down in the history, so
//!   that after a restart the version before serves again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{info, warn};

use super::history::History;
use super::judge::Trial;
use super::registry::{Entry, Registry};
use super::version::{Capability, Version};
use crate::json::Subject;
use crate::model::{Actor, Binding, CustomRequest, Endpoint, PluginRecord, SentBack};
use crate::shutdown::Shutdown;

/// How long a version can be sent back after it went live.
pub(super) const PROBATION: Duration = Duration::from_secs(60);
/// One is enough to find out; more come when many tenants use a version.
const MAX_SUSPICIONS: usize = 16;

/// The time in which a version can be sent back, and what for.
#[derive(Clone)]
pub(super) struct Probation {
    pub(super) ends: Instant,
    pub(super) before: Arc<Version>,
}

/// A call that opened a breaker, or kept it open.
pub(super) struct Suspicion {
    /// The version that was called.
    pub(super) version: Arc<Version>,
    pub(super) binding: Binding,
    pub(super) subject: Subject,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) custom: Option<Arc<CustomRequest>>,
    /// How it failed.
    pub(super) message: String,
}

/// Suspicions that nobody looked into yet.
#[derive(Default)]
pub(super) struct Suspicions {
    waiting: Mutex<Vec<Suspicion>>,
    bell: Notify,
}

impl Suspicions {
    /// Adds one. Never waits: when there are too many, those before are enough.
    pub(super) fn add(&self, suspicion: Suspicion) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MAX_SUSPICIONS {
            waiting.push(suspicion);
            self.bell.notify_one();
        }
    }

    pub(super) fn take(&self) -> Vec<Suspicion> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Looks into suspicions until it is time to stop, and writes down which versions were sent back.
pub(super) async fn run(registry: Arc<Registry>, history: Arc<History>, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.requested() => return,
            () = registry.suspicions().bell.notified() => {}
        }
        for suspicion in registry.suspicions().take() {
            let version = Arc::clone(&suspicion.version);
            if let Some(sent_back) = registry.look_into(suspicion).await {
                write_down(&history, &version, sent_back).await;
            }
        }
    }
}

async fn write_down(history: &History, version: &Version, sent_back: SentBack) {
    let (plugin, bad) = (&version.plugin, version.hash.as_ref());
    let versions = [Some(bad), Some(sent_back.instead.as_str())];
    let entry = history.entry(Actor::Gateway, "plugin.sent_back", plugin, versions);
    let send_back = |record: &mut PluginRecord| record.send_back(bad, sent_back);
    if let Err(error) = history.change(plugin, Some(entry), send_back).await {
        warn!(%plugin, version = bad, %error, "it could not be written down that the version was sent back: a restart loads it again");
    }
}

impl Registry {
    /// Sends the version back if it is to blame, and says so.
    pub(super) async fn look_into(&self, suspicion: Suspicion) -> Option<SentBack> {
        let before = self.fallback_of(&suspicion.version)?;
        let (version, plugin) = (&suspicion.version, &suspicion.version.plugin);
        if self.can_judge(&before, &suspicion).await {
            return self.roll_back(version, &suspicion.endpoint.tenant, &suspicion.message);
        }
        info!(%plugin, version = %version.hash, before = %before.hash,
            "the version before fails on the same event, so the new one stays");
        None
    }

    /// Whether a version has an answer to what another one failed on. It may be of another kind: a transform, say, where the
    /// other is a filter.
    async fn can_judge(&self, before: &Arc<Version>, suspicion: &Suspicion) -> bool {
        let Suspicion { binding, subject, endpoint, custom, .. } = suspicion;
        let entry = Entry { active: Some(Arc::clone(before)), ..Entry::default() };
        let set = self.snapshot().with(&before.plugin, Some(entry));
        let trial = Trial::new(&set, subject, endpoint, custom.clone());
        let config = before.config(binding.config.as_ref());
        let mut can = false;
        for role in [Capability::Filter, Capability::Transform] {
            if before.has(role) {
                can =
                    trial.call(before, &config, role).await.map_or_else(|error| error.is_answer(), |_| true);
                if !can {
                    break;
                }
            }
        }
        can
    }

    /// The version that would come back if this one were sent away now.
    fn fallback_of(&self, version: &Version) -> Option<Arc<Version>> {
        let set = self.snapshot();
        let entry = set.entries.get(&version.plugin)?;
        let is_live = entry.active.as_ref().is_some_and(|active| active.id == version.id);
        let probation = entry.probation.as_ref().filter(|_| is_live)?;
        (Instant::now() < probation.ends).then(|| Arc::clone(&probation.before))
    }
}
