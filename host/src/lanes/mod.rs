//! What may be sent when: a lane per endpoint, fair turns, bounded slots and memory.
//!
//! [`schedule`] decides; this shell asks it, reads the store for it and waits. A delivery handed over in memory goes
//! out at once, if the limits of its endpoint let it; everything else (retries, what did not fit, what an earlier run
//! left) is read from the store when it is due. What is held for want of a secret is due again after [`HELD_WAIT`], or at
//! once when its endpoint gets one.
//!
//! The lane of an inactive endpoint does not run: its deliveries stay in the store as they are, however many. When it is
//! activated they are put into the order in which their events were accepted, a batch a transaction, and then it runs.

mod breaker;
mod breakers;
mod claim;
mod exposition;
mod lane;
mod lines;
mod load;
mod rate;
mod schedule;
mod signal;
mod step;
#[cfg(test)]
mod tests;
mod turns;
mod window;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Notify;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

pub use self::breaker::BreakerState;
use self::breakers::Turn;
pub use self::claim::Claim;
use self::schedule::{Ended, Schedule};
pub use self::signal::Signal;
use self::step::{Limits, Step};
use crate::clock::Clock;
use crate::directory::Directory;
use crate::model::{DeliveryId, EndpointId, Job, UnixMs};
use crate::shutdown::Shutdown;
use crate::store::{Error, Store};

/// Deliveries cancelled in one transaction, so that a large backlog does not hold up other writes.
const CANCEL_BATCH: usize = 500;
/// The same for deliveries that are released.
const RELEASE_BATCH: usize = 500;
/// How long until a delivery whose endpoint has no active secret is looked at again if nothing is heard of a new one.
pub const HELD_WAIT: Duration = Duration::from_secs(60);

/// How much is sent at the same time and held in memory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Attempts under way at the same time, all endpoints together. Each is a socket and some memory.
    pub max_in_flight: usize,
    /// Attempts under way at the same time to one endpoint: a receiver that hangs can take this many slots and no more.
    pub max_in_flight_per_endpoint: usize,
    /// Deliveries of one endpoint that wait in memory; more wait in the store.
    pub lane_buffer: usize,
    /// Bytes of all deliveries that wait in memory, roughly; more wait in the store.
    pub buffer_bytes: usize,
    /// Failures of an endpoint in a row after which it is only probed; 0 = however many there are. Default: 10.
    pub breaker_failures: u32,
    /// The time within which they must fall. Default: 2 min.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub breaker_window: Duration,
    /// The wait for the first probe; it doubles with each that fails. Default: 1 s.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub probe_wait: Duration,
    /// The longest wait for a probe. Default: 2 min.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub probe_wait_max: Duration,
}

/// The lanes. Clones share them.
#[derive(Clone)]
pub struct Lanes {
    inner: Arc<Inner>,
}

struct Inner {
    schedule: Mutex<Schedule>,
    changed: Notify,
    /// Rings when an attempt is over or recorded: there may be room.
    ended: Notify,
    store: Arc<dyn Store>,
    directory: Directory,
    clock: Clock,
    shutdown: Shutdown,
}

impl Lanes {
    /// Lanes for what waits in the store, and for what will be offered.
    ///
    /// # Errors
    /// The store's.
    pub async fn start(
        options: Options,
        store: Arc<dyn Store>,
        directory: Directory,
        clock: Clock,
        shutdown: Shutdown,
    ) -> Result<Self, Error> {
        // From before the endpoints are looked at, so that no change falls in between.
        let changes = directory.changes();
        let mut schedule = Schedule::new(options);
        directory.inactive().into_iter().for_each(|endpoint| schedule.pause(endpoint));
        let mut orphans = Vec::new();
        for (endpoint, due_at) in store.waiting_endpoints().await? {
            if directory.get(endpoint).is_some() {
                schedule.stored(endpoint, due_at);
            } else {
                orphans.push(endpoint);
            }
        }
        for (endpoint, since) in store.failing_endpoints().await? {
            if directory.get(endpoint).is_some() {
                schedule.suspect(endpoint, since, clock.now());
            }
        }
        let inner = Inner {
            schedule: Mutex::new(schedule),
            changed: Notify::new(),
            ended: Notify::new(),
            store,
            directory,
            clock,
            shutdown: shutdown.clone(),
        };
        let lanes = Self { inner: Arc::new(inner) };
        shutdown.spawn(lanes.clone().follow_changes(changes, orphans));
        Ok(lanes)
    }

    /// Goes by these limits from now on. What is over them already ends as it would have.
    pub fn set(&self, options: Options) {
        self.inner.schedule().set(options);
        self.inner.changed.notify_one();
    }

    /// The next delivery that may be attempted now, with a slot taken for it; `None` once it is time to stop.
    ///
    /// Give the slot back with [`Lanes::sent`], and tell what came of it with [`Lanes::settled`].
    pub async fn next(&self) -> Option<Job> {
        let inner = &self.inner;
        loop {
            if inner.shutdown.is_requested() {
                return None;
            }
            let changed = inner.changed.notified();
            let step = inner.schedule().next(inner.clock.now(), |endpoint| inner.limits(endpoint));
            match step {
                Step::Run(job) => return Some(job),
                Step::Load(endpoint, limit) => self.load(endpoint, limit),
                Step::LoadInOrder(load) => self.load_in_order(load),
                Step::Wait(until) => {
                    tokio::select! {
                        () = changed => {}
                        () = inner.sleep_until(until) => {}
                        () = inner.shutdown.requested() => {}
                    }
                }
            }
        }
    }

    /// Hands a delivery over that is due now; false if it has to wait in the store. The caller then says so with
    /// [`Lanes::stored`], once the store has it.
    #[must_use]
    pub fn offer(&self, job: Job) -> bool {
        let ordered = self.inner.limits(job.endpoint).order.is_some();
        let taken = self.inner.schedule().offer(job, self.inner.clock.now(), ordered);
        self.inner.changed.notify_one();
        taken
    }

    /// A delivery of this endpoint is in the store, due at this time.
    pub fn stored(&self, endpoint: EndpointId, due_at: UnixMs) {
        self.inner.schedule().stored(endpoint, due_at);
        self.inner.changed.notify_one();
    }

    /// The same for a delivery of an event that was fanned out just now: an ordered lane finds it without looking at all that
    /// waits.
    pub fn added(&self, endpoint: EndpointId, due_at: UnixMs) {
        self.inner.schedule().added(endpoint, due_at);
        self.inner.changed.notify_one();
    }

    /// An event was fanned out, and its deliveries can be read.
    pub fn dispatched(&self) {
        if self.inner.schedule().dispatched() {
            self.inner.changed.notify_one();
        }
    }

    /// The POST is over: gives its slots back. `is_final` says that the delivery is over with it; its end must be on its way
    /// to the store already, before that of any that may start now. `signal` is what it says of the receiver.
    pub fn sent(&self, endpoint: EndpointId, delivery: DeliveryId, is_final: bool, signal: Signal) {
        let now = self.inner.clock.now();
        // Of an endpoint that was deleted meanwhile nothing is to be remembered.
        let is_gone = matches!(signal, Signal::Down(_)) && self.inner.directory.get(endpoint).is_none();
        let signal = if is_gone { Signal::Nothing } else { signal };
        let turn = self.inner.schedule().sent(Ended { endpoint, delivery, is_final, signal }, now);
        match turn {
            Some(Turn::Opened) => {
                tracing::warn!(%endpoint, "the receiver is down; it is only probed from now on");
            }
            Some(Turn::Closed(since)) => {
                tracing::info!(%endpoint, down_for_ms = now.since(since).as_millis(), "the receiver is back");
            }
            None => {}
        }
        self.inner.changed.notify_one();
        self.inner.ended.notify_waiters();
    }

    /// Has an endpoint that is only probed probed now, because somebody wants to know.
    pub fn probe_now(&self, endpoint: EndpointId) {
        self.inner.schedule().probe_now(endpoint, self.inner.clock.now());
        self.inner.changed.notify_one();
    }

    /// Whether an endpoint is sent to as deliveries come, or only probed.
    #[must_use]
    pub fn breaker(&self, endpoint: EndpointId) -> BreakerState {
        self.inner.schedule().breaker(endpoint, self.inner.clock.now())
    }

    /// The store knows what came of a delivery, and when it is due again.
    pub fn settled(&self, endpoint: EndpointId, delivery: DeliveryId, due_at: Option<UnixMs>) {
        self.inner.schedule().settled(endpoint, delivery, due_at);
        self.inner.changed.notify_one();
        self.inner.ended.notify_waiters();
    }

    /// Makes what is held for want of a secret due now, if the endpoint has one by now. Whoever finds an endpoint without
    /// one calls this once the store knows, for the new secret may have come in between.
    pub async fn release_unsigned(&self, endpoint: EndpointId) {
        let inner = &self.inner;
        let can_sign = |endpoint| {
            inner.directory.get(endpoint).is_some_and(|endpoint| endpoint.can_sign(inner.clock.wall()))
        };
        if !can_sign(endpoint) {
            return;
        }
        let now = inner.clock.now();
        loop {
            let released = inner.store.release_unsigned(endpoint, now, now.after(HELD_WAIT), RELEASE_BATCH);
            match released.await {
                Ok(0) => break,
                Ok(released) => tracing::debug!(%endpoint, released, "the endpoint can sign again"),
                Err(error) => {
                    tracing::error!(%endpoint, %error, "held deliveries wait on: they cannot be released now");
                    break;
                }
            }
        }
        self.stored(endpoint, now);
    }

    /// Stops or starts the lane of an endpoint that became inactive or active, and lets one whose limits changed look
    /// again.
    pub fn follow(&self, endpoint: EndpointId) {
        let paused = {
            let mut schedule = self.inner.schedule();
            // Asked while the schedule is locked: whoever comes last has seen the last change.
            if self.inner.directory.is_inactive(endpoint) {
                schedule.pause(endpoint);
                return;
            }
            let paused = schedule.is_paused(endpoint);
            if !paused {
                schedule.changed(endpoint, self.inner.clock.now());
            }
            paused
        };
        if paused {
            let lanes = self.clone();
            self.inner.shutdown.spawn(async move { lanes.release(endpoint).await });
        }
    }

    /// Puts what waits for an endpoint into the order of acceptance and starts its lane.
    async fn release(&self, endpoint: EndpointId) {
        let inner = &self.inner;
        let mut after = None;
        loop {
            match inner.store.release_waiting(endpoint, after, RELEASE_BATCH).await {
                Ok(Some(last)) if !inner.shutdown.is_requested() => after = Some(last),
                Ok(_) => break,
                Err(error) => {
                    tracing::error!(%endpoint, %error, "what waited is sent when each is due, not in order");
                    break;
                }
            }
        }
        let mut schedule = inner.schedule();
        if !inner.directory.is_inactive(endpoint) {
            schedule.resume(endpoint, inner.clock.now());
        }
        drop(schedule);
        inner.changed.notify_one();
    }

    /// Follows endpoints that change, and cancels what waits for those that are deleted, now or by an earlier run. What
    /// waits for a secret of an endpoint that changed is released.
    async fn follow_changes(self, mut changes: Receiver<EndpointId>, orphans: Vec<EndpointId>) {
        let inner = &self.inner;
        for endpoint in orphans {
            self.cancel(endpoint).await;
        }
        loop {
            let change = tokio::select! {
                change = changes.recv() => change,
                () = inner.shutdown.requested() => return,
            };
            match change {
                Ok(endpoint) if inner.directory.get(endpoint).is_none() => self.cancel(endpoint).await,
                Ok(endpoint) => {
                    self.follow(endpoint);
                    if inner.schedule().waits(endpoint, inner.clock.now().after(HELD_WAIT)) {
                        self.release_unsigned(endpoint).await;
                    }
                }
                // A change that was missed here is seen when the deliveries become due, or at the next start.
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "endpoint changes came too fast");
                    inner.directory.list().iter().for_each(|endpoint| self.follow(endpoint.id));
                }
                Err(RecvError::Closed) => return,
            }
            inner.changed.notify_one();
        }
    }

    async fn cancel(&self, endpoint: EndpointId) {
        let inner = &self.inner;
        inner.schedule().delete(endpoint);
        loop {
            match inner.store.cancel_waiting(endpoint, inner.clock.now(), CANCEL_BATCH).await {
                Ok(0) => return,
                Ok(cancelled) => {
                    tracing::debug!(%endpoint, cancelled, "cancelled deliveries of a deleted endpoint");
                }
                Err(error) => {
                    tracing::error!(%endpoint, %error, "cannot cancel the deliveries of a deleted endpoint");
                    return;
                }
            }
        }
    }
}

impl Inner {
    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        // A panic between two of its fields would be a bug; the bookkeeping is still the best there is.
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the owner says now; nothing for an endpoint that is gone.
    fn limits(&self, endpoint: EndpointId) -> Limits {
        self.directory.get(endpoint).map_or_else(Limits::default, |endpoint| Limits {
            rate: endpoint.rate_limit,
            burst: endpoint.burst_limit,
            order: endpoint.order(),
        })
    }

    async fn sleep_until(&self, until: Option<UnixMs>) {
        match until {
            Some(at) => self.clock.sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_in_flight: 2048,
            max_in_flight_per_endpoint: 64,
            lane_buffer: 4096,
            buffer_bytes: 64 << 20,
            // Some of those that fail together when a receiver restarts, and not a few that it could not handle.
            breaker_failures: 10,
            // Ten timeouts of 15 s, of which the last come one at a time, fit in.
            breaker_window: Duration::from_mins(2),
            // A receiver that restarts is back soon.
            probe_wait: Duration::from_secs(1),
            probe_wait_max: Duration::from_mins(2),
        }
    }
}
