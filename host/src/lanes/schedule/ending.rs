//! What the end of an attempt says: of its lane, and of its receiver.

use super::{NOW_OR_BEFORE, Schedule};
use crate::lanes::breaker::BreakerState;
use crate::lanes::breakers::Turn;
use crate::lanes::signal::Signal;
use crate::model::{DeliveryId, EndpointId, UnixMs};

/// An attempt that is over.
#[derive(Debug, Clone, Copy)]
pub(in crate::lanes) struct Ended {
    pub(in crate::lanes) endpoint: EndpointId,
    pub(in crate::lanes) delivery: DeliveryId,
    /// Whether its delivery is over with it.
    pub(in crate::lanes) is_final: bool,
    /// What it says of the receiver.
    pub(in crate::lanes) signal: Signal,
}

impl Schedule {
    /// The POST is over: gives its slots back. If the delivery is over too, the next of its line may start; if not, those
    /// of its line wait in the store until it is. Says if the breaker opened or closed.
    pub(in crate::lanes) fn sent(&mut self, attempt: Ended, now: UnixMs) -> Option<Turn> {
        let Ended { endpoint, delivery, is_final, signal } = attempt;
        self.in_flight = self.in_flight.saturating_sub(1);
        let turn = self.breakers.heard(endpoint, delivery, signal, now);
        let most = self.options.max_in_flight_per_endpoint;
        if let Some(lane) = self.lanes.get_mut(&endpoint) {
            lane.window.heard(signal, lane.in_flight, most);
            lane.in_flight = lane.in_flight.saturating_sub(1);
            if let Some(tenant) = &lane.tenant {
                self.turns.ended(tenant);
            }
            self.bytes_ready -= lane.end(delivery, is_final);
        }
        if let Some(turn) = turn {
            self.so_far.turned(turn);
        }
        if turn == Some(Turn::Opened) {
            self.opened(endpoint);
        }
        self.give_turn(endpoint);
        turn
    }

    /// The receiver is down: what waits for it waits in the store. What was offered and is not committed when the lane is read
    /// next is found with the retries of those that failed.
    fn opened(&mut self, endpoint: EndpointId) {
        let Some(lane) = self.lanes.get_mut(&endpoint) else { return };
        lane.window.close();
        if lane.has_waiting() {
            self.clear_ready(endpoint);
            self.stored(endpoint, NOW_OR_BEFORE);
        }
    }

    /// Somebody wants to know now whether a receiver is back: its breaker is probed at once, with what is due.
    pub(in crate::lanes) fn probe_now(&mut self, endpoint: EndpointId, now: UnixMs) {
        self.breakers.probe_now(endpoint, now);
        self.look_again(endpoint);
    }

    /// All attempts of this endpoint have failed since then, before the start: its next one is a probe.
    pub(in crate::lanes) fn suspect(&mut self, endpoint: EndpointId, since: UnixMs, now: UnixMs) {
        self.breakers.suspect(endpoint, since, now);
    }

    /// How the breaker of an endpoint stands.
    pub(in crate::lanes) fn breaker(&self, endpoint: EndpointId, now: UnixMs) -> BreakerState {
        self.breakers.state(endpoint, now)
    }
}
