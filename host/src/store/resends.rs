//! What goes into the verbs that have something sent again, and comes out of them.

use std::sync::Arc;

use super::{NewDelivery, Verdict};
use crate::model::{
    Delivery, DeliveryId, DeliveryState, EndpointId, Event, EventKey, Recovery, RecoveryId, RecoveryState,
    TenantId, UnixMs,
};

/// A delivery that somebody wants sent again.
#[derive(Debug, Clone)]
pub struct Retry {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The state it was in when that was decided.
    pub expected: DeliveryState,
    /// How it goes on.
    pub resume: Resume,
    /// When it was decided, and so when it is due.
    pub at: UnixMs,
}

/// How a delivery goes on.
#[derive(Debug, Clone)]
pub enum Resume {
    /// With the bytes that it has. One that was over begins its retry schedule anew, one that waits keeps its own.
    AsItWas,
    /// As it was judged now.
    Judged(Box<Verdict>),
}

/// An event that is delivered anew.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The event.
    pub event: EventKey,
    /// One per endpoint that wants it now. Their ordinals come after those that the event has.
    pub deliveries: Vec<NewDelivery>,
    /// When it was decided, and so when those that are sent are due.
    pub at: UnixMs,
}

/// Which recoveries to list. Every field narrows.
#[derive(Debug, Clone, Default)]
pub struct RecoveryFilter {
    /// Of this tenant.
    pub tenant: Option<TenantId>,
    /// Of this endpoint.
    pub endpoint: Option<EndpointId>,
    /// In this state.
    pub state: Option<RecoveryState>,
}

/// A page of recoveries.
#[derive(Debug, Clone, Default)]
pub struct RecoveryPage {
    /// The newest first.
    pub rows: Vec<Recovery>,
    /// Where the next page starts; `None` on the last one.
    pub next: Option<RecoveryId>,
}

/// What one look along the range of a recovery found.
#[derive(Debug, Clone)]
pub struct Candidates {
    /// What is to be sent again, in the order of acceptance.
    pub found: Vec<Candidate>,
    /// How many deliveries, and events of the tenant without one, were looked at.
    pub scanned: u64,
    /// How far it came.
    pub reached: Reached,
}

/// Something that a recovery is for.
#[derive(Debug, Clone)]
pub enum Candidate {
    /// A delivery in a state that is wanted, with its event.
    Delivery(Box<Delivery>, Arc<Event>),
    /// An event that has no delivery to the endpoint. Whether it wants the event is not looked at.
    Missed(Arc<Event>),
}

/// How far a look along a range came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// All before this one was looked at.
    Place(DeliveryId),
    /// The same, and this one's event is not fanned out yet: what becomes of it has to be seen first.
    Undispatched(DeliveryId),
    /// All of it was looked at.
    End,
}

/// What a recovery does in one transaction.
#[derive(Debug, Clone)]
pub struct RecoveryStep {
    /// The recovery.
    pub id: RecoveryId,
    /// Where it stood: it does nothing if it stands elsewhere.
    pub from: DeliveryId,
    /// Where it stands then.
    pub to: DeliveryId,
    /// Deliveries that are sent again; those that are in another state by now are left as they are.
    pub retries: Vec<Retry>,
    /// Events that are delivered for the first time; one that has a delivery to the endpoint by now is left out.
    pub missed: Vec<(EventKey, NewDelivery)>,
    /// How many were looked at.
    pub scanned: u64,
    /// The state that it ends in, if it ends.
    pub end: Option<RecoveryState>,
    /// When.
    pub at: UnixMs,
}
