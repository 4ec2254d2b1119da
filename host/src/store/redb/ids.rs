//! Finding an event by what its producer knows of it: an id, its own or ours, or an `Idempotency-Key`.

use redb::ReadableTable;
use sha2::{Digest as _, Sha256};

use super::codec::EventRow;
use super::cost;
use super::failure::Failure;
use super::schema::Tables;
use crate::model::{EventId, EventKey, TenantId};
use crate::store::NewEvent;

/// The longest tenant sorts before this.
const AFTER_ALL_TENANTS: &str = "\u{7f}";

/// The key of a row of `ids`: what a producer may use once per tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Claim {
    kind: Kind,
    text: String,
    tenant: TenantId,
}

/// What a claim is on. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    EventId = 0,
    IdempotencyKey = 1,
}

impl Claim {
    /// The claims that an event makes: none, one or two.
    pub(super) fn of(new: &NewEvent) -> Vec<Self> {
        let claim = |kind, text: &str| Self { kind, text: text.to_owned(), tenant: new.tenant.clone() };
        let id = new.id.iter().map(|id| claim(Kind::EventId, id.as_str()));
        let key = new.idempotency_key.iter().map(|key| claim(Kind::IdempotencyKey, key));
        id.chain(key).collect()
    }

    /// The key of its row.
    pub(super) fn row(&self) -> (u8, &str, &str) {
        (self.kind as u8, &self.text, self.tenant.as_str())
    }
}

impl Tables<'_> {
    /// Stores a claim. What it replaces is one on an event that is gone.
    pub(super) fn insert_id(
        &mut self,
        row: (u8, &str, &str),
        event: u128,
        hash: u128,
    ) -> Result<(), Failure> {
        let is_new = self.ids.insert(row, (event, hash))?.is_none();
        self.noted.row_bytes += if is_new { cost::id(row.1, row.2) } else { 0 };
        Ok(())
    }
}

/// What makes two events with the same id or key the same event: id, topic, timestamp, the exact bytes of `data`, and the
/// endpoint if it tests one.
/// 16 bytes of SHA-256, each part after its length so that no two contents have the same input.
pub(super) fn content_hash(new: &NewEvent) -> u128 {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    add(new.id.as_ref().map_or("", EventId::as_str).as_bytes());
    add(new.topic.as_str().as_bytes());
    match new.timestamp {
        Some(timestamp) => add(&timestamp.as_nanosecond().to_be_bytes()),
        None => add(b""),
    }
    add(&new.data);
    if let Some(endpoint) = new.test_of {
        add(&endpoint.as_u128().to_be_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    u128::from_be_bytes(std::array::from_fn(|n| digest[n]))
}

/// The event of a tenant with this id: one whose producer chose it, else the one that we gave it to.
pub(super) fn find(
    ids: &impl ReadableTable<(u8, &'static str, &'static str), (u128, u128)>,
    events: &impl ReadableTable<u128, &'static [u8]>,
    tenant: &TenantId,
    id: &EventId,
) -> Result<Option<EventKey>, Failure> {
    match ids.get((Kind::EventId as u8, id.as_str(), tenant.as_str()))? {
        Some(row) => Ok(Some(EventKey::from_u128(row.value().0))),
        None => find_ours(events, Some(tenant), id),
    }
}

/// The events with this id, of whatever tenant, by rising key.
pub(super) fn find_all(
    ids: &impl ReadableTable<(u8, &'static str, &'static str), (u128, u128)>,
    events: &impl ReadableTable<u128, &'static [u8]>,
    id: &EventId,
) -> Result<Vec<EventKey>, Failure> {
    let kind = Kind::EventId as u8;
    let mut keys = Vec::new();
    for row in ids.range((kind, id.as_str(), "")..(kind, id.as_str(), AFTER_ALL_TENANTS))? {
        keys.push(EventKey::from_u128(row?.1.value().0));
    }
    keys.extend(find_ours(events, None, id)?);
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

/// The event to which we gave this id.
pub(super) fn find_ours(
    events: &impl ReadableTable<u128, &'static [u8]>,
    tenant: Option<&TenantId>,
    id: &EventId,
) -> Result<Option<EventKey>, Failure> {
    let Ok(key) = id.as_str().parse::<EventKey>() else { return Ok(None) };
    let Some(row) = events.get(key.as_u128())? else { return Ok(None) };
    let row = EventRow::parse(row.value())?;
    let is_tenants = tenant.is_none_or(|tenant| tenant.as_str() == row.tenant());
    Ok((row.own_id().is_none() && is_tenants).then_some(key))
}
