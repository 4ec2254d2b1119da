//! Which delivery goes next: pure bookkeeping, no I/O and no clock of its own.
//!
//! Every endpoint has a lane. Tenants take turns and the lanes of a tenant within those, each giving one delivery per turn, so
//! an endpoint with a million waiting deliveries delays another by one. A lane holds few deliveries in memory; the rest waits
//! in the store and is loaded when there is room. Slots for deliveries in flight are limited per lane and for the host; a lane
//! has no more of them than its receiver earned ([`super::window`]), and than are free. What an endpoint's owner limits beyond
//! that is asked for at each turn, so a change counts from the next start on. A receiver that is down is only probed
//! ([`super::breaker`]); what is for it waits in the store.

mod claims;
mod ending;
mod seen;
mod starting;

use std::collections::BTreeSet;

pub(super) use self::ending::Ended;
pub(super) use self::seen::{Seen, SoFar};
use super::Options;
use super::breaker::Rules;
use super::breakers::Breakers;
use super::lane::{Lane, size};
use super::rate::Rate;
use super::turns::Turns;
use crate::fast_map::{FastMap, FastSet};
use crate::model::{DeliveryId, EndpointId, Job, OrderId, UnixMs};
use crate::store::{Due, InOrder};

/// What a delivery takes in memory before anything is known.
const USUAL_SIZE: usize = 1_024;

/// The due time of what may have been due for long.
const NOW_OR_BEFORE: UnixMs = UnixMs(0);

/// All lanes that have something to do.
#[derive(Debug)]
pub(super) struct Schedule {
    options: Options,
    lanes: FastMap<EndpointId, Lane>,
    /// Lanes that may give a delivery, each once, in the order of their turns.
    turns: Turns,
    /// When lanes have deliveries in the store that become due.
    timers: BTreeSet<(UnixMs, EndpointId)>,
    /// When lanes may start the next one that is ready; they have no turn until then.
    paced: BTreeSet<(UnixMs, EndpointId)>,
    /// The starts of endpoints with a rate limit. Outlives their lanes: an idle lane must not forget what it just sent.
    rates: FastMap<EndpointId, Rate>,
    /// The breakers of endpoints that failed lately.
    breakers: Breakers,
    /// Ordered lanes that wait for events that are not fanned out yet.
    awaiting_dispatch: FastSet<EndpointId>,
    /// How many events were fanned out, so that one that ends during a load is not missed.
    dispatched: u64,
    /// Endpoints whose lanes do not run: what they have waits in the store.
    paused: FastSet<EndpointId>,
    in_flight: usize,
    bytes_ready: usize,
    /// What one that waits takes, on average lately.
    usual_size: usize,
    /// Reads of the store that are under way, each with the bytes that it may bring, about.
    loads: FastMap<EndpointId, usize>,
    /// For those who watch.
    so_far: SoFar,
}

impl Schedule {
    pub(super) fn new(options: Options) -> Self {
        let breakers = Breakers::new(Rules::of(&options));
        Self {
            options,
            lanes: FastMap::default(),
            turns: Turns::default(),
            timers: BTreeSet::new(),
            paced: BTreeSet::new(),
            rates: FastMap::default(),
            breakers,
            awaiting_dispatch: FastSet::default(),
            dispatched: 0,
            paused: FastSet::default(),
            in_flight: 0,
            bytes_ready: 0,
            usual_size: USUAL_SIZE,
            loads: FastMap::default(),
            so_far: SoFar::default(),
        }
    }

    /// Goes by these limits from now on. What is over them already ends as it would have.
    pub(super) fn set(&mut self, options: Options) {
        self.breakers.set(Rules::of(&options));
        self.options = options;
        let lanes: Vec<_> = self.lanes.keys().copied().collect();
        lanes.into_iter().for_each(|endpoint| self.give_turn(endpoint));
    }

    /// Takes a delivery that is due now; false when memory, order or a breaker says that it has to wait in the store. What
    /// goes in order always does: only the store knows what comes before it. An event that tests its endpoint is a probe.
    #[must_use]
    pub(super) fn offer(&mut self, job: Job, now: UnixMs, ordered: bool) -> bool {
        let endpoint = job.endpoint;
        let is_down = self.breakers.is_tripped(endpoint);
        let is_test = job.event.test_of.is_some();
        if ordered || self.paused.contains(&endpoint) || is_down && !is_test {
            return false;
        }
        let free_bytes = self.free_bytes();
        let lane = self.lanes.entry(endpoint).or_default();
        // What comes while the store is read joins what is found there. Were it refused, the lane would have to read again, and
        // a busy one for ever.
        let older_waits = lane.stored.is_some_and(|due| due <= now);
        let full = lane.ready.len() >= self.options.lane_buffer || lane.bytes >= free_bytes;
        if older_waits && !is_down || full || lane.known.contains_key(&job.delivery) {
            return false;
        }
        self.push(job);
        if is_down {
            self.probe_now(endpoint, now);
        }
        true
    }

    /// Notes that a delivery waits in the store, due at this time.
    pub(super) fn stored(&mut self, endpoint: EndpointId, due_at: UnixMs) {
        if let Some(lane) = self.lanes.get_mut(&endpoint).filter(|lane| lane.order.is_some()) {
            lane.lines.may_be_due(Some(due_at));
        }
        self.added(endpoint, due_at);
    }

    /// The same for one that no ordered lane has looked at: its event was fanned out just now.
    pub(super) fn added(&mut self, endpoint: EndpointId, due_at: UnixMs) {
        if self.paused.contains(&endpoint) {
            return;
        }
        let lane = self.lanes.entry(endpoint).or_default();
        if lane.stored.is_none_or(|earliest| due_at < earliest) {
            self.set_stored(endpoint, Some(due_at));
        }
    }

    /// Takes what was read from the store after [`Step::Load`].
    pub(super) fn loaded(&mut self, endpoint: EndpointId, due: Due) {
        self.end_load(endpoint, due, None);
    }

    /// Takes what was read from the store after [`Step::LoadInOrder`]: in this order, when `dispatched` events had been
    /// fanned out.
    pub(super) fn loaded_in_order(
        &mut self,
        endpoint: EndpointId,
        found: InOrder,
        order: OrderId,
        dispatched: u64,
    ) {
        let InOrder { jobs, more, next, awaits_dispatch, passed, looked_to } = found;
        let more = more || awaits_dispatch && self.dispatched != dispatched;
        if awaits_dispatch && !more {
            self.awaiting_dispatch.insert(endpoint);
        }
        if let Some(lane) = self.lanes.get_mut(&endpoint).filter(|lane| lane.order == Some(order)) {
            lane.lines.looked(looked_to, passed, next);
        }
        self.end_load(endpoint, Due { jobs, next: more.then_some(NOW_OR_BEFORE) }, Some(order));
    }

    /// An event was fanned out, visibly for all who read from now on. Says whether a lane waited for that.
    pub(super) fn dispatched(&mut self) -> bool {
        self.dispatched += 1;
        let waiting = std::mem::take(&mut self.awaiting_dispatch);
        waiting.iter().for_each(|endpoint| self.added(*endpoint, NOW_OR_BEFORE));
        !waiting.is_empty()
    }

    fn end_load(&mut self, endpoint: EndpointId, due: Due, order: Option<OrderId>) {
        self.loads.remove(&endpoint);
        let Some(lane) = self.lanes.get_mut(&endpoint) else { return };
        lane.loading = false;
        let new =
            due.jobs.into_iter().filter(|job| !lane.known.contains_key(&job.delivery)).collect::<Vec<_>>();
        for (recorded, has_ended) in std::mem::take(&mut lane.recorded_during_load) {
            if lane.forget(recorded, has_ended) {
                lane.lines.may_be_due(Some(NOW_OR_BEFORE));
            }
        }
        if self.paused.contains(&endpoint) {
            return self.forget_if_idle(endpoint);
        }
        if lane.order != order {
            return self.set_stored(endpoint, Some(NOW_OR_BEFORE));
        }
        let earliest = lane.stored.into_iter().chain(due.next).chain(lane.lines.due_at()).min();
        self.push_all(endpoint, new);
        self.set_stored(endpoint, earliest);
        self.forget_if_idle(endpoint);
    }

    /// The store knows what came of a delivery, and when it is due again.
    pub(super) fn settled(&mut self, endpoint: EndpointId, delivery: DeliveryId, due_at: Option<UnixMs>) {
        let mut next = due_at;
        if let Some(lane) = self.lanes.get_mut(&endpoint) {
            if lane.loading {
                lane.recorded_during_load.push((delivery, due_at.is_none()));
            } else if lane.forget(delivery, due_at.is_none()) {
                next = Some(NOW_OR_BEFORE);
            }
        }
        if let Some(due_at) = next {
            self.stored(endpoint, due_at);
        }
        self.give_turn(endpoint);
        self.forget_if_idle(endpoint);
    }

    /// Whether something of this endpoint waits in the store until this time at the latest, as far as is known.
    pub(super) fn waits(&self, endpoint: EndpointId, until: UnixMs) -> bool {
        let lane = self.lanes.get(&endpoint);
        lane.is_some_and(|lane| lane.loading || lane.stored.is_some_and(|due_at| due_at <= until))
    }

    /// Drops what waits for an endpoint that is gone. What is in flight ends by itself.
    pub(super) fn delete(&mut self, endpoint: EndpointId) {
        self.paused.remove(&endpoint);
        self.rates.remove(&endpoint);
        self.breakers.forget(endpoint);
        self.stop(endpoint);
    }

    /// Stops the lane of an endpoint. What is in flight ends by itself; the rest waits in the store. What it sent still
    /// counts when it runs again.
    pub(super) fn pause(&mut self, endpoint: EndpointId) {
        self.paused.insert(endpoint);
        self.stop(endpoint);
    }

    /// Whether no lane is kept.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
            && self.timers.is_empty()
            && self.turns.is_empty()
            && self.bytes_ready == 0
            && self.in_flight == 0
    }

    /// Bytes of what waits in memory, roughly.
    #[cfg(test)]
    pub(super) const fn bytes_ready(&self) -> usize {
        self.bytes_ready
    }

    /// Whether the lane of an endpoint is stopped.
    pub(super) fn is_paused(&self, endpoint: EndpointId) -> bool {
        self.paused.contains(&endpoint)
    }

    /// Lets the lane of an endpoint run again; all that waits for it is read from the store.
    pub(super) fn resume(&mut self, endpoint: EndpointId, now: UnixMs) {
        if self.paused.remove(&endpoint) {
            self.breakers.probe_now(endpoint, now);
            self.stored(endpoint, NOW_OR_BEFORE);
        }
    }

    fn stop(&mut self, endpoint: EndpointId) {
        self.clear_ready(endpoint);
        if let Some(lane) = self.lanes.get_mut(&endpoint) {
            lane.order = None;
        }
        self.awaiting_dispatch.remove(&endpoint);
        self.set_stored(endpoint, None);
        self.unpace(endpoint);
        self.forget_if_idle(endpoint);
    }

    /// The owner changed the endpoint: its lane asks for its limits again, reads what another order kept back, and tries
    /// whether the receiver is there now.
    pub(super) fn changed(&mut self, endpoint: EndpointId, now: UnixMs) {
        self.probe_now(endpoint, now);
        self.stored(endpoint, NOW_OR_BEFORE);
    }

    /// The lane goes by this order from now on. What waits here in the other one is read again.
    fn set_order(&mut self, endpoint: EndpointId, order: Option<OrderId>) {
        let Some(lane) = self.lanes.get_mut(&endpoint) else { return };
        if std::mem::replace(&mut lane.order, order) == order {
            return;
        }
        let had_waiting = lane.has_waiting();
        self.clear_ready(endpoint);
        if had_waiting {
            self.stored(endpoint, NOW_OR_BEFORE);
            // What was offered may not be committed yet. Its fan-out tells.
            self.awaiting_dispatch.insert(endpoint);
        }
    }

    fn clear_ready(&mut self, endpoint: EndpointId) {
        let Some(lane) = self.lanes.get_mut(&endpoint) else { return };
        self.bytes_ready -= lane.clear();
    }

    fn push(&mut self, job: Job) {
        let endpoint = job.endpoint;
        self.hold(&job);
        if let Some(lane) = self.lanes.get_mut(&endpoint) {
            lane.ready.push_back(job);
        }
        self.give_turn(endpoint);
    }

    /// Bytes that neither wait in memory nor are read now.
    fn free_bytes(&self) -> usize {
        let coming: usize = self.loads.values().sum();
        self.options.buffer_bytes.saturating_sub(self.bytes_ready + coming)
    }

    /// Notes that this one is in memory.
    fn hold(&mut self, job: &Job) {
        let size = size(job);
        self.bytes_ready += size;
        self.usual_size = (self.usual_size * 7 + size) / 8;
        let lane = self.lanes.entry(job.endpoint).or_default();
        lane.bytes += size;
        lane.known.insert(job.delivery, job.line);
        if lane.tenant.as_ref() != Some(&job.event.tenant) {
            lane.tenant = Some(job.event.tenant.clone());
        }
    }

    /// Takes what was read, in its order. Of a line that was read nothing is known here: its first may start.
    fn push_all(&mut self, endpoint: EndpointId, jobs: Vec<Job>) {
        let mut started = FastSet::default();
        for job in jobs {
            match job.line {
                Some(line) if !started.insert(line) => {
                    self.hold(&job);
                    if let Some(lane) = self.lanes.get_mut(&endpoint) {
                        lane.lines.follow(line, job);
                    }
                }
                Some(_) | None => self.push(job),
            }
        }
    }

    /// Puts a lane at the end of the turns if it can use one, and its timer back if it can load again.
    fn give_turn(&mut self, endpoint: EndpointId) {
        let Some(lane) = self.lanes.get_mut(&endpoint) else { return };
        if let Some(tenant) = lane.tenant.clone()
            && lane.can_use_a_turn(self.options.max_in_flight_per_endpoint)
        {
            lane.has_turn = true;
            self.turns.push(&tenant, endpoint);
        }
        if let (true, Some(due_at)) = (lane.has_room_to_load(), lane.stored) {
            self.timers.insert((due_at, endpoint));
        }
    }

    fn set_stored(&mut self, endpoint: EndpointId, due_at: Option<UnixMs>) {
        let Some(lane) = self.lanes.get_mut(&endpoint) else { return };
        if let Some(old) = lane.stored {
            self.timers.remove(&(old, endpoint));
        }
        lane.stored = due_at;
        if let Some(due_at) = due_at {
            self.timers.insert((due_at, endpoint));
        }
    }

    fn forget_if_idle(&mut self, endpoint: EndpointId) {
        if self.lanes.get(&endpoint).is_some_and(Lane::is_idle) {
            self.lanes.remove(&endpoint);
        }
    }
}
