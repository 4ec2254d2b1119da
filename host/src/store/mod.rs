//! The durable state behind one trait, by verb: each verb is one transaction.
//!
//! Rules that every implementation keeps and [`conformance`] checks:
//!
//! - What [`Store::accept`] returned is on stable storage. All other writes may be redone after a crash, and may
//!   therefore be lost by one, but never half of them and never out of order: what a lost write followed is there,
//!   what followed it is lost too.
//! - A write that resolved is seen by every read that starts later.
//! - Verbs are idempotent where a crash can repeat them: a second `fan_out` of an event changes nothing, and so does
//!   a `finish_attempt` of a delivery that is final.

#[cfg(test)]
pub(crate) mod conformance;
mod error;
pub mod redb;

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use self::error::Error;
use crate::model::{
    ApiKeyRecord, Attempt, AuditEntry, CustomRequest, Delivery, DeliveryId, DeliveryState, Endpoint,
    EndpointId, Event, EventId, EventKey, Job, KeyId, PluginName, PluginRun, TenantId, Topic, UnixMs,
};
use crate::vault;

/// What a verb returns: a boxed future, so that the store can be an `Arc<dyn Store>`.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// The durable state of the gateway. Cheap to call from many tasks at once.
pub trait Store: Send + Sync + 'static {
    // --- ingest

    /// Stores events durably, all or none, and gives each its key, rising in the order of the commit.
    ///
    /// An event whose `event_id` or idempotency key was seen before in its tenant with the same content is not stored
    /// again: the answer names the first one and says `duplicate`.
    ///
    /// # Errors
    /// [`Error::IdReused`] with the index of the event whose id or key was seen with other content.
    fn accept(&self, events: Vec<NewEvent>) -> StoreFuture<'_, Vec<Accepted>>;

    // --- dispatch

    /// Events that were accepted but not fanned out yet, by rising key, from after `after` on, at most `limit`.
    fn undispatched(&self, after: Option<EventKey>, limit: usize) -> StoreFuture<'_, Vec<Arc<Event>>>;

    /// Marks an event as dispatched and creates its deliveries, in one transaction. Resolves when the commit is
    /// visible, or, if `durable`, when it is on stable storage.
    fn fan_out(&self, fan_out: FanOut) -> StoreFuture<'_, ()>;

    /// Deliveries that wait for their plugins (or their endpoint's filter) to be tried again: due at `now` or, for `released` plugins, whenever
    /// they are due. At most `limit`, the earliest due first.
    fn plugin_holds(
        &self,
        now: UnixMs,
        released: Option<PluginName>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<PluginHold>>;

    /// When the earliest plugin hold is due.
    fn next_plugin_hold(&self) -> StoreFuture<'_, Option<UnixMs>>;

    /// Replaces the verdict of a delivery that waited for its plugins or its filter. Does nothing if it no longer does.
    fn redispatch(&self, id: DeliveryId, verdict: Verdict, durable: bool) -> StoreFuture<'_, ()>;

    // --- lanes

    /// The endpoints that have deliveries waiting to be attempted, each with the time the earliest is due.
    fn waiting_endpoints(&self) -> StoreFuture<'_, Vec<(EndpointId, UnixMs)>>;

    /// Deliveries of an endpoint that are due at `now`, the earliest due first, at most `limit`; and when the
    /// first one that is not among them is due.
    fn due(&self, endpoint: EndpointId, now: UnixMs, limit: usize) -> StoreFuture<'_, Due>;

    /// Deliveries of an endpoint that are due at `now` and that nothing may overtake, by the order in which their events
    /// were accepted, at most `limit`. The first that is not due, is held, or whose event some earlier one may still be
    /// fanned out before, ends them.
    fn due_in_order(&self, endpoint: EndpointId, now: UnixMs, limit: usize) -> StoreFuture<'_, DueInOrder>;

    // --- deliver

    /// Records an attempt, the new state of its delivery and when it is due next, in one transaction. If the attempt
    /// failed, tells since when all attempts of its endpoint have; a success, [`Store::update_endpoint`] with another
    /// URL and one that activates make it start anew.
    fn finish_attempt(&self, finished: FinishedAttempt) -> StoreFuture<'_, Option<UnixMs>>;

    /// Makes deliveries of an endpoint that wait for an attempt due in the order in which their events were accepted,
    /// at most `limit` of those after `after`; returns the last one it looked at, `None` when there is none left.
    fn release_waiting(
        &self,
        endpoint: EndpointId,
        after: Option<QueuePlace>,
        limit: usize,
    ) -> StoreFuture<'_, Option<QueuePlace>>;

    /// Cancels deliveries of an endpoint that wait, at most `limit`; returns how many. Zero means none is left.
    fn cancel_waiting(&self, endpoint: EndpointId, now: UnixMs, limit: usize) -> StoreFuture<'_, usize>;

    /// Makes deliveries of an endpoint that are held for want of a secret due `now`: those that are due later, but not
    /// after `until`, at most `limit`. Returns how many. Zero means none is left.
    fn release_unsigned(
        &self,
        endpoint: EndpointId,
        now: UnixMs,
        until: UnixMs,
        limit: usize,
    ) -> StoreFuture<'_, usize>;

    /// Whether writes can succeed: false after the storage failed and after the store was closed.
    fn is_writable(&self) -> bool;

    // --- endpoints and keys; each change with the entry that the audit log gets in the same transaction

    /// Creates an endpoint, durably.
    ///
    /// # Errors
    /// [`Error::UrlTaken`] if the tenant has an endpoint with this URL.
    fn create_endpoint(&self, endpoint: Endpoint, audit: AuditEntry) -> StoreFuture<'_, ()>;

    /// Replaces an endpoint, durably.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::UrlTaken`].
    fn update_endpoint(&self, endpoint: Endpoint, audit: AuditEntry) -> StoreFuture<'_, ()>;

    /// Deletes an endpoint, durably. Its deliveries stay in the log; those that wait are left to `cancel_waiting`.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    fn delete_endpoint(&self, id: EndpointId, audit: AuditEntry) -> StoreFuture<'_, ()>;

    /// All endpoints of all tenants, by rising id.
    fn endpoints(&self) -> StoreFuture<'_, Vec<Endpoint>>;

    /// Seals the secrets of at most `limit` endpoints anew that are sealed with an older key than the current one.
    fn reseal(&self, limit: usize) -> StoreFuture<'_, Resealed>;

    /// Adds an API key, durably.
    fn create_key(&self, key: ApiKeyRecord, audit: AuditEntry) -> StoreFuture<'_, ()>;

    /// Deletes an API key, durably. `now` decides which of the others have expired.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::LastAdminKey`] if no other admin key would open anything.
    fn delete_key(&self, id: KeyId, now: UnixMs, audit: AuditEntry) -> StoreFuture<'_, ()>;

    /// Writes down when keys were last used. A key that is gone stays gone, and a time never goes back. No change of
    /// anything that was decided, so not audited.
    fn note_key_uses(&self, uses: Vec<(KeyId, UnixMs)>) -> StoreFuture<'_, ()>;

    /// All API keys, by rising id.
    fn keys(&self) -> StoreFuture<'_, Vec<ApiKeyRecord>>;

    // --- the audit log

    /// Audit rows, newest first, that pass the filter, from below the number `before` on.
    fn audit(&self, filter: AuditFilter, before: Option<u64>, limit: usize) -> StoreFuture<'_, AuditPage>;

    /// Walks the whole audit log and works its chain of hashes out again.
    fn verify_audit(&self) -> StoreFuture<'_, AuditChain>;

    // --- the log

    /// An event by its id, with its deliveries.
    fn event(&self, tenant: &TenantId, id: &EventId) -> StoreFuture<'_, Option<EventRecord>>;

    /// Deliveries, newest first, that pass the filter, from after `cursor` on.
    fn deliveries(
        &self,
        filter: DeliveryFilter,
        cursor: Option<DeliveryId>,
        limit: usize,
    ) -> StoreFuture<'_, Page>;

    /// A delivery with its event, its attempts and what a transform made of it.
    fn delivery(&self, id: DeliveryId) -> StoreFuture<'_, Option<DeliveryRecord>>;
}

/// An event as ingest hands it over; the store assigns key and acceptance.
#[derive(Debug, Clone)]
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
}

/// The answer to one accepted event.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The event: the new one, or the first of its id or idempotency key.
    pub event: Arc<Event>,
    /// Whether it was there before.
    pub duplicate: bool,
}

/// What dispatch decided about one event.
#[derive(Debug, Clone)]
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
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Where it goes.
    pub endpoint: EndpointId,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What the plugins decided about one delivery.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// `Pending`, `Filtered`, `Held` or `Failed`.
    pub state: DeliveryState,
    /// When a held one is tried again; a pending one is due at once.
    pub due_at: Option<UnixMs>,
    /// What each plugin said.
    pub plugins: Vec<PluginRun>,
    /// What a transform made of the request.
    pub custom: Option<Arc<CustomRequest>>,
}

/// A delivery that waits for its plugins, with its event.
#[derive(Debug, Clone)]
pub struct PluginHold {
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

/// Deliveries of one endpoint that are due and go one after another.
#[derive(Debug, Clone, Default)]
pub struct DueInOrder {
    /// Those that are due; `next` is when the one that ends them is due, `None` if it waits for something else.
    pub due: Due,
    /// Whether what ends them is an event that is not fanned out yet.
    pub awaits_dispatch: bool,
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
}

/// Which deliveries to list. Every field narrows.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Of this tenant.
    pub tenant: Option<TenantId>,
    /// To this endpoint.
    pub endpoint: Option<EndpointId>,
    /// In the state of this name; see [`DeliveryState::name`].
    pub state: Option<String>,
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
}

/// An event and what became of it.
#[derive(Debug, Clone)]
pub struct EventRecord {
    /// The event.
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
