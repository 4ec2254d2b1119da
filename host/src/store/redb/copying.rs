//! Out and in again as a whole: snapshots, and a new file made of the rows of one.

use std::path::Path;
use std::sync::Arc;

use redb::{Builder, Database, ReadTransaction, ReadableDatabase as _};

use super::audit::Audited;
use super::codec;
use super::endpoint_row::EndpointRow;
use super::failure::Failure;
use super::schema::{self, FORMAT, META_BACKED_UP, Tables};
use super::size::Pin;
use super::writer::{Awaited, Batch, Change, begin};
use super::{Flush, RedbStore};
use crate::model::{Activity, AuditEntry, InactiveReason, UnixMs};
use crate::store::{EachRow, Error, Snapshot, Snapshots, StoreFuture};

struct RedbSnapshot {
    transaction: ReadTransaction,
    _pin: Pin,
}

impl Snapshots for RedbStore {
    fn snapshot(&self, audit: AuditEntry) -> StoreFuture<'_, Box<dyn Snapshot>> {
        let noted = self.write(Audited { change: Flush, audit });
        let (shared, pin) = (Arc::clone(&self.shared), self.pins.pin());
        Box::pin(async move {
            noted.await?;
            let transaction = shared.with(|database| Ok(database.begin_read()?))?;
            Ok(Box::new(RedbSnapshot { transaction, _pin: pin }) as Box<dyn Snapshot>)
        })
    }

    fn note_backup(&self, at: UnixMs) -> StoreFuture<'_, ()> {
        self.write(NoteBackup(at))
    }
}

/// The verb.
struct NoteBackup(UnixMs);

impl Change for NoteBackup {
    type Output = ();

    fn awaits(&self) -> Awaited {
        Awaited::Commit
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        batch.tables.meta.insert(META_BACKED_UP, u128::from(self.0.0))?;
        Ok(())
    }
}

impl Snapshot for RedbSnapshot {
    fn format(&self) -> u64 {
        u64::try_from(FORMAT).unwrap_or(u64::MAX)
    }

    fn tables(&self) -> Result<Vec<(&'static str, u64)>, Error> {
        Ok(schema::count_rows(&self.transaction)?)
    }

    fn rows(&self, each: &mut EachRow<'_>) -> Result<(), Error> {
        Ok(schema::each_row(&self.transaction, each)?)
    }
}

/// A new file that is filled with the rows of a snapshot.
pub struct Loader {
    database: Database,
    /// Since when all endpoints are to be inactive.
    paused: Option<UnixMs>,
}

impl Loader {
    /// The newest format of rows that can be loaded.
    #[must_use]
    pub fn newest_format() -> u64 {
        u64::try_from(FORMAT).unwrap_or(u64::MAX)
    }

    /// Makes the file. With a time, all endpoints are made inactive as of then.
    ///
    /// # Errors
    /// [`Error::Storage`] if it cannot be made or is there.
    pub fn create(path: &Path, paused: Option<UnixMs>) -> Result<Self, Error> {
        let storage = |error: Arc<dyn std::error::Error + Send + Sync>| Error::Storage(error);
        let file = std::fs::File::options().read(true).write(true).create_new(true).open(path);
        let file = file.map_err(|error| storage(Arc::new(error)))?;
        let backend = redb::backends::FileBackend::new(file).map_err(|error| storage(Arc::new(error)))?;
        let database = Builder::new().create_with_backend(backend);
        Ok(Self { database: database.map_err(|error| storage(Arc::new(error)))?, paused })
    }

    /// Stores rows of a table, in one transaction.
    ///
    /// # Errors
    /// [`Error::Unusable`] if there is no such table; [`Error::Storage`].
    ///
    /// # Panics
    /// If these bytes are not rows of that table.
    pub fn load(&self, table: &str, rows: &[(Vec<u8>, Vec<u8>)]) -> Result<(), Error> {
        Ok(self.try_load(table, rows)?)
    }

    fn try_load(&self, table: &str, rows: &[(Vec<u8>, Vec<u8>)]) -> Result<(), Failure> {
        let transaction = begin(&self.database)?;
        let mut tables = Tables::open(&transaction)?;
        for (key, value) in rows {
            let is_known = match self.paused.filter(|_| table == "endpoints") {
                Some(since) => tables.put_row(table, key, &paused(value, since)?)?,
                None => tables.put_row(table, key, value)?,
            };
            if !is_known {
                let sentence = format!("the backup has a table `{table}` that this Hookway does not know");
                return Err(Error::Unusable(sentence).into());
            }
        }
        drop(tables);
        transaction.commit()?;
        Ok(())
    }

    /// Closes the file. All of it is on stable storage then.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn finish(self) -> Result<(), Error> {
        self.database.close().map_err(|error| Error::Storage(Arc::new(error)))
    }
}

/// The row of an endpoint, made inactive if it is not.
fn paused(row: &[u8], since: UnixMs) -> Result<Vec<u8>, Failure> {
    let mut row: EndpointRow = codec::from_json("endpoints", row)?;
    if row.endpoint.activity.is_active() {
        row.endpoint.activity = Activity::Inactive { since, reason: InactiveReason::Deactivated };
    }
    Ok(codec::to_json(&row))
}
