//! Recoveries: jobs that have a range of an endpoint's events sent again, a few at a time.
//!
//! - A step is one transaction: what it has sent again, and the place from where the next one goes on. So a job goes on
//!   after a restart where it was, and sends nothing twice.
//! - A step is as large as the endpoint's lane has room ([`Lanes::room`]): nothing while anything waits there, and never more than
//!   what starts at once. So limits hold as they always do, and what comes fresh hardly waits.
//! - It stops while the endpoint is inactive, and ends when the endpoint is deleted. While it waits it reads nothing: whoever cancels
//!   it rings.
//!
//! [`Lanes::room`]: crate::lanes::Lanes::room

use std::time::Duration;

use super::Resends;
use crate::model::{AuditEntry, DeliveryId, EventKey, Recovery, RecoveryId, RecoveryState};
use crate::store::{Candidate, Candidates, Error, NewDelivery, Reached, RecoveryFilter, RecoveryStep, Retry};

/// Pause before a failed read or write of the store is tried again.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// Recoveries read at once at the start.
const PAGE: usize = 250;

/// What a recovery waits for before its next step.
enum Wait {
    /// So many deliveries may be made due.
    Room(usize),
    /// It is over meanwhile.
    Over(Recovery),
    /// It is time to stop.
    Stop,
}

/// What a step is made of.
struct Work {
    /// Where the recovery stands then.
    to: DeliveryId,
    scanned: u64,
    retries: Vec<Retry>,
    missed: Vec<(EventKey, NewDelivery)>,
    end: Option<RecoveryState>,
}

impl Resends {
    /// Goes on with the recoveries that ran when the gateway stopped.
    pub async fn go_on(self) {
        let filter = RecoveryFilter { state: Some(RecoveryState::Running), ..RecoveryFilter::default() };
        let mut before = None;
        while !self.shutdown.is_requested() {
            match self.store.recoveries(filter.clone(), before, PAGE).await {
                Ok(page) => {
                    page.rows.into_iter().for_each(|recovery| self.start(recovery));
                    before = page.next;
                    if before.is_none() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "cannot read the recoveries that run; trying again");
                    tokio::time::sleep(STORE_RETRY).await;
                }
            }
        }
    }

    /// Stores a recovery and starts it.
    ///
    /// # Errors
    /// The store's: the endpoint is gone, or another one of it runs.
    pub async fn recover(&self, recovery: Recovery, audit: AuditEntry) -> Result<(), Error> {
        self.store.create_recovery(recovery.clone(), audit).await?;
        self.start(recovery);
        Ok(())
    }

    /// Ends a recovery that runs; a step that is being worked out is not done any more.
    ///
    /// # Errors
    /// The store's.
    pub async fn cancel_recovery(&self, id: RecoveryId, audit: AuditEntry) -> Result<Recovery, Error> {
        let cancelled = self.store.cancel_recovery(id, self.clock.now(), audit).await?;
        self.cancelled.notify_waiters();
        Ok(cancelled)
    }

    fn start(&self, recovery: Recovery) {
        let stage = self.clone();
        self.shutdown.spawn(async move { stage.run(recovery).await });
    }

    async fn run(self, mut recovery: Recovery) {
        while recovery.state == RecoveryState::Running && !self.shutdown.is_requested() {
            match self.step(&recovery).await {
                Ok(Some(after)) => recovery = after,
                Ok(None) => {
                    if !self.lanes.something_ended().await {
                        return;
                    }
                }
                Err(Error::NotFound) => return,
                Err(error) => {
                    tracing::error!(recovery = %recovery.id, %error, "a recovery cannot go on; trying again");
                    tokio::time::sleep(STORE_RETRY).await;
                }
            }
        }
        let Recovery { id, state, scanned, resent, .. } = recovery;
        tracing::info!(recovery = %id, state = state.name(), scanned, resent, "a recovery ended");
    }

    /// Does the next part, if there is room for it.
    async fn step(&self, recovery: &Recovery) -> Result<Option<Recovery>, Error> {
        let endpoint = recovery.endpoint;
        let room = match self.wait_for_room(recovery).await? {
            Wait::Room(room) => room,
            Wait::Over(recovery) => return Ok(Some(recovery)),
            Wait::Stop => return Ok(None),
        };
        if self.directory.get(endpoint).is_none() {
            let end = Some(RecoveryState::Cancelled);
            return self.advance(recovery, Work { end, ..Work::at(recovery.place) }).await.map(Some);
        }
        let Candidates { found, scanned, reached } = self.store.candidates(recovery.clone(), room).await?;
        let mut work = match reached {
            Reached::Place(place) | Reached::Undispatched(place) => Work::at(place),
            Reached::End => {
                Work { end: Some(RecoveryState::Done), ..Work::at(Recovery::start(recovery.until)) }
            }
        };
        if work.to == recovery.place && work.end.is_none() {
            return Ok(None);
        }
        work.scanned = scanned;
        let mut claims = Vec::new();
        for candidate in found {
            match candidate {
                Candidate::Delivery(delivery, event) => {
                    // The end of its last attempt is recorded, but perhaps its lane was not told yet.
                    let Some(claim) = self.lanes.claim_when_free(endpoint, delivery.id).await else {
                        return Ok(None);
                    };
                    claims.push(claim);
                    work.retries.push(self.decide(&delivery, &event).await);
                }
                Candidate::Missed(event) => {
                    let new = self.judge.some(&event, |id| id == endpoint).await;
                    work.missed.extend(new.into_iter().map(|new| (event.key, new)));
                }
            }
        }
        let after = self.advance(recovery, work).await?;
        drop(claims);
        self.held.notify_one();
        self.lanes.stored(endpoint, self.clock.now());
        Ok(Some(after))
    }

    async fn wait_for_room(&self, recovery: &Recovery) -> Result<Wait, Error> {
        let endpoint = recovery.endpoint;
        loop {
            // From before the look, so that no cancellation falls in between.
            let cancelled = self.cancelled.notified();
            match self.lanes.room(endpoint) {
                0 => {}
                room => return Ok(Wait::Room(room)),
            }
            let now = self.store.recovery(recovery.id).await?.ok_or(Error::NotFound)?;
            if now.state != RecoveryState::Running {
                return Ok(Wait::Over(now));
            }
            tokio::select! {
                room = self.lanes.until_room(endpoint) => return Ok(room.map_or(Wait::Stop, Wait::Room)),
                () = cancelled => {}
            }
        }
    }

    async fn advance(&self, recovery: &Recovery, work: Work) -> Result<Recovery, Error> {
        let (id, from, at) = (recovery.id, recovery.place, self.clock.now());
        let Work { to, scanned, retries, missed, end } = work;
        self.store.advance_recovery(RecoveryStep { id, from, to, retries, missed, scanned, end, at }).await
    }
}

impl Work {
    const fn at(to: DeliveryId) -> Self {
        Self { to, scanned: 0, retries: Vec::new(), missed: Vec::new(), end: None }
    }
}
