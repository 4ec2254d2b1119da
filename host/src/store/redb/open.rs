//! Opening: the file, its format, and where the last run stopped.

use std::fmt::Display;
use std::path::Path;

use redb::{
    Builder, Database, DatabaseError, ReadableTable as _, StorageBackend, StorageError, TableHandle as _,
    WriteTransaction,
};

use super::Options;
use super::failure::Failure;
use super::progress::Progress;
use super::schema::{FORMAT, META, META_FORMAT};
use super::writer::begin;
use crate::store::Error;

/// The database in a file, which is created if it is not there.
pub(super) fn file(path: &Path, options: &Options) -> Result<Database, Error> {
    builder(options).create(path).map_err(|error| explain(error, &path.display()))
}

/// The database in a backend.
pub(super) fn backend(backend: impl StorageBackend, options: &Options) -> Result<Database, Error> {
    builder(options).create_with_backend(backend).map_err(|error| explain(error, &"the given backend"))
}

/// Makes sure of the format, creates the tables of a new store, and finds out what waits for dispatch.
pub(super) fn prepare(database: &Database) -> Result<Progress, Error> {
    Ok(try_prepare(database)?)
}

fn try_prepare(database: &Database) -> Result<Progress, Failure> {
    let transaction = begin(database)?;
    let is_new = transaction.list_tables()?.next().is_none();
    let is_ours = transaction.list_tables()?.any(|table| table.name() == META.name());
    if !is_new && !is_ours {
        return Err(
            Error::Unusable("the file is a redb database, but not a store of Hookway".to_owned()).into()
        );
    }
    check_format(&transaction, is_new)?;
    let progress = Progress::load(&transaction)?;
    transaction.commit()?;
    Ok(progress)
}

/// Looks at `meta` alone: in another format the other tables may be others.
fn check_format(transaction: &WriteTransaction, is_new: bool) -> Result<(), Failure> {
    let mut meta = transaction.open_table(META)?;
    let found = meta.get(META_FORMAT)?.map(|value| value.value());
    match found {
        Some(FORMAT) => {}
        None if is_new => {
            meta.insert(META_FORMAT, FORMAT)?;
        }
        found => return Err(Error::Unusable(unknown_format(found)).into()),
    }
    Ok(())
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
        other => Error::Storage(std::sync::Arc::new(other)),
    }
}
