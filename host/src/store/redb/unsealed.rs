//! How much there is that no block has: about as many events that are dispatched, and deliveries. Pure; no table is touched.
//!
//! Blocks are made of events below the mark of dispatch, and events are dispatched in any order: some of what was counted lies beyond
//! the mark. A look that finds too little for a block cannot tell how much that is, so all that it did not find is kept aside until the
//! mark is past the last event that was dispatched by then.

use super::blocks::BLOCK_ENTRIES;
use crate::model::EventKey;

/// The count.
#[derive(Debug)]
pub(super) struct Unsealed {
    /// Of what a block may be made, as far as is known. `usize::MAX` if nobody has counted.
    count: usize,
    /// What a look did not find.
    beyond: usize,
    /// Where that ends.
    beyond_to: EventKey,
    /// The last event that is dispatched.
    dispatched_to: EventKey,
}

impl Unsealed {
    /// Nobody has counted, and events up to `last` may be dispatched.
    pub(super) const fn unknown(last: EventKey) -> Self {
        let none = EventKey::from_u128(0);
        Self { count: usize::MAX, beyond: 0, beyond_to: none, dispatched_to: last }
    }

    /// So many entries are new; `dispatched` is the last event that was dispatched with them.
    pub(super) fn add(&mut self, entries: usize, dispatched: Option<EventKey>) {
        self.count = self.count.saturating_add(entries);
        self.dispatched_to = dispatched.map_or(self.dispatched_to, |key| key.max(self.dispatched_to));
    }

    /// Whether there may be enough for a block: all events below `below` are dispatched.
    pub(super) fn may_fill_a_block(&mut self, below: EventKey) -> bool {
        if below > self.beyond_to {
            self.count = self.count.saturating_add(std::mem::take(&mut self.beyond));
        }
        self.count >= BLOCK_ENTRIES
    }

    /// A look found so many entries below `below`, and had a block made if they are enough.
    pub(super) fn found(&mut self, entries: usize, below: EventKey) {
        if entries >= BLOCK_ENTRIES {
            self.count = self.count.saturating_sub(entries);
            return;
        }
        if below <= self.dispatched_to {
            self.beyond = self.beyond.saturating_add(self.count.saturating_sub(entries));
            self.beyond_to = self.dispatched_to;
        }
        self.count = entries;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn key(number: usize) -> EventKey {
        EventKey::from_u128(number as u128 + 1)
    }

    /// What there is in truth, and the count.
    struct Log {
        /// Events in no block, each with its entries; 0 if it is not dispatched.
        events: BTreeMap<usize, usize>,
        accepted: usize,
        counted: Unsealed,
        looks: usize,
        blocks: usize,
    }

    impl Log {
        fn below(&self) -> usize {
            self.events.iter().find(|(_, entries)| **entries == 0).map_or(self.accepted, |(event, _)| *event)
        }

        /// A commit that dispatches these.
        fn commit(&mut self, dispatched: &[(usize, usize)]) {
            self.events.extend(dispatched.iter().copied());
            let entries = dispatched.iter().map(|(_, entries)| entries).sum();
            self.counted.add(entries, dispatched.iter().map(|(event, _)| key(*event)).max());
            let below = self.below();
            while self.counted.may_fill_a_block(key(below)) {
                let found = self.seal(below);
                self.counted.found(found, key(below));
            }
        }

        fn seal(&mut self, below: usize) -> usize {
            self.looks += 1;
            let mut found = 0;
            let of_block = |(event, entries): (&usize, &usize)| {
                let is_of = found < BLOCK_ENTRIES;
                found += if is_of { *entries } else { 0 };
                is_of.then_some(*event)
            };
            let events: Vec<_> = self.events.range(..below).map_while(of_block).collect();
            if found >= BLOCK_ENTRIES {
                self.blocks += 1;
                self.events.retain(|event, _| !events.contains(event));
            }
            found
        }
    }

    proptest! {
        #[test]
        fn whatever_is_dispatched_when_no_block_stays_unmade_and_few_looks_are_in_vain(
            events in prop::collection::vec((1..40_usize, 0..400_usize), 1..1_200),
            commit in 1..200_usize,
        ) {
            let mut log = Log {
                events: (0..events.len()).map(|event| (event, 0)).collect(),
                accepted: events.len(),
                counted: Unsealed::unknown(key(0)),
                looks: 0,
                blocks: 0,
            };
            // Each is dispatched a while after its turn.
            let mut order: Vec<_> = events.iter().enumerate().map(|(n, (entries, late))| (n + late, n, *entries)).collect();
            order.sort_unstable();
            let order: Vec<_> = order.into_iter().map(|(_, event, entries)| (event, entries)).collect();
            let commits = order.chunks(commit).map(|dispatched| log.commit(dispatched)).count();
            let left: usize = log.events.values().sum();
            prop_assert!(left < BLOCK_ENTRIES, "{left} entries are in no block though all is dispatched");
            let total: usize = events.iter().map(|(entries, _)| entries).sum();
            let in_vain = log.looks - log.blocks;
            prop_assert!(in_vain <= 4 * (1 + total / BLOCK_ENTRIES), "{in_vain} looks in vain, {commits} commits");
        }
    }
}
