//! How far dispatch is: which events are accepted but not fanned out yet.
//!
//! Kept in memory, because a row per event would be one insert and one delete more on the hot path. What is stored is
//! a low watermark: every event below it is dispatched. After a restart the events above it are looked at once, or what was
//! written down of them ([`super::rosters`]); one that matched nothing may look undispatched then and is matched again, which is
//! harmless.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::WriteTransaction;

use super::backlogs::{Backlogs, Weight};
use super::failure::Failure;
use super::rosters::{self, Found, Rosters, next};
use super::schema::{META_DISPATCHED_BELOW, Tables};
use crate::model::{EventKey, UnixMs};

/// The events that wait for dispatch; shared by the writer and all readers.
#[derive(Debug)]
pub(super) struct Undispatched(Mutex<Waiting>);

#[derive(Debug)]
struct Waiting {
    events: BTreeMap<EventKey, Weight>,
    /// The key of the last event that was accepted.
    last: EventKey,
}

/// The writer's view: what it assigned last and what the open transaction dispatches.
#[derive(Debug)]
pub(super) struct Progress {
    last: EventKey,
    undispatched: Arc<Undispatched>,
    backlogs: Arc<Backlogs>,
    /// Dispatched by the transaction that is open; leaves the set when it is committed.
    dispatching: BTreeSet<EventKey>,
    stored: Option<EventKey>,
    rosters: Rosters,
}

impl Undispatched {
    /// Whether the event waits for dispatch.
    pub(super) fn contains(&self, key: EventKey) -> bool {
        self.lock().events.contains_key(&key)
    }

    /// Those after `after`, by rising key, at most `limit`.
    pub(super) fn after(&self, after: Option<EventKey>, limit: usize) -> Vec<EventKey> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.lock().events.range((from, Bound::Unbounded)).take(limit).map(|(key, _)| *key).collect()
    }

    /// How many wait, and when the oldest was accepted.
    pub(super) fn waiting(&self) -> (usize, Option<UnixMs>) {
        let waiting = self.lock();
        (waiting.events.len(), waiting.events.first_key_value().map(|(key, _)| key.time()))
    }

    /// All events below this key are dispatched, and those that will be accepted are not below it.
    pub(super) fn dispatched_below(&self) -> EventKey {
        let waiting = self.lock();
        waiting.events.first_key_value().map_or(next(waiting.last), |(key, _)| *key)
    }

    /// The set is one insert or remove away from consistent at any time, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// Finds out where the last run stopped.
    pub(super) fn load(transaction: &WriteTransaction) -> Result<Self, Failure> {
        let mut tables = Tables::open(transaction)?;
        let stored = tables.meta(META_DISPATCHED_BELOW)?.map(EventKey::from_u128);
        let found = rosters::find(&mut tables, stored.unwrap_or(EventKey::from_u128(0)))?;
        let Found { waiting: events, last, rosters } = found;
        let backlogs = Arc::new(Backlogs::default());
        backlogs.begin(events.values());
        let undispatched = Arc::new(Undispatched(Mutex::new(Waiting { events, last })));
        Ok(Self { last, undispatched, backlogs, dispatching: BTreeSet::new(), stored, rosters })
    }

    /// The set that readers share.
    pub(super) fn undispatched(&self) -> &Arc<Undispatched> {
        &self.undispatched
    }

    /// The undelivered work of each tenant.
    pub(super) const fn backlogs(&self) -> &Arc<Backlogs> {
        &self.backlogs
    }

    /// The key that was assigned last.
    pub(super) const fn last(&self) -> EventKey {
        self.last
    }

    /// Takes note of events that the open transaction accepts. They are in the set before they can be read, so that
    /// no reader ever takes one for dispatched that is not.
    pub(super) fn accepted(&mut self, events: impl Iterator<Item = (EventKey, Weight)>) {
        let mut waiting = self.undispatched.lock();
        for (key, weight) in events {
            self.last = self.last.max(key);
            self.rosters.came(weight.bytes);
            waiting.events.insert(key, weight);
        }
        waiting.last = self.last;
    }

    /// Whether an event waits for dispatch, also after what the open transaction has done so far.
    pub(super) fn is_undispatched(&self, key: EventKey) -> bool {
        self.undispatched.contains(key) && !self.dispatching.contains(&key)
    }

    /// Whether an event must not be removed: it waits, or it is to be found when the store is opened that it does not.
    pub(super) fn is_needed(&self, key: EventKey) -> bool {
        let is_below = self.stored.is_some_and(|below| key < below);
        self.is_undispatched(key) || !is_below && self.rosters.cover(key)
    }

    /// Takes note that the open transaction dispatches an event; `None` if it is dispatched already.
    pub(super) fn dispatch(&mut self, key: EventKey) -> Option<Weight> {
        let weight = self.undispatched.lock().events.get(&key).cloned()?;
        self.dispatching.insert(key).then_some(weight)
    }

    /// Stores the watermark with the open transaction, if it rose, and what waits above it, if that is much.
    pub(super) fn store(&mut self, tables: &mut Tables<'_>) -> redb::Result<EventKey> {
        let Self { last, undispatched, dispatching, .. } = self;
        let waits = |key: &EventKey| !dispatching.contains(key);
        let lowest = undispatched.lock().events.keys().copied().find(waits);
        let below = lowest.unwrap_or(next(*last));
        if self.stored != Some(below) {
            tables.meta.insert(META_DISPATCHED_BELOW, below.as_u128())?;
            self.stored = Some(below);
        }
        self.rosters.store(tables, (below, *last), |from| {
            let waiting = undispatched.lock();
            let waiting = waiting.events.range(from..).filter(|(key, _)| waits(key));
            waiting.map(|(key, weight)| (*key, weight.clone())).collect()
        })?;
        Ok(below)
    }

    /// The transaction is committed: what it dispatched waits no longer.
    pub(super) fn committed(&mut self) {
        let mut waiting = self.undispatched.lock();
        for key in std::mem::take(&mut self.dispatching) {
            waiting.events.remove(&key);
        }
    }
}

/// A key for an event of this time: after every key before it, whatever the clock says.
pub(super) fn next_key(last: EventKey, at: UnixMs, random: u128) -> EventKey {
    EventKey::new(at, random).max(next(last))
}
