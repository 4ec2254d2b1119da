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
//! - An operational event that goes with a change is accepted in its transaction: both or neither, and neither when the
//!   change changes nothing.

mod backlog;
#[cfg(test)]
pub(crate) mod conformance;
mod error;
mod log_records;
mod records;
pub mod redb;
mod resends;
mod retention;
mod snapshot;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::watch;

pub use self::backlog::{Backlog, BacklogFull, BacklogLimit, BacklogLimits};
pub use self::error::Error;
pub use self::log_records::{
    Changed, EventFilter, EventPage, FailedAttempt, Standing, Statistics, StatisticsScope, Window,
};
pub use self::records::{
    Accepted, AuditChain, AuditFilter, AuditPage, AuditRow, DeliveryFilter, DeliveryRecord, DeliverySummary,
    Due, DueInOrder, EventRecord, FanOut, FinishedAttempt, HoldPlace, InOrder, IndexPlace, KvRead, Lookout,
    NewDelivery, NewEvent, Page, PluginHold, QueuePlace, Recorded, Refused, Resealed, Verdict,
};
pub use self::resends::{
    Candidate, Candidates, Reached, RecoveryFilter, RecoveryPage, RecoveryStep, Replay, Resume, Retry,
};
pub use self::retention::{Retention, Retire, Retired, StoreFull, StoreSize, SweepPlace};
pub use self::snapshot::{EachRow, Snapshot, Snapshots};
use crate::metrics::Metrics;
use crate::model::{
    ApiKeyRecord, AuditEntry, Delivery, DeliveryId, Endpoint, EndpointId, Event, EventId, EventKey, KeyId,
    KvSpace, KvWrite, Line, OrderId, PluginName, PluginRecord, Recovery, RecoveryId, TenantId,
    TenantSettings, Topic, TopicEntry, UnixMs,
};

/// What a verb returns: a boxed future, so that the store can be an `Arc<dyn Store>`.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// The durable state of the gateway. Cheap to call from many tasks at once.
pub trait Store: Retention + Snapshots + Send + Sync + 'static {
    // --- ingest

    /// Stores events durably, all or none, and gives each its key, rising in the order of the commit.
    ///
    /// An event whose `event_id` or idempotency key was seen before in its tenant with the same content is not stored
    /// again: the answer names the first one and says `duplicate`.
    ///
    /// # Errors
    /// [`Error::IdReused`] with the index of the event whose id or key was seen with other content; [`Error::BacklogFull`] with
    /// that of the first new one for which there is too much undelivered work.
    fn accept(&self, events: Vec<NewEvent>) -> StoreFuture<'_, Vec<Accepted>>;

    /// The same for events that do not need each other: one that is refused is refused by itself, and the others are stored,
    /// durably and in one transaction.
    fn accept_each(&self, events: Vec<NewEvent>) -> StoreFuture<'_, Vec<Result<Accepted, Refused>>>;

    /// How much undelivered work there may be from now on; any amount before this is called.
    fn limit_backlog(&self, limits: BacklogLimits);

    /// The undelivered work of a tenant. It is the same after a restart, costs nothing, and may be behind by the writes
    /// that are under way.
    fn backlog(&self, tenant: &TenantId) -> Backlog;

    /// Why a new event of a tenant would be refused now, if it would.
    fn backlog_full(&self, tenant: &TenantId) -> Option<BacklogFull>;

    /// Stores an event that tests an endpoint, [`NewEvent::test_of`], durably, with the entry that the audit log gets in
    /// the same transaction.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such endpoint.
    fn accept_test(&self, event: NewEvent, audit: AuditEntry) -> StoreFuture<'_, Arc<Event>>;

    // --- dispatch

    /// Events that were accepted but not fanned out yet, by rising key, from after `after` on, at most `limit`.
    fn undispatched(&self, after: Option<EventKey>, limit: usize) -> StoreFuture<'_, Vec<Arc<Event>>>;

    /// Marks an event as dispatched and creates its deliveries, in one transaction. Resolves when the commit is
    /// visible, or, if `durable`, when it is on stable storage.
    fn fan_out(&self, fan_out: FanOut) -> StoreFuture<'_, ()>;

    /// Deliveries that wait for their plugins (or their endpoint's filter) to be tried again: due at `now` or, for `released` plugins, whenever
    /// they are due. Those after `after`, at most `limit`, the earliest due first.
    fn plugin_holds(
        &self,
        now: UnixMs,
        released: Option<PluginName>,
        after: Option<HoldPlace>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<PluginHold>>;

    /// When the earliest plugin hold is due.
    fn next_plugin_hold(&self) -> StoreFuture<'_, Option<UnixMs>>;

    /// Replaces the verdict of a delivery that waited for its plugins or its filter; false if it no longer does, and
    /// nothing changes.
    fn redispatch(&self, id: DeliveryId, verdict: Verdict, durable: bool) -> StoreFuture<'_, bool>;

    // --- lanes

    /// The endpoints that have deliveries waiting to be attempted, each with the time the earliest is due.
    fn waiting_endpoints(&self) -> StoreFuture<'_, Vec<(EndpointId, UnixMs)>>;

    /// Deliveries of an endpoint that are due at `now`, the earliest due first, at most `limit`; and when the
    /// first one that is not among them is due.
    fn due(&self, endpoint: EndpointId, now: UnixMs, limit: usize) -> StoreFuture<'_, Due>;

    /// Deliveries of an endpoint that are due at `now` and that nothing of their lines may overtake, by the order in which
    /// their events were accepted, at most `limit` and of one line at most [`OrderId::share`]. One that is not due or is
    /// held ends its line; one before whose event an earlier one may still be fanned out ends all. So do too many lines
    /// that are passed by: the memory of this is bounded.
    fn due_in_order(
        &self,
        endpoint: EndpointId,
        lookout: Lookout,
        now: UnixMs,
        limit: usize,
    ) -> StoreFuture<'_, DueInOrder>;

    /// Indexes what waits for an endpoint that was given this order: at most `limit` deliveries of those after `after`;
    /// returns how far it came, `None` when all are in the index or the endpoint has another order by now. What is
    /// fanned out or changed meanwhile gets there by itself.
    fn index_order(
        &self,
        endpoint: EndpointId,
        order: OrderId,
        after: Option<IndexPlace>,
        limit: usize,
    ) -> StoreFuture<'_, Option<IndexPlace>>;

    /// Says the lines of deliveries of an ordered endpoint. Those that wait no longer need none.
    fn set_lines(&self, endpoint: EndpointId, lines: Vec<(DeliveryId, Line)>) -> StoreFuture<'_, ()>;

    // --- deliver

    /// Records an attempt, the new state of its delivery and when it is due next, in one transaction. If the attempt
    /// failed, tells since when all attempts of its endpoint have; a success, [`Store::update_endpoint`] with another
    /// URL and one that activates make it start anew. An attempt that was under way when its delivery was cancelled is
    /// recorded, and delivers it if it succeeded; nothing comes after it.
    fn finish_attempt(&self, finished: FinishedAttempt) -> StoreFuture<'_, Recorded>;

    /// The endpoints of which all attempts failed lately, each with the time since when they do.
    fn failing_endpoints(&self) -> StoreFuture<'_, Vec<(EndpointId, UnixMs)>>;

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

    // --- sent again; each change that somebody asked for with its audit entry in the same transaction

    /// Has a delivery sent again, durably.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::StateChanged`], [`Error::TooManyAttempts`].
    fn retry(&self, retry: Retry, audit: AuditEntry) -> StoreFuture<'_, Delivery>;

    /// Cancels a delivery that waits, durably.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::IsFinal`].
    fn cancel(&self, id: DeliveryId, at: UnixMs, audit: AuditEntry) -> StoreFuture<'_, Delivery>;

    /// Adds deliveries to an event that was fanned out, durably.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotDispatched`], [`Error::TooManyDeliveries`].
    fn replay(&self, replay: Replay, audit: AuditEntry) -> StoreFuture<'_, Vec<Delivery>>;

    /// Adds a recovery, durably.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such endpoint, [`Error::RecoveryRuns`].
    fn create_recovery(&self, recovery: Recovery, audit: AuditEntry) -> StoreFuture<'_, ()>;

    /// A recovery.
    fn recovery(&self, id: RecoveryId) -> StoreFuture<'_, Option<Recovery>>;

    /// Recoveries, newest first, that pass the filter, from below `before` on.
    fn recoveries(
        &self,
        filter: RecoveryFilter,
        before: Option<RecoveryId>,
        limit: usize,
    ) -> StoreFuture<'_, RecoveryPage>;

    /// What a recovery finds in its range from its place on: about `limit`, after a bounded look.
    fn candidates(&self, recovery: Recovery, limit: usize) -> StoreFuture<'_, Candidates>;

    /// Does a part of a recovery and says where it stands; nothing of it if it ended or stands elsewhere.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    fn advance_recovery(&self, step: RecoveryStep) -> StoreFuture<'_, Recovery>;

    /// Ends a recovery that runs, durably. What it had sent again stays so.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::RecoveryEnded`].
    fn cancel_recovery(&self, id: RecoveryId, at: UnixMs, audit: AuditEntry) -> StoreFuture<'_, Recovery>;

    /// Whether writes can succeed: false after the storage failed and after the store was closed.
    fn is_writable(&self) -> bool;

    /// Has these metrics tell of the store: of commits, of what waits, of deliveries that end.
    fn count_in(&self, metrics: &Metrics);

    // --- endpoints and keys; each change with the entry that the audit log gets in the same transaction

    /// Creates an endpoint, durably.
    ///
    /// # Errors
    /// [`Error::UrlTaken`] if the tenant has an endpoint with this URL.
    fn create_endpoint(&self, endpoint: Endpoint, audit: AuditEntry) -> StoreFuture<'_, ()>;

    /// Replaces an endpoint, durably, and accepts the operational events about it; their ids are not looked at.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::UrlTaken`].
    fn update_endpoint(
        &self,
        endpoint: Endpoint,
        notices: Vec<NewEvent>,
        audit: AuditEntry,
    ) -> StoreFuture<'_, ()>;

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

    // --- what is said about tenants

    /// Replaces what is said about a tenant, durably, with the entry that the audit log gets in the same transaction. Where
    /// nothing is said any more, nothing is left.
    fn set_tenant(&self, settings: TenantSettings, audit: AuditEntry) -> StoreFuture<'_, ()>;

    /// What is said about tenants, by their names; those of whom nothing is said are not among them.
    fn tenants(&self) -> StoreFuture<'_, Vec<TenantSettings>>;

    // --- the catalogue of topics; each change with its audit entry in the same transaction

    /// Adds a topic, durably.
    ///
    /// # Errors
    /// [`Error::TopicTaken`].
    fn create_topic(&self, entry: TopicEntry, audit: AuditEntry) -> StoreFuture<'_, ()>;

    /// Replaces a topic, durably.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    fn update_topic(&self, entry: TopicEntry, audit: AuditEntry) -> StoreFuture<'_, ()>;

    /// Deletes a topic, durably. Events of it stay.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    fn delete_topic(&self, topic: Topic, audit: AuditEntry) -> StoreFuture<'_, ()>;

    /// Adds or replaces topics, all or none, durably, with an audit row for each.
    fn import_topics(&self, entries: Vec<(TopicEntry, AuditEntry)>) -> StoreFuture<'_, ()>;

    /// All topics, by their names.
    fn topics(&self) -> StoreFuture<'_, Vec<TopicEntry>>;

    // --- the versions of plugins

    /// Replaces what is kept of a plugin, durably, with the entry that the audit log gets in the same transaction; none where
    /// nobody decided anything. Where nothing is kept any more, nothing is left.
    fn set_plugin(&self, record: PluginRecord, audit: Option<AuditEntry>) -> StoreFuture<'_, ()>;

    /// What is kept of plugins, by their names; those of which nothing is are not among them.
    fn plugins(&self) -> StoreFuture<'_, Vec<PluginRecord>>;

    // --- what plugins keep

    /// A key of a space, expired or not, and what the space takes of its quota.
    fn kv_read(&self, space: KvSpace, key: String) -> StoreFuture<'_, KvRead>;

    /// Changes keys, all or none, the later of two changes of one key last. Rides along with the next durable commit. Also
    /// takes out some keys that have expired at `now`. Returns what each of the spaces takes of its quota afterwards.
    fn kv_write(&self, writes: Vec<KvWrite>, now: UnixMs) -> StoreFuture<'_, Vec<(KvSpace, u64)>>;

    /// Takes out keys that have expired at `now`, at most `limit`; returns how many. Less than `limit` means none is left.
    fn kv_sweep(&self, now: UnixMs, limit: usize) -> StoreFuture<'_, usize>;

    /// The tenants that something is kept of.
    fn kv_tenants(&self) -> StoreFuture<'_, Vec<TenantId>>;

    /// Takes out what all plugins keep of a tenant, at most `limit` keys; returns how many. Zero means none is left.
    fn kv_clear(&self, tenant: TenantId, limit: usize) -> StoreFuture<'_, usize>;

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

    /// Events, newest first, that pass the filter, from after `cursor` on, each with its deliveries.
    fn events(
        &self,
        filter: EventFilter,
        cursor: Option<EventKey>,
        limit: usize,
    ) -> StoreFuture<'_, EventPage>;

    /// Deliveries that pass the filter and changed after the change of this number, as they are now, each with the number
    /// of its last change; looks at no more than `limit` changes.
    fn changed(&self, filter: DeliveryFilter, after: u64, limit: usize) -> StoreFuture<'_, Changed>;

    /// Tells the number of the last change of a delivery. Numbers rise by one, from 1, also over a restart.
    fn latest_change(&self) -> watch::Receiver<u64>;

    /// What was counted of a scope in each window that ends `now`. A delivery counts when it ended; one that was sent again
    /// counts when it ended last. Costs the same however long the log is.
    fn statistics(&self, scope: StatisticsScope, now: UnixMs) -> StoreFuture<'_, Statistics>;

    /// A delivery with its event, its attempts and what a transform made of it.
    fn delivery(&self, id: DeliveryId) -> StoreFuture<'_, Option<DeliveryRecord>>;
}
