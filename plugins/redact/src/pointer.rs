//! The pointers as a tree, so one pass over the body serves them all.

use std::collections::BTreeMap;

/// Deeper than any body that people write, and bounds the recursion over a hostile one.
const MAX_SEGMENTS: usize = 64;

/// What happens to a value. The greater one wins where two pointers name the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    Mask,
    Drop,
}

/// What is known about one level of the body.
#[derive(Debug, Default)]
pub(crate) struct Node {
    action: Option<Action>,
    members: BTreeMap<String, Node>,
    /// `*`
    every: Option<Box<Node>>,
}

impl Node {
    /// Adds an RFC 6901 pointer, `*` being every member and element.
    pub(crate) fn add(&mut self, pointer: &str, action: Action) -> Result<(), &'static str> {
        let Some(path) = pointer.strip_prefix('/') else {
            return Err("a pointer starts with `/`, such as `/data/card/number`");
        };
        if path.split('/').count() > MAX_SEGMENTS {
            return Err("a pointer has at most 64 segments");
        }
        let mut node = self;
        for segment in path.split('/') {
            node = if segment == "*" {
                node.every.get_or_insert_default()
            } else {
                node.members.entry(unescape(segment)?).or_default()
            };
        }
        node.action = node.action.max(Some(action));
        Ok(())
    }

    /// The nodes that `segment` leads to.
    pub(crate) fn step(&self, segment: &str) -> impl Iterator<Item = &Self> {
        self.members.get(segment).into_iter().chain(self.every.as_deref())
    }

    pub(crate) fn action(&self) -> Option<Action> {
        self.action
    }
}

fn unescape(segment: &str) -> Result<String, &'static str> {
    if segment.split('~').skip(1).any(|after| !after.starts_with(['0', '1'])) {
        return Err("`~` is written `~0`, and `/` in a name `~1`");
    }
    Ok(segment.replace("~1", "/").replace("~0", "~"))
}
