//! The undelivered work of each tenant, counted: exact at any time and after a crash, without reading what waits.
//!
//! - Counts are in memory. Each verb notes what it changes, and the end of its transaction adds that up.
//! - Rows of `backlog` are written when changes are folded into statistics, one for each tenant that changed since. `meta` says
//!   below which change they count; what came after is in the journal, and is added at a start.
//! - Deliveries that end are counted here, too: whatever ends one changes what waits.
//! - Events that are not dispatched are in memory anyway, and are counted with them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use redb::ReadableTable as _;

use super::changes;
use super::codec::EventRow;
use super::failure::Failure;
use super::rows;
use super::schema::{META_COUNTED_BELOW, Tables, delivery_id};
use crate::metrics::{Counter, Labelled};
use crate::model::{DeliveryStatus, TenantId};
use crate::store::{Backlog, BacklogFull, BacklogLimits, StoreFull};

/// The counts, and what they may be; shared by the writer and all who ask.
#[derive(Debug)]
pub(super) struct Backlogs {
    limits: RwLock<BacklogLimits>,
    /// Whether the store may take anything at all.
    store: RwLock<Option<StoreFull>>,
    counts: Mutex<Counts>,
    /// Deliveries that ended since the start, by [`ENDS`].
    ended: Labelled<Counter, 1>,
}

/// How a delivery can end.
const ENDS: [DeliveryStatus; 4] =
    [DeliveryStatus::Delivered, DeliveryStatus::Failed, DeliveryStatus::Filtered, DeliveryStatus::Cancelled];

#[derive(Debug, Default)]
struct Counts {
    all: Sum,
    tenants: HashMap<Box<str>, Tenant>,
}

/// What waits of a tenant.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Tenant {
    /// For dispatch.
    events: Sum,
    /// For an attempt, a plugin or a person.
    deliveries: Sum,
}

/// A number of deliveries or events and the bytes of their payloads, or a difference of these.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sum {
    count: i64,
    bytes: i64,
}

/// What the open transaction changes.
#[derive(Debug, Default)]
pub(super) struct Differences {
    all: Sum,
    tenants: HashMap<Box<str>, Tenant>,
    /// Deliveries that end, by [`ENDS`].
    ended: [u64; ENDS.len()],
}

/// An event that waits for dispatch, as it counts.
#[derive(Debug, Clone)]
pub(super) struct Weight {
    pub(super) tenant: TenantId,
    pub(super) bytes: usize,
}

impl Weight {
    /// The tenant and the size.
    pub(super) fn of(&self) -> (&str, usize) {
        (self.tenant.as_str(), self.bytes)
    }
}

impl Sum {
    fn one(bytes: usize) -> Self {
        Self { count: 1, bytes: i64::try_from(bytes).unwrap_or(i64::MAX) }
    }

    const fn add(&mut self, other: Self) {
        self.count += other.count;
        self.bytes += other.bytes;
    }

    const fn negative(self) -> Self {
        Self { count: -self.count, bytes: -self.bytes }
    }
}

impl Tenant {
    const fn add(&mut self, other: Self) {
        self.events.add(other.events);
        self.deliveries.add(other.deliveries);
    }

    const fn sum(self) -> Sum {
        let mut sum = self.events;
        sum.add(self.deliveries);
        sum
    }
}

impl From<Sum> for Backlog {
    fn from(sum: Sum) -> Self {
        let positive = |number| u64::try_from(number).unwrap_or(0);
        Self { deliveries: positive(sum.count), bytes: positive(sum.bytes) }
    }
}

impl Differences {
    /// An event is accepted.
    pub(super) fn accepted(&mut self, tenant: &str, bytes: usize) {
        let events = Sum::one(bytes);
        self.add(tenant, Tenant { events, ..Tenant::default() });
    }

    /// An event is dispatched.
    pub(super) fn dispatched(&mut self, event: &Weight) {
        let events = Sum::one(event.bytes).negative();
        self.add(event.tenant.as_str(), Tenant { events, ..Tenant::default() });
    }

    /// A delivery of an event of this tenant and size changes its state.
    pub(super) fn changed(
        &mut self,
        (tenant, bytes): (&str, usize),
        before: Option<DeliveryStatus>,
        after: DeliveryStatus,
    ) {
        if let Some(end) = ENDS.iter().position(|end| *end == after && before != Some(after)) {
            self.ended[end] += 1;
        }
        let one = Sum::one(bytes);
        let deliveries = match (before.is_some_and(waits), waits(after)) {
            (false, true) => one,
            (true, false) => one.negative(),
            (true, true) | (false, false) => return,
        };
        self.add(tenant, Tenant { deliveries, ..Tenant::default() });
    }

    fn add(&mut self, tenant: &str, difference: Tenant) {
        self.all.add(difference.sum());
        match self.tenants.get_mut(tenant) {
            Some(of) => of.add(difference),
            None => drop(self.tenants.insert(tenant.into(), difference)),
        }
    }

    /// Takes over what a plan changes.
    pub(super) fn merge(&mut self, plan: Self) {
        for (tenant, difference) in plan.tenants {
            self.add(&tenant, difference);
        }
        self.ended.iter_mut().zip(plan.ended).for_each(|(ended, more)| *ended += more);
    }

    fn of(&self, tenant: &TenantId) -> Sum {
        self.tenants.get(tenant.as_str()).map(|of| of.sum()).unwrap_or_default()
    }
}

/// Whether a delivery in this state is not over.
const fn waits(status: DeliveryStatus) -> bool {
    matches!(status, DeliveryStatus::Pending | DeliveryStatus::Retrying | DeliveryStatus::Held)
}

impl Default for Backlogs {
    fn default() -> Self {
        let ended = Labelled::by("state", &ENDS.map(DeliveryStatus::name), Counter::default);
        Self { limits: RwLock::default(), store: RwLock::default(), counts: Mutex::default(), ended }
    }
}

impl Backlogs {
    /// Deliveries that ended since the start, by how they did.
    pub(super) const fn ended(&self) -> &Labelled<Counter, 1> {
        &self.ended
    }

    /// That of all tenants together.
    pub(super) fn all(&self) -> Backlog {
        self.lock().all.into()
    }

    /// What they may be from now on.
    pub(super) fn limit(&self, limits: BacklogLimits) {
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// Has everything refused, or no longer.
    pub(super) fn refuse(&self, full: Option<StoreFull>) {
        *self.store.write().unwrap_or_else(PoisonError::into_inner) = full;
    }

    /// That of a tenant, as far as is committed.
    pub(super) fn of(&self, tenant: &TenantId) -> Backlog {
        self.lock().tenant(tenant).into()
    }

    /// Why a tenant's next event is not taken, as far as is committed.
    pub(super) fn full(&self, tenant: &TenantId) -> Option<BacklogFull> {
        self.full_with(tenant, &[])
    }

    /// The same with what the open transaction changes.
    pub(super) fn full_with(&self, tenant: &TenantId, open: &[&Differences]) -> Option<BacklogFull> {
        if let Some(full) = *self.store.read().unwrap_or_else(PoisonError::into_inner) {
            return Some(BacklogFull::Store(full));
        }
        let counts = self.lock();
        let (mut of_tenant, mut all) = (counts.tenant(tenant), counts.all);
        drop(counts);
        for open in open {
            of_tenant.add(open.of(tenant));
            all.add(open.all);
        }
        let limits = self.limits.read().unwrap_or_else(PoisonError::into_inner);
        let (backlog, limit) = (of_tenant.into(), limits.of(tenant));
        if limit.is_reached(backlog) {
            return Some(BacklogFull::Work { tenant: Some(tenant.clone()), backlog, limit });
        }
        let (backlog, limit) = (all.into(), limits.all);
        limit.is_reached(backlog).then_some(BacklogFull::Work { tenant: None, backlog, limit })
    }

    /// Counts these events, which wait for dispatch at a start.
    pub(super) fn begin<'a>(&self, events: impl Iterator<Item = &'a Weight>) {
        let mut waiting = Differences::default();
        events.for_each(|event| waiting.accepted(event.tenant.as_str(), event.bytes));
        self.add(&waiting);
    }

    fn add(&self, differences: &Differences) {
        let mut counts = self.lock();
        counts.all.add(differences.all);
        for (tenant, difference) in &differences.tenants {
            let of = counts.tenants.entry(tenant.clone()).or_default();
            of.add(*difference);
            if *of == Tenant::default() {
                counts.tenants.remove(tenant);
            }
        }
        drop(counts);
        for (place, count) in differences.ended.iter().enumerate().filter(|(_, count)| **count > 0) {
            self.ended.at(place).inc_by(*count);
        }
    }

    /// What is stored of a tenant.
    fn deliveries(&self, tenant: &str) -> Sum {
        self.lock().tenants.get(tenant).map(|of| of.deliveries).unwrap_or_default()
    }

    /// Sums are added to and never left half way, so a panic elsewhere does not spoil them.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn tenant(&self, tenant: &TenantId) -> Sum {
        self.tenants.get(tenant.as_str()).map(|of| of.sum()).unwrap_or_default()
    }
}

/// The writer's side: which rows are behind.
#[derive(Debug)]
pub(super) struct Counting {
    backlogs: Arc<Backlogs>,
    behind: HashSet<Box<str>>,
}

impl Counting {
    /// Adds what is stored and what the journal has since, up to the change `next`, to the counts. What is stored is of no use
    /// if the journal begins later: then all that waits is counted.
    pub(super) fn load(tables: &mut Tables<'_>, backlogs: Arc<Backlogs>, next: u64) -> Result<Self, Failure> {
        let mut counting = Self { backlogs, behind: HashSet::new() };
        match tables.counted_below(next)? {
            Some(below) => {
                counting.backlogs.add(&tables.counted()?);
                counting.finish(tables.changed_since(below)?);
            }
            None => {
                tables.backlog.retain(|_, _| false)?;
                counting.finish(tables.count_all()?);
                counting.store(tables, next)?;
            }
        }
        Ok(counting)
    }

    /// Takes what a transaction changed.
    pub(super) fn finish(&mut self, differences: Differences) {
        self.backlogs.add(&differences);
        self.behind.extend(differences.tenants.into_keys());
    }

    /// Stores the counts as they are below this change.
    pub(super) fn store(&mut self, tables: &mut Tables<'_>, below: u64) -> Result<(), Failure> {
        for tenant in std::mem::take(&mut self.behind) {
            match self.backlogs.deliveries(&tenant) {
                Sum { count: 0, bytes: 0 } => drop(tables.backlog.remove(&*tenant)?),
                Sum { count, bytes } => drop(tables.backlog.insert(&*tenant, (count, bytes))?),
            }
        }
        tables.meta.insert(META_COUNTED_BELOW, u128::from(below))?;
        Ok(())
    }
}

impl Tables<'_> {
    /// A tenant of which `backlog` and the journal say something else than was counted. Nothing is said where all is
    /// counted anew when the store is opened.
    pub(super) fn misjudged_backlog(&self, counted: &Differences) -> Result<Option<String>, Failure> {
        let next = changes::next_number(&self.changes)?;
        let Some(below) = self.counted_below(next)? else { return Ok(None) };
        let mut stored = self.counted()?;
        stored.merge(self.changed_since(below)?);
        let deliveries = |of: &Differences, tenant| of.tenants.get(tenant).map(|of: &Tenant| of.deliveries);
        let mut tenants = stored.tenants.keys().chain(counted.tenants.keys());
        let wrong = tenants.find(|tenant| {
            deliveries(&stored, *tenant).unwrap_or_default()
                != deliveries(counted, *tenant).unwrap_or_default()
        });
        Ok(wrong.map(|tenant| tenant.to_string()))
    }

    /// Has all undelivered work counted anew when the store is opened.
    pub(super) fn forget_backlog(&mut self) -> Result<(), Failure> {
        self.meta.remove(META_COUNTED_BELOW)?;
        Ok(())
    }

    /// Below which change all are in `backlog`, if the journal has the rest up to `next`.
    fn counted_below(&self, next: u64) -> Result<Option<u64>, Failure> {
        let first = self.changes.first()?.map_or(next, |(first, _)| first.value());
        let below = self.meta(META_COUNTED_BELOW)?.and_then(|below| u64::try_from(below).ok());
        Ok(below.filter(|below| (first..=next).contains(below)))
    }

    fn counted(&self) -> Result<Differences, Failure> {
        let mut counted = Differences::default();
        for row in self.backlog.iter()? {
            let (tenant, sum) = row?;
            let (count, bytes) = sum.value();
            let deliveries = Sum { count, bytes };
            counted.add(tenant.value(), Tenant { deliveries, ..Tenant::default() });
        }
        Ok(counted)
    }

    fn changed_since(&self, below: u64) -> Result<Differences, Failure> {
        let mut changed = Vec::new();
        changes::visit(&self.changes, below, |_, change| {
            let before = change.before.and_then(|before| before.status());
            changed.extend(change.after().map(|after| (change.delivery().event, before, after)));
            true
        })?;
        let mut differences = Differences::default();
        for (event, before, after) in changed {
            if let Some(row) = self.events.get(event.as_u128())?
                && let Ok(event) = EventRow::parse(row.value())
            {
                differences.changed((event.tenant(), event.data_len()), before, after);
            }
        }
        Ok(Differences { ended: Default::default(), ..differences }) // They ended in an earlier run.
    }

    /// What waits, one by one: for a file of a Hookway that did not count.
    fn count_all(&self) -> Result<Differences, Failure> {
        let mut waiting = Vec::new();
        for row in self.queue.iter()? {
            let (_, _, event, ordinal) = row?.0.value();
            waiting.push(delivery_id(event, ordinal));
        }
        for row in self.endpoint_holds.iter()? {
            let (_, event, ordinal) = row?.0.value();
            waiting.push(delivery_id(event, ordinal));
        }
        let mut counted = Differences::default();
        for id in waiting {
            let after = rows::indexed_delivery(&self.deliveries, id)?.state.status();
            if let Some(row) = self.events.get(id.event.as_u128())? {
                let event = EventRow::parse(row.value())?;
                counted.changed((event.tenant(), event.data_len()), None, after);
            }
        }
        Ok(counted)
    }
}
