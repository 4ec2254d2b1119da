//! Which endpoints of a tenant want a topic: an index, never a scan.
//!
//! The index is immutable; [`crate::directory`] builds a new one when an endpoint of the tenant changes. Patterns of our
//! own language live in a [`trie`]; endpoints whose patterns a plugin understands are grouped by plugin and patterns,
//! so that one answer of the plugin serves the whole group.

mod trie;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::trie::Trie;
use crate::model::{Endpoint, PluginName, Subscription, Topic};

/// The endpoints of one tenant, found by topic.
#[derive(Debug, Default)]
pub struct TenantIndex {
    endpoints: Vec<Arc<Endpoint>>,
    trie: Trie,
    groups: Vec<MatcherGroup>,
}

/// Endpoints that gave the same patterns to the same matcher plugin.
#[derive(Debug)]
pub struct MatcherGroup {
    /// The plugin that understands the patterns.
    pub plugin: PluginName,
    /// The patterns.
    pub patterns: Vec<String>,
    /// Who gave them.
    pub endpoints: Vec<Arc<Endpoint>>,
}

impl TenantIndex {
    /// The index of these endpoints.
    #[must_use]
    pub fn new(mut endpoints: Vec<Arc<Endpoint>>) -> Self {
        endpoints.sort_by_key(|endpoint| endpoint.id);
        let mut trie = Trie::default();
        let mut groups = BTreeMap::<_, Vec<_>>::new();
        for (position, endpoint) in endpoints.iter().enumerate() {
            match &endpoint.subscription {
                Subscription::Patterns(patterns) => {
                    patterns.iter().for_each(|pattern| trie.insert(pattern, position));
                }
                Subscription::Matcher { plugin, patterns } => {
                    groups.entry((plugin.clone(), patterns.clone())).or_default().push(Arc::clone(endpoint));
                }
            }
        }
        let groups = groups
            .into_iter()
            .map(|((plugin, patterns), endpoints)| MatcherGroup { plugin, patterns, endpoints })
            .collect();
        Self { endpoints, trie, groups }
    }

    /// The endpoints with a pattern of our own language that accepts the topic, each once, by rising id.
    pub fn matches(&self, topic: &Topic) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.trie.find(topic).into_iter().map(|position| &self.endpoints[position])
    }

    /// The endpoints whose patterns a plugin has to judge.
    #[must_use]
    pub fn matcher_groups(&self) -> &[MatcherGroup] {
        &self.groups
    }

    /// All endpoints, by rising id.
    #[must_use]
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }
}
