//! Opening: the file, its format, and where the last run stopped.

use std::fmt::Display;
use std::fs::File;
use std::io;
use std::panic::UnwindSafe;
use std::path::Path;
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, StorageError,
    TableHandle as _, WriteTransaction,
};

use super::Options;
use super::failure::Failure;
use super::managing;
use super::overlay::Overlay;
use super::progress::Progress;
use super::replaying;
use super::schema::{
    ENDPOINTS, FORMAT, FORMAT_1, FORMAT_2, FORMAT_3, FORMAT_4, META, META_DISPATCHED_BELOW, META_FORMAT,
    Tables,
};
use super::statistics;
use super::timeline;
use super::upkeep::Upkeep;
use super::wal::Wal;
use super::writer::begin;
use crate::model::{EventKey, UnixMs};
use crate::store::Error;
use crate::vault::Vault;
use crate::{failpoint, files};

/// Why a database of another program is not used.
const NOT_OURS: &str = "the file is a redb database, but not a store of Hookway: restore a backup, or choose another data directory";
/// Why a file of no bytes is not taken for a new store.
const EMPTY: &str =
    "the file is empty, which no store is: restore a backup, or remove it to begin with an empty store";
/// Why a store of format 1 is not looked at without keys.
const IN_CLEAR: &str =
    "the store has format 1, whose signing secrets are in clear: start Hookway once, which seals them";

/// The database in a file, which is created if it is not there.
pub(super) fn file(path: &Path, options: &Options) -> Result<Database, Error> {
    match std::fs::metadata(path) {
        // None that was made is empty, and what was in it may be somewhere.
        Ok(file) if file.len() == 0 => return Err(Error::Unusable(EMPTY.to_owned())),
        Ok(_) => {}
        Err(_) => create(path, options)?,
    }
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

/// Creates an empty database, whole or not at all: a crash while redb writes the first pages leaves a file that never opens.
fn create(path: &Path, options: &Options) -> Result<(), Error> {
    let draft = path.with_extension("redb.new");
    let created = match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        Ok(()) | Err(_) => builder(options).create(&draft).and_then(Database::close),
    };
    created
        .and_then(|()| Ok(std::fs::rename(&draft, path).and_then(|()| files::sync_name(path))?))
        .map_err(|error| explain(error, &path.display()))
}

/// The database in a backend, each page of it verified against its checksum.
pub(super) fn verified(
    backend: impl StorageBackend,
    options: &Options,
    path: &Path,
) -> Result<Database, Error> {
    let database = builder(options).set_check_integrity_on_open(true).create_with_backend(backend);
    database.map_err(|error| explain(error, &path.display()))
}

/// Whether the database in a file was closed.
pub(super) fn is_closed(path: &Path, options: &Options) -> bool {
    !matches!(builder(options).open_read_only(path), Err(DatabaseError::RepairAborted))
}

/// Opens a store and says of what goes wrong which file it is and what to do. redb takes for granted that its pages are what it
/// wrote, and panics on some that are not.
pub(super) fn guarded<T>(
    path: &Path,
    open: impl FnOnce() -> Result<T, Error> + UnwindSafe,
) -> Result<T, Error> {
    let unusable = |what: &dyn Display| {
        Error::Unusable(format!(
            "{} cannot be opened ({what}): run `hookway doctor`, which says what is wrong, or restore a backup",
            path.display()
        ))
    };
    match std::panic::catch_unwind(open) {
        Ok(Err(error @ (Error::Storage(_) | Error::Damaged(_)))) => Err(unusable(&told(&error))),
        Ok(Err(Error::Unusable(sentence))) if !sentence.contains(&*path.to_string_lossy()) => {
            Err(Error::Unusable(format!("{}: {sentence}", path.display())))
        }
        Ok(opened) => opened,
        Err(_) => Err(unusable(&"it is damaged")),
    }
}

/// An error with its causes.
pub(super) fn told(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
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

/// See [`super::RedbStore::check_keys`].
pub(super) fn check_keys(path: &Path, vault: &Vault, options: &Options) -> Result<(), Error> {
    check_file(path, Some(vault), options)
}

/// Whether this version reads the store in this file, whatever its secrets are sealed with. Changes nothing.
pub(super) fn check_format(path: &Path, options: &Options) -> Result<(), Error> {
    check_file(path, None, options)
}

/// What is not a database at all is explained when it is opened for good.
fn check_file(path: &Path, vault: Option<&Vault>, options: &Options) -> Result<(), Error> {
    let checked = match builder(options).open_read_only(path) {
        Ok(database) => check_before(&database, vault),
        // It was not closed: what opening it makes of it is looked at above the file.
        Err(DatabaseError::RepairAborted) => {
            let file = File::options().read(true).write(true).open(path).map_err(DatabaseError::from);
            let database = file
                .and_then(FileBackend::new)
                .and_then(|file| Ok(Overlay::new(file)?))
                .and_then(|overlay| builder(options).create_with_backend(overlay));
            database.map_or(Ok(()), |database| check_before(&database, vault))
        }
        Err(_) => Ok(()),
    };
    Ok(checked?)
}

/// What can be refused before anything is written: a file that is not ours or too new, and secrets that do not open with these keys,
/// if there are any.
fn check_before(database: &impl ReadableDatabase, vault: Option<&Vault>) -> Result<(), Failure> {
    let transaction = database.begin_read()?;
    let mut tables = transaction.list_tables()?.peekable();
    if tables.peek().is_none() {
        return Ok(());
    }
    if !tables.any(|table| table.name() == META.name()) {
        return Err(Error::Unusable(NOT_OURS.to_owned()).into());
    }
    match stored_format(&transaction.open_table(META)?)? {
        // Its secrets are in clear.
        Some(FORMAT_1) => {}
        Some(FORMAT | FORMAT_4 | FORMAT_3 | FORMAT_2) => {
            if let Some(vault) = vault {
                managing::endpoints(&transaction, vault)?;
            }
        }
        found => return Err(Error::Unusable(unknown_format(found)).into()),
    }
    Ok(())
}

/// Makes sure of the format and of the keys, creates the tables of a new store, repeats what the log has, and finds out what
/// waits for dispatch, and what time it was last.
pub(super) fn prepare(
    database: &mut Database,
    wal: Option<&mut Wal>,
    vault: &Vault,
) -> Result<(Progress, Upkeep, UnixMs), Error> {
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
) -> Result<((Progress, Upkeep, UnixMs), bool), Failure> {
    let transaction = begin(database)?;
    let was_clear = upgrade(&transaction, Some(vault))?;
    let (progress, upkeep) = match wal {
        Some(wal) => replaying::replay(&transaction, wal, false)?,
        None => replaying::load(&transaction)?,
    };
    let last = timeline::last_known(&transaction)?;
    failpoint::reached(failpoint::OPENED);
    transaction.commit()?;
    Ok(((progress, upkeep, last), was_clear))
}

/// The format of a store.
pub(super) fn format(database: &Database) -> Result<u64, Failure> {
    let transaction = database.begin_read()?;
    let is_ours = transaction.list_tables()?.any(|table| table.name() == META.name());
    let format = if is_ours { stored_format(&transaction.open_table(META)?)? } else { None };
    Ok(format.and_then(|format| u64::try_from(format).ok()).unwrap_or(0))
}

/// Makes a store one of our format, if it is older; a new one, if there is nothing in it. Makes sure that the secrets in it open with
/// these keys, if there are any. The flag says that secrets were stored in clear until now.
pub(super) fn upgrade(transaction: &WriteTransaction, vault: Option<&Vault>) -> Result<bool, Failure> {
    let is_new = transaction.list_tables()?.next().is_none();
    let is_ours = transaction.list_tables()?.any(|table| table.name() == META.name());
    if !is_new && !is_ours {
        return Err(Error::Unusable(NOT_OURS.to_owned()).into());
    }
    let before = take_format(transaction, is_new)?;
    let was_clear = before == Some(FORMAT_1);
    match vault {
        Some(vault) if was_clear => managing::seal_format_1(transaction, vault)?,
        None if was_clear => return Err(Error::Unusable(IN_CLEAR.to_owned()).into()),
        Some(_) | None => {}
    }
    if before.is_some_and(|before| before < FORMAT_3) {
        managing::begin_orders(transaction)?;
    }
    if before.is_some_and(|before| before < FORMAT_4) {
        statistics::begin(transaction)?;
        let mut tables = Tables::open(transaction)?;
        let below = tables.meta(META_DISPATCHED_BELOW)?.unwrap_or(0);
        tables.seal_all(EventKey::from_u128(below))?;
    }
    if let Some(vault) = vault {
        managing::check(&transaction.open_table(ENDPOINTS)?, vault)?;
    }
    Ok(was_clear)
}

/// Looks at `meta` alone: in another format the other tables may be others. Returns the format that it was, and makes it
/// ours.
fn take_format(transaction: &WriteTransaction, is_new: bool) -> Result<Option<u128>, Failure> {
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
pub(super) fn explain(error: DatabaseError, place: &dyn Display) -> Error {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => Error::Unusable(format!(
            "{place} is in use by another process: stop that one, or choose another data directory"
        )),
        DatabaseError::UpgradeRequired(version) => Error::Unusable(format!(
            "{place} was written in format {version} of an old redb, which is not read"
        )),
        DatabaseError::Storage(StorageError::Corrupted(what)) => Error::Unusable(format!(
            "{place} is damaged ({what}): restore a backup, or move the file away to begin with an empty store"
        )),
        DatabaseError::Storage(StorageError::Io(error)) => Error::Unusable(format!(
            "{place} cannot be opened as a store ({error}): check that it is a file of Hookway, and its permissions"
        )),
        other => Error::Storage(Arc::new(other)),
    }
}
