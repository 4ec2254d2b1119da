//! Rows of `backlog`: written by the writer, and read with the journal at a start.

use std::sync::Arc;

use redb::ReadableTable as _;

use super::{Backlogs, Differences, Sum, Tenant};
use crate::fast_map::FastSet;
use crate::store::redb::changes;
use crate::store::redb::codec::EventRow;
use crate::store::redb::failure::Failure;
use crate::store::redb::rows;
use crate::store::redb::schema::{META_COUNTED_BELOW, Tables, delivery_id};

/// Bytes of events that a start reads to count what came after the rows were written.
const MAX_PAYLOADS: usize = 8 << 20;

/// The writer's side: which rows are behind.
#[derive(Debug)]
pub(in crate::store::redb) struct Counting {
    backlogs: Arc<Backlogs>,
    behind: FastSet<Box<str>>,
    /// What a start would read to catch up.
    payloads: usize,
}

impl Counting {
    /// Adds what is stored and what the journal has since, up to the change `next`, to the counts. What is stored is of no use
    /// if the journal begins later: then all that waits is counted.
    pub(in crate::store::redb) fn load(
        tables: &mut Tables<'_>,
        backlogs: Arc<Backlogs>,
        next: u64,
    ) -> Result<Self, Failure> {
        let mut counting = Self { backlogs, behind: FastSet::default(), payloads: 0 };
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
    pub(in crate::store::redb) fn finish(&mut self, differences: Differences) {
        self.backlogs.add(&differences);
        self.payloads += differences.payloads;
        self.behind.extend(differences.tenants.into_keys());
    }

    /// Whether a start would read much.
    pub(in crate::store::redb) const fn is_behind(&self) -> bool {
        self.payloads >= MAX_PAYLOADS
    }

    /// Stores the counts as they are below this change.
    pub(in crate::store::redb) fn store(
        &mut self,
        tables: &mut Tables<'_>,
        below: u64,
    ) -> Result<(), Failure> {
        for tenant in std::mem::take(&mut self.behind) {
            match self.backlogs.deliveries(&tenant) {
                Sum { count: 0, bytes: 0 } => drop(tables.backlog.remove(&*tenant)?),
                Sum { count, bytes } => drop(tables.backlog.insert(&*tenant, (count, bytes))?),
            }
        }
        tables.meta.insert(META_COUNTED_BELOW, u128::from(below))?;
        self.payloads = 0;
        Ok(())
    }
}

impl Tables<'_> {
    /// A tenant of which `backlog` and the journal say something else than was counted. Nothing is said where all is
    /// counted anew when the store is opened.
    pub(in crate::store::redb) fn misjudged_backlog(
        &self,
        counted: &Differences,
    ) -> Result<Option<String>, Failure> {
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
    pub(in crate::store::redb) fn forget_backlog(&mut self) -> Result<(), Failure> {
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
