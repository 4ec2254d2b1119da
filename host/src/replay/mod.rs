//! Sending again what a person asks for: one delivery, one event, or a range of an endpoint's events.
//!
//! - A delivery is sent again with its bytes, its `webhook-id` and attempt numbers that go on. One of which nothing was ever
//!   sent is judged by the filter and the plugins first. One that was over begins its retry schedule anew.
//! - An event that is replayed is matched and judged like a new one; what comes of it are new deliveries of the same event.
//! - A delivery is out of its lane while it is changed, so an attempt and a change never cross.
//! - A recovery is a job in the store ([`recovery`]). It sends while the lane has nothing else to do.

mod count;
mod recovery;

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

pub use self::count::{Count, MAX_COUNTED};
use crate::clock::Clock;
use crate::directory::Directory;
use crate::dispatch::Judge;
use crate::lanes::Lanes;
use crate::model::{AuditEntry, Delivery, DeliveryState, EndpointId, Event};
use crate::shutdown::Shutdown;
use crate::store::{self, DeliveryRecord, Replay, Resume, Retry, Store};

/// What sends again. Clones share everything.
#[derive(Clone)]
pub struct Resends {
    /// Where deliveries and recoveries are.
    pub store: Arc<dyn Store>,
    /// Which endpoints there are.
    pub directory: Directory,
    /// Who judges what is sent.
    pub judge: Judge,
    /// Where it waits to be sent.
    pub lanes: Lanes,
    /// What tells dispatch that a delivery is held.
    pub held: Arc<Notify>,
    /// Rings when a recovery was cancelled, for those that wait.
    pub cancelled: Arc<Notify>,
    /// Tells when it was decided.
    pub clock: Clock,
    /// When recoveries stop, to go on after the next start.
    pub shutdown: Shutdown,
}

/// Why a delivery is not sent again.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// An attempt of it is under way.
    #[error("an attempt of the delivery is under way")]
    UnderWay,
    /// Its endpoint was deleted.
    #[error("the endpoint of the delivery was deleted")]
    EndpointGone,
    /// The filter of the endpoint or a plugin dropped it.
    #[error("the delivery was dropped")]
    Filtered,
    /// The store says no, or fails.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Resends {
    /// Has a delivery sent again, now. What is written down about it gets the states before and after.
    ///
    /// # Errors
    /// Why not.
    pub async fn retry(&self, delivery: &Delivery, audit: AuditEntry) -> Result<Delivery, Refusal> {
        let (id, endpoint) = (delivery.id, delivery.endpoint);
        self.directory.get(endpoint).ok_or(Refusal::EndpointGone)?;
        let _claim = self.lanes.claim(endpoint, id).ok_or(Refusal::UnderWay)?;
        // As it is now that no attempt changes it.
        let record = self.store.delivery(id).await?.ok_or(store::Error::NotFound)?;
        let DeliveryRecord { delivery, event, .. } = record;
        if let DeliveryState::Filtered { .. } = delivery.state {
            return Err(Refusal::Filtered);
        }
        let retry = self.decide(&delivery, &event).await;
        let audit =
            audit.with("status", &json!(delivery.state.name()), &json!(name_after(&delivery, &retry)));
        let after = self.store.retry(retry, audit).await?;
        self.announce(&after.state);
        self.lanes.probe_now(endpoint);
        Ok(after)
    }

    /// Cancels a delivery that waits. An attempt that is under way ends and is recorded, and nothing comes after it.
    ///
    /// # Errors
    /// The store's.
    pub async fn cancel(&self, delivery: &Delivery, audit: AuditEntry) -> Result<Delivery, store::Error> {
        let (id, endpoint) = (delivery.id, delivery.endpoint);
        let claim = self.lanes.claim(endpoint, id);
        let now = self.clock.now();
        let audit =
            audit.with("status", &json!(delivery.state.name()), &json!(DeliveryState::Cancelled.name()));
        let cancelled = self.store.cancel(id, now, audit).await?;
        // Its attempt may have ended and the lane may have taken it again: what waits in memory is given up.
        drop(claim.or_else(|| self.lanes.claim(endpoint, id)));
        self.lanes.stored(endpoint, now);
        Ok(cancelled)
    }

    /// Delivers an event anew to the endpoints that want it now, or to those of them that are among `only`.
    ///
    /// # Errors
    /// The store's.
    pub async fn replay(
        &self,
        event: &Arc<Event>,
        only: Option<HashSet<EndpointId>>,
        audit: AuditEntry,
    ) -> Result<Vec<Delivery>, store::Error> {
        let is_one = move |id| only.as_ref().is_none_or(|only| only.contains(&id));
        let deliveries = self.judge.some(event, is_one).await;
        let audit = audit.with("deliveries", &json!(null), &json!(deliveries.len()));
        let at = self.clock.now();
        let added = self.store.replay(Replay { event: event.key, deliveries, at }, audit).await?;
        for delivery in &added {
            self.announce(&delivery.state);
            self.lanes.stored(delivery.endpoint, at);
        }
        Ok(added)
    }

    /// How a delivery goes on that is to be sent again.
    async fn decide(&self, delivery: &Delivery, event: &Arc<Event>) -> Retry {
        let resume = if delivery.must_be_judged() {
            // Whoever asks for it knows what was wrong: the counts begin anew.
            let anew = DeliveryState::Pending;
            Resume::Judged(Box::new(self.judge.again(event, delivery.endpoint, &anew, true).await))
        } else {
            Resume::AsItWas
        };
        let at = self.clock.now();
        Retry { delivery: delivery.id, expected: delivery.state.clone(), resume, at }
    }

    /// Tells dispatch of what waits for a plugin.
    fn announce(&self, state: &DeliveryState) {
        if state.judged_times().is_some() {
            self.held.notify_one();
        }
    }
}

/// The name of the state that a delivery enters.
fn name_after(before: &Delivery, retry: &Retry) -> &'static str {
    match &retry.resume {
        Resume::Judged(verdict) => verdict.state.name(),
        Resume::AsItWas if !before.state.is_final() => before.state.name(),
        Resume::AsItWas => DeliveryState::Retrying.name(),
    }
}
