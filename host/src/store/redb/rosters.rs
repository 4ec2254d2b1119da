//! Which events wait for dispatch, written down while there is much of them, so that opening the store reads few payloads.
//!
//! - As long as dispatch keeps up nothing is written. Then the events from its mark on are read when the store is opened, and
//!   those are few.
//! - Once many or large ones came before the mark moved past the first of them, a row says of a range of keys which of them wait. It
//!   stays as it is: what was dispatched since is known by its deliveries. It goes when the mark is past its end.
//! - Where no row can be read, the events are.

use std::collections::{BTreeMap, VecDeque};
use std::ops::{Bound, RangeBounds};

use redb::ReadableTable as _;

use super::backlogs::Weight;
use super::codec::EventRow;
use super::codec::roster::Roster;
use super::failure::Failure;
use super::schema::Tables;
use crate::model::EventKey;

/// Events that are read when the store is opened, about: so many come between two rows, and a row has at most so many.
const MAX_EVENTS: usize = 4_096;
/// The same in bytes of payload.
const MAX_BYTES: usize = 8 << 20;

/// What is written down.
#[derive(Debug)]
pub(super) struct Rosters {
    /// First key and end of each row, in their order.
    ranges: VecDeque<(EventKey, EventKey)>,
    recent: Recent,
}

/// What came since it was last looked at whether dispatch keeps up.
#[derive(Debug)]
struct Recent {
    /// The last event that was there then.
    since: EventKey,
    events: usize,
    bytes: usize,
}

/// What a start finds.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) waiting: BTreeMap<EventKey, Weight>,
    /// The last event that there is, or was.
    pub(super) last: EventKey,
    pub(super) rosters: Rosters,
}

impl Rosters {
    /// An event of this size came.
    pub(super) const fn came(&mut self, bytes: usize) {
        self.recent.events += 1;
        self.recent.bytes += bytes;
    }

    /// Whether an event lies where a row says which wait: it must not be gone when that is read.
    pub(super) fn cover(&self, event: EventKey) -> bool {
        let (first, last) = (self.ranges.front(), self.ranges.back());
        first.is_some_and(|(first, _)| *first <= event) && last.is_some_and(|(_, end)| event < *end)
    }

    /// Writes down what waits, if that is much; `after` says what does from a key on. All events below `below` are dispatched,
    /// `last` is the last that there is.
    pub(super) fn store(
        &mut self,
        tables: &mut Tables<'_>,
        (below, last): (EventKey, EventKey),
        after: impl FnOnce(EventKey) -> Vec<(EventKey, Weight)>,
    ) -> redb::Result<()> {
        while let Some((first, _)) = self.ranges.pop_front_if(|(_, end)| *end <= below) {
            tables.rosters.remove(first.as_u128())?;
        }
        let keeps_up = below > self.recent.since;
        if !keeps_up && !self.recent.is_much() {
            return Ok(());
        }
        if !keeps_up {
            let from = self.ranges.back().map_or(below, |(_, end)| below.max(*end));
            self.add(tables, from, next(last), &after(from))?;
        }
        self.recent = Recent::since(last);
        Ok(())
    }

    /// Writes down what waits of the events from `first` on and before `end`.
    fn add(
        &mut self,
        tables: &mut Tables<'_>,
        mut first: EventKey,
        end: EventKey,
        mut waiting: &[(EventKey, Weight)],
    ) -> redb::Result<()> {
        while first < end {
            let (part, rest) = waiting.split_at(waiting.len().min(MAX_EVENTS));
            let until = rest.first().map_or(end, |(key, _)| *key);
            tables.rosters.insert(first.as_u128(), Roster::encode(until, part).as_slice())?;
            self.ranges.push_back((first, until));
            (first, waiting) = (until, rest);
        }
        Ok(())
    }
}

impl Recent {
    const fn since(last: EventKey) -> Self {
        Self { since: last, events: 0, bytes: 0 }
    }

    const fn is_much(&self) -> bool {
        self.events >= MAX_EVENTS || self.bytes >= MAX_BYTES
    }
}

/// The key after this one.
pub(super) const fn next(key: EventKey) -> EventKey {
    EventKey::from_u128(key.as_u128().saturating_add(1))
}

/// Finds out what waits. All events below `below` are dispatched.
pub(super) fn find(tables: &mut Tables<'_>, below: EventKey) -> Result<Found, Failure> {
    let before = EventKey::from_u128(below.as_u128().saturating_sub(1));
    let last = tables.events.last()?.map_or(before, |(key, _)| before.max(EventKey::from_u128(key.value())));
    let mut search = Search { tables, waiting: BTreeMap::new(), dispatched: 0, read: Recent::since(last) };
    let (mut ranges, mut useless, mut at) = (VecDeque::new(), Vec::new(), below);
    for row in search.tables.rosters.iter()? {
        let (first, row) = row?;
        let first = EventKey::from_u128(first.value());
        match Roster::decode(row.value()) {
            Ok(roster) if roster.end > at => {
                if at < first {
                    search.look(at.as_u128()..first.as_u128())?;
                }
                let end = roster.end;
                search.take(roster, at)?;
                ranges.push_back((first, end));
                at = end;
            }
            Ok(_) => useless.push(first),
            Err(why) => {
                tracing::warn!(%why, "which events wait for dispatch is found out from themselves, which takes longer");
                useless.push(first);
            }
        }
    }
    search.look(at.as_u128()..)?;
    let Search { waiting, read, .. } = search;
    for first in useless {
        tables.rosters.remove(first.as_u128())?;
    }
    Ok(Found { waiting, last, rosters: Rosters { ranges, recent: read } })
}

/// The search so far.
struct Search<'s, 't> {
    tables: &'s Tables<'t>,
    waiting: BTreeMap<EventKey, Weight>,
    /// No event that was asked about and is before this one is dispatched.
    dispatched: u128,
    /// What of events had to be read.
    read: Recent,
}

impl Search<'_, '_> {
    /// Takes those from `from` on of which a row says that they waited.
    fn take(&mut self, roster: Roster, from: EventKey) -> Result<(), Failure> {
        for (key, weight) in roster.waiting {
            if key >= from && !self.is_dispatched(key.as_u128())? {
                self.waiting.insert(key, weight);
            }
        }
        Ok(())
    }

    /// Looks at events.
    fn look(&mut self, range: impl RangeBounds<u128>) -> Result<(), Failure> {
        let bounds: (Bound<u128>, Bound<u128>) = (range.start_bound().cloned(), range.end_bound().cloned());
        for row in self.tables.events.range(bounds)? {
            let (key, row) = row?;
            self.read.events += 1;
            self.read.bytes += row.value().len();
            let key = key.value();
            if self.is_dispatched(key)? {
                continue;
            }
            let event = EventKey::from_u128(key);
            match EventRow::parse(row.value()).and_then(|row| row.weight()) {
                Ok(weight) => drop(self.waiting.insert(event, weight)),
                Err(why) => tracing::error!(
                    %event, %why,
                    "an event cannot be read, so nobody gets it; run `hookway doctor`, which says what else is damaged"
                ),
            }
        }
        Ok(())
    }

    /// Whether an event has deliveries; asked by rising key. Where nothing is dispatched that is one look for all.
    fn is_dispatched(&mut self, event: u128) -> Result<bool, Failure> {
        if self.dispatched < event {
            let delivery = self.tables.deliveries.range((event, 0)..)?.next().transpose()?;
            self.dispatched = delivery.map_or(u128::MAX, |(key, _)| key.value().0);
        }
        Ok(self.dispatched == event)
    }
}
