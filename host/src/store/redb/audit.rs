//! The audit log: rows that are appended in the transaction of the change, each with a hash that covers all before it.
//!
//! The hash is of the bytes as they are stored, so a row that a later version reads differently still verifies. Somebody
//! who can write the file can write a whole new chain; that it was is seen by whoever kept the hash of an old row.

use redb::{ReadTransaction, ReadableTable};
use sha2::{Digest as _, Sha256};

use super::codec::{self, Corrupt};
use super::failure::Failure;
use super::schema::{AUDIT, Tables};
use super::writer::{Awaited, Batch, Change};
use crate::model::AuditEntry;
use crate::store::{AuditChain, AuditFilter, AuditPage, AuditRow};

/// Rows that one call looks at: as for the delivery log, a filter that hardly anything passes gives a short page.
const MAX_SCANNED: usize = 10_000;
/// What the first row builds on.
const GENESIS: [u8; 32] = [0; 32];

/// A change and what is written down about it: both or neither.
pub(super) struct Audited<C> {
    pub(super) change: C,
    pub(super) audit: AuditEntry,
}

impl<C: Change> Change for Audited<C> {
    type Output = C::Output;

    fn awaits(&self) -> Awaited {
        self.change.awaits()
    }

    fn bytes(&self) -> usize {
        self.change.bytes()
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<C::Output, Failure> {
        let mut chain = Chain::end(&batch.tables)?;
        let output = self.change.apply(batch)?;
        chain.append(&mut batch.tables, &self.audit)?;
        Ok(output)
    }
}

/// Where the next row is appended. Read before anything is written, as nothing may be refused after that.
pub(super) struct Chain {
    rows: u64,
    head: [u8; 32],
}

impl Chain {
    /// The end of the log as it is.
    pub(super) fn end(tables: &Tables<'_>) -> Result<Self, Failure> {
        Ok(match tables.audit.last()? {
            Some((number, row)) => Self { rows: number.value(), head: stored(row.value())?.0 },
            None => Self { rows: 0, head: GENESIS },
        })
    }

    /// Writes a row, which is the end from then on.
    pub(super) fn append(&mut self, tables: &mut Tables<'_>, entry: &AuditEntry) -> Result<(), Failure> {
        let content = codec::to_json(entry);
        self.rows += 1;
        self.head = hash(&self.head, self.rows, &content);
        let mut row = self.head.to_vec();
        row.extend(content);
        tables.audit.insert(self.rows, row.as_slice())?;
        Ok(())
    }
}

/// See [`crate::store::Store::audit`].
pub(super) fn page(
    transaction: &ReadTransaction,
    filter: &AuditFilter,
    before: Option<u64>,
    limit: usize,
) -> Result<AuditPage, Failure> {
    let rows = transaction.open_table(AUDIT)?;
    let mut page = AuditPage::default();
    let mut last = None;
    for (scanned, row) in rows.range(..before.unwrap_or(u64::MAX))?.rev().enumerate() {
        if scanned == MAX_SCANNED || page.rows.len() == limit {
            page.next = last;
            break;
        }
        let (number, bytes) = row?;
        let (number, (hash, content)) = (number.value(), stored(bytes.value())?);
        let entry: AuditEntry = codec::from_json("audit", content)?;
        if filter.passes(&entry) {
            page.rows.push(AuditRow { number, hash, entry });
        }
        last = Some(number);
    }
    Ok(page)
}

/// See [`crate::store::Store::verify_audit`].
pub(super) fn verify(transaction: &ReadTransaction) -> Result<AuditChain, Failure> {
    chain(&transaction.open_table(AUDIT)?)
}

/// Walks over the whole log.
pub(super) fn chain(audit: &impl ReadableTable<u64, &'static [u8]>) -> Result<AuditChain, Failure> {
    let mut chain = AuditChain { rows: 0, head: GENESIS, broken_at: None };
    for row in audit.iter()? {
        let (number, bytes) = row?;
        let expected = chain.rows + 1;
        let is_next = number.value() == expected;
        match stored(bytes.value()) {
            Ok((found, content)) if is_next && found == hash(&chain.head, expected, content) => {
                chain.head = found;
            }
            Ok(_) | Err(_) => {
                chain.broken_at = Some(expected);
                return Ok(chain);
            }
        }
        chain.rows = expected;
    }
    Ok(chain)
}

fn stored(row: &[u8]) -> Result<([u8; 32], &[u8]), Corrupt> {
    let (hash, content) = row.split_first_chunk().ok_or(Corrupt::Value { table: "audit", field: "hash" })?;
    Ok((*hash, content))
}

fn hash(before: &[u8; 32], number: u64, content: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(before)
        .chain_update(number.to_be_bytes())
        .chain_update(content)
        .finalize()
        .into()
}

impl AuditFilter {
    fn passes(&self, entry: &AuditEntry) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| entry.tenant.as_ref() == Some(tenant))
            && self.action.as_ref().is_none_or(|action| *action == entry.action)
            && self.since.is_none_or(|since| entry.at >= since)
    }
}

#[cfg(test)]
mod tests {

    use super::super::{Options, RedbStore};
    use super::*;
    use crate::clock::Clock;
    use crate::store::Store as _;
    use crate::store::conformance::fixtures::{T0, audit, endpoint};

    async fn with_rows(count: u128) -> RedbStore {
        let options = Options { cache_mib: 16, linger_ms: 0 };
        let clock = Clock::starting_at(T0);
        let store = RedbStore::in_memory(clock, &options);
        for n in 0..count {
            let url = format!("https://example.com/{n}");
            store.create_endpoint(endpoint(n, &url), audit("endpoint.created")).await.unwrap();
        }
        store
    }

    /// What the walk says after somebody changed the file.
    async fn after(tamper: impl FnOnce(&mut redb::Table<'_, u64, &'static [u8]>)) -> Option<u64> {
        let store = with_rows(5).await;
        let tampered = store.shared.with(|database| {
            let transaction = super::super::writer::begin(database)?;
            tamper(&mut transaction.open_table(AUDIT)?);
            Ok(transaction.commit()?)
        });
        tampered.unwrap();
        store.verify_audit().await.unwrap().broken_at
    }

    fn row(table: &redb::Table<'_, u64, &'static [u8]>, number: u64) -> Vec<u8> {
        table.get(number).unwrap().unwrap().value().to_vec()
    }

    #[tokio::test]
    async fn a_row_that_was_changed_removed_or_moved_breaks_the_chain_there() {
        assert_eq!(after(|_| {}).await, None);
        let changed = after(|table| {
            let mut bytes = row(table, 3);
            *bytes.last_mut().unwrap() ^= 1;
            table.insert(3, bytes.as_slice()).unwrap();
        });
        assert_eq!(changed.await, Some(3));
        let removed = after(|table| drop(table.remove(2).unwrap()));
        assert_eq!(removed.await, Some(2));
        let moved = after(|table| {
            let (one, other) = (row(table, 2), row(table, 4));
            table.insert(2, other.as_slice()).unwrap();
            table.insert(4, one.as_slice()).unwrap();
        });
        assert_eq!(moved.await, Some(2));
        let cut = after(|table| drop(table.insert(1, [0_u8; 31].as_slice()).unwrap()));
        assert_eq!(cut.await, Some(1));
    }
}
