//! Deliveries that somebody takes out of their lane to change them, and how much a lane could take at once.

use std::collections::hash_map::Entry;

use super::{NOW_OR_BEFORE, Schedule};
use crate::lanes::step::Limits;
use crate::model::{DeliveryId, EndpointId, UnixMs};

/// The share of a lane's slots and of its rate that is left for what comes fresh.
const SHARE_FOR_OTHERS: usize = 2;
/// The part of a second's starts that may wait at once, behind which something fresh waits a little.
const RATE_SHARE: u32 = 10;

impl Schedule {
    /// Takes a delivery out of its lane: no attempt of it starts until it is put back. False if one is under way, or
    /// what came of one is not recorded yet.
    pub(in crate::lanes) fn claim(&mut self, endpoint: EndpointId, delivery: DeliveryId) -> bool {
        let lane = self.lanes.entry(endpoint).or_default();
        if let Entry::Vacant(unknown) = lane.known.entry(delivery) {
            unknown.insert(None);
            return true;
        }
        let Some(bytes) = lane.withdraw(delivery) else { return false };
        self.bytes_ready -= bytes;
        true
    }

    /// Gives a delivery back that was claimed. Whatever became of it, the store knows; and those that stood behind it
    /// may be due.
    pub(in crate::lanes) fn put_back(&mut self, endpoint: EndpointId, delivery: DeliveryId) {
        self.settled(endpoint, delivery, Some(NOW_OR_BEFORE));
    }

    /// How many deliveries may be made due so that they start at once and one that comes after them does, too: none
    /// while anything waits, the lane does not run or the receiver is down.
    pub(in crate::lanes) fn room(&mut self, endpoint: EndpointId, limits: Limits, now: UnixMs) -> usize {
        let most = self.options.max_in_flight_per_endpoint;
        let slots = if limits.burst > 0 { most.min(limits.burst as usize) } else { most };
        let mut share = (slots / SHARE_FOR_OTHERS).max(1);
        if limits.rate > 0 {
            share = share.min((limits.rate / RATE_SHARE).max(1) as usize);
        }
        if limits.order.is_some() {
            share = 1;
        }
        let does_not_run = self.paused.contains(&endpoint) || self.breakers.is_tripped(endpoint);
        if does_not_run || self.in_flight >= self.options.max_in_flight {
            return 0;
        }
        let rate = self.rates.get_mut(&endpoint).filter(|_| limits.rate > 0);
        if rate.is_some_and(|rate| rate.next_start(limits.rate, now) > now) {
            return 0;
        }
        let Some(lane) = self.lanes.get(&endpoint) else { return share };
        let waits = lane.loading
            || lane.paced.is_some()
            || !lane.ready.is_empty()
            || lane.stored.is_some_and(|due_at| due_at <= now);
        if waits { 0 } else { share.saturating_sub(lane.known.len()) }
    }
}
