//! What is done with every commit, after its commands: the journal is written, states that changed go into their blocks, and
//! once there is enough, a block is sealed and statistics are folded. All of it in the transaction of what it is about, so
//! that no crash can come between.
//!
//! Sealed are events below the mark of dispatch only: all their deliveries exist. What comes later all the same (an old event
//! that gets a delivery more) has its block made anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use redb::{ReadableTable, WriteTransaction};
use tokio::sync::watch;

use super::backlogs::{Counting, Differences};
use super::blocks::{BLOCK_ENTRIES, Block, Builder};
use super::changes::{self, Journal};
use super::codec::{self, Corrupt, EventRow};
use super::failure::Failure;
use super::progress::Progress;
use super::schema::{DeliveryKey, META_FOLDED_BELOW, Tables};
use super::unsealed::Unsealed;
use super::unwritten::Unwritten;
use crate::model::{DeliveryStatus, EndpointId, EventKey};

/// Changes that are folded at once: rows of statistics are rewritten as seldom as that, and never more is read to answer for
/// what is not folded.
const FOLD_AT: u64 = 8_192;
/// Blocks of one commit: more than one has entries for under the highest load, so that sealing keeps up, and few enough that no
/// commit takes long.
const MAX_SEALED: usize = 8;

/// What the open transaction leaves to be done at its end.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) journal: Journal,
    /// What it changes of the undelivered work.
    pub(super) backlog: Differences,
    /// New deliveries that are not written yet.
    pub(super) unwritten: BTreeMap<DeliveryKey, Unwritten>,
    /// Bytes of the attempts of these.
    pub(super) attempt_bytes: usize,
    /// Every event from this key on is in no block.
    pub(super) sealed_below: u128,
    /// Deliveries that are new, and events that are dispatched.
    pub(super) entries: usize,
    /// The last event that is dispatched.
    pub(super) dispatched: Option<EventKey>,
    /// States that changed of deliveries that are in blocks.
    pub(super) restated: BTreeMap<DeliveryKey, DeliveryStatus>,
    /// Events in blocks that got deliveries.
    pub(super) regrown: BTreeSet<u128>,
    /// How many bytes more the rows of events and what belongs to them have.
    pub(super) row_bytes: i64,
    /// The last event that is removed.
    pub(super) retired: Option<u128>,
}

/// How far journal, blocks and statistics are.
#[derive(Debug)]
pub(super) struct Upkeep {
    next_change: u64,
    folded_below: u64,
    counting: Counting,
    /// The first event that has changes which are not folded: to count what is undelivered they are read with their event, so it
    /// stays until they are.
    unfolded_from: Option<u128>,
    unsealed: Unsealed,
    /// Tells the number of the last change that is committed.
    latest: Arc<watch::Sender<u64>>,
}

impl Noted {
    /// An event is dispatched.
    pub(super) fn dispatched(&mut self, event: EventKey) {
        self.entries += 1;
        self.dispatched = self.dispatched.max(Some(event));
    }
}

impl Upkeep {
    /// Finds out where the last run stopped.
    pub(super) fn load(transaction: &WriteTransaction, progress: &Progress) -> Result<Self, Failure> {
        let mut tables = Tables::open(transaction)?;
        let next_change = changes::next_number(&tables.changes)?;
        let folded_below = tables.meta(META_FOLDED_BELOW)?.and_then(|below| u64::try_from(below).ok());
        let counting = Counting::load(&mut tables, Arc::clone(progress.backlogs()), next_change)?;
        tables.begin_row_bytes()?;
        let (latest, _) = watch::channel(next_change - 1);
        Ok(Self {
            next_change,
            folded_below: folded_below.unwrap_or(1),
            counting,
            // Whichever they are about: with the first removal they are folded.
            unfolded_from: Some(0),
            // To count here would read payloads: the first commits find out.
            unsealed: Unsealed::unknown(progress.last()),
            latest: Arc::new(latest),
        })
    }

    /// Tells the number of the last change that is committed.
    pub(super) fn latest(&self) -> Arc<watch::Sender<u64>> {
        Arc::clone(&self.latest)
    }

    /// Counts undelivered work as it is with what the open transaction has so far: whoever is answered sees his own.
    pub(super) fn count(&mut self, tables: &mut Tables<'_>) {
        self.counting.finish(std::mem::take(&mut tables.noted.backlog));
    }

    /// Does what the commands of the open transaction left to be done.
    pub(super) fn finish(
        &mut self,
        tables: &mut Tables<'_>,
        dispatched_below: EventKey,
    ) -> Result<(), Failure> {
        self.settle(tables)?;
        for _ in 0..MAX_SEALED {
            if !self.unsealed.may_fill_a_block(dispatched_below) {
                break;
            }
            self.unsealed.found(tables.seal(dispatched_below)?, dispatched_below);
        }
        Ok(())
    }

    /// The same, but for sealing: that can wait, and reads payloads.
    pub(super) fn settle(&mut self, tables: &mut Tables<'_>) -> Result<(), Failure> {
        let changed = tables.noted.journal.first_event();
        self.unfolded_from = self.unfolded_from.into_iter().chain(changed).min();
        self.next_change = tables.store_changes(self.next_change)?;
        self.count(tables);
        tables.count_row_bytes()?;
        tables.restate()?;
        tables.regrow()?;
        self.unsealed.add(tables.noted.entries, tables.noted.dispatched);
        let is_retired = tables.noted.retired >= self.unfolded_from && self.unfolded_from.is_some();
        if is_retired || self.next_change - self.folded_below >= FOLD_AT {
            tables.fold(self.folded_below)?;
            self.folded_below = self.next_change;
            self.counting.store(tables, self.next_change)?;
            tables.meta.insert(META_FOLDED_BELOW, u128::from(self.folded_below))?;
            tables.trim_changes(self.next_change, self.folded_below)?;
            self.unfolded_from = None;
        } else if self.counting.is_behind() {
            self.counting.store(tables, self.next_change)?;
        }
        Ok(())
    }

    /// The transaction is committed.
    pub(super) fn committed(&self) {
        let latest = self.next_change - 1;
        self.latest.send_if_modified(|told| std::mem::replace(told, latest) != latest);
    }
}

impl Tables<'_> {
    /// Seals all blocks that there is enough for below `dispatched_below`.
    pub(super) fn seal_all(&mut self, dispatched_below: EventKey) -> Result<(), Failure> {
        while self.seal(dispatched_below)? >= BLOCK_ENTRIES {}
        Ok(())
    }

    /// Seals the next block, if there is enough for one below `dispatched_below`; returns how much there is.
    fn seal(&mut self, dispatched_below: EventKey) -> Result<usize, Failure> {
        let from = self.noted.sealed_below;
        let (builder, end) = self.gather(from, dispatched_below.as_u128(), BLOCK_ENTRIES)?;
        let entries = builder.entries();
        if entries >= BLOCK_ENTRIES {
            self.put_block(from, builder, end)?;
            self.noted.sealed_below = end;
        }
        Ok(entries)
    }

    /// What blocks say of the events from `from` on and before `before`, until there are so many entries; and where that
    /// ends.
    pub(super) fn gather(
        &self,
        from: u128,
        before: u128,
        entries: usize,
    ) -> Result<(Builder, u128), Failure> {
        let mut builder = Builder::default();
        if from >= before {
            return Ok((builder, before));
        }
        let mut deliveries = self.deliveries.range((from, 0)..(before, 0))?.peekable();
        for event in self.events.range(from..before)? {
            let (key, event) = event?;
            // What cannot be read is in its block as what nobody asks for, and is over: it must not keep the rest out of one.
            let (key, event) = (key.value(), EventRow::parse(event.value()));
            if builder.entries() >= entries {
                return Ok((builder, key));
            }
            let (tenant, topic) = event.map_or(("", ""), |event| (event.tenant(), event.topic()));
            builder.event(key, tenant, topic);
            while let Some(delivery) = deliveries
                .next_if(|row| row.as_ref().map_or(true, |(id, _)| id.value().0 <= key))
                .transpose()?
            {
                let (endpoint, status) = codec::decode_delivery(delivery.1.value())
                    .map_or((EndpointId::from_u128(0), DeliveryStatus::Failed), |row| {
                        (row.endpoint, row.state.status())
                    });
                builder.delivery(endpoint, status);
            }
        }
        Ok((builder, before))
    }

    /// The block of the events from `first` on and before `end`, as it would be made now: its two rows.
    pub(super) fn block(&self, first: u128, end: u128) -> Result<(Vec<u8>, Vec<u8>), Failure> {
        let (builder, _) = self.gather(first, end, usize::MAX)?;
        Ok(builder.finish(end))
    }

    pub(super) fn put_block(&mut self, first: u128, builder: Builder, end: u128) -> Result<(), Failure> {
        let (columns, states) = builder.finish(end);
        self.blocks.insert(first, columns.as_slice())?;
        self.block_states.insert(first, states.as_slice())?;
        Ok(())
    }

    /// Puts states that changed into the blocks of their deliveries, each block once.
    fn restate(&mut self) -> Result<(), Failure> {
        let mut changed = std::mem::take(&mut self.noted.restated).into_iter().peekable();
        while let Some((key, _)) = changed.peek().copied() {
            let Some((first, block)) = self.blocks.range(..=key.0)?.next_back().transpose()? else {
                changed.next();
                continue;
            };
            let (first, block) = (first.value(), Block::parse(block.value())?);
            if key.0 >= block.end {
                // Its event was removed, and its block with it.
                changed.next();
                continue;
            }
            let stored = self.block_states.get(first)?.map(|row| row.value().to_vec());
            let mut states = stored.unwrap_or_default();
            while let Some((key, status)) = changed.next_if(|(key, _)| key.0 < block.end) {
                if let Some(state) = block.position(key).and_then(|at| states.get_mut(at)) {
                    *state = status.code();
                }
            }
            self.block_states.insert(first, states.as_slice())?;
        }
        Ok(())
    }

    /// Makes blocks anew whose events got deliveries.
    fn regrow(&mut self) -> Result<(), Failure> {
        let mut regrown = std::mem::take(&mut self.noted.regrown);
        while let Some(event) = regrown.pop_first() {
            let found = self.blocks.range(..=event)?.next_back().transpose()?;
            let found =
                found.map(|(first, row)| Ok::<_, Corrupt>((first.value(), Block::parse(row.value())?.end)));
            let Some((first, end)) = found.transpose()? else { continue };
            let (builder, _) = self.gather(first, end, usize::MAX)?;
            self.put_block(first, builder, end)?;
            regrown = regrown.split_off(&end);
        }
        Ok(())
    }
}

/// The first event key that is in no block.
pub(super) fn sealed_below(blocks: &impl ReadableTable<u128, &'static [u8]>) -> Result<u128, Failure> {
    let Some((_, block)) = blocks.last()? else { return Ok(0) };
    Ok(Block::parse(block.value())?.end)
}
