//! A snapshot of everything, row by row, for backups.

use super::{Error, StoreFuture};
use crate::model::{AuditEntry, UnixMs};

/// Calls with each row: table, key, value. False ends it.
pub type EachRow<'a> = dyn FnMut(&'static str, &[u8], &[u8]) -> bool + 'a;

/// All that was committed when it was taken. The store cannot use again what it frees while this is there, so it should not be
/// there for long.
pub trait Snapshot: Send {
    /// The format of the rows.
    fn format(&self) -> u64;

    /// The tables and how many rows each has.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::Closed`].
    fn tables(&self) -> Result<Vec<(&'static str, u64)>, Error>;

    /// All rows, table by table, by rising key. Blocks.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::Closed`].
    fn rows(&self, each: &mut EachRow<'_>) -> Result<(), Error>;
}

/// The verbs that take one, and tell what came of it.
pub trait Snapshots {
    /// Takes a snapshot of all that was answered when this was called, with the entry that the audit log gets before.
    fn snapshot(&self, audit: AuditEntry) -> StoreFuture<'_, Box<dyn Snapshot>>;

    /// Writes down that a backup was handed over as a whole, at this time. [`crate::store::StoreSize::backed_up`] has the last.
    fn note_backup(&self, at: UnixMs) -> StoreFuture<'_, ()>;
}
