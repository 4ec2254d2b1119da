//! Idle instances, and the right to have one.
//!
//! Every instance holds a slot for as long as it exists. When all slots are taken, idle instances give way, those
//! idle for longest first: many endpoints with a configuration each cannot lock each other out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::error::CallError;
use super::instance::Instance;
use crate::fast_map::FastMap;
use crate::model::TenantId;

/// How long a call waits for a place. Longer than any burst of calls with a deadline of 50 ms, short enough to be held and
/// tried again later.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(2);
/// Giving way costs a look at all idle instances, so some leave at the same time.
const EVICTED_AT_ONCE: usize = 16;

/// What an instance was made for. It serves nothing else, and never another tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// [`super::version::Version::id`].
    pub(super) version: u64,
    /// None for a matcher: it sees patterns and topics only, and answers for everyone with the same patterns.
    pub(super) tenant: Option<TenantId>,
    /// The text for `init`, or the patterns.
    pub(super) config: Arc<str>,
}

/// The right of one instance to exist.
pub(super) type Slot = OwnedSemaphorePermit;

pub(super) struct Pool {
    slots: Arc<Semaphore>,
    idle: Mutex<FastMap<Key, Vec<Instance>>>,
}

impl Pool {
    pub(super) fn new(slots: usize) -> Self {
        Self { slots: Arc::new(Semaphore::new(slots)), idle: Mutex::default() }
    }

    /// The instance for `key` that was used last, if one is idle.
    pub(super) fn take(&self, key: &Key) -> Option<Instance> {
        self.idle().get_mut(key)?.pop()
    }

    /// Keeps an instance for the next call.
    pub(super) fn put(&self, key: Key, instance: Instance) {
        self.idle().entry(key).or_default().push(instance);
    }

    /// A place for a new instance.
    pub(super) async fn slot(&self) -> Result<Slot, CallError> {
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            return Ok(slot);
        }
        self.evict();
        let slot = tokio::time::timeout(MAX_WAIT, Arc::clone(&self.slots).acquire_owned()).await;
        slot.ok().and_then(Result::ok).ok_or(CallError::Busy(MAX_WAIT))
    }

    /// Drops what was idle for too long.
    pub(super) fn sweep(&self, now: Instant) {
        self.drop_where(|_, idle| idle.is_stale(now));
    }

    /// Drops what is idle of a version that is no longer live.
    pub(super) fn forget(&self, version: u64) {
        self.drop_where(|key, _| key.version == version);
    }

    #[cfg(test)]
    pub(super) fn free_slots(&self) -> usize {
        self.slots.available_permits()
    }

    fn evict(&self) {
        let mut ages: Vec<Instant> = self.idle().values().flatten().map(Instance::last_deadline).collect();
        ages.sort_unstable();
        let Some(&youngest) = ages.get(EVICTED_AT_ONCE - 1).or(ages.last()) else { return };
        let mut left = EVICTED_AT_ONCE;
        self.drop_where(|_, idle| {
            let leaves = left > 0 && idle.last_deadline() <= youngest;
            left -= usize::from(leaves);
            leaves
        });
    }

    /// Instances are dropped after the lock is released: unmapping memory takes longer than looking for it.
    fn drop_where(&self, mut leaves: impl FnMut(&Key, &Instance) -> bool) {
        let mut dropped = Vec::new();
        let mut idle = self.idle();
        idle.retain(|key, instances| {
            dropped.extend(instances.extract_if(.., |instance| leaves(key, instance)));
            !instances.is_empty()
        });
        drop(idle);
    }

    fn idle(&self) -> MutexGuard<'_, FastMap<Key, Vec<Instance>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
