//! Event + endpoints + verdicts -> deliveries.
//!
//! Events come in memory from ingest, or from the store: after a start, and when ingest was faster than this stage.
//! Each is matched, judged by the plugins of the endpoints that want it, and fanned out in one transaction. Rules:
//!
//! - An event is fanned out once. One that is under way here is not taken from the store again.
//! - A delivery whose bytes can be worked out again goes to its lane at once, while the fan-out is still being
//!   committed: a crash in between repeats the same POST. One that a plugin changed waits for the commit to be durable,
//!   because the plugin might say something else the next time.
//! - A delivery that is given up here is told to operations in the transaction that says so.

mod holds;
mod judge;
mod plan;
mod spans;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

pub use self::judge::{Interest, Judge, Judged, Trial};
use self::spans::Dispatching;
use crate::alarm::Alarm;
use crate::clock::Clock;
use crate::fast_map::FastSet;
use crate::handoff::{Received, Receiver};
use crate::metrics::{DURATIONS, Histogram, Metrics};
use crate::model::{DeliveryId, DeliveryState, EndpointId, Event, EventKey, Job, UnixMs};
use crate::notices::{GivenUp, Notice, Notices};
use crate::shutdown::Shutdown;
use crate::store::{FanOut, NewDelivery, NewEvent, Store};
use crate::traces::Traces;

/// Events read from the store at once when catching up.
const PAGE: usize = 256;
/// Pause before a failed read or write of the store is tried again.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// How events are dispatched.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Events that are matched and judged at the same time. Most of them wait for a plugin or a commit.
    pub max_in_flight: usize,
}

/// Where deliveries go that are due now: the lanes.
pub trait Outbox: Send + Sync + 'static {
    /// Takes a delivery, or says that it has to wait in the store.
    fn offer(&self, job: Job) -> bool;
    /// A delivery of an event that was fanned out just now is in the store, due at this time.
    fn added(&self, endpoint: EndpointId, due_at: UnixMs);
    /// A delivery of this endpoint is in the store, due at this time.
    fn stored(&self, endpoint: EndpointId, due_at: UnixMs);
    /// An event was fanned out, and its deliveries can be read: nothing of it comes before what waited for that.
    fn dispatched(&self);
}

/// The stage with all it needs.
pub struct Dispatch {
    options: Options,
    store: Arc<dyn Store>,
    judge: Judge,
    outbox: Arc<dyn Outbox>,
    notices: Notices,
    clock: Clock,
    under_way: Mutex<FastSet<EventKey>>,
    traces: Traces,
    /// How long an event takes here.
    seconds: Histogram,
    /// Rings when a delivery was held.
    held: Arc<Notify>,
}

impl Dispatch {
    /// The stage, not running yet.
    #[must_use]
    pub fn new(
        options: Options,
        store: Arc<dyn Store>,
        judge: Judge,
        (outbox, notices): (Arc<dyn Outbox>, Notices),
        (clock, traces): (Clock, Traces),
    ) -> Self {
        Self {
            options,
            store,
            judge,
            outbox,
            notices,
            clock,
            under_way: Mutex::default(),
            traces,
            seconds: Histogram::new(&DURATIONS),
            held: Arc::default(),
        }
    }

    /// Has these metrics tell of the stage.
    pub fn count_in(&self, metrics: &Metrics) {
        let help = "How long dispatch had an event: plugins and the storing of its deliveries included";
        metrics.register("dispatch_seconds", help, self.seconds.clone());
    }

    /// What tells this stage that a delivery is held and due.
    #[must_use]
    pub fn held_bell(&self) -> Arc<Notify> {
        Arc::clone(&self.held)
    }

    /// Dispatches events until it is time to stop. What is not dispatched then waits in the store.
    pub async fn run(self, mut events: Receiver<Arc<Event>>, shutdown: Shutdown) {
        let stage = Arc::new(self);
        shutdown.spawn(holds::run(Arc::clone(&stage), shutdown.clone()));
        let permits = Arc::new(Semaphore::new(stage.options.max_in_flight));
        let mut caught_up_to = stage.catch_up(None, &permits, &shutdown).await;
        let mut stopping = Alarm::new(shutdown.requested());
        loop {
            let received = tokio::select! {
                received = events.receive() => received,
                () = stopping.rung() => return,
            };
            match received {
                // Whatever the store had up to there was taken from it.
                Received::Item(event) if caught_up_to.is_some_and(|key| event.key <= key) => {}
                Received::Item(event) => stage.start(event, &permits, &shutdown).await,
                Received::Missed => caught_up_to = stage.catch_up(caught_up_to, &permits, &shutdown).await,
                Received::Closed => return,
            }
        }
    }

    /// Takes all events from the store that are not dispatched and not under way; returns the last key it saw.
    async fn catch_up(
        self: &Arc<Self>,
        caught_up_to: Option<EventKey>,
        permits: &Arc<Semaphore>,
        shutdown: &Shutdown,
    ) -> Option<EventKey> {
        let mut last = caught_up_to;
        let mut after = None;
        while !shutdown.is_requested() {
            // What is under way before the page is read may be fanned out, and no longer be under way, by the time it is
            // come to: it would be sent twice. All others are started here only.
            let under_way = self.under_way().clone();
            let page = match self.store.undispatched(after, PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::error!(%error, "cannot read the events that wait; trying again");
                    tokio::time::sleep(STORE_RETRY).await;
                    continue;
                }
            };
            let complete = page.len() < PAGE;
            for event in page {
                after = Some(event.key);
                if !under_way.contains(&event.key) {
                    self.start(event, permits, shutdown).await;
                }
            }
            last = last.max(after);
            if complete {
                break;
            }
        }
        last
    }

    /// Dispatches an event in a task of its own, as soon as there is a permit, unless that is under way already.
    async fn start(self: &Arc<Self>, event: Arc<Event>, permits: &Arc<Semaphore>, shutdown: &Shutdown) {
        if !self.under_way().insert(event.key) {
            return;
        }
        let Ok(permit) = Arc::clone(permits).acquire_owned().await else { return };
        let stage = Arc::clone(self);
        // In a box: as a task by itself, all that a plugin may need would be moved three times.
        shutdown.spawn(Box::pin(async move { stage.dispatch(event, permit).await }));
    }

    async fn dispatch(self: Arc<Self>, event: Arc<Event>, _permit: OwnedSemaphorePermit) {
        let begun = Instant::now();
        let mut trace = Dispatching::begin(&self.traces, &event);
        let deliveries = match &mut trace {
            None => self.judge.all(&event, &mut ()).await,
            Some(trace) => {
                let deliveries = self.judge.all(&event, trace).await;
                trace.judged_all(&event, &deliveries);
                deliveries
            }
        };
        self.fan_out(&event, deliveries).await;
        if let Some(trace) = trace {
            trace.end(&event);
        }
        self.seconds.observe_duration(begun.elapsed());
        self.under_way().remove(&event.key);
    }

    async fn fan_out(&self, event: &Arc<Event>, mut deliveries: Vec<NewDelivery>) {
        let mut told = false;
        for (new, ordinal) in deliveries.iter_mut().zip(0_u16..) {
            let id = DeliveryId { event: event.key, ordinal };
            new.verdict.notice = self.notice(event, id, new.endpoint, &new.verdict.state);
            told |= new.verdict.notice.is_some();
        }
        let held = deliveries.iter().any(|delivery| matches!(delivery.verdict.state, DeliveryState::Held(_)));
        let (changed, plain): (Vec<_>, Vec<_>) =
            pending(event, &deliveries).partition(|job: &Job| job.custom.is_some());
        let at = self.clock.now();
        // The call takes its place among the writes; attempts that are offered now are recorded behind it.
        let commit =
            self.store.fan_out(FanOut { event: event.key, at, deliveries, durable: !changed.is_empty() });
        let mut left_in_store = self.offer_all(plain);
        if let Err(error) = commit.await {
            // The event is in the store and not marked: the next start dispatches it.
            tracing::error!(event = %event.id, %error, "cannot store the deliveries of an event");
            return;
        }
        if told {
            self.notices.ring();
        }
        left_in_store.extend(self.offer_all(changed));
        left_in_store.into_iter().for_each(|endpoint| self.outbox.added(endpoint, at));
        self.outbox.dispatched();
        if held {
            self.held.notify_one();
        }
    }

    /// What operations are told of a verdict: that it gives a delivery up before any attempt.
    fn notice(
        &self,
        event: &Event,
        delivery: DeliveryId,
        endpoint: EndpointId,
        state: &DeliveryState,
    ) -> Option<NewEvent> {
        let DeliveryState::Failed(reason) = state else { return None };
        let endpoint = &*self.judge.directory.get(endpoint)?;
        let given_up = GivenUp { event, delivery, endpoint, reason, attempts: 0, last: None };
        self.notices.event(&Notice::DeliveryExhausted(given_up))
    }

    /// Offers deliveries to their lanes; returns the endpoints whose delivery has to wait in the store.
    fn offer_all(&self, jobs: Vec<Job>) -> Vec<EndpointId> {
        jobs.into_iter()
            .filter_map(|job| {
                let endpoint = job.endpoint;
                (!self.outbox.offer(job)).then_some(endpoint)
            })
            .collect()
    }

    fn under_way(&self) -> MutexGuard<'_, FastSet<EventKey>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The deliveries that are due at once.
fn pending(event: &Arc<Event>, deliveries: &[NewDelivery]) -> impl Iterator<Item = Job> {
    deliveries
        .iter()
        .zip(0_u16..)
        .filter(|(delivery, _)| delivery.verdict.state == DeliveryState::Pending)
        .map(|(delivery, ordinal)| Job {
            delivery: DeliveryId { event: event.key, ordinal },
            endpoint: delivery.endpoint,
            attempts: 0,
            schedule_from: 0,
            event: Arc::clone(event),
            custom: delivery.verdict.custom.clone(),
            line: delivery.line,
        })
}

impl Default for Options {
    fn default() -> Self {
        Self { max_in_flight: 512 }
    }
}
