//! A map that is cheap to copy: parts that did not change are shared between the copies.
//!
//! A change of one endpoint among a hundred thousand copies a few hundred entries, and readers of the copy before are not
//! disturbed.

use std::hash::{BuildHasher as _, Hash};
use std::sync::Arc;

use crate::fast_map::{FastMap, FastState};

/// With a hundred thousand entries, each part has some four hundred.
const PARTS: usize = 256;

/// By key, in parts.
#[derive(Debug, Clone)]
pub(super) struct Shards<K, V> {
    hasher: FastState,
    parts: Vec<Arc<FastMap<K, V>>>,
}

impl<K: Hash + Eq + Clone, V: Clone> Shards<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.parts.get(self.part(key))?.get(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        let part = self.part(&key);
        if let Some(part) = self.parts.get_mut(part) {
            Arc::make_mut(part).insert(key, value);
        }
    }

    pub(super) fn remove(&mut self, key: &K) {
        let part = self.part(key);
        if let Some(part) = self.parts.get_mut(part).filter(|part| part.contains_key(key)) {
            Arc::make_mut(part).remove(key);
        }
    }

    /// All values, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.parts.iter().flat_map(|part| part.values())
    }

    #[expect(clippy::cast_possible_truncation, reason = "any bits of a hash do")]
    fn part(&self, key: &K) -> usize {
        self.hasher.hash_one(key) as usize % PARTS
    }
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        Self { hasher: FastState::default(), parts: (0..PARTS).map(|_| Arc::default()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_shares_all_but_what_was_changed_and_does_not_change_with_it() {
        let mut first = Shards::default();
        (0..10_000).for_each(|n| first.insert(n, n));
        let mut second = first.clone();
        second.insert(7, 77);
        second.remove(&8);
        second.remove(&99_999);
        assert_eq!((first.get(&7), first.get(&8)), (Some(&7), Some(&8)));
        assert_eq!((second.get(&7), second.get(&8), second.get(&9)), (Some(&77), None, Some(&9)));
        let shared = first.parts.iter().zip(&second.parts).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert!(shared >= PARTS - 2, "{shared}");
        assert_eq!((first.values().count(), second.values().count()), (10_000, 9_999));
    }
}
