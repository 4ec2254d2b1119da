//! Maps on the way of every event.
//!
//! The standard hash holds out against whoever chooses many keys at will, and costs an event more than a percent of its time.
//! These are for keys that are few or assigned by the gateway: endpoints, deliveries, tenants, plugins. What producers choose freely
//! (their ids of events) is never in one. Each map has a seed of its own all the same.

use std::collections::{HashMap, HashSet};

pub use foldhash::fast::RandomState as FastState;

/// A map by keys that nobody chooses at will.
pub type FastMap<K, V> = HashMap<K, V, FastState>;
/// A set of them.
pub type FastSet<K> = HashSet<K, FastState>;
