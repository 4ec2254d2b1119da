//! What plugins keep: values under keys, apart for each plugin and tenant.

use bytes::Bytes;

use super::{PluginName, TenantId, UnixMs};

/// What a key costs of the quota beside its own bytes and those of its value: about what its rows cost in a store.
const KEY_OVERHEAD_BYTES: u64 = 64;

/// Where a plugin keeps what it knows of a tenant. No plugin and no tenant sees into the space of another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KvSpace {
    /// Whose events it is about.
    pub tenant: TenantId,
    /// Whose it is.
    pub plugin: PluginName,
}

/// A value that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvEntry {
    /// Any bytes.
    pub value: Bytes,
    /// From when on it is not there any more; none for a value that stays.
    pub expires_at: Option<UnixMs>,
}

/// A change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvWrite {
    /// In which space.
    pub space: KvSpace,
    /// Of which key.
    pub key: String,
    /// What is there afterwards; none deletes it.
    pub entry: Option<KvEntry>,
}

impl KvEntry {
    /// Whether it is still there at `now`.
    #[must_use]
    pub fn is_live(&self, now: UnixMs) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }

    /// What it takes of the quota of its space, in bytes.
    #[must_use]
    pub const fn cost(&self, key: &str) -> u64 {
        kv_cost(key.len(), self.value.len())
    }
}

/// What a key and its value take of the quota, in bytes.
#[must_use]
pub const fn kv_cost(key_bytes: usize, value_bytes: usize) -> u64 {
    KEY_OVERHEAD_BYTES + key_bytes as u64 + value_bytes as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_gone_from_the_moment_that_it_says() {
        let entry = KvEntry { value: Bytes::from_static(b"42"), expires_at: Some(UnixMs(1_000)) };
        assert!(entry.is_live(UnixMs(999)) && !entry.is_live(UnixMs(1_000)));
        assert!(KvEntry { expires_at: None, ..entry.clone() }.is_live(UnixMs(u64::MAX)));
        assert_eq!(entry.cost("abc"), 64 + 3 + 2);
    }
}
