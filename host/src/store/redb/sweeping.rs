//! `sweep`: rows of events that are gone, where they lie in another order than that of time: what an endpoint got, ids of producers.
//!
//! They are swept when there are many, those of one leaf together. What is gone is said by the blocks: between two of them there is
//! no event, and each has the keys of its own. So nothing is looked up of what went as a whole, which is most.

use std::collections::HashSet;
use std::ops::{Bound, Range};

use redb::ReadableTable;

use super::blocks::Block;
use super::cost;
use super::failure::Failure;
use super::schema::Tables;
use super::writer::{Awaited, Batch, Change};
use crate::model::{EndpointId, EventKey};
use crate::store::SweepPlace;

/// The verb.
pub(super) struct Sweep {
    pub(super) place: SweepPlace,
    pub(super) below: EventKey,
    pub(super) limit: usize,
}

impl Change for Sweep {
    type Output = Option<SweepPlace>;

    fn awaits(&self) -> Awaited {
        Awaited::LastTurn
    }

    /// No row of a delivery that is not written yet is of an event that is gone.
    fn is_of_flow(&self) -> bool {
        true
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<Self::Output, Failure> {
        let (tables, below) = (&mut batch.tables, self.below.as_u128());
        let after = match self.place {
            SweepPlace::Log(endpoint, event) => {
                return tables.sweep_log((endpoint.as_u128(), event.as_u128()), below, self.limit).map(Some);
            }
            SweepPlace::Ids(after) => after,
        };
        let next = tables.sweep_ids(after, below, self.limit)?;
        if next.is_none() {
            // They are behind the keys that are still assigned.
            let assigned = batch.progress.last().as_u128();
            tables.reserved.retain_in(..=below.min(assigned), |_, ()| false)?;
        }
        Ok(next)
    }
}

/// A stretch of keys of which it is known which events are there. Asked by rising keys, it reads each block once.
#[derive(Default)]
struct Known {
    stretch: Range<u128>,
    /// By rising key.
    there: Vec<u128>,
}

impl Known {
    /// Whether the event with this key is there.
    fn has(&mut self, tables: &Tables<'_>, key: u128) -> Result<bool, Failure> {
        if !self.stretch.contains(&key) {
            *self = Self::around(tables, key)?;
        }
        Ok(self.there.binary_search(&key).is_ok())
    }

    /// The block that has this key, what is between two, or, behind all of them, the key alone.
    fn around(tables: &Tables<'_>, key: u128) -> Result<Self, Failure> {
        if key >= tables.noted.sealed_below {
            let there = tables.events.get(key)?.map(|_| key);
            return Ok(Self { stretch: key..key.saturating_add(1), there: there.into_iter().collect() });
        }
        let mut begin = 0;
        if let Some((first, row)) = tables.blocks.range(..=key)?.next_back().transpose()? {
            let block = Block::parse(row.value())?;
            if key < block.end {
                return Ok(Self { stretch: first.value()..block.end, there: block.keys() });
            }
            begin = block.end;
        }
        let next = tables.blocks.range(key..)?.next().transpose()?;
        let end = next.map_or(tables.noted.sealed_below, |(first, _)| first.value());
        Ok(Self { stretch: begin..end, there: Vec::new() })
    }
}

impl Tables<'_> {
    /// What endpoints got, from endpoint to endpoint, of each what lies below the key.
    fn sweep_log(
        &mut self,
        (mut endpoint, mut event): (u128, u128),
        below: u128,
        limit: usize,
    ) -> Result<SweepPlace, Failure> {
        let mut left = limit;
        while let Some(of) = self.next_in_log(endpoint, event)? {
            if of != endpoint {
                (endpoint, event) = (of, 0);
            }
            if left == 0 {
                return Ok(SweepPlace::Log(EndpointId::from_u128(of), EventKey::from_u128(event)));
            }
            match self.sweep_log_of(endpoint, event..below, &mut left)? {
                Some(next) => event = next,
                None => {
                    let Some(next) = endpoint.checked_add(1) else { break };
                    (endpoint, event) = (next, 0);
                }
            }
        }
        Ok(SweepPlace::Ids(None))
    }

    /// Whose the next row is.
    fn next_in_log(&self, endpoint: u128, event: u128) -> Result<Option<u128>, Failure> {
        let next = self.endpoint_log.range((endpoint, event, 0)..)?.next().transpose()?;
        Ok(next.map(|(row, _)| row.value().0))
    }

    /// What one endpoint got of these events, as long as looks are left, and of one in any case; where to go on, if there is more.
    fn sweep_log_of(
        &mut self,
        endpoint: u128,
        events: Range<u128>,
        left: &mut usize,
    ) -> Result<Option<u128>, Failure> {
        let (mut known, mut gone) = (Known::default(), Vec::new());
        let (mut at, mut looked, mut next) = (None, 0, None);
        for row in self.endpoint_log.range((endpoint, events.start, 0)..(endpoint, events.end, 0))? {
            let (_, key, ordinal) = row?.0.value();
            // What an endpoint got of one event is looked at together.
            if looked >= *left && at != Some(key) {
                next = Some(key);
                break;
            }
            (at, looked) = (Some(key), looked + 1);
            if !known.has(self, key)? {
                gone.push((key, ordinal));
            }
        }
        // That there is nothing is a look, too.
        *left = left.saturating_sub(looked.max(1));
        if let Some(((first, from), (last, to))) = gone.first().copied().zip(gone.last().copied()) {
            let mut gone = gone.into_iter().peekable();
            self.endpoint_log
                .retain_in((endpoint, first, from)..=(endpoint, last, to), |(_, key, ordinal), ()| {
                    gone.next_if_eq(&(key, ordinal)).is_none()
                })?;
        }
        Ok(next)
    }

    /// Ids and keys of producers.
    fn sweep_ids(
        &mut self,
        after: Option<(u8, String, String)>,
        below: u128,
        limit: usize,
    ) -> Result<Option<SweepPlace>, Failure> {
        let from = match &after {
            Some((kind, text, tenant)) => Bound::Excluded((*kind, text.as_str(), tenant.as_str())),
            None => Bound::Included((0, "", "")),
        };
        let oldest = self.events.first()?.map_or(below, |(key, _)| key.value());
        let (mut gone, mut looked, mut last) = (HashSet::new(), 0, None);
        for row in self.ids.range::<(u8, &str, &str)>((from, Bound::Unbounded))? {
            let (claim, row) = row?;
            let (event, _) = row.value();
            if event < below && (event < oldest || self.events.get(event)?.is_none()) {
                gone.insert(event);
            }
            looked += 1;
            if looked == limit {
                let (kind, text, tenant) = claim.value();
                last = Some((kind, text.to_owned(), tenant.to_owned()));
                break;
            }
        }
        if !gone.is_empty() {
            let until = match &last {
                Some((kind, text, tenant)) => Bound::Included((*kind, text.as_str(), tenant.as_str())),
                None => Bound::Unbounded,
            };
            let mut bytes = 0;
            self.ids.retain_in::<(u8, &str, &str), _>((from, until), |(_, text, tenant), (event, _)| {
                let stays = !gone.contains(&event);
                bytes += if stays { 0 } else { cost::id(text, tenant) };
                stays
            })?;
            self.noted.row_bytes -= bytes;
        }
        Ok(last.map(|last| SweepPlace::Ids(Some(last))))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use redb::ReadableDatabase as _;

    use super::super::schema::{DELIVERIES, ENDPOINT_LOG, RESERVED};
    use super::super::{Options, RedbStore};
    use super::*;
    use crate::clock::Clock;
    use crate::store::conformance::fixtures::{
        T0, accept, at, delivered, endpoint_id, event_with_id, new_event, nth, pending,
    };
    use crate::store::{FanOut, NewEvent, Retention as _, Retire, Store as _};

    const END: EventKey = EventKey::from_u128(u128::MAX);
    /// More than two blocks have.
    const EVENTS: u64 = 1_200;

    fn store() -> RedbStore {
        RedbStore::in_memory(Clock::starting_at(T0), &Options { cache_mib: 16, linger_ms: 0 })
    }

    /// Events with a delivery to one endpoint and two to another; those of every hundredth event wait.
    async fn fill(store: &RedbStore) -> Vec<EventKey> {
        let new = (0..EVENTS).map(|n| NewEvent { received_at: at(n), ..new_event() }).collect();
        let keys: Vec<_> = store.accept(new).await.unwrap().iter().map(|one| one.event.key).collect();
        let mut writes = Vec::new();
        for &event in &keys {
            let deliveries = [1, 2, 2].map(|n| pending(endpoint_id(n))).into();
            writes.push(store.fan_out(FanOut { event, at: T0, deliveries, durable: false }));
        }
        for write in writes {
            write.await.unwrap();
        }
        let over = keys.iter().enumerate().filter(|(n, _)| n % 100 != 50);
        let ends: Vec<_> = over
            .flat_map(|(_, key)| (0..3).map(|n| store.finish_attempt(delivered(nth(*key, n), 1))))
            .collect();
        for end in ends {
            end.await.unwrap();
        }
        keys
    }

    async fn retire(store: &RedbStore, before: EventKey) {
        let mut from = Some(EventKey::from_u128(0));
        while let Some(place) = from {
            let part = Retire { from: place, before, cut: true, overhead: None };
            from = store.retire(part).await.unwrap().next;
        }
    }

    async fn sweep(store: &RedbStore, below: EventKey, limit: usize) {
        let mut place = Some(SweepPlace::default());
        while let Some(at) = place {
            place = store.sweep(at, below, limit).await.unwrap();
        }
    }

    /// The deliveries that there are, and those that endpoints got.
    fn deliveries(store: &RedbStore) -> [BTreeSet<(u128, u16)>; 2] {
        let read = store.shared.with(|database| {
            let transaction = database.begin_read()?;
            let (there, got) = (transaction.open_table(DELIVERIES)?, transaction.open_table(ENDPOINT_LOG)?);
            let (mut all, mut log) = (BTreeSet::new(), BTreeSet::new());
            for row in there.iter()? {
                all.insert(row?.0.value());
            }
            for row in got.iter()? {
                let (_, event, ordinal) = row?.0.value();
                log.insert((event, ordinal));
            }
            Ok([all, log])
        });
        read.unwrap()
    }

    #[tokio::test]
    async fn all_of_what_is_gone_is_swept_and_nothing_else_in_steps_of_any_size() {
        for limit in [5, 100_000] {
            let store = store();
            let keys = fill(&store).await;
            retire(&store, keys[1_000]).await;
            let [there, got] = deliveries(&store);
            assert_eq!(got.len() - there.len(), 990 * 3, "what is gone is left behind");
            sweep(&store, keys[500], limit).await;
            let [_, got] = deliveries(&store);
            assert_eq!(got.len() - there.len(), 495 * 3, "above the key nothing is looked at");
            sweep(&store, END, limit).await;
            let [there, got] = deliveries(&store);
            assert_eq!((there.len(), there == got), (210 * 3, true), "{limit}");
            retire(&store, END).await;
            sweep(&store, END, 1).await;
            let [there, got] = deliveries(&store);
            assert_eq!((there.len(), there == got), (12 * 3, true), "what waits, in blocks and behind them");
        }
    }

    #[tokio::test]
    async fn a_key_that_a_producer_chose_ahead_of_us_stays_reserved_until_we_have_passed_it() {
        let store = store();
        let [past, ahead] = [10, 1_000].map(|seconds| EventKey::new(at(seconds), 7));
        for chosen in [past, ahead] {
            accept(&store, event_with_id(&chosen.to_string())).await;
        }
        accept(&store, NewEvent { received_at: at(20), ..new_event() }).await;
        sweep(&store, END, 100).await;
        let reserved = store.shared.with(|database| {
            let table = database.begin_read()?.open_table(RESERVED)?;
            let mut keys = Vec::new();
            for row in table.iter()? {
                keys.push(row?.0.value());
            }
            Ok(keys)
        });
        assert_eq!(reserved.unwrap(), [ahead.as_u128()]);
    }
}
