//! Whose turn it is: tenants take turns, and the lanes of a tenant take turns within those of their tenant. Pure.
//!
//! So a tenant with a thousand endpoints and one with a single endpoint get as many starts while slots are scarce. Besides, a
//! tenant may have at most [`SHARE`] times as many attempts under way as slots are free: one alone has four fifths of the
//! host, two have four ninths each, and some always are free for one that comes.

use std::collections::VecDeque;

use crate::fast_map::FastMap;
use crate::model::{EndpointId, TenantId};

/// See above.
const SHARE: usize = 4;

/// Lanes that may give a delivery, each once.
#[derive(Debug, Default)]
pub(super) struct Turns {
    tenants: FastMap<TenantId, Tenant>,
    /// Tenants that have lanes and may start something, each once.
    rotation: VecDeque<TenantId>,
}

#[derive(Debug, Default)]
struct Tenant {
    lanes: VecDeque<EndpointId>,
    in_flight: usize,
    in_rotation: bool,
}

impl Turns {
    /// Puts a lane at the end of its tenant's turns.
    pub(super) fn push(&mut self, tenant: &TenantId, endpoint: EndpointId) {
        let entry = match self.tenants.get_mut(tenant) {
            Some(entry) => entry,
            None => self.tenants.entry(tenant.clone()).or_default(),
        };
        entry.lanes.push_back(endpoint);
        if !std::mem::replace(&mut entry.in_rotation, true) {
            self.rotation.push_back(tenant.clone());
        }
    }

    /// The lane whose turn it is, with so many slots free. A tenant that has its share waits until one of its attempts
    /// ends.
    pub(super) fn next(&mut self, free: usize) -> Option<EndpointId> {
        while let Some(tenant) = self.rotation.pop_front() {
            let Some(entry) = self.tenants.get_mut(&tenant) else { continue };
            if entry.in_flight >= SHARE * free {
                entry.in_rotation = false;
                continue;
            }
            let lane = entry.lanes.pop_front();
            if entry.lanes.is_empty() {
                entry.in_rotation = false;
                self.forget_if_idle(&tenant);
            } else {
                self.rotation.push_back(tenant);
            }
            if lane.is_some() {
                return lane;
            }
        }
        None
    }

    /// An attempt starts.
    pub(super) fn started(&mut self, tenant: &TenantId) {
        match self.tenants.get_mut(tenant) {
            Some(entry) => entry.in_flight += 1,
            None => self.tenants.entry(tenant.clone()).or_default().in_flight = 1,
        }
    }

    /// An attempt is over.
    pub(super) fn ended(&mut self, tenant: &TenantId) {
        let Some(entry) = self.tenants.get_mut(tenant) else { return };
        entry.in_flight = entry.in_flight.saturating_sub(1);
        if !entry.lanes.is_empty() && !std::mem::replace(&mut entry.in_rotation, true) {
            self.rotation.push_back(tenant.clone());
        }
        self.forget_if_idle(tenant);
    }

    /// Whether no tenant is kept.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    fn forget_if_idle(&mut self, tenant: &TenantId) {
        let is_idle = |entry: &Tenant| entry.lanes.is_empty() && entry.in_flight == 0 && !entry.in_rotation;
        if self.tenants.get(tenant).is_some_and(is_idle) {
            self.tenants.remove(tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    #[test]
    fn a_tenant_with_many_lanes_has_as_many_turns_as_one_with_one() {
        let (many, one) = (tenant("many"), tenant("one"));
        let mut turns = Turns::default();
        for n in 0..1_000 {
            turns.push(&many, EndpointId::from_u128(n));
        }
        let mut of_one = 0;
        for _ in 0..100 {
            turns.push(&one, EndpointId::from_u128(5_000));
            for _ in 0..2 {
                of_one += usize::from(turns.next(10) == Some(EndpointId::from_u128(5_000)));
            }
        }
        assert_eq!(of_one, 100);
    }

    #[test]
    fn a_tenant_that_has_its_share_waits_for_the_end_of_one_of_its_own() {
        let (greedy, late) = (tenant("greedy"), tenant("late"));
        let (slots, mut started, mut turns) = (100, 0, Turns::default());
        (0..slots).for_each(|n| turns.push(&greedy, EndpointId::from_u128(n)));
        while turns.next(100 - started).is_some() {
            turns.started(&greedy);
            started += 1;
        }
        assert_eq!(started, 80);
        turns.push(&late, EndpointId::from_u128(7_777));
        assert_eq!(turns.next(20), Some(EndpointId::from_u128(7_777)));
        turns.started(&late);
        assert_eq!(turns.next(19), None);
        turns.ended(&greedy);
        assert_eq!(turns.next(20), Some(EndpointId::from_u128(80)), "79 are under way, and 20 slots free");
    }

    #[test]
    fn a_tenant_of_which_nothing_waits_and_nothing_is_under_way_is_forgotten() {
        let (one, mut turns) = (tenant("one"), Turns::default());
        turns.push(&one, EndpointId::from_u128(1));
        assert!(turns.next(9).is_some() && turns.is_empty());
        turns.started(&one);
        assert!(!turns.is_empty());
        turns.ended(&one);
        assert!(turns.is_empty());
    }
}
