//! What the catalogue says about a topic: when it occurs, for whom, what its payloads look like.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Topic, UnixMs};

/// One topic of the catalogue. It belongs to the gateway, not to a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicEntry {
    /// The topic.
    pub topic: Topic,
    /// When it occurs, for people.
    #[serde(default)]
    pub description: String,
    /// What receivers may do with it, a sentence each.
    #[serde(default)]
    pub use_cases: Vec<String>,
    /// For whom it is, in the words of the platform: `Sellers`, `Buyers`. For people and for filters of lists; nothing is
    /// sent or kept back by it.
    #[serde(default)]
    pub available_for: Vec<String>,
    /// Payloads, each any JSON, as the author wrote it.
    #[serde(default)]
    pub examples: Vec<Arc<str>>,
    /// A JSON Schema that `data` of its events must satisfy, as the author wrote it; `None` = anything is taken.
    #[serde(default)]
    pub schema: Option<Arc<str>>,
    /// When it was added.
    pub created_at: UnixMs,
    /// When it was last changed.
    pub updated_at: UnixMs,
}

impl TopicEntry {
    /// An entry that says nothing yet.
    #[must_use]
    pub const fn new(topic: Topic, at: UnixMs) -> Self {
        Self {
            topic,
            description: String::new(),
            use_cases: Vec::new(),
            available_for: Vec::new(),
            examples: Vec::new(),
            schema: None,
            created_at: at,
            updated_at: at,
        }
    }

    /// The same with the times of another one, so that what is left to compare is what people wrote.
    #[must_use]
    pub fn with_times_of(self, other: &Self) -> Self {
        Self { created_at: other.created_at, updated_at: other.updated_at, ..self }
    }
}
