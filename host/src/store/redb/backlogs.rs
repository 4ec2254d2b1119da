//! The undelivered work of each tenant, counted: exact at any time and after a crash, without reading what waits.
//!
//! - Counts are in memory. Each verb notes what it changes, and the end of its transaction adds that up.
//! - Rows of `backlog` are written when changes are folded into statistics, and once their events have many bytes: one for each
//!   tenant that changed since. `meta` says below which change they count; what came after is in the journal, and is added at a
//!   start, which reads its events.
//! - Deliveries that end are counted here, too: whatever ends one changes what waits.
//! - Events that are not dispatched are in memory anyway, and are counted with them.

mod counting;

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

pub(super) use self::counting::Counting;
use crate::fast_map::FastMap;
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
    tenants: FastMap<Box<str>, Tenant>,
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
    tenants: FastMap<Box<str>, Tenant>,
    /// Deliveries that end, by [`ENDS`].
    ended: [u64; ENDS.len()],
    /// Of the events whose deliveries change, one for each change.
    payloads: usize,
}

/// An event that waits for dispatch, as it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        self.payloads += bytes;
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
        self.payloads += plan.payloads;
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
