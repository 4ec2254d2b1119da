//! What an ordered lane knows of its lines: those behind one that is ready or under way, and what of the store was looked at.
//!
//! Looking at the store from the beginning costs a row for all that waits. So a lane looks at what was added since it
//! looked last, and from the beginning only when something may have become due that it passed by.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::model::{DeliveryId, Job, Line, UnixMs};

/// The lines of one lane. A lane that has looked at nothing yet has a new one.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Those behind one that is ready or under way, in their order.
    followers: HashMap<Line, VecDeque<Job>>,
    /// Lines of which something waits in the store that is not known here, up to `looked_to`.
    passed: HashSet<Line>,
    /// How far the store was looked at; `None` if it has to be from the beginning.
    looked_to: Option<DeliveryId>,
    /// When something up to there may be due.
    due_at: Option<UnixMs>,
}

impl Lines {
    /// Where the store is looked at next, and which lines nothing may be taken of.
    pub(super) fn look(&mut self, now: UnixMs) -> (Option<DeliveryId>, HashSet<Line>) {
        let passed = std::mem::take(&mut self.passed);
        if self.due_at.is_some_and(|at| at <= now) {
            self.looked_to = None;
            self.due_at = None;
        }
        match self.looked_to {
            Some(place) => (Some(place), passed),
            None => (None, HashSet::new()),
        }
    }

    /// Notes what was found. What was passed by while the store was read is kept.
    pub(super) fn looked(&mut self, to: Option<DeliveryId>, passed: HashSet<Line>, due_at: Option<UnixMs>) {
        self.looked_to = to;
        self.passed.extend(passed);
        self.may_be_due(due_at);
    }

    /// Something that was passed by may be due at this time.
    pub(super) fn may_be_due(&mut self, at: Option<UnixMs>) {
        self.due_at = self.due_at.into_iter().chain(at).min();
    }

    /// When the store has to be looked at from the beginning.
    pub(super) const fn due_at(&self) -> Option<UnixMs> {
        self.due_at
    }

    /// Whether something of a line is in the store that is not known here.
    pub(super) fn has_passed(&self, line: Line) -> bool {
        self.passed.contains(&line)
    }

    /// Puts a delivery behind the one of its line.
    pub(super) fn follow(&mut self, line: Line, job: Job) {
        self.followers.entry(line).or_default().push_back(job);
    }

    /// Whether a delivery stands behind the first of its line.
    pub(super) fn has_behind(&self, line: Line, delivery: DeliveryId) -> bool {
        let followers = self.followers.get(&line);
        followers.is_some_and(|followers| followers.iter().any(|job| job.delivery == delivery))
    }

    /// The next of a line, whose first has ended.
    pub(super) fn next(&mut self, line: Line) -> Option<Job> {
        let followers = self.followers.get_mut(&line)?;
        let next = followers.pop_front();
        if followers.is_empty() {
            self.followers.remove(&line);
        }
        next
    }

    /// Gives up those behind one that has not ended: they wait in the store.
    pub(super) fn give_up(&mut self, line: Line) -> VecDeque<Job> {
        self.followers.remove(&line).unwrap_or_default()
    }

    /// Something of a line waits in the store, up to where it was looked at.
    pub(super) fn pass(&mut self, line: Line) {
        self.passed.insert(line);
    }

    /// Whether nothing of its lines waits, here or in the store, as far as it was looked at.
    pub(super) fn has_none(&self) -> bool {
        self.passed.is_empty() && self.followers.is_empty()
    }

    /// How many stand behind others.
    pub(super) fn behind(&self) -> usize {
        self.followers.values().map(VecDeque::len).sum()
    }

    /// All that stand behind others.
    pub(super) fn into_followers(self) -> impl Iterator<Item = Job> {
        self.followers.into_values().flatten()
    }
}
