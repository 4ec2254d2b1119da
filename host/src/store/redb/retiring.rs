//! `retire`: events that are over, out.
//!
//! - Rows that lie in the order of time (events, deliveries, attempts, custom requests) go away as a range, a block at a time: whole
//!   leaves of the tree, which is cheaper than what wrote them one by one. The block says what of it is not over.
//! - Rows that lie in another order (what an endpoint got, ids of producers) stay behind until they are swept
//!   ([`super::sweeping`]). Whoever meets one finds no event, and takes it for gone.
//! - What is not folded of the events that go is folded in the same transaction, as undelivered work is counted of changes
//!   and their events ([`super::upkeep`]).

use std::collections::HashSet;

use redb::ReadableTable;

use super::blocks::{BLOCK_ENTRIES, Block};
use super::codec;
use super::cost;
use super::failure::Failure;
use super::recovering;
use super::schema::{META_OVERHEAD, META_ROW_BYTES, Tables, deliveries_of};
use super::writer::{Awaited, Batch, Change};
use crate::model::EventKey;
use crate::store::{Retire, Retired};

/// A leftover block has so few entries that it is put together with the one before it.
const SMALL: usize = BLOCK_ENTRIES / 2;

impl Change for Retire {
    type Output = Retired;

    fn awaits(&self) -> Awaited {
        Awaited::LastTurn
    }

    /// No event of the open transaction is in a block.
    fn is_of_flow(&self) -> bool {
        true
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<Retired, Failure> {
        if let Some(overhead) = self.overhead {
            batch.tables.meta.insert(META_OVERHEAD, u128::from(overhead))?;
        }
        let before = self.before.as_u128();
        let Some(part) = next_block(&batch.tables, self.from.as_u128())? else { return newest(self, batch) };
        let next = (part.end < before).then_some(EventKey::from_u128(part.end));
        if part.first >= before || (part.end > before && !self.cut) {
            return Ok(Retired::default());
        }
        let tables = &mut batch.tables;
        let keep = tables.kept(&part, before)?;
        if keep.len() == part.events {
            return Ok(Retired { kept: keep.len() as u64, next, ..Retired::default() });
        }
        let retired = tables.remove(part.first, part.end, &keep)?;
        tables.shrink_block(&part)?;
        Ok(Retired { kept: keep.len() as u64, next, ..retired })
    }
}

/// What lies in no block yet: little, but all there is where few events come.
fn newest(retire: Retire, batch: &mut Batch<'_>) -> Result<Retired, Failure> {
    let (from, before) = (retire.from.as_u128(), retire.before.as_u128());
    let tables = &mut batch.tables;
    tables.write_deliveries()?;
    let mut keep = tables.ahead_of_recoveries(from, before)?;
    let (mut looked, mut end) = (0, before);
    for row in tables.events.range(from..before)? {
        let key = row?.0.value();
        if looked >= BLOCK_ENTRIES {
            end = key;
            break;
        }
        looked += 1;
        let event = EventKey::from_u128(key);
        let mut stays = batch.progress.is_needed(event);
        for delivery in tables.deliveries.range(deliveries_of(event))? {
            stays |= !codec::decode_delivery(delivery?.1.value())?.state.is_final();
            looked += 1;
        }
        if stays {
            keep.insert(key);
        }
    }
    let next = (end < before).then_some(EventKey::from_u128(end));
    if looked == 0 {
        return Ok(Retired::default());
    }
    let retired = tables.remove(from, end, &keep)?;
    Ok(Retired { kept: keep.len() as u64, next, ..retired })
}

/// A block, as far as it is looked at.
struct Part {
    first: u128,
    end: u128,
    events: usize,
    /// Those that are not over.
    unfinished: Vec<u128>,
    keys: Vec<u128>,
}

/// The block that this key lies in, or the next one.
fn next_block(tables: &Tables<'_>, from: u128) -> Result<Option<Part>, Failure> {
    let before = tables.blocks.range(..=from)?.next_back().transpose()?;
    let has_it = match &before {
        Some((_, row)) => Block::parse(row.value())?.end > from,
        None => false,
    };
    let found = if has_it { before } else { tables.blocks.range(from..)?.next().transpose()? };
    let Some((first, row)) = found else { return Ok(None) };
    let (first, block) = (first.value(), Block::parse(row.value())?);
    let states = tables.block_states.get(first)?;
    let unfinished = block.unfinished(states.as_ref().map_or(&[], |row| row.value()));
    let keys = block.keys();
    Ok(Some(Part { first, end: block.end, events: keys.len(), unfinished, keys }))
}

impl Tables<'_> {
    /// The events of a block that stay: the open transaction may have changed some since its states were written.
    fn kept(&self, part: &Part, before: u128) -> Result<HashSet<u128>, Failure> {
        let mut keep: HashSet<u128> = part.unfinished.iter().copied().collect();
        keep.extend(part.keys.iter().copied().filter(|key| *key >= before));
        let restated = self.noted.restated.range((part.first, 0)..(part.end, 0));
        keep.extend(restated.filter(|(_, status)| !status.is_final()).map(|((event, _), _)| *event));
        keep.extend(self.noted.regrown.range(part.first..part.end));
        let ahead = self.ahead_of_recoveries(part.first, part.end)?;
        keep.extend(part.keys.iter().copied().filter(|key| ahead.contains(key)));
        Ok(keep)
    }

    /// The events of this range that a recovery which runs has not looked at yet.
    fn ahead_of_recoveries(&self, first: u128, end: u128) -> Result<HashSet<u128>, Failure> {
        let mut ahead = HashSet::new();
        for recovery in recovering::running(self)? {
            let from = recovery.place.event.as_u128().max(first);
            let until = EventKey::first_at(recovery.until).as_u128().min(end);
            if from < until {
                for row in self.events.range(from..until)? {
                    ahead.insert(row?.0.value());
                }
            }
        }
        Ok(ahead)
    }

    /// Removes the events of this range, but these, with the rows that lie in the same order.
    fn remove(&mut self, first: u128, end: u128, keep: &HashSet<u128>) -> Result<Retired, Failure> {
        let mut retired = Retired::default();
        let (mut last, mut bytes) = (None, 0);
        self.events.retain_in(first..end, |key, row| {
            let stays = keep.contains(&key);
            if !stays {
                retired.events += 1;
                bytes += cost::event(row.len());
                last = Some(key);
            }
            stays
        })?;
        self.deliveries.retain_in((first, 0)..(end, 0), |(key, _), row| {
            let stays = keep.contains(&key);
            if !stays {
                retired.deliveries += 1;
                bytes += cost::delivery(row.len());
            }
            stays
        })?;
        self.attempts.retain_in((first, 0, 0)..(end, 0, 0), |(key, ..), row| {
            let stays = keep.contains(&key);
            bytes += if stays { 0 } else { cost::attempt(row.len()) };
            stays
        })?;
        self.custom.retain_in((first, 0)..(end, 0), |(key, _), row| {
            let stays = keep.contains(&key);
            bytes += if stays { 0 } else { cost::custom(row.len()) };
            stays
        })?;
        self.noted.restated.retain(|(key, _), _| !(first..end).contains(key) || keep.contains(key));
        self.noted.retired = self.noted.retired.max(last);
        self.noted.row_bytes -= bytes;
        retired.bytes = u64::try_from(bytes).unwrap_or(0);
        Ok(retired)
    }

    /// Makes a block anew of what is left of it, together with the one before if both are small.
    fn shrink_block(&mut self, part: &Part) -> Result<(), Failure> {
        self.blocks.remove(part.first)?;
        self.block_states.remove(part.first)?;
        let (builder, _) = self.gather(part.first, part.end, usize::MAX)?;
        if builder.entries() == 0 {
            return Ok(());
        }
        match self.small_block_before(part.first, SMALL.saturating_sub(builder.entries()))? {
            Some(first) => {
                let (builder, _) = self.gather(first, part.end, usize::MAX)?;
                self.put_block(first, builder, part.end)
            }
            None => self.put_block(part.first, builder, part.end),
        }
    }

    /// The block before this key, if it has no more entries than that.
    fn small_block_before(&self, key: u128, entries: usize) -> Result<Option<u128>, Failure> {
        let Some((first, row)) = self.blocks.range(..key)?.next_back().transpose()? else { return Ok(None) };
        Ok((Block::parse(row.value())?.entries() <= entries).then(|| first.value()))
    }

    /// Adds what the transaction has more of rows to what is stored.
    pub(super) fn count_row_bytes(&mut self) -> Result<(), Failure> {
        let more = std::mem::take(&mut self.noted.row_bytes);
        let Some(before) = self.meta(META_ROW_BYTES)?.filter(|_| more != 0) else { return Ok(()) };
        let after = before.saturating_add_signed(i128::from(more));
        self.meta.insert(META_ROW_BYTES, after)?;
        Ok(())
    }

    /// Counts all rows, where nobody did yet: in a new file, and in one of a Hookway that did not count.
    pub(super) fn begin_row_bytes(&mut self) -> Result<(), Failure> {
        if self.meta(META_ROW_BYTES)?.is_some() { Ok(()) } else { self.measure_anew() }
    }

    /// Counts all rows and stores what they take.
    pub(super) fn measure_anew(&mut self) -> Result<(), Failure> {
        let bytes = self.all_row_bytes()?;
        self.noted.row_bytes = 0;
        self.meta.insert(META_ROW_BYTES, u128::try_from(bytes).unwrap_or(0))?;
        Ok(())
    }

    /// What all rows take.
    pub(super) fn all_row_bytes(&self) -> Result<i64, Failure> {
        let mut bytes = 0;
        for row in self.events.iter()? {
            bytes += cost::event(row?.1.value().len());
        }
        for row in self.deliveries.iter()? {
            bytes += cost::delivery(row?.1.value().len());
        }
        for row in self.attempts.iter()? {
            bytes += cost::attempt(row?.1.value().len());
        }
        for row in self.custom.iter()? {
            bytes += cost::custom(row?.1.value().len());
        }
        for row in self.ids.iter()? {
            let claim = row?.0;
            let (_, text, tenant) = claim.value();
            bytes += cost::id(text, tenant);
        }
        Ok(bytes)
    }
}
