//! The lane of one endpoint: what the schedule knows of it, and what follows from that alone.

use std::collections::{HashSet, VecDeque};

use crate::model::{DeliveryId, Job, UnixMs};

/// What waits for one endpoint in memory, and what of it is under way.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Those that may start, in their order.
    pub(super) ready: VecDeque<Job>,
    /// Attempts under way.
    pub(super) in_flight: usize,
    /// Deliveries that are ready, in flight or not recorded yet: what the store must not hand out again.
    pub(super) known: HashSet<DeliveryId>,
    /// Those of `known` that were recorded while a load was under way: it may have seen them as they were before.
    pub(super) recorded_during_load: Vec<DeliveryId>,
    /// When the earliest delivery that is in the store and not in `known` is due.
    pub(super) stored: Option<UnixMs>,
    /// Whether the store is being read for it.
    pub(super) loading: bool,
    /// Whether it is among the turns.
    pub(super) has_turn: bool,
    /// Whether it sends one after another, in the order that the store says.
    pub(super) ordered: bool,
    /// The lane's entry in `paced`.
    pub(super) paced: Option<UnixMs>,
}

impl Lane {
    /// Whether it has something to give and may: with fewer than `most` in flight, and not before its rate lets it.
    pub(super) fn can_use_a_turn(&self, most: usize) -> bool {
        !self.has_turn && self.paced.is_none() && !self.ready.is_empty() && self.in_flight < most
    }

    /// Whether it need not be kept: a new one would be no different.
    pub(super) fn is_idle(&self) -> bool {
        self.known.is_empty()
            && self.in_flight == 0
            && self.stored.is_none()
            && !self.loading
            && !self.has_turn
    }
}
