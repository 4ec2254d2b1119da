//! The breakers of all endpoints. Only those that failed lately have one, and it outlives their lanes.

use super::breaker::{Breaker, BreakerState, Rules};
use super::signal::Signal;
use crate::fast_map::FastMap;
use crate::model::{DeliveryId, EndpointId, UnixMs};

/// By endpoint.
#[derive(Debug)]
pub(super) struct Breakers {
    rules: Rules,
    of: FastMap<EndpointId, Breaker>,
}

/// What became of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It opened, and none of its attempts starts but probes.
    Opened,
    /// It closed: the receiver is back, down since then.
    Closed(UnixMs),
}

impl Breakers {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, of: FastMap::default() }
    }

    /// Has what is heard from now on judged by these rules.
    pub(super) fn set(&mut self, rules: Rules) {
        self.rules = rules;
    }

    pub(super) fn get(&self, endpoint: EndpointId) -> Option<&Breaker> {
        self.of.get(&endpoint)
    }

    /// Whether nothing but a probe may start.
    pub(super) fn is_tripped(&self, endpoint: EndpointId) -> bool {
        self.get(endpoint).is_some_and(Breaker::is_tripped)
    }

    /// How many are open, and how many half-open.
    pub(super) fn count(&self, now: UnixMs) -> (usize, usize) {
        self.of.values().fold((0, 0), |(open, half_open), breaker| match breaker.state(now) {
            BreakerState::Closed => (open, half_open),
            BreakerState::Open { .. } => (open + 1, half_open),
            BreakerState::HalfOpen { .. } => (open, half_open + 1),
        })
    }

    /// For those who look at it.
    pub(super) fn state(&self, endpoint: EndpointId, now: UnixMs) -> BreakerState {
        self.get(endpoint).map_or(BreakerState::Closed, |breaker| breaker.state(now))
    }

    /// All attempts of this endpoint have failed since then, before the start of the gateway.
    pub(super) fn suspect(&mut self, endpoint: EndpointId, since: UnixMs, now: UnixMs) {
        if self.rules.failures > 0 {
            self.of.insert(endpoint, Breaker::suspect(since, now));
        }
    }

    /// An attempt starts.
    pub(super) fn start(&mut self, endpoint: EndpointId, delivery: DeliveryId) {
        if let Some(breaker) = self.of.get_mut(&endpoint) {
            breaker.start(delivery);
        }
    }

    /// An attempt is over.
    pub(super) fn heard(
        &mut self,
        endpoint: EndpointId,
        delivery: DeliveryId,
        signal: Signal,
        now: UnixMs,
    ) -> Option<Turn> {
        let before = self.of.get(&endpoint).copied();
        let after = Breaker::after(before, delivery, signal, now, &self.rules);
        match after {
            Some(after) => self.of.insert(endpoint, after),
            None => before.and_then(|_| self.of.remove(&endpoint)),
        };
        match (before, after) {
            (Some(Breaker::Tripped { since, .. }), None) => Some(Turn::Closed(since)),
            (Some(Breaker::Tripped { .. }), _) => None,
            (_, Some(Breaker::Tripped { .. })) => Some(Turn::Opened),
            _ => None,
        }
    }

    /// Somebody wants to know now.
    pub(super) fn probe_now(&mut self, endpoint: EndpointId, now: UnixMs) {
        if let Some(breaker) = self.of.get_mut(&endpoint) {
            breaker.probe_now(now);
        }
    }

    /// The endpoint is gone.
    pub(super) fn forget(&mut self, endpoint: EndpointId) {
        self.of.remove(&endpoint);
    }
}
