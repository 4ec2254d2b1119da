//! A trie of topic patterns.
//!
//! A topic is followed segment by segment with a set of nodes, as in an automaton: the work is bounded by segments
//! times active nodes, whatever patterns a tenant thinks up (`**/a/**/a/**` does not make it explode).

use std::collections::HashMap;

use crate::model::{Accepts, Topic, TopicPattern};

/// What may stand before a segment.
const SEPARATORS: [Option<char>; 3] = [None, Some('/'), Some('.')];

#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
}

type NodeId = usize;

#[derive(Debug, Default)]
struct Node {
    exactly: HashMap<Box<str>, [Option<NodeId>; SEPARATORS.len()]>,
    one: [Option<NodeId>; SEPARATORS.len()],
    any: [Option<NodeId>; SEPARATORS.len()],
    /// The endpoints with a pattern that ends here.
    ends: Vec<usize>,
}

/// Where the segments seen so far may lead.
#[derive(Debug, Default)]
struct Active {
    /// Nodes whose children may take the next segment.
    at: Vec<NodeId>,
    /// `**` nodes that took a segment and may take more.
    inside: Vec<NodeId>,
}

impl Trie {
    pub(super) fn insert(&mut self, pattern: &TopicPattern, endpoint: usize) {
        let mut node = 0;
        for token in pattern.tokens() {
            node = self.child(node, separator_index(token.separator), &token.accepts);
        }
        let ends = &mut self.nodes[node].ends;
        if ends.last() != Some(&endpoint) {
            ends.push(endpoint);
        }
    }

    /// The endpoints with a pattern that accepts the topic, each once, rising.
    pub(super) fn find(&self, topic: &Topic) -> Vec<usize> {
        let mut active = Active { at: vec![0], inside: Vec::new() };
        self.close(&mut active);
        let mut first = true;
        for (separator, segment) in topic.segments() {
            active = self.step(&active, separator, segment, first);
            first = false;
        }
        let mut found: Vec<usize> =
            active.at.iter().flat_map(|&node| &self.nodes[node].ends).copied().collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn step(&self, active: &Active, separator: Option<char>, segment: &str, first: bool) -> Active {
        // Nothing stands before the first segment, so every separator of a pattern fits there.
        let fitting = || (0..SEPARATORS.len()).filter(move |&s| first || s == separator_index(separator));
        let mut next = Active { at: Vec::new(), inside: active.inside.clone() };
        for &id in &active.at {
            let node = &self.nodes[id];
            let exactly = node.exactly.get(segment);
            next.at.extend(fitting().filter_map(|s| exactly.and_then(|children| children[s])));
            next.at.extend(fitting().filter_map(|s| node.one[s]));
            next.inside.extend(fitting().filter_map(|s| node.any[s]));
        }
        next.inside.sort_unstable();
        next.inside.dedup();
        next.at.extend_from_slice(&next.inside);
        self.close(&mut next);
        next
    }

    /// Adds what is reached without a segment: the `**` children, which may take none.
    fn close(&self, active: &mut Active) {
        let mut seen = 0;
        while seen < active.at.len() {
            let node = &self.nodes[active.at[seen]];
            active.at.extend(node.any.iter().flatten());
            seen += 1;
        }
        active.at.sort_unstable();
        active.at.dedup();
    }

    fn child(&mut self, parent: NodeId, separator: usize, accepts: &Accepts) -> NodeId {
        let new = self.nodes.len();
        let node = &mut self.nodes[parent];
        let slot = match accepts {
            Accepts::Exactly(text) => &mut node.exactly.entry(text.clone()).or_default()[separator],
            Accepts::One => &mut node.one[separator],
            Accepts::Any => &mut node.any[separator],
        };
        let child = *slot.get_or_insert(new);
        if child == new {
            self.nodes.push(Node::default());
        }
        child
    }
}

impl Default for Trie {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

fn separator_index(separator: Option<char>) -> usize {
    SEPARATORS.iter().position(|&s| s == separator).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_endpoint_with_two_fitting_patterns_is_found_once() {
        let mut trie = Trie::default();
        for (pattern, endpoint) in [("orders/*", 1), ("**/created", 1), ("**", 2), ("returns/*", 3)] {
            trie.insert(&pattern.parse().unwrap(), endpoint);
        }
        assert_eq!(trie.find(&"orders/created".parse().unwrap()), [1, 2]);
        assert_eq!(trie.find(&"returns/created".parse().unwrap()), [1, 2, 3]);
    }

    #[test]
    fn nested_wildcards_do_not_explode() {
        let mut trie = Trie::default();
        trie.insert(&format!("{}/b", vec!["**/a"; 15].join("/")).parse().unwrap(), 0);
        assert!(trie.find(&vec!["a"; 32].join("/").parse().unwrap()).is_empty());
    }

    proptest! {
        #[test]
        fn agrees_with_the_patterns_themselves(
            patterns in prop::collection::vec("(a|b|\\*|\\*\\*)([/.](a|b|\\*|\\*\\*)){0,4}", 1..8),
            topic in "(a|b|c)([/.](a|b|c)){0,5}",
        ) {
            let patterns: Vec<TopicPattern> = patterns.iter().map(|text| text.parse().unwrap()).collect();
            let topic = topic.parse().unwrap();
            let mut trie = Trie::default();
            for (endpoint, pattern) in patterns.iter().enumerate() {
                trie.insert(pattern, endpoint);
            }
            let expected: Vec<usize> = (0..patterns.len()).filter(|&n| patterns[n].matches(&topic)).collect();
            prop_assert_eq!(trie.find(&topic), expected);
        }
    }
}
