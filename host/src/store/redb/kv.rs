//! What plugins keep: one row for a key, one more if it expires, and one for each space with what it takes of its quota.
//!
//! A value row is the time from when on it is gone, as 8 bytes (big endian; 0: it stays), and then the bytes of the value.
//! Nothing of this is read or written for a plugin that may not keep anything.

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata as _};

use super::codec::Corrupt;
use super::failure::Failure;
use super::schema::{KV, KV_USAGE, Tables};
use super::writer::{Awaited, Batch, Change};
use crate::model::{KvEntry, KvSpace, KvWrite, TenantId, UnixMs, kv_cost};
use crate::store::KvRead;

/// Expired keys that each write takes out on its way: more than it can have added, so that they cannot pile up.
const SWEPT_WITH_A_WRITE: usize = 16;

/// The bytes before the value.
const HEAD: usize = 8;
/// Stands for a value that stays.
const NEVER: u64 = 0;
/// After every name of a tenant: those are ASCII.
const END: &str = "\u{10ffff}";

/// The verb.
pub(super) struct KvWrites {
    pub(super) writes: Vec<KvWrite>,
    pub(super) now: UnixMs,
}

/// The verb.
pub(super) struct KvSweep {
    pub(super) now: UnixMs,
    pub(super) limit: usize,
}

/// The verb.
pub(super) struct KvClear {
    pub(super) tenant: TenantId,
    pub(super) limit: usize,
}

/// The three parts of a key.
type Key<'a> = (&'a str, &'a str, &'a str);

impl Change for KvWrites {
    type Output = Vec<(KvSpace, u64)>;

    fn awaits(&self) -> Awaited {
        Awaited::Commit
    }

    fn bytes(&self) -> usize {
        self.writes.iter().filter_map(|write| write.entry.as_ref()).map(|entry| entry.value.len()).sum()
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<Self::Output, Failure> {
        let tables = &mut batch.tables;
        for KvWrite { space, key, entry } in &self.writes {
            put(tables, (space.tenant.as_str(), space.plugin.as_str(), key), entry.as_ref())?;
        }
        let room = self.writes.len().saturating_add(SWEPT_WITH_A_WRITE);
        sweep(tables, self.now, room)?;
        let spaces: BTreeSet<KvSpace> = self.writes.into_iter().map(|write| write.space).collect();
        let usage = |space: KvSpace| {
            let used = usage(&tables.kv_usage, space.tenant.as_str(), space.plugin.as_str())?;
            Ok((space, used))
        };
        spaces.into_iter().map(usage).collect()
    }
}

impl Change for KvSweep {
    type Output = usize;

    fn awaits(&self) -> Awaited {
        Awaited::Commit
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<usize, Failure> {
        sweep(&mut batch.tables, self.now, self.limit)
    }
}

impl Change for KvClear {
    type Output = usize;

    fn awaits(&self) -> Awaited {
        Awaited::Commit
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<usize, Failure> {
        let tables = &mut batch.tables;
        let tenant = self.tenant.as_str();
        let mut found = Vec::new();
        for row in tables.kv.range((tenant, "", "")..)?.take(self.limit) {
            let (key, _) = row?;
            let (of, plugin, key) = key.value();
            if of != tenant {
                break;
            }
            found.push((plugin.to_owned(), key.to_owned()));
        }
        for (plugin, key) in &found {
            put(tables, (tenant, plugin, key), None)?;
        }
        Ok(found.len())
    }
}

/// A key, expired or not, and what its space takes.
pub(super) fn read(transaction: &ReadTransaction, space: &KvSpace, key: &str) -> Result<KvRead, Failure> {
    let (tenant, plugin) = (space.tenant.as_str(), space.plugin.as_str());
    let used_bytes = usage(&transaction.open_table(KV_USAGE)?, tenant, plugin)?;
    let row = transaction.open_table(KV)?.get((tenant, plugin, key))?;
    let entry = row.map(|row| decode(row.value())).transpose()?;
    Ok(KvRead { entry, used_bytes })
}

/// The tenants that have a space.
pub(super) fn tenants(transaction: &ReadTransaction) -> Result<Vec<TenantId>, Failure> {
    let mut tenants: Vec<TenantId> = Vec::new();
    for row in transaction.open_table(KV_USAGE)?.iter()? {
        let (key, _) = row?;
        let (tenant, _) = key.value();
        if tenants.last().is_none_or(|last| last.as_str() != tenant) {
            tenants.push(tenant.parse().map_err(|_| Corrupt::Value { table: "kv_usage", field: "tenant" })?);
        }
    }
    Ok(tenants)
}

/// A plugin of which `kv_usage` or `kv_expiry` say something else than `kv`.
pub(super) fn misjudged(tables: &Tables<'_>) -> Result<Option<String>, Failure> {
    let (mut used, mut expiring) = (BTreeMap::new(), 0);
    for row in tables.kv.iter()? {
        let (key, row) = row?;
        let (tenant, plugin, name) = key.value();
        let size = row.value().len().saturating_sub(HEAD);
        *used.entry((tenant.to_owned(), plugin.to_owned())).or_insert(0) += kv_cost(name.len(), size);
        let at = expiry(row.value());
        if at != NEVER {
            expiring += 1;
            if tables.kv_expiry.get((at, tenant, plugin, name))?.is_none() {
                return Ok(Some(plugin.to_owned()));
            }
        }
    }
    for row in tables.kv_usage.iter()? {
        let (key, sum) = row?;
        let (tenant, plugin) = key.value();
        if used.remove(&(tenant.to_owned(), plugin.to_owned())) != Some(sum.value()) {
            return Ok(Some(plugin.to_owned()));
        }
    }
    let is_wrong = tables.kv_expiry.len()? != expiring;
    Ok(used.into_keys().next().map(|(_, plugin)| plugin).or_else(|| is_wrong.then(|| "any".to_owned())))
}

/// Makes `kv_usage` and `kv_expiry` anew from `kv`.
pub(super) fn judge_anew(tables: &mut Tables<'_>) -> Result<(), Failure> {
    tables.kv_usage.retain(|_, _| false)?;
    tables.kv_expiry.retain(|_, ()| false)?;
    for row in tables.kv.iter()? {
        let (key, row) = row?;
        let (tenant, plugin, name) = key.value();
        let used = usage(&tables.kv_usage, tenant, plugin)?;
        let size = row.value().len().saturating_sub(HEAD);
        tables.kv_usage.insert((tenant, plugin), used.saturating_add(kv_cost(name.len(), size)))?;
        let at = expiry(row.value());
        if at != NEVER {
            tables.kv_expiry.insert((at, tenant, plugin, name), ())?;
        }
    }
    Ok(())
}

/// Replaces what is under a key, with the rows that go with it.
fn put(tables: &mut Tables<'_>, key: Key<'_>, entry: Option<&KvEntry>) -> Result<(), Failure> {
    let (tenant, plugin, name) = key;
    let before = match entry {
        Some(entry) => tables.kv.insert(key, encode(entry).as_slice())?,
        None => tables.kv.remove(key)?,
    };
    let before =
        before.map(|row| (expiry(row.value()), kv_cost(name.len(), row.value().len().saturating_sub(HEAD))));
    if let Some((at, _)) = before.filter(|(at, _)| *at != NEVER) {
        tables.kv_expiry.remove((at, tenant, plugin, name))?;
    }
    if let Some(at) = entry.and_then(|entry| entry.expires_at) {
        tables.kv_expiry.insert((at.0, tenant, plugin, name), ())?;
    }
    let more = entry.map_or(0, |entry| entry.cost(name));
    let less = before.map_or(0, |(_, cost)| cost);
    let used = usage(&tables.kv_usage, tenant, plugin)?.saturating_add(more).saturating_sub(less);
    if used == 0 {
        tables.kv_usage.remove((tenant, plugin))?;
    } else {
        tables.kv_usage.insert((tenant, plugin), used)?;
    }
    Ok(())
}

/// Takes out keys that have expired, those first that expired first.
fn sweep(tables: &mut Tables<'_>, now: UnixMs, limit: usize) -> Result<usize, Failure> {
    let mut expired = Vec::new();
    for row in tables.kv_expiry.range(..=(now.0, END, END, END))?.take(limit) {
        let (key, _) = row?;
        let (_, tenant, plugin, name) = key.value();
        expired.push((tenant.to_owned(), plugin.to_owned(), name.to_owned()));
    }
    for (tenant, plugin, name) in &expired {
        put(tables, (tenant, plugin, name), None)?;
    }
    Ok(expired.len())
}

fn usage(
    table: &impl ReadableTable<(&'static str, &'static str), u64>,
    tenant: &str,
    plugin: &str,
) -> Result<u64, Failure> {
    Ok(table.get((tenant, plugin))?.map_or(0, |used| used.value()))
}

fn encode(entry: &KvEntry) -> Vec<u8> {
    let at = entry.expires_at.map_or(NEVER, |at| at.0.max(NEVER + 1));
    [&at.to_be_bytes(), entry.value.as_ref()].concat()
}

fn decode(row: &[u8]) -> Result<KvEntry, Corrupt> {
    let corrupt = Corrupt::Value { table: "kv", field: "expires_at" };
    let (head, value) = row.split_first_chunk::<HEAD>().ok_or(corrupt)?;
    let at = u64::from_be_bytes(*head);
    Ok(KvEntry { value: value.to_vec().into(), expires_at: (at != NEVER).then_some(UnixMs(at)) })
}

fn expiry(row: &[u8]) -> u64 {
    row.first_chunk::<HEAD>().map_or(NEVER, |head| u64::from_be_bytes(*head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_bytes_never_change() {
        let stays = KvEntry { value: "42".into(), expires_at: None };
        let ends = KvEntry { value: [0, 255].to_vec().into(), expires_at: Some(UnixMs(0x0102)) };
        assert_eq!(encode(&stays), b"\0\0\0\0\0\0\0\x0042");
        assert_eq!(encode(&ends), [0, 0, 0, 0, 0, 0, 1, 2, 0, 255]);
        for entry in [stays, ends] {
            assert_eq!(decode(&encode(&entry)).unwrap(), entry);
        }
        assert!(decode(b"short").is_err());
    }
}
