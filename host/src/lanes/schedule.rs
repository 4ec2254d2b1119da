//! Which delivery goes next: pure bookkeeping, no I/O and no clock of its own.
//!
//! Every endpoint has a lane. Lanes take turns, each giving one delivery per turn, so an endpoint with a million
//! waiting deliveries delays another by one. A lane holds few deliveries in memory; the rest waits in the store and is
//! loaded when there is room. Slots for deliveries in flight are limited per lane and for the host.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::Options;
use crate::model::{DeliveryId, EndpointId, Job, UnixMs};
use crate::store::Due;

/// All lanes that have something to do.
#[derive(Debug)]
pub(super) struct Schedule {
    options: Options,
    lanes: HashMap<EndpointId, Lane>,
    /// Lanes that may give a delivery, each once, in the order of their turns.
    turns: VecDeque<EndpointId>,
    /// When lanes have deliveries in the store that become due.
    timers: BTreeSet<(UnixMs, EndpointId)>,
    /// Endpoints whose lanes do not run: what they have waits in the store.
    paused: HashSet<EndpointId>,
    in_flight: usize,
    bytes_ready: usize,
}

#[derive(Debug, Default)]
struct Lane {
    ready: VecDeque<Job>,
    in_flight: usize,
    /// Deliveries that are ready, in flight or not recorded yet: what the store must not hand out again.
    known: HashSet<DeliveryId>,
    /// When the earliest delivery that is in the store and not in `known` is due.
    stored: Option<UnixMs>,
    loading: bool,
    has_turn: bool,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Step {
    /// Attempt this one.
    Run(Job),
    /// Read the deliveries of this endpoint that are due from the store, at most so many.
    Load(EndpointId, usize),
    /// Nothing until something changes or this time has come.
    Wait(Option<UnixMs>),
}

impl Schedule {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            lanes: HashMap::new(),
            turns: VecDeque::new(),
            timers: BTreeSet::new(),
            paused: HashSet::new(),
            in_flight: 0,
            bytes_ready: 0,
        }
    }

    /// Takes a delivery that is due now; gives it back when memory or order says that it has to wait in the store.
    pub(super) fn offer(&mut self, job: Job, now: UnixMs) -> Result<(), Job> {
        if self.paused.contains(&job.endpoint) {
            return Err(job);
        }
        let lane = self.lanes.entry(job.endpoint).or_default();
        let older_waits = lane.loading || lane.stored.is_some_and(|due| due <= now);
        let full =
            lane.ready.len() >= self.options.lane_buffer || self.bytes_ready >= self.options.buffer_bytes;
        if older_waits || full {
            return Err(job);
        }
        self.push(job);
        Ok(())
    }

    /// Notes that a delivery waits in the store, due at this time.
    pub(super) fn stored(&mut self, endpoint: EndpointId, due_at: UnixMs) {
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
        let Some(lane) = self.lanes.get_mut(&endpoint) else { return };
        lane.loading = false;
        if self.paused.contains(&endpoint) {
            self.forget_if_idle(endpoint);
            return;
        }
        let earliest = lane.stored.into_iter().chain(due.next).min();
        for job in due.jobs {
            if !self.lanes.get(&endpoint).is_some_and(|lane| lane.known.contains(&job.delivery)) {
                self.push(job);
            }
        }
        self.set_stored(endpoint, earliest);
        self.forget_if_idle(endpoint);
    }

    /// The POST is over: gives its slots back.
    pub(super) fn sent(&mut self, endpoint: EndpointId) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(lane) = self.lanes.get_mut(&endpoint) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
            self.give_turn(endpoint);
        }
    }

    /// The store knows what came of a delivery, and when it is due again.
    pub(super) fn settled(&mut self, endpoint: EndpointId, delivery: DeliveryId, due_at: Option<UnixMs>) {
        if let Some(lane) = self.lanes.get_mut(&endpoint) {
            lane.known.remove(&delivery);
        }
        if let Some(due_at) = due_at {
            self.stored(endpoint, due_at);
        }
        self.forget_if_idle(endpoint);
    }

    /// Drops what waits for an endpoint that is gone. What is in flight ends by itself.
    pub(super) fn delete(&mut self, endpoint: EndpointId) {
        self.paused.remove(&endpoint);
        self.forget(endpoint);
    }

    fn forget(&mut self, endpoint: EndpointId) {
        let Some(lane) = self.lanes.get_mut(&endpoint) else { return };
        for job in std::mem::take(&mut lane.ready) {
            self.bytes_ready -= size(&job);
            lane.known.remove(&job.delivery);
        }
        self.set_stored(endpoint, None);
        self.forget_if_idle(endpoint);
    }

    /// Stops the lane of an endpoint. What is in flight ends by itself; the rest waits in the store.
    pub(super) fn pause(&mut self, endpoint: EndpointId) {
        self.forget(endpoint);
        self.paused.insert(endpoint);
    }

    /// Whether the lane of an endpoint is stopped.
    pub(super) fn is_paused(&self, endpoint: EndpointId) -> bool {
        self.paused.contains(&endpoint)
    }

    /// Lets the lane of an endpoint run again; all that waits for it is read from the store.
    pub(super) fn resume(&mut self, endpoint: EndpointId) {
        if self.paused.remove(&endpoint) {
            self.stored(endpoint, UnixMs(0));
        }
    }

    /// What to do next. Each [`Step::Load`] is given once until [`Schedule::loaded`] answers it.
    pub(super) fn next(&mut self, now: UnixMs) -> Step {
        while let Some((_, endpoint)) = self.timers.first().filter(|(due_at, _)| *due_at <= now).copied() {
            self.timers.pop_first();
            if let Some(limit) = self.start_loading(endpoint) {
                return Step::Load(endpoint, limit);
            }
        }
        if self.in_flight < self.options.max_in_flight {
            while let Some(endpoint) = self.turns.pop_front() {
                if let Some(job) = self.take(endpoint) {
                    return Step::Run(job);
                }
            }
        }
        Step::Wait(self.timers.first().map(|&(due_at, _)| due_at))
    }

    /// The lane's timer has fired. A lane that cannot load now gets it back from `loaded` or `give_turn`.
    fn start_loading(&mut self, endpoint: EndpointId) -> Option<usize> {
        let room = self.bytes_ready < self.options.buffer_bytes;
        let lane = self.lanes.get_mut(&endpoint)?;
        if lane.loading || !lane.ready.is_empty() || !room && lane.in_flight > 0 {
            return None;
        }
        lane.loading = true;
        lane.stored = None;
        Some(self.options.lane_buffer + lane.known.len())
    }

    fn take(&mut self, endpoint: EndpointId) -> Option<Job> {
        let lane = self.lanes.get_mut(&endpoint)?;
        lane.has_turn = false;
        let job = lane.ready.pop_front()?;
        lane.in_flight += 1;
        self.in_flight += 1;
        self.bytes_ready -= size(&job);
        self.give_turn(endpoint);
        Some(job)
    }

    fn push(&mut self, job: Job) {
        let endpoint = job.endpoint;
        self.bytes_ready += size(&job);
        let lane = self.lanes.entry(endpoint).or_default();
        lane.known.insert(job.delivery);
        lane.ready.push_back(job);
        self.give_turn(endpoint);
    }

    /// Puts a lane at the end of the turns if it can use one, and its timer back if it can load again.
    fn give_turn(&mut self, endpoint: EndpointId) {
        let Some(lane) = self.lanes.get_mut(&endpoint) else { return };
        if !lane.has_turn
            && !lane.ready.is_empty()
            && lane.in_flight < self.options.max_in_flight_per_endpoint
        {
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
        let idle = |lane: &Lane| {
            lane.known.is_empty()
                && lane.in_flight == 0
                && lane.stored.is_none()
                && !lane.loading
                && !lane.has_turn
        };
        if self.lanes.get(&endpoint).is_some_and(idle) {
            self.lanes.remove(&endpoint);
        }
    }
}

/// What a waiting delivery keeps in memory, roughly.
fn size(job: &Job) -> usize {
    const OVERHEAD: usize = 256;
    OVERHEAD + job.event.data.len() + job.custom.as_ref().map_or(0, |custom| custom.body.len())
}
