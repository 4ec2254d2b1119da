//! The last stage: takes a delivery that is due, signs it, sends it past the guard, and records what came of it.
//!
//! ```text
//! lanes -> endpoint as it is now -> sign -> guard, POST -> classify -> store.finish_attempt -> lanes
//! ```
//!
//! Rules:
//!
//! - One attempt, one POST, one record. Nothing goes out unsigned and nothing is sent again behind the log's back.
//! - The endpoint, its URL and its secrets are looked up at the moment of the attempt. Nothing goes to an inactive one.
//! - A delivery that is given up is told to operations in the transaction that records its last attempt.
//! - The attempt that ends three days of failures, or is answered `410`, deactivates its endpoint.
//! - A slot that was taken is given back and a job that was taken is settled, whatever happens to the attempt.

mod classify;
mod counts;
#[cfg(test)]
mod deactivation_tests;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod guard;
mod name_server;
mod options;
mod request;
mod sign;
mod spans;
#[cfg(test)]
mod tests;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::json;

use self::classify::{Conclusion, Moment, conclude};
pub use self::counts::Counts;
#[cfg(test)]
pub(crate) use self::guard::suite;
pub use self::guard::{AllowError, AllowedName, AllowedNetwork, Policy, TargetError, check_target};
pub use self::name_server::{NameServer, NameServerError};
pub use self::options::{Options, OptionsError};
pub use self::request::Post;
use self::spans::Attempting;
pub use self::transport::{Client, ClientError, ClientRequest, HttpTransport, SendFuture, Sent, Transport};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::directory::Directory;
use crate::failpoint;
use crate::lanes::{HELD_WAIT, Lanes, Signal};
use crate::model::{
    Activity, Actor, Attempt, AuditEntry, DeliveryState, Endpoint, HoldReason, InactiveReason, Job, UnixMs,
    is_gone,
};
use crate::notices::{GivenUp, Notice, Notices};
use crate::shutdown::Shutdown;
use crate::store::{Error, FinishedAttempt, NewEvent, Recorded, Store};
use crate::traces::Traces;

/// How long until a delivery whose attempt could not be recorded is tried again.
const UNRECORDED_WAIT: Duration = Duration::from_secs(1);

/// The stage and what it works with.
#[derive(Clone)]
pub struct Deliver {
    /// Where jobs come from.
    pub lanes: Lanes,
    /// Where endpoints are looked up.
    pub directory: Directory,
    /// Where attempts are recorded.
    pub store: Arc<dyn Store>,
    /// Who is told of deliveries that are given up.
    pub notices: Notices,
    /// What makes them.
    pub attempts: Attempts,
}

/// What turns a job into an attempt.
#[derive(Clone)]
pub struct Attempts {
    /// What sends.
    pub transport: Arc<dyn Transport>,
    /// What tells the time.
    pub clock: Clock,
    /// When a failed one is tried again, unless the endpoint says otherwise, and after how long an endpoint that fails is deactivated.
    pub options: Arc<ArcSwap<Options>>,
    /// What spreads the retries a little.
    pub chance: Chance,
    /// What is counted of them.
    pub counts: Counts,
    /// What is told of them.
    pub traces: Traces,
}

/// Delivers until shutdown is requested. Attempts that are in flight then are tasks of `shutdown`; they end within
/// the time for one attempt.
pub async fn run(stage: Deliver, shutdown: Shutdown) {
    let stage = Arc::new(stage);
    while let Some(job) = stage.lanes.next().await {
        let stage = Arc::clone(&stage);
        // In a box: as a task by itself, an attempt would be moved three times.
        shutdown.spawn(Box::pin(async move { stage.deliver(job).await }));
    }
}

impl Deliver {
    async fn deliver(&self, job: Job) {
        let mut slot = Slot::new(self, &job);
        let endpoint = self.directory.get(job.endpoint);
        if endpoint.as_ref().is_some_and(|endpoint| !endpoint.activity.is_active()) {
            slot.give_back(false, Signal::Nothing);
            self.lanes.follow(job.endpoint);
            // Should it be active again by now: the delivery is due as it was.
            slot.settle(Some(self.attempts.clock.now()));
            return;
        }
        let mut finished = self.attempts.attempt(&job, endpoint.as_deref()).await;
        finished.notice = endpoint.as_ref().and_then(|endpoint| self.notice(&job, endpoint, &finished));
        let told = finished.notice.is_some();
        let (due_at, at) = (finished.due_at, finished.at);
        let gone = finished.attempt.as_ref().is_some_and(|attempt| is_gone(&attempt.outcome));
        let signal = finished.attempt.as_ref().map_or(Signal::Nothing, |a| Signal::of(&a.outcome, a.took));
        let is_unsigned = finished.state == DeliveryState::Held(HoldReason::NoActiveSecret);
        // The call takes its place among the writes: before the end of whatever may start in this slot.
        let recorded = self.store.finish_attempt(finished);
        slot.give_back(due_at.is_none(), signal);
        match recorded.await {
            Ok(Recorded { failing_since, was_over }) => {
                failpoint::reached(failpoint::RECORDED);
                if told {
                    self.notices.ring();
                }
                let reason =
                    InactiveReason::of(gone, failing_since, at, self.attempts.options.load().fail_after);
                if let (Some(reason), Some(endpoint)) = (reason, endpoint) {
                    let directory = self.directory.because_of(&job.event);
                    self.deactivate(&directory, &endpoint, reason, at).await;
                }
                // One that was cancelled meanwhile waits no longer, nor does what stood behind it.
                slot.settle(if was_over { Some(at) } else { due_at });
                if is_unsigned {
                    self.lanes.release_unsigned(job.endpoint).await;
                }
            }
            // The delivery still waits in the store, so dropping the slot has it tried again.
            Err(error) => {
                tracing::error!(delivery = %job.delivery, %error, "an attempt could not be recorded");
            }
        }
    }

    /// What operations are told of an attempt: that it was the last one of a delivery.
    fn notice(&self, job: &Job, endpoint: &Endpoint, finished: &FinishedAttempt) -> Option<NewEvent> {
        let DeliveryState::Failed(reason) = &finished.state else { return None };
        let (event, delivery) = (&*job.event, job.delivery);
        let attempts = finished.attempt.as_ref().map_or(job.attempts, |attempt| attempt.number);
        let last = finished.attempt.as_ref().map(|attempt| &attempt.outcome);
        self.notices.event(&Notice::DeliveryExhausted(GivenUp {
            event,
            delivery,
            endpoint,
            reason,
            attempts,
            last,
        }))
    }

    /// Deactivates the endpoint that an attempt went to. An endpoint that was moved meanwhile is not blamed for its old
    /// receiver, and one that is inactive keeps its reason. A failure is repeated by the next attempt that fails.
    async fn deactivate(
        &self,
        directory: &Directory,
        attempted: &Endpoint,
        reason: InactiveReason,
        since: UnixMs,
    ) {
        let inactive = |now: &Arc<Endpoint>| {
            let mut after = Endpoint::clone(now);
            if now.url == attempted.url && now.activity.is_active() {
                after.activity = Activity::Inactive { since, reason };
            }
            Ok::<_, Error>((after, deactivated(now, reason, since)))
        };
        let (id, tenant) = (attempted.id, &attempted.tenant);
        match directory.change(id, inactive).await {
            Ok(_) => {
                self.lanes.follow(id);
                tracing::warn!(endpoint = %id, %tenant, ?reason, "endpoint deactivated");
            }
            Err(Error::NotFound) => {}
            Err(error) => tracing::error!(endpoint = %id, %error, "an endpoint could not be deactivated"),
        }
    }
}

/// What is written down when a rule of the gateway deactivates an endpoint.
fn deactivated(endpoint: &Endpoint, reason: InactiveReason, at: UnixMs) -> AuditEntry {
    AuditEntry::new(at, Actor::Gateway, "endpoint.deactivated", endpoint.id)
        .of_tenant(Some(&endpoint.tenant))
        .with("state", &json!("active"), &json!("inactive"))
        .with("inactive_reason", &json!(null), &json!(reason))
}

impl Attempts {
    /// Makes the next attempt of a job, if its endpoint still exists and can sign.
    async fn attempt(&self, job: &Job, endpoint: Option<&Endpoint>) -> FinishedAttempt {
        let Some(endpoint) = endpoint else {
            return self.finished(job, None, Conclusion { state: DeliveryState::Cancelled, due_at: None });
        };
        let started_at = self.clock.wall();
        let trace = Attempting::begin(&self.traces, &job.event);
        let told = self.traces.for_receiver(trace.as_ref().map(Attempting::place), &job.event);
        let Some(post) = Post::new(job, endpoint, started_at, told) else {
            let state = DeliveryState::Held(HoldReason::NoActiveSecret);
            let due_at = Some(self.clock.now().after(HELD_WAIT));
            return self.finished(job, None, Conclusion { state, due_at });
        };
        failpoint::reached(failpoint::ATTEMPT);
        self.counts.starts(job, self.clock.now());
        let Sent { outcome, took } = self.transport.send(&post).await;
        failpoint::reached(failpoint::ANSWERED);
        let number = job.attempts.saturating_add(1);
        let moment = Moment { now: self.clock.now(), wall: self.clock.wall() };
        let options = self.options.load();
        let retry = endpoint.request.retry.as_ref().unwrap_or(&options.retry);
        let conclusion = conclude(&outcome, job.tries_at(number), retry, moment, &mut self.chance.dice());
        let request_headers = endpoint.request.redacted(post.headers);
        let attempt = Attempt { number, started_at, took, request_headers, outcome };
        self.counts.ended(&attempt);
        if let Some(trace) = trace {
            trace.end(&self.traces, job, endpoint, (&attempt, &conclusion.state));
        }
        self.finished(job, Some(attempt), conclusion)
    }

    fn finished(&self, job: &Job, attempt: Option<Attempt>, conclusion: Conclusion) -> FinishedAttempt {
        let Conclusion { state, due_at } = conclusion;
        FinishedAttempt { delivery: job.delivery, attempt, state, due_at, at: self.clock.now(), notice: None }
    }
}

/// A job's place in its lane. Gives everything back when it is dropped, so that a panic in an attempt costs one
/// attempt and not a slot of the endpoint for ever.
struct Slot<'a> {
    stage: &'a Deliver,
    job: &'a Job,
    sent: bool,
    settled: bool,
}

impl<'a> Slot<'a> {
    const fn new(stage: &'a Deliver, job: &'a Job) -> Self {
        Self { stage, job, sent: false, settled: false }
    }

    fn give_back(&mut self, is_final: bool, signal: Signal) {
        if !std::mem::replace(&mut self.sent, true) {
            self.stage.lanes.sent(self.job.endpoint, self.job.delivery, is_final, signal);
        }
    }

    fn settle(&mut self, due_at: Option<UnixMs>) {
        if !std::mem::replace(&mut self.settled, true) {
            self.stage.lanes.settled(self.job.endpoint, self.job.delivery, due_at);
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.give_back(false, Signal::Nothing);
        self.settle(Some(self.stage.attempts.clock.now().after(UNRECORDED_WAIT)));
    }
}
