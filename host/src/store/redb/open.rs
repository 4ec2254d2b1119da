//! Opening: the file, its format, and where the last run stopped.

use std::fmt::Display;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase as _, ReadableTable, StorageBackend, StorageError,
    TableHandle as _, WriteTransaction,
};

use super::Options;
use super::failure::Failure;
use super::managing;
use super::progress::Progress;
use super::replaying;
use super::schema::{ENDPOINTS, FORMAT, FORMAT_1, FORMAT_2, FORMAT_3, FORMAT_4, META, META_FORMAT};
use super::statistics;
use super::upkeep::Upkeep;
use super::wal::Wal;
use super::writer::begin;
use crate::failpoint;
use crate::store::Error;
use crate::vault::Vault;

/// The database in a file, which is created if it is not there.
pub(super) fn file(path: &Path, options: &Options) -> Result<Database, Error> {
    builder(options).create(path).map_err(|error| explain(error, &path.display()))
}

/// See [`super::RedbStore::check_unused`].
pub(super) fn check_unused(path: &Path) -> Result<(), Error> {
    match Database::builder().open_read_only(path) {
        Err(error @ (DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch)) => {
            Err(explain(error, &path.display()))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The database in a backend.
pub(super) fn backend(backend: impl StorageBackend, options: &Options) -> Result<Database, Error> {
    builder(options).create_with_backend(backend).map_err(|error| explain(error, &"the given backend"))
}

/// The log in a file, which is created if it is not there.
pub(super) fn wal(path: &Path) -> Result<Wal, Error> {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
    let backend = file.map_err(DatabaseError::from).and_then(FileBackend::new);
    let backend = backend.map_err(|error| explain(error, &path.display()))?;
    Wal::new(backend).map_err(|error| Error::Storage(Arc::new(error)))
}

/// See [`super::RedbStore::check_keys`]. What cannot be opened for reading is explained when it is opened for good.
pub(super) fn check_keys(path: &Path, vault: &Vault, options: &Options) -> Result<(), Error> {
    let Ok(database) = builder(options).open_read_only(path) else { return Ok(()) };
    let check = || -> Result<(), Failure> {
        let transaction = database.begin_read()?;
        let has_meta = transaction.list_tables()?.any(|table| table.name() == META.name());
        if has_meta
            && matches!(
                stored_format(&transaction.open_table(META)?)?,
                Some(FORMAT | FORMAT_4 | FORMAT_3 | FORMAT_2)
            )
        {
            managing::endpoints(&transaction, vault)?;
        }
        Ok(())
    };
    Ok(check()?)
}

/// Makes sure of the format and of the keys, creates the tables of a new store, repeats what the log has, and finds out what
/// waits for dispatch.
pub(super) fn prepare(
    database: &mut Database,
    wal: Option<&mut Wal>,
    vault: &Vault,
) -> Result<(Progress, Upkeep), Error> {
    let (prepared, was_clear) = try_prepare(database, wal, vault)?;
    if was_clear {
        // What was freed lies in the file until it is written over; most of it goes away with the space.
        if let Err(error) = database.compact() {
            tracing::warn!(error = &error as &dyn std::error::Error, "the store could not be compacted");
        }
        tracing::warn!(
            "signing secrets that an earlier version stored in clear are sealed now; backups made before still have them"
        );
    }
    Ok(prepared)
}

/// The flag says that secrets were stored in clear until now.
fn try_prepare(
    database: &Database,
    wal: Option<&mut Wal>,
    vault: &Vault,
) -> Result<((Progress, Upkeep), bool), Failure> {
    let transaction = begin(database)?;
    let is_new = transaction.list_tables()?.next().is_none();
    let is_ours = transaction.list_tables()?.any(|table| table.name() == META.name());
    if !is_new && !is_ours {
        return Err(
            Error::Unusable("the file is a redb database, but not a store of Hookway".to_owned()).into()
        );
    }
    let before = check_format(&transaction, is_new)?;
    let was_clear = before == Some(FORMAT_1);
    if was_clear {
        managing::seal_format_1(&transaction, vault)?;
    }
    if before.is_some_and(|before| before < FORMAT_3) {
        managing::begin_orders(&transaction)?;
    }
    if before.is_some_and(|before| before < FORMAT_4) {
        statistics::begin(&transaction)?;
    }
    managing::check(&transaction.open_table(ENDPOINTS)?, vault)?;
    let (progress, upkeep) = match wal {
        Some(wal) => replaying::replay(&transaction, wal)?,
        None => replaying::load(&transaction)?,
    };
    failpoint::reached(failpoint::OPENED);
    transaction.commit()?;
    Ok(((progress, upkeep), was_clear))
}

/// Looks at `meta` alone: in another format the other tables may be others. Returns the format that it was, and makes it
/// ours.
fn check_format(transaction: &WriteTransaction, is_new: bool) -> Result<Option<u128>, Failure> {
    let mut meta = transaction.open_table(META)?;
    let found = stored_format(&meta)?;
    match found {
        Some(FORMAT) => return Ok(found),
        Some(FORMAT_1 | FORMAT_2 | FORMAT_3 | FORMAT_4) => {}
        None if is_new => {}
        found => return Err(Error::Unusable(unknown_format(found)).into()),
    }
    meta.insert(META_FORMAT, FORMAT)?;
    Ok(found)
}

fn stored_format(meta: &impl ReadableTable<&'static str, u128>) -> Result<Option<u128>, Failure> {
    Ok(meta.get(META_FORMAT)?.map(|value| value.value()))
}

fn builder(options: &Options) -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(options.cache_bytes());
    builder
}

fn unknown_format(found: Option<u128>) -> String {
    match found {
        Some(found) if found > FORMAT => format!(
            "the store has format {found}, written by a newer Hookway; this one reads up to format {FORMAT}: \
             upgrade Hookway, or restore a backup from before the upgrade"
        ),
        Some(found) => format!("the store has the unknown format {found}"),
        None => "the store has lost its format number: restore a backup".to_owned(),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "redb may add kinds; those that are not explained are passed on"
)]
fn explain(error: DatabaseError, place: &dyn Display) -> Error {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => Error::Unusable(format!(
            "{place} is in use by another process: stop that one, or choose another data directory"
        )),
        DatabaseError::UpgradeRequired(version) => Error::Unusable(format!(
            "{place} was written in format {version} of an old redb, which is not read"
        )),
        DatabaseError::Storage(StorageError::Corrupted(what)) => {
            Error::Unusable(format!("{place} is damaged ({what}): restore a backup, or move the file away"))
        }
        DatabaseError::Storage(StorageError::Io(error)) => Error::Unusable(format!(
            "{place} cannot be opened as a store ({error}): check that it is a file of Hookway, and its permissions"
        )),
        other => Error::Storage(Arc::new(other)),
    }
}
