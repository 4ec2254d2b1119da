//! The grant `kv`: values that outlive an instance, apart for each plugin and tenant.
//!
//! - A guest never waits for a commit: a change is in memory at once, where every later read finds it, and on its way to the
//!   storage ([`spaces`]).
//! - What is kept of one key is changed by one call at a time, so an increment is never lost.
//! - Previews and samples change nothing: what they say is forgotten after the call.
//! - Everything that a guest says is checked here, before anything is read: keys, values, times, numbers, the quota.

mod host;
mod spaces;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub(in crate::plugins) use self::spaces::Spaces;
use crate::model::{KvEntry, KvSpace, KvWrite, PluginName};

/// As long as an event id with a prefix, or a hash in hex, with room to spare.
const MAX_KEY_BYTES: usize = 256;
/// State, not payloads.
const MAX_VALUE_BYTES: usize = 64 << 10;
/// What is older than the longest retry schedule many times over is nobody's state any more.
const MAX_TTL: Duration = Duration::from_hours(24 * 30);
/// For one call of the guest: each is a look into memory or into the store.
const MAX_CALLS: u32 = 100;

/// What a [`KeyValues`] returns.
pub type KvFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, KvFailure>> + Send + 'a>>;

/// Where the values of plugins are kept. Each verb is one transaction.
pub trait KeyValues: Send + Sync + 'static {
    /// What is under a key, expired or not, and what its space takes of its quota.
    fn read(&self, space: KvSpace, key: String) -> KvFuture<'_, (Option<KvEntry>, u64)>;

    /// Changes keys, all or none, and returns what each of the spaces takes afterwards. Resolves once the change is on
    /// stable storage.
    fn write(&self, writes: Vec<KvWrite>) -> KvFuture<'_, Vec<(KvSpace, u64)>>;
}

/// The storage failed, as it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KvFailure(pub String);

/// What one version of a plugin may keep.
pub(in crate::plugins) struct KvAccess {
    pub(in crate::plugins) plugin: PluginName,
    /// For each tenant.
    pub(in crate::plugins) max_bytes: u64,
    /// For values that are set without a time.
    pub(in crate::plugins) ttl: Duration,
    pub(in crate::plugins) spaces: Arc<Spaces>,
}

/// What an instance needs of it: the grant, and how many calls are left to the call of the guest.
#[derive(Default)]
pub(in crate::plugins) struct KvGuest {
    access: Option<Arc<KvAccess>>,
    calls_left: u32,
    /// What a rehearsal changed; nobody else sees it, and it is gone with the call.
    scratch: HashMap<String, Option<KvEntry>>,
}

impl KvGuest {
    pub(in crate::plugins) fn new(access: Option<Arc<KvAccess>>) -> Self {
        Self { access, calls_left: 0, scratch: HashMap::new() }
    }

    /// A new call of the guest begins.
    pub(in crate::plugins) fn begin_call(&mut self) {
        self.calls_left = MAX_CALLS;
        self.scratch.clear();
    }
}
