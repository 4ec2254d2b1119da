//! What goes into the verbs of the store and comes out of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::{
    Attempt, AttemptError, AuditEntry, CustomRequest, Delivery, DeliveryId, DeliveryState, DeliveryStatus,
    EndpointId, Event, EventId, EventKey, Job, KvEntry, Line, OrderId, PluginRun, TenantId, Topic,
    TraceContext, UnixMs,
};
use crate::store::BacklogFull;
use crate::vault;

/// An event as ingest hands it over; the store assigns key and acceptance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// The producer's id, if it gave one: the key of deduplication and the `webhook-id`.
    pub id: Option<EventId>,
    /// The value of `Idempotency-Key`, if there was one.
    pub idempotency_key: Option<String>,
    /// The customer it belongs to.
    pub tenant: TenantId,
    /// What happened.
    pub topic: Topic,
    /// When it happened, if the producer says.
    pub timestamp: Option<jiff::Timestamp>,
    /// When we received it.
    pub received_at: UnixMs,
    /// The exact bytes of `data`.
    pub data: Bytes,
    /// The endpoint that it tests, for [`Store::accept_test`].
    pub test_of: Option<EndpointId>,
    /// Where it stands in a trace of its producer. No part of what makes it the same as another.
    pub trace: Option<Arc<TraceContext>>,
}

/// The answer to one accepted event.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The event: the new one, or the first of its id or idempotency key.
    pub event: Arc<Event>,
    /// Whether it was there before.
    pub duplicate: bool,
}

/// Why one event of many was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The event with this id has its id or idempotency key, and other content.
    Reused(EventId),
    /// There is too much undelivered work.
    BacklogFull(BacklogFull),
}

/// A key of what a plugin keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvRead {
    /// What is there, expired or not.
    pub entry: Option<KvEntry>,
    /// What its space takes of its quota, keys that have expired and were not taken out yet included.
    pub used_bytes: u64,
}

/// What dispatch decided about one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FanOut {
    /// The event.
    pub event: EventKey,
    /// When it was decided.
    pub at: UnixMs,
    /// One per endpoint that matched, in the order of their ordinals.
    pub deliveries: Vec<NewDelivery>,
    /// Whether it must be on stable storage before the future resolves: true when the bytes to send cannot be
    /// worked out again, because a plugin made them.
    pub durable: bool,
}

/// One delivery to create; its ordinal is its place in [`FanOut::deliveries`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewDelivery {
    /// Where it goes.
    pub endpoint: EndpointId,
    /// Those that it goes after and before, if its endpoint has an order.
    pub line: Option<Line>,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What the plugins decided about one delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// `Pending`, `Filtered`, `Held` or `Failed`.
    pub state: DeliveryState,
    /// When a held one is tried again; a pending one is due at once.
    pub due_at: Option<UnixMs>,
    /// What each plugin said.
    pub plugins: Vec<PluginRun>,
    /// What a transform made of the request.
    pub custom: Option<Arc<CustomRequest>>,
    /// The operational event to accept with it. Its ids are not looked at. Not stored.
    #[serde(skip)]
    pub notice: Option<NewEvent>,
}

/// A place among the deliveries that wait for plugins: when it is due, and which.
pub type HoldPlace = (UnixMs, DeliveryId);

/// A delivery that waits for its plugins, with its event.
#[derive(Debug, Clone)]
pub struct PluginHold {
    /// Where it stood when it was read.
    pub place: HoldPlace,
    /// The delivery.
    pub delivery: Delivery,
    /// Its event.
    pub event: Arc<Event>,
}

/// Deliveries of one endpoint that are due.
#[derive(Debug, Clone, Default)]
pub struct Due {
    /// Those that are due, the earliest first.
    pub jobs: Vec<Job>,
    /// When the first one that is not in `jobs` is due; `None` when nothing else waits.
    pub next: Option<UnixMs>,
}

/// What is asked of the lines of an ordered endpoint.
#[derive(Debug, Clone)]
pub struct Lookout {
    /// The order that the endpoint asks for.
    pub order: OrderId,
    /// Only deliveries after this one are looked at.
    pub after: Option<DeliveryId>,
    /// Those that are known already, each with its line: nothing behind them may be taken.
    pub known: HashMap<DeliveryId, Line>,
    /// Lines that have something up to `after` that waits: nothing of them may be taken.
    pub passed: HashSet<Line>,
}

/// What was found in the lines of an ordered endpoint.
#[derive(Debug, Clone)]
pub enum DueInOrder {
    /// Deliveries that are due and that nothing may overtake.
    Due(InOrder),
    /// Deliveries that nobody has said the line of: [`super::Store::set_lines`] has to come first.
    WithoutLine(Vec<(DeliveryId, Arc<Event>)>),
    /// What waits is not indexed by this order: [`super::Store::index_order`] has to come first.
    NotIndexed,
}

/// Deliveries of one endpoint that are due and go one after another, line by line.
#[derive(Debug, Clone, Default)]
pub struct InOrder {
    /// Those that are due, in the order of acceptance, each with its line.
    pub jobs: Vec<Job>,
    /// Whether there may be more behind them.
    pub more: bool,
    /// When the first is due of those that were passed by because they are not due.
    pub next: Option<UnixMs>,
    /// Whether an event that is not fanned out yet ends them.
    pub awaits_dispatch: bool,
    /// [`Lookout::passed`], and the lines of deliveries that were passed by.
    pub passed: HashSet<Line>,
    /// The last delivery that was looked at; `after`, if none was.
    pub looked_to: Option<DeliveryId>,
}

/// How far the index of an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexPlace {
    /// All that waits for an attempt up to here is in it.
    Attempt(QueuePlace),
    /// So is all else, and what is held up to this delivery.
    Hold(DeliveryId),
}

/// Where a delivery stands among those of its endpoint that wait for an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuePlace {
    /// When it is due.
    pub due_at: UnixMs,
    /// The delivery.
    pub delivery: DeliveryId,
}

/// What came of an attempt, or of finding that none can be made.
#[derive(Debug, Clone)]
pub struct FinishedAttempt {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The attempt; `None` when nothing was sent, as for want of a secret.
    pub attempt: Option<Attempt>,
    /// The state the delivery is in now.
    pub state: DeliveryState,
    /// When it is due next, if its state is not final.
    pub due_at: Option<UnixMs>,
    /// When this was decided.
    pub at: UnixMs,
    /// The operational event to accept with it. Its ids are not looked at.
    pub notice: Option<NewEvent>,
}

/// What recording an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Since when all attempts of the endpoint failed; `None` if this one did not.
    pub failing_since: Option<UnixMs>,
    /// Whether the delivery was over before, so that the state that the attempt led to is not the one it is in.
    pub was_over: bool,
}

/// Which deliveries to list. Every field narrows.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Of this tenant.
    pub tenant: Option<TenantId>,
    /// To this endpoint.
    pub endpoint: Option<EndpointId>,
    /// In this state.
    pub state: Option<DeliveryStatus>,
    /// Endpoints that are inactive, for `state`: see [`DeliveryState::while_inactive`].
    pub inactive: HashSet<EndpointId>,
    /// Of events with this topic.
    pub topic: Option<Topic>,
    /// Of the event with this id.
    pub event_id: Option<EventId>,
    /// Of events accepted at or after this time.
    pub since: Option<UnixMs>,
    /// Of events accepted before this time.
    pub until: Option<UnixMs>,
}

/// What one call to [`Store::reseal`] came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resealed {
    /// So many endpoints were found and sealed anew; there may be more.
    Some(usize),
    /// All secrets are sealed with the current key. Nothing needs these others any more.
    Done(Vec<vault::KeyId>),
}

/// One page of the log.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The deliveries, newest first, each with its event and the last attempt's status and duration.
    pub rows: Vec<DeliverySummary>,
    /// Where the next page starts; `None` on the last one.
    pub next: Option<DeliveryId>,
}

/// A row of the log.
#[derive(Debug, Clone)]
pub struct DeliverySummary {
    /// The delivery.
    pub delivery: Delivery,
    /// Its event.
    pub event: Arc<Event>,
    /// The status of the last attempt, if it was answered.
    pub last_status: Option<u16>,
    /// How long the last attempt took.
    pub last_took: Option<Duration>,
    /// Why the last attempt got no complete answer.
    pub last_error: Option<AttemptError>,
}

/// An event and what became of it.
#[derive(Debug, Clone)]
pub struct EventRecord {
    /// The event. In a list the `data` of one that was changed on the disk is empty, which no event's is.
    pub event: Arc<Event>,
    /// Whether it was matched to endpoints yet.
    pub dispatched: bool,
    /// Its deliveries.
    pub deliveries: Vec<Delivery>,
}

/// A row of the audit log. Rows are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place in the log, from 1 without gaps.
    pub number: u64,
    /// SHA-256 of the hash of the row before (zeros for the first), the number (8 bytes, big-endian) and the stored
    /// content.
    pub hash: [u8; 32],
    /// What happened.
    pub entry: AuditEntry,
}

/// Which audit rows to list. Every field narrows.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Of this tenant.
    pub tenant: Option<TenantId>,
    /// With this action.
    pub action: Option<String>,
    /// Of changes at or after this time.
    pub since: Option<UnixMs>,
}

/// One page of the audit log.
#[derive(Debug, Clone, Default)]
pub struct AuditPage {
    /// The rows, newest first.
    pub rows: Vec<AuditRow>,
    /// Where the next page starts; `None` on the last one.
    pub next: Option<u64>,
}

/// What a walk over the audit log found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditChain {
    /// How many rows were found.
    pub rows: u64,
    /// The hash of the last row; zeros when there is none. Kept elsewhere, it proves that no row was cut off.
    pub head: [u8; 32],
    /// The number of the first row that is missing or is not what was written; `None` when the chain is whole.
    pub broken_at: Option<u64>,
}

/// A delivery and all that is known about it.
#[derive(Debug, Clone)]
pub struct DeliveryRecord {
    /// The delivery.
    pub delivery: Delivery,
    /// Its event.
    pub event: Arc<Event>,
    /// What a transform made of the request.
    pub custom: Option<Arc<CustomRequest>>,
    /// Every attempt, the first one first.
    pub attempts: Vec<Attempt>,
}
