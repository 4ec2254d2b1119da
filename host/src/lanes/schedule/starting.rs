//! What starts next: whose turn it is, and whether the limits of its owner, its receiver and the host let it.

use crate::lanes::breaker::Leave;
use crate::lanes::rate::Rate;
use crate::lanes::step::{Limits, OrderedLoad, Step};
use crate::model::{EndpointId, Job, UnixMs};

use super::{Schedule, size};

/// Reads of the store at the same time: each holds what it reads, and a thread.
const MAX_LOADS: usize = 32;
/// The part of the free bytes that one load may take.
const SHARE_OF_BYTES: usize = 2;

impl Schedule {
    /// What to do next. Each [`Step::Load`] is given once until [`Schedule::loaded`] answers it.
    pub(in crate::lanes) fn next(&mut self, now: UnixMs, limits: impl Fn(EndpointId) -> Limits) -> Step {
        while let Some((_, endpoint)) = self.paced.first().filter(|(at, _)| *at <= now).copied() {
            self.look_again(endpoint);
        }
        while let Some((_, endpoint)) = self.first_timer().filter(|(due_at, _)| *due_at <= now) {
            self.timers.pop_first();
            let limits = limits(endpoint);
            self.set_order(endpoint, limits.order);
            if let Some(step) = self.start_loading(endpoint, limits.rate, now) {
                return step;
            }
        }
        while let Some(free) = self.free().filter(|free| *free > 0) {
            let Some(endpoint) = self.turns.next(free) else { break };
            if let Some(job) = self.take(endpoint, limits(endpoint), now) {
                return Step::Run(job);
            }
        }
        let timers = self.first_timer().into_iter().chain(self.paced.first().copied());
        Step::Wait(timers.map(|(at, _)| at).min())
    }

    /// The next lane to be read, unless that has to wait: for one of the loads that are under way, or for room in memory,
    /// which those make that start. However many lanes have something that waits, no more of it is in memory.
    fn first_timer(&self) -> Option<(UnixMs, EndpointId)> {
        let may_load = self.loads.len() < MAX_LOADS && self.free_bytes() > 0;
        self.timers.first().copied().filter(|_| may_load)
    }

    /// Slots of the host that are free.
    fn free(&self) -> Option<usize> {
        self.options.max_in_flight.checked_sub(self.in_flight)
    }

    /// The lane's timer has fired. A lane that cannot load now gets it back from `loaded` or `give_turn`.
    fn start_loading(&mut self, endpoint: EndpointId, rate: u32, now: UnixMs) -> Option<Step> {
        let leave = self.leave(endpoint, now);
        let room = self.free_bytes() / SHARE_OF_BYTES / self.usual_size;
        let lane = self.lanes.get_mut(&endpoint)?;
        if lane.loading || !lane.has_room_to_load() || lane.has_others_in_flight() {
            return None;
        }
        if leave != Leave::Now {
            self.wait_for(endpoint, leave);
            return None;
        }
        lane.loading = true;
        lane.stored = None;
        let round = if rate > 0 { lane.window.size().min(rate as usize) } else { lane.window.size() };
        let most = if self.breakers.is_tripped(endpoint) { 1 } else { self.options.lane_buffer };
        let limit = lane.appetite.next(round, room.min(most), now);
        self.loads.insert(endpoint, limit * self.usual_size);
        self.so_far.loads += 1;
        let Some(order) = lane.order else { return Some(Step::Load(endpoint, limit + lane.known.len())) };
        let lookout = lane.lookout(order, now);
        Some(Step::LoadInOrder(OrderedLoad { endpoint, limit, lookout, dispatched: self.dispatched }))
    }

    /// The first of the lane, if it may start now. Whoever makes room gives the turn back: `sent`, the timer in `paced`, or
    /// a change of the limits.
    fn take(&mut self, endpoint: EndpointId, limits: Limits, now: UnixMs) -> Option<Job> {
        self.set_order(endpoint, limits.order);
        let free = self.free()?;
        let lane = self.lanes.get_mut(&endpoint)?;
        lane.has_turn = false;
        // One lane may have as many as are free: so many slow receivers share the slots, and leave some for one that comes.
        let is_full = limits.burst > 0 && lane.in_flight >= limits.burst as usize || lane.in_flight >= free;
        if lane.ready.is_empty() || is_full {
            return None;
        }
        let leave = self.leave(endpoint, now);
        if leave != Leave::Now {
            self.wait_for(endpoint, leave);
            return None;
        }
        if !self.start_at_rate(endpoint, limits.rate, now) {
            return None;
        }
        let lane = self.lanes.get_mut(&endpoint)?;
        let job = lane.ready.pop_front()?;
        lane.in_flight += 1;
        lane.bytes -= size(&job);
        self.in_flight += 1;
        self.bytes_ready -= size(&job);
        self.turns.started(&job.event.tenant);
        self.breakers.start(endpoint, job.delivery);
        self.give_turn(endpoint);
        Some(job)
    }

    /// Counts a start, if the rate allows it now; otherwise sets the timer.
    fn start_at_rate(&mut self, endpoint: EndpointId, limit: u32, now: UnixMs) -> bool {
        if limit == 0 {
            self.rates.remove(&endpoint);
            return true;
        }
        let rate = self.rates.entry(endpoint).or_insert_with(Rate::new);
        let at = rate.next_start(limit, now);
        if at <= now {
            rate.started(now);
            return true;
        }
        self.pace(endpoint, at);
        false
    }

    fn leave(&self, endpoint: EndpointId, now: UnixMs) -> Leave {
        self.breakers.get(endpoint).map_or(Leave::Now, |breaker| breaker.leave(now))
    }

    /// The end of the probe gives the lane its turn back.
    fn wait_for(&mut self, endpoint: EndpointId, leave: Leave) {
        if let Leave::At(at) = leave {
            self.pace(endpoint, at);
        }
    }

    /// The lane has no turn until then.
    fn pace(&mut self, endpoint: EndpointId, at: UnixMs) {
        self.unpace(endpoint);
        if let Some(lane) = self.lanes.get_mut(&endpoint) {
            lane.paced = Some(at);
            self.paced.insert((at, endpoint));
        }
    }

    pub(super) fn unpace(&mut self, endpoint: EndpointId) {
        if let Some(at) = self.lanes.get_mut(&endpoint).and_then(|lane| lane.paced.take()) {
            self.paced.remove(&(at, endpoint));
        }
    }

    /// The limits of an endpoint changed, or the time came that they asked for: its lane need not wait for that any more.
    pub(super) fn look_again(&mut self, endpoint: EndpointId) {
        self.unpace(endpoint);
        self.give_turn(endpoint);
    }
}
