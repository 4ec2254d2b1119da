//! Which delivery goes next: pure bookkeeping, no I/O and no clock of its own.
//!
//! Every endpoint has a lane. Lanes take turns, each giving one delivery per turn, so an endpoint with a million
//! waiting deliveries delays another by one. A lane holds few deliveries in memory; the rest waits in the store and is
//! loaded when there is room. Slots for deliveries in flight are limited per lane and for the host. What an endpoint's owner
//! limits beyond that is asked for at each turn, so a change counts from the next start on.

mod claims;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::Options;
use super::lane::{Lane, size};
use super::rate::Rate;
use super::step::{Limits, OrderedLoad, Step};
use crate::model::{DeliveryId, EndpointId, Job, OrderId, UnixMs};
use crate::store::{Due, InOrder};

/// The due time of what may have been due for long.
const NOW_OR_BEFORE: UnixMs = UnixMs(0);

/// All lanes that have something to do.
#[derive(Debug)]
pub(super) struct Schedule {
    options: Options,
    lanes: HashMap<EndpointId, Lane>,
    /// Lanes that may give a delivery, each once, in the order of their turns.
    turns: VecDeque<EndpointId>,
    /// When lanes have deliveries in the store that become due.
    timers: BTreeSet<(UnixMs, EndpointId)>,
    /// When lanes may start the next one that is ready; they have no turn until then.
    paced: BTreeSet<(UnixMs, EndpointId)>,
    /// The starts of endpoints with a rate limit. Outlives their lanes: an idle lane must not forget what it just sent.
    rates: HashMap<EndpointId, Rate>,
    /// Ordered lanes that wait for events that are not fanned out yet.
    awaiting_dispatch: HashSet<EndpointId>,
    /// How many events were fanned out, so that one that ends during a load is not missed.
    dispatched: u64,
    /// Endpoints whose lanes do not run: what they have waits in the store.
    paused: HashSet<EndpointId>,
    in_flight: usize,
    bytes_ready: usize,
}

impl Schedule {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            lanes: HashMap::new(),
            turns: VecDeque::new(),
            timers: BTreeSet::new(),
            paced: BTreeSet::new(),
            rates: HashMap::new(),
            awaiting_dispatch: HashSet::new(),
            dispatched: 0,
            paused: HashSet::new(),
            in_flight: 0,
            bytes_ready: 0,
        }
    }

    /// Takes a delivery that is due now; false when memory or order says that it has to wait in the store. What goes in
    /// order always does: only the store knows what comes before it.
    #[must_use]
    pub(super) fn offer(&mut self, job: Job, now: UnixMs, ordered: bool) -> bool {
        if ordered || self.paused.contains(&job.endpoint) {
            return false;
        }
        let lane = self.lanes.entry(job.endpoint).or_default();
        let older_waits = lane.loading || lane.stored.is_some_and(|due| due <= now);
        let full =
            lane.ready.len() >= self.options.lane_buffer || self.bytes_ready >= self.options.buffer_bytes;
        if older_waits || full || lane.known.contains_key(&job.delivery) {
            return false;
        }
        self.push(job);
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

    /// The POST is over: gives its slots back. If the delivery is over too, the next of its line may start; if not, those
    /// of its line wait in the store until it is.
    pub(super) fn sent(&mut self, endpoint: EndpointId, delivery: DeliveryId, is_final: bool) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Some(lane) = self.lanes.get_mut(&endpoint) else { return };
        lane.in_flight = lane.in_flight.saturating_sub(1);
        self.bytes_ready -= lane.end(delivery, is_final);
        self.give_turn(endpoint);
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
        self.lanes.is_empty() && self.timers.is_empty() && self.bytes_ready == 0 && self.in_flight == 0
    }

    /// Whether the lane of an endpoint is stopped.
    pub(super) fn is_paused(&self, endpoint: EndpointId) -> bool {
        self.paused.contains(&endpoint)
    }

    /// Lets the lane of an endpoint run again; all that waits for it is read from the store.
    pub(super) fn resume(&mut self, endpoint: EndpointId) {
        if self.paused.remove(&endpoint) {
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

    /// The limits of an endpoint changed, or the time came that they asked for: its lane need not wait for that any more.
    fn look_again(&mut self, endpoint: EndpointId) {
        self.unpace(endpoint);
        self.give_turn(endpoint);
    }

    /// The owner changed the endpoint: its lane asks for its limits again, and reads what another order kept back.
    pub(super) fn changed(&mut self, endpoint: EndpointId) {
        self.look_again(endpoint);
        self.stored(endpoint, NOW_OR_BEFORE);
    }

    /// What to do next. Each [`Step::Load`] is given once until [`Schedule::loaded`] answers it.
    pub(super) fn next(&mut self, now: UnixMs, limits: impl Fn(EndpointId) -> Limits) -> Step {
        while let Some((_, endpoint)) = self.timers.first().filter(|(due_at, _)| *due_at <= now).copied() {
            self.timers.pop_first();
            self.set_order(endpoint, limits(endpoint).order);
            if let Some(step) = self.start_loading(endpoint, now) {
                return step;
            }
        }
        while let Some((_, endpoint)) = self.paced.first().filter(|(at, _)| *at <= now).copied() {
            self.look_again(endpoint);
        }
        if self.in_flight < self.options.max_in_flight {
            while let Some(endpoint) = self.turns.pop_front() {
                if let Some(job) = self.take(endpoint, limits(endpoint), now) {
                    return Step::Run(job);
                }
            }
        }
        let timers = self.timers.first().into_iter().chain(self.paced.first());
        Step::Wait(timers.map(|&(at, _)| at).min())
    }

    /// The lane's timer has fired. A lane that cannot load now gets it back from `loaded` or `give_turn`.
    fn start_loading(&mut self, endpoint: EndpointId, now: UnixMs) -> Option<Step> {
        let room = self.bytes_ready < self.options.buffer_bytes;
        let lane = self.lanes.get_mut(&endpoint)?;
        let must_wait = !lane.ready.is_empty() || !room && lane.in_flight > 0 || lane.has_others_in_flight();
        if lane.loading || must_wait {
            return None;
        }
        lane.loading = true;
        lane.stored = None;
        let limit = self.options.lane_buffer;
        let Some(order) = lane.order else { return Some(Step::Load(endpoint, limit + lane.known.len())) };
        let lookout = lane.lookout(order, now);
        Some(Step::LoadInOrder(OrderedLoad { endpoint, limit, lookout, dispatched: self.dispatched }))
    }

    /// The first of the lane, if its limits let it start now. Whoever makes room gives the turn back: `sent`, the timer
    /// in `paced`, or a change of the limits.
    fn take(&mut self, endpoint: EndpointId, limits: Limits, now: UnixMs) -> Option<Job> {
        self.set_order(endpoint, limits.order);
        let lane = self.lanes.get_mut(&endpoint)?;
        lane.has_turn = false;
        let is_full = limits.burst > 0 && lane.in_flight >= limits.burst as usize;
        if lane.ready.is_empty() || is_full || !self.start_at_rate(endpoint, limits.rate, now) {
            return None;
        }
        let lane = self.lanes.get_mut(&endpoint)?;
        let job = lane.ready.pop_front()?;
        lane.in_flight += 1;
        self.in_flight += 1;
        self.bytes_ready -= size(&job);
        self.give_turn(endpoint);
        Some(job)
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
        if let Some(lane) = self.lanes.get_mut(&endpoint) {
            lane.paced = Some(at);
            self.paced.insert((at, endpoint));
        }
        false
    }

    fn unpace(&mut self, endpoint: EndpointId) {
        if let Some(at) = self.lanes.get_mut(&endpoint).and_then(|lane| lane.paced.take()) {
            self.paced.remove(&(at, endpoint));
        }
    }

    fn push(&mut self, job: Job) {
        let endpoint = job.endpoint;
        self.bytes_ready += size(&job);
        let lane = self.lanes.entry(endpoint).or_default();
        lane.known.insert(job.delivery, job.line);
        lane.ready.push_back(job);
        self.give_turn(endpoint);
    }

    /// Takes what was read, in its order. Of a line that was read nothing is known here: its first may start.
    fn push_all(&mut self, endpoint: EndpointId, jobs: Vec<Job>) {
        let mut started = HashSet::new();
        for job in jobs {
            match job.line {
                Some(line) if !started.insert(line) => {
                    self.bytes_ready += size(&job);
                    let lane = self.lanes.entry(endpoint).or_default();
                    lane.known.insert(job.delivery, job.line);
                    lane.lines.follow(line, job);
                }
                Some(_) | None => self.push(job),
            }
        }
    }

    /// Puts a lane at the end of the turns if it can use one, and its timer back if it can load again.
    fn give_turn(&mut self, endpoint: EndpointId) {
        let Some(lane) = self.lanes.get_mut(&endpoint) else { return };
        if lane.can_use_a_turn(self.options.max_in_flight_per_endpoint) {
            lane.has_turn = true;
            self.turns.push_back(endpoint);
        }
        if let (true, Some(due_at)) = (lane.ready.is_empty(), lane.stored) {
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
