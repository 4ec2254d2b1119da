//! What an operator may set.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Holds the working set of a busy gateway (the newest events, the queue and the inner pages), and leaves a small
/// machine its memory.
const DEFAULT_CACHE_MIB: usize = 128;
/// Long enough to save most of the commits that nobody waits for, short enough that no one notices.
const DEFAULT_LINGER_MS: u64 = 50;

/// Settings of the embedded store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Memory for pages of the file, in MiB. Default 128.
    pub cache_mib: usize,
    /// How long a write that can be redone after a crash may wait for one that cannot, to share its commit, in
    /// milliseconds. 0 commits at once. Default 50.
    pub linger_ms: u64,
}

impl Options {
    pub(super) const fn cache_bytes(&self) -> usize {
        self.cache_mib.saturating_mul(1 << 20)
    }

    pub(super) const fn linger(&self) -> Duration {
        Duration::from_millis(self.linger_ms)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_mib: DEFAULT_CACHE_MIB, linger_ms: DEFAULT_LINGER_MS }
    }
}
