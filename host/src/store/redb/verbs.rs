//! The trait, verb by verb: each is handed to the writer or to a reader.

use std::sync::Arc;

use tokio::sync::watch;

use super::accept::{Accept, AcceptEach, AcceptTest};
use super::audit::{self, Audited};
use super::delivering::{CancelWaiting, ReleaseUnsigned, ReleaseWaiting};
use super::dispatching::Redispatch;
use super::endpoint_row::EndpointRow;
use super::kv::{self, KvClear, KvSweep, KvWrites};
use super::managing::{
    self, CreateEndpoint, CreateKey, DeleteEndpoint, DeleteKey, NoteKeyUses, Reseal, UpdateEndpoint,
};
use super::ordered::{IndexOrder, SetLines};
use super::plugins::{self, SetPlugin};
use super::progress::Undispatched;
use super::recovering::{self, CancelRecovery, CreateRecovery};
use super::resending::Cancel;
use super::tenants::{self, SetTenant};
use super::topics::{self, CreateTopic, DeleteTopic, ImportTopics, UpdateTopic};
use super::{RedbStore, events, log, statistics, waiting};
use crate::metrics::Metrics;
use crate::model::{
    ApiKeyRecord, AuditEntry, Delivery, DeliveryId, Endpoint, EndpointId, Event, EventId, EventKey, KeyId,
    KvSpace, KvWrite, Line, OrderId, PluginName, PluginRecord, Recovery, RecoveryId, TenantId,
    TenantSettings, Topic, TopicEntry, UnixMs,
};
use crate::store::{
    Accepted, AuditChain, AuditFilter, AuditPage, Backlog, BacklogFull, BacklogLimits, Candidates, Changed,
    DeliveryFilter, DeliveryRecord, Due, DueInOrder, EventFilter, EventPage, EventRecord, FanOut,
    FinishedAttempt, HoldPlace, IndexPlace, KvRead, Lookout, NewEvent, Page, PluginHold, QueuePlace,
    Recorded, RecoveryFilter, RecoveryPage, RecoveryStep, Refused, Replay, Resealed, Retry, Statistics,
    StatisticsScope, Store, StoreFuture, Verdict,
};

impl Store for RedbStore {
    fn accept(&self, events: Vec<NewEvent>) -> StoreFuture<'_, Vec<Accepted>> {
        self.write(Accept(events))
    }

    fn accept_each(&self, events: Vec<NewEvent>) -> StoreFuture<'_, Vec<Result<Accepted, Refused>>> {
        self.write(AcceptEach(events))
    }

    fn limit_backlog(&self, limits: BacklogLimits) {
        self.backlogs.limit(limits);
    }

    fn backlog(&self, tenant: &TenantId) -> Backlog {
        self.backlogs.of(tenant)
    }

    fn backlog_full(&self, tenant: &TenantId) -> Option<BacklogFull> {
        self.backlogs.full(tenant)
    }

    fn accept_test(&self, event: NewEvent, audit: AuditEntry) -> StoreFuture<'_, Arc<Event>> {
        self.write(Audited { change: AcceptTest(event), audit })
    }

    fn undispatched(&self, after: Option<EventKey>, limit: usize) -> StoreFuture<'_, Vec<Arc<Event>>> {
        self.read_undispatched(after, limit)
    }

    fn fan_out(&self, fan_out: FanOut) -> StoreFuture<'_, ()> {
        self.write(fan_out)
    }

    fn plugin_holds(
        &self,
        now: UnixMs,
        released: Option<PluginName>,
        after: Option<HoldPlace>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<PluginHold>> {
        self.read_plugin_holds(now, released, after, limit)
    }

    fn next_plugin_hold(&self) -> StoreFuture<'_, Option<UnixMs>> {
        self.read(waiting::next_plugin_hold)
    }

    fn redispatch(&self, id: DeliveryId, verdict: Verdict, durable: bool) -> StoreFuture<'_, bool> {
        self.write(Redispatch { id, verdict, durable, at: self.clock.now() })
    }

    fn waiting_endpoints(&self) -> StoreFuture<'_, Vec<(EndpointId, UnixMs)>> {
        self.read(waiting::endpoints)
    }

    fn due(&self, endpoint: EndpointId, now: UnixMs, limit: usize) -> StoreFuture<'_, Due> {
        self.read_due(endpoint, now, limit)
    }

    fn due_in_order(
        &self,
        endpoint: EndpointId,
        lookout: Lookout,
        now: UnixMs,
        limit: usize,
    ) -> StoreFuture<'_, DueInOrder> {
        self.read_due_in_order(endpoint, lookout, now, limit)
    }

    fn index_order(
        &self,
        endpoint: EndpointId,
        order: OrderId,
        after: Option<IndexPlace>,
        limit: usize,
    ) -> StoreFuture<'_, Option<IndexPlace>> {
        self.write(IndexOrder { endpoint, order, after, limit })
    }

    fn set_lines(&self, endpoint: EndpointId, lines: Vec<(DeliveryId, Line)>) -> StoreFuture<'_, ()> {
        self.write(SetLines { endpoint, lines })
    }

    fn finish_attempt(&self, finished: FinishedAttempt) -> StoreFuture<'_, Recorded> {
        self.write(finished)
    }

    fn failing_endpoints(&self) -> StoreFuture<'_, Vec<(EndpointId, UnixMs)>> {
        self.read(waiting::failing)
    }

    fn release_waiting(
        &self,
        endpoint: EndpointId,
        after: Option<QueuePlace>,
        limit: usize,
    ) -> StoreFuture<'_, Option<QueuePlace>> {
        self.write(ReleaseWaiting { endpoint, after, at: self.clock.now(), limit })
    }

    fn cancel_waiting(&self, endpoint: EndpointId, now: UnixMs, limit: usize) -> StoreFuture<'_, usize> {
        self.write(CancelWaiting { endpoint, at: now, limit })
    }

    fn release_unsigned(
        &self,
        endpoint: EndpointId,
        now: UnixMs,
        until: UnixMs,
        limit: usize,
    ) -> StoreFuture<'_, usize> {
        self.write(ReleaseUnsigned { endpoint, at: now, until, limit })
    }

    fn retry(&self, retry: Retry, audit: AuditEntry) -> StoreFuture<'_, Delivery> {
        self.write(Audited { change: retry, audit })
    }

    fn cancel(&self, id: DeliveryId, at: UnixMs, audit: AuditEntry) -> StoreFuture<'_, Delivery> {
        self.write(Audited { change: Cancel { id, at }, audit })
    }

    fn replay(&self, replay: Replay, audit: AuditEntry) -> StoreFuture<'_, Vec<Delivery>> {
        self.write(Audited { change: replay, audit })
    }

    fn create_recovery(&self, recovery: Recovery, audit: AuditEntry) -> StoreFuture<'_, ()> {
        self.write(Audited { change: CreateRecovery(recovery), audit })
    }

    fn recovery(&self, id: RecoveryId) -> StoreFuture<'_, Option<Recovery>> {
        self.read(move |transaction| recovering::one(transaction, id))
    }

    fn recoveries(
        &self,
        filter: RecoveryFilter,
        before: Option<RecoveryId>,
        limit: usize,
    ) -> StoreFuture<'_, RecoveryPage> {
        self.read(move |transaction| recovering::page(transaction, &filter, before, limit))
    }

    fn candidates(&self, recovery: Recovery, limit: usize) -> StoreFuture<'_, Candidates> {
        let look = |undispatched: &Undispatched| undispatched.after(None, 1).first().copied();
        self.read_beside(look, move |transaction, undispatched| {
            recovering::candidates(transaction, &recovery, limit, undispatched)
        })
    }

    fn advance_recovery(&self, step: RecoveryStep) -> StoreFuture<'_, Recovery> {
        self.write(step)
    }

    fn cancel_recovery(&self, id: RecoveryId, at: UnixMs, audit: AuditEntry) -> StoreFuture<'_, Recovery> {
        self.write(Audited { change: CancelRecovery { id, at }, audit })
    }

    fn is_writable(&self) -> bool {
        !self.queue.is_closed()
    }

    fn count_in(&self, metrics: &Metrics) {
        self.tell(metrics);
    }

    fn create_endpoint(&self, endpoint: Endpoint, audit: AuditEntry) -> StoreFuture<'_, ()> {
        self.write(Audited { change: CreateEndpoint(EndpointRow::seal(endpoint, &self.vault)), audit })
    }

    fn update_endpoint(
        &self,
        endpoint: Endpoint,
        notices: Vec<NewEvent>,
        audit: AuditEntry,
    ) -> StoreFuture<'_, ()> {
        let row = EndpointRow::seal(endpoint, &self.vault);
        self.write(Audited { change: UpdateEndpoint { row, notices }, audit })
    }

    fn delete_endpoint(&self, id: EndpointId, audit: AuditEntry) -> StoreFuture<'_, ()> {
        self.write(Audited { change: DeleteEndpoint(id), audit })
    }

    fn endpoints(&self) -> StoreFuture<'_, Vec<Endpoint>> {
        let vault = self.vault.clone();
        self.read(move |transaction| managing::endpoints(transaction, &vault))
    }

    fn reseal(&self, limit: usize) -> StoreFuture<'_, Resealed> {
        let vault = self.vault.clone();
        let finding = self.read(move |transaction| managing::stale(transaction, &vault, limit));
        Box::pin(async move {
            let stale = finding.await?;
            if stale.is_empty() {
                return Ok(Resealed::Done(self.vault.older_keys()));
            }
            let count = stale.len();
            self.write(Reseal { endpoints: stale, vault: self.vault.clone() }).await?;
            Ok(Resealed::Some(count))
        })
    }

    fn create_key(&self, key: ApiKeyRecord, audit: AuditEntry) -> StoreFuture<'_, ()> {
        self.write(Audited { change: CreateKey(key), audit })
    }

    fn delete_key(&self, id: KeyId, now: UnixMs, audit: AuditEntry) -> StoreFuture<'_, ()> {
        self.write(Audited { change: DeleteKey { id, now }, audit })
    }

    fn note_key_uses(&self, uses: Vec<(KeyId, UnixMs)>) -> StoreFuture<'_, ()> {
        self.write(NoteKeyUses(uses))
    }

    fn set_tenant(&self, settings: TenantSettings, audit: AuditEntry) -> StoreFuture<'_, ()> {
        self.write(Audited { change: SetTenant(settings), audit })
    }

    fn tenants(&self) -> StoreFuture<'_, Vec<TenantSettings>> {
        self.read(tenants::all)
    }

    fn create_topic(&self, entry: TopicEntry, audit: AuditEntry) -> StoreFuture<'_, ()> {
        self.write(Audited { change: CreateTopic(entry), audit })
    }

    fn update_topic(&self, entry: TopicEntry, audit: AuditEntry) -> StoreFuture<'_, ()> {
        self.write(Audited { change: UpdateTopic(entry), audit })
    }

    fn delete_topic(&self, topic: Topic, audit: AuditEntry) -> StoreFuture<'_, ()> {
        self.write(Audited { change: DeleteTopic(topic), audit })
    }

    fn import_topics(&self, entries: Vec<(TopicEntry, AuditEntry)>) -> StoreFuture<'_, ()> {
        self.write(ImportTopics(entries))
    }

    fn topics(&self) -> StoreFuture<'_, Vec<TopicEntry>> {
        self.read(topics::all)
    }

    fn set_plugin(&self, record: PluginRecord, audit: Option<AuditEntry>) -> StoreFuture<'_, ()> {
        let change = SetPlugin(record);
        match audit {
            Some(audit) => self.write(Audited { change, audit }),
            None => self.write(change),
        }
    }

    fn plugins(&self) -> StoreFuture<'_, Vec<PluginRecord>> {
        self.read(plugins::all)
    }

    fn kv_read(&self, space: KvSpace, key: String) -> StoreFuture<'_, KvRead> {
        self.read(move |transaction| kv::read(transaction, &space, &key))
    }

    fn kv_write(&self, writes: Vec<KvWrite>, now: UnixMs) -> StoreFuture<'_, Vec<(KvSpace, u64)>> {
        self.write(KvWrites { writes, now })
    }

    fn kv_sweep(&self, now: UnixMs, limit: usize) -> StoreFuture<'_, usize> {
        self.write(KvSweep { now, limit })
    }

    fn kv_tenants(&self) -> StoreFuture<'_, Vec<TenantId>> {
        self.read(kv::tenants)
    }

    fn kv_clear(&self, tenant: TenantId, limit: usize) -> StoreFuture<'_, usize> {
        self.write(KvClear { tenant, limit })
    }

    fn audit(&self, filter: AuditFilter, before: Option<u64>, limit: usize) -> StoreFuture<'_, AuditPage> {
        self.read(move |transaction| audit::page(transaction, &filter, before, limit))
    }

    fn verify_audit(&self) -> StoreFuture<'_, AuditChain> {
        self.read(audit::verify)
    }

    fn keys(&self) -> StoreFuture<'_, Vec<ApiKeyRecord>> {
        self.read(managing::keys)
    }

    fn event(&self, tenant: &TenantId, id: &EventId) -> StoreFuture<'_, Option<EventRecord>> {
        let (tenant, id) = (tenant.clone(), id.clone());
        let found = self.read(move |transaction| log::find(transaction, &tenant, &id));
        Box::pin(async move {
            let Some(key) = found.await? else { return Ok(None) };
            let look = move |undispatched: &Undispatched| undispatched.contains(key);
            self.read_beside(look, move |transaction, waited| log::event(transaction, key, waited)).await
        })
    }

    fn deliveries(
        &self,
        filter: DeliveryFilter,
        cursor: Option<DeliveryId>,
        limit: usize,
    ) -> StoreFuture<'_, Page> {
        self.read(move |transaction| log::deliveries(transaction, &filter, cursor, limit))
    }

    fn events(
        &self,
        filter: EventFilter,
        cursor: Option<EventKey>,
        limit: usize,
    ) -> StoreFuture<'_, EventPage> {
        let look = |undispatched: &Undispatched| undispatched.after(None, log::MAX_SCANNED);
        self.read_beside(look, move |transaction, keys| {
            let unknown_from = keys.last().copied().filter(|_| keys.len() == log::MAX_SCANNED);
            let undispatched = events::Undispatched { keys: keys.into_iter().collect(), unknown_from };
            events::list(transaction, &filter, cursor, limit, &undispatched)
        })
    }

    fn changed(&self, filter: DeliveryFilter, after: u64, limit: usize) -> StoreFuture<'_, Changed> {
        self.read(move |transaction| log::changed(transaction, &filter, after, limit))
    }

    fn latest_change(&self) -> watch::Receiver<u64> {
        self.latest_change.subscribe()
    }

    fn statistics(&self, scope: StatisticsScope, now: UnixMs) -> StoreFuture<'_, Statistics> {
        self.read(move |transaction| statistics::read(transaction, &scope, now))
    }

    fn delivery(&self, id: DeliveryId) -> StoreFuture<'_, Option<DeliveryRecord>> {
        self.read(move |transaction| log::delivery(transaction, id))
    }
}
