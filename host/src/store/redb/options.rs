//! What an operator may set.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Holds the working set of a busy gateway (the newest events, the queue and the inner pages); what is older is read through
/// the cache of the system. With it the process stays under 150 MB however much is stored.
const DEFAULT_CACHE_MIB: usize = 24;
/// Long enough to save most of the commits, short enough that nobody who waits for one notices.
const DEFAULT_LINGER_MS: u64 = 50;

/// Settings of the embedded store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Memory for pages of the file, in MiB. Default 24.
    pub cache_mib: usize,
    /// How long a transaction takes what comes before it is committed, in milliseconds. What must not be lost is in the
    /// write-ahead log by then. 0 commits each batch, without a log. Default 50.
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
