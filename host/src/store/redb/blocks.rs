//! Blocks: what lists are filtered by, of about a thousand events and deliveries, in columns. Pure; no table is touched.
//!
//! A list that is filtered must not look at rows that do not pass: one look costs a microsecond, and there are millions.
//! A block has what filters ask in some 30 bytes an event, so that a thousand events are passed by in a microsecond or two.
//!
//! Tenant, topic and endpoint stand in it as 32 bits of a hash. Two that have the same are told apart by their rows, which are
//! read before anything is shown. States change and have a row of their own, one byte a delivery.

use std::collections::HashSet;
use std::ops::Range;

use super::codec::Corrupt;
use super::schema::DeliveryKey;
use crate::model::{DeliveryStatus, EndpointId};

/// Events and deliveries of a block, at least. A block has whole events only.
pub(super) const BLOCK_ENTRIES: usize = 1024;

const VERSION: u8 = 1;
/// Version, number of events, end.
const HEAD: usize = 1 + 4 + 16;

/// A block that is being made. Events are added by rising key, each followed by its deliveries.
#[derive(Debug, Default)]
pub(super) struct Builder {
    keys: Vec<[u8; 16]>,
    firsts: Vec<[u8; 4]>,
    tenants: Vec<[u8; 4]>,
    topics: Vec<[u8; 4]>,
    endpoints: Vec<[u8; 4]>,
    states: Vec<u8>,
}

/// A block as it lies in its page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a> {
    /// The first event key that it says nothing of.
    pub(super) end: u128,
    keys: &'a [[u8; 16]],
    firsts: &'a [[u8; 4]],
    tenants: &'a [[u8; 4]],
    topics: &'a [[u8; 4]],
    endpoints: &'a [[u8; 4]],
}

/// What is asked of blocks. Every field narrows.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) tenant: Option<[u8; 4]>,
    pub(super) topic: Option<[u8; 4]>,
    pub(super) endpoint: Option<[u8; 4]>,
    pub(super) status: Option<DeliveryStatus>,
    /// Endpoints that are inactive: what waits for them counts as held.
    pub(super) inactive: HashSet<[u8; 4]>,
    /// Whether an event has deliveries.
    pub(super) matched: Option<bool>,
}

/// 32 bits of FNV-1a (<http://www.isthe.com/chongo/tech/comp/fnv/>). Stored, so it never changes.
pub(super) fn hash_of(text: &[u8]) -> [u8; 4] {
    let hash =
        text.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    hash.to_be_bytes()
}

/// The hash of an endpoint.
pub(super) fn endpoint_hash(endpoint: EndpointId) -> [u8; 4] {
    hash_of(&endpoint.as_u128().to_be_bytes())
}

impl Builder {
    /// The next event.
    pub(super) fn event(&mut self, key: u128, tenant: &str, topic: &str) {
        self.keys.push(key.to_be_bytes());
        self.firsts.push(small(self.endpoints.len()).to_be_bytes());
        self.tenants.push(hash_of(tenant.as_bytes()));
        self.topics.push(hash_of(topic.as_bytes()));
    }

    /// The next delivery of the event that was added last.
    pub(super) fn delivery(&mut self, endpoint: EndpointId, status: DeliveryStatus) {
        self.endpoints.push(endpoint_hash(endpoint));
        self.states.push(status.code());
    }

    /// How much there is in it.
    pub(super) const fn entries(&self) -> usize {
        self.keys.len() + self.endpoints.len()
    }

    /// The two rows: the columns that never change, and the states.
    pub(super) fn finish(self, end: u128) -> (Vec<u8>, Vec<u8>) {
        let mut row = Vec::with_capacity(HEAD + self.keys.len() * 28 + self.endpoints.len() * 4);
        row.push(VERSION);
        row.extend(small(self.keys.len()).to_be_bytes());
        row.extend(end.to_be_bytes());
        row.extend(self.keys.as_flattened());
        for column in [&self.firsts, &self.tenants, &self.topics, &self.endpoints] {
            row.extend(column.as_flattened());
        }
        (row, self.states)
    }
}

impl<'a> Block<'a> {
    /// The block in this row.
    pub(super) fn parse(row: &'a [u8]) -> Result<Self, Corrupt> {
        Self::read(row).ok_or(Corrupt::Value { table: "blocks", field: "columns" })
    }

    fn read(row: &'a [u8]) -> Option<Self> {
        let row = row.strip_prefix(&[VERSION])?;
        let (events, row) = row.split_first_chunk()?;
        let (end, row) = row.split_first_chunk()?;
        let events = usize::try_from(u32::from_be_bytes(*events)).ok()?;
        let (keys, row) = row.split_at_checked(events.checked_mul(16)?)?;
        let (columns, endpoints) = row.split_at_checked(events.checked_mul(12)?)?;
        let (columns, _) = columns.as_chunks();
        let (firsts, columns) = columns.split_at_checked(events)?;
        let (tenants, topics) = columns.split_at_checked(events)?;
        let (endpoints, rest) = endpoints.as_chunks();
        let block = Self {
            end: u128::from_be_bytes(*end),
            keys: keys.as_chunks().0,
            firsts,
            tenants,
            topics,
            endpoints,
        };
        rest.is_empty().then_some(block)
    }

    /// Where a delivery stands in the row of states; `None` if it is not in this block.
    pub(super) fn position(&self, (event, ordinal): DeliveryKey) -> Option<usize> {
        let at = self.keys.binary_search(&event.to_be_bytes()).ok()?;
        let deliveries = self.deliveries_of(at);
        let position = deliveries.start + usize::from(ordinal);
        deliveries.contains(&position).then_some(position)
    }

    /// How much there is in it.
    pub(super) const fn entries(&self) -> usize {
        self.keys.len() + self.endpoints.len()
    }

    /// Its events.
    pub(super) fn keys(&self) -> Vec<u128> {
        self.keys.iter().map(|key| u128::from_be_bytes(*key)).collect()
    }

    /// The events that have a delivery which is not over. `states` is the row of their states.
    pub(super) fn unfinished(&self, states: &[u8]) -> Vec<u128> {
        let is_final = |state: &u8| DeliveryStatus::from_code(*state).is_some_and(DeliveryStatus::is_final);
        let waits = |at: &usize| {
            let deliveries = self.deliveries_of(*at);
            // Without a row of states nothing is known to be over.
            !deliveries.is_empty()
                && !states.get(deliveries).is_some_and(|states| states.iter().all(is_final))
        };
        (0..self.keys.len()).filter(waits).map(|at| u128::from_be_bytes(self.keys[at])).collect()
    }

    /// The keys of the events that may pass, by rising key.
    pub(super) fn events(&self, asked: &Asked) -> Vec<u128> {
        let passing = (0..self.keys.len()).filter(|at| {
            let has = |matched| self.deliveries_of(*at).is_empty() != matched;
            self.passes(*at, asked) && asked.matched.is_none_or(has)
        });
        passing.map(|at| u128::from_be_bytes(self.keys[at])).collect()
    }

    /// The keys of the deliveries that may pass, by rising key. `states` is the row of their states.
    pub(super) fn deliveries(&self, states: &[u8], asked: &Asked) -> Vec<DeliveryKey> {
        let mut found = Vec::new();
        for at in (0..self.keys.len()).filter(|at| self.passes(*at, asked)) {
            let key = u128::from_be_bytes(self.keys[at]);
            let deliveries = self.deliveries_of(at);
            let endpoints = self.endpoints.get(deliveries.clone()).unwrap_or_default();
            let states = states.get(deliveries).unwrap_or_default();
            for ((endpoint, state), ordinal) in endpoints.iter().zip(states).zip(0_u16..) {
                if asked.endpoint.is_none_or(|asked| asked == *endpoint) && asked.admits(*state, endpoint) {
                    found.push((key, ordinal));
                }
            }
        }
        found
    }

    fn passes(&self, at: usize, asked: &Asked) -> bool {
        asked.topic.is_none_or(|topic| topic == self.topics[at])
            && asked.tenant.is_none_or(|tenant| tenant == self.tenants[at])
    }

    fn deliveries_of(&self, at: usize) -> Range<usize> {
        let first = |at: usize| self.firsts.get(at).map(|first| u32::from_be_bytes(*first) as usize);
        first(at).unwrap_or_default()..first(at + 1).unwrap_or(self.endpoints.len())
    }
}

impl Asked {
    fn admits(&self, state: u8, endpoint: &[u8; 4]) -> bool {
        let Some(asked) = self.status else { return true };
        let is = |status: DeliveryStatus| state == status.code();
        match asked {
            DeliveryStatus::Pending | DeliveryStatus::Retrying => {
                is(asked) && !self.inactive.contains(endpoint)
            }
            DeliveryStatus::Held => {
                let waits = is(DeliveryStatus::Pending) || is(DeliveryStatus::Retrying);
                is(asked) || (waits && self.inactive.contains(endpoint))
            }
            DeliveryStatus::Delivered
            | DeliveryStatus::Failed
            | DeliveryStatus::Filtered
            | DeliveryStatus::Cancelled => is(asked),
        }
    }
}

/// Events and deliveries of a block are far fewer than 2^32: an event has at most 2^16.
fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::conformance::fixtures::endpoint_id;

    /// Three events: two deliveries, none, one.
    fn rows() -> (Vec<u8>, Vec<u8>) {
        let mut builder = Builder::default();
        builder.event(10, "acme", "a/b");
        builder.delivery(endpoint_id(1), DeliveryStatus::Delivered);
        builder.delivery(endpoint_id(2), DeliveryStatus::Pending);
        builder.event(20, "acme", "c");
        builder.event(30, "umbrella", "a/b");
        builder.delivery(endpoint_id(1), DeliveryStatus::Failed);
        assert_eq!(builder.entries(), 6);
        builder.finish(31)
    }

    #[test]
    fn the_bytes_of_a_block_never_change() {
        let (row, states) = rows();
        let hex: String = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let key = |n: u8| format!("{n:032x}");
        assert_eq!(hash_of(b"acme"), 0x45fd_71af_u32.to_be_bytes());
        assert!(hex.starts_with(&format!("0100000003{}{}{}{}", key(31), key(10), key(20), key(30))), "{hex}");
        assert_eq!(row.len(), HEAD + 3 * 28 + 3 * 4);
        assert_eq!(states, [2, 0, 3]);
        assert_eq!(hash_of(b""), [0x81, 0x1c, 0x9d, 0xc5]);
        assert_eq!(hash_of(b"foobar"), 0xbf9c_f968_u32.to_be_bytes(), "as the authors of FNV have it");
    }

    #[test]
    fn every_column_narrows() {
        let (row, states) = rows();
        let block = Block::parse(&row).unwrap();
        assert_eq!(block.end, 31);
        let all = Asked::default;
        let one = endpoint_hash(endpoint_id(1));
        let two = endpoint_hash(endpoint_id(2));
        let status = |status| Asked { status: Some(status), ..all() };
        let cases = [
            (all(), vec![(10, 0), (10, 1), (30, 0)]),
            (Asked { tenant: Some(hash_of(b"umbrella")), ..all() }, vec![(30, 0)]),
            (Asked { topic: Some(hash_of(b"a/b")), ..all() }, vec![(10, 0), (10, 1), (30, 0)]),
            (Asked { topic: Some(hash_of(b"c")), ..all() }, vec![]),
            (Asked { endpoint: Some(one), ..all() }, vec![(10, 0), (30, 0)]),
            (status(DeliveryStatus::Failed), vec![(30, 0)]),
            (status(DeliveryStatus::Pending), vec![(10, 1)]),
            (status(DeliveryStatus::Held), vec![]),
            (Asked { inactive: [two].into(), ..status(DeliveryStatus::Pending) }, vec![]),
            (Asked { inactive: [two, one].into(), ..status(DeliveryStatus::Held) }, vec![(10, 1)]),
        ];
        for (asked, expected) in cases {
            assert_eq!(block.deliveries(&states, &asked), expected, "{asked:?}");
        }
        let events = |matched| block.events(&Asked { matched, ..all() });
        assert_eq!(
            (events(None), events(Some(true)), events(Some(false))),
            (vec![10, 20, 30], vec![10, 30], vec![20])
        );
    }

    #[test]
    fn a_delivery_is_found_at_its_place() {
        let (row, _) = rows();
        let block = Block::parse(&row).unwrap();
        let at = |event, ordinal| block.position((event, ordinal));
        assert_eq!((at(10, 0), at(10, 1), at(30, 0)), (Some(0), Some(1), Some(2)));
        assert_eq!((at(10, 2), at(20, 0), at(30, 1), at(11, 0)), (None, None, None, None));
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_refused_without_a_panic(mut row: Vec<u8>, states: Vec<u8>, events in 0_u8..4) {
            row.splice(0..0, [VERSION, 0, 0, 0, events]);
            if let Ok(block) = Block::parse(&row) {
                let _ = block.deliveries(&states, &Asked::default());
                let _ = block.events(&Asked { matched: Some(true), ..Asked::default() });
                let _ = block.position((0, 0));
            }
        }
    }
}
