//! Looks at a store that nobody uses, and repairs what can be.
//!
//! Whoever looks opens the file by the code that opens every store (repairs after a crash, migrations, the log), above an
//! [`Overlay`], so that nothing in it is changed. Every page is verified against its checksum, then every row against the others.

use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Database, ReadableTableMetadata as _, StorageBackend, WriteTransaction};
use serde::Serialize;

use super::failure::Failure;
use super::inspect::{self, Findings};
use super::overlay::Overlay;
use super::schema::Tables;
use super::wal::Wal;
use super::writer::begin;
use super::{Options, WAL_EXTENSION, open, repairing, replaying};
use crate::store::Error;

/// Told how many rows were looked at, and of how many.
pub type Watch<'w> = &'w mut dyn FnMut(u64, u64);

/// What was found about a store.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    /// The format of the file.
    pub format: u64,
    /// Bytes of the file.
    pub store_bytes: u64,
    /// Whether the store was closed. One that was not is repaired when it is opened: nothing is wrong with that.
    pub closed: bool,
    /// The write-ahead log.
    pub log: Log,
    /// How many rows the tables have that people ask about.
    pub rows: Vec<Rows>,
    /// What is wrong, each as a sentence that says what it means.
    pub problems: Vec<Problem>,
}

/// The write-ahead log of a store.
#[derive(Debug, Clone, Serialize)]
pub struct Log {
    /// Bytes of the file. It is written from its beginning again and again, so they say nothing of what is in it.
    pub bytes: u64,
    /// The generation that the tables do not have yet.
    pub generation: u64,
    /// Frames of that generation: what was answered and is repeated when the store is opened.
    pub frames: u64,
}

/// How many rows a table has.
#[derive(Debug, Clone, Serialize)]
pub struct Rows {
    /// What they are.
    pub of: &'static str,
    /// How many.
    pub count: u64,
}

/// Something that is wrong.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    /// A sentence.
    pub sentence: String,
    /// Whether a repair makes it right.
    pub is_repairable: bool,
}

impl Diagnosis {
    /// Whether all that is wrong can be made right by a repair.
    #[must_use]
    pub fn is_repairable(&self) -> bool {
        self.problems.iter().all(|problem| problem.is_repairable)
    }
}

/// Looks at the store in this file, and changes nothing.
///
/// # Errors
/// [`Error::Unusable`], with a sentence, if there is no store, if a process uses it, if a newer version wrote it, or if it is
/// damaged so that it cannot be read.
pub fn examine(path: &Path, options: &Options, watch: Watch<'_>) -> Result<Diagnosis, Error> {
    let log = log_file(path)?;
    open::guarded(
        path,
        AssertUnwindSafe(|| {
            let overlay = |file| Overlay::new(file).map_err(Failure::from);
            let closed = open::is_closed(path, options);
            let store_bytes = file(path)?.len().map_err(Failure::from)?;
            let (database, changed) = pages(|| Ok(overlay(file(path)?)?), path, options)?;
            let mut log = log.map(|log| Wal::new(overlay(log)?).map_err(Failure::from)).transpose()?;
            let mut diagnosis = diagnose(&database, log.as_mut(), false, watch)?;
            diagnosis.problems.splice(0..0, changed);
            Ok(Diagnosis { store_bytes, closed, ..diagnosis })
        }),
    )
}

/// Repairs what can be repaired of the store in this file, and says what was wrong before and what is after.
///
/// # Errors
/// As [`examine`]; [`Error::Storage`] if the file cannot be written.
pub fn repair(path: &Path, options: &Options, watch: Watch<'_>) -> Result<[Diagnosis; 2], Error> {
    let log = log_file(path)?;
    let before = open::guarded(
        path,
        AssertUnwindSafe(|| {
            let closed = open::is_closed(path, options);
            let store_bytes = file(path)?.len().map_err(Failure::from)?;
            let (database, changed) = pages(|| file(path), path, options)?;
            let mut log = log.map(|log| Wal::new(log).map_err(Failure::from)).transpose()?;
            let mut before = diagnose(&database, log.as_mut(), true, &mut *watch)?;
            before.problems.splice(0..0, changed);
            database.close().map_err(|error| open::explain(error, &path.display()))?;
            Ok(Diagnosis { store_bytes, closed, ..before })
        }),
    )?;
    Ok([before, examine(path, options, watch)?])
}

/// The database, each page of it verified; where some are not what was written, as a gateway opens it, and what is to be said of that.
fn pages<B: StorageBackend>(
    backend: impl Fn() -> Result<B, Error>,
    path: &Path,
    options: &Options,
) -> Result<(Database, Option<Problem>), Error> {
    let damaged = match open::verified(backend()?, options, path) {
        Ok(database) => return Ok((database, None)),
        Err(damaged) => damaged,
    };
    // What is no store at all is none here, either.
    let Ok(database) = open::backend(backend()?, options) else { return Err(damaged) };
    let sentence = "pages of hookway.redb were changed on the disk: what is found in them is told below, as far as it can be read; \
                    only what was to be sent has a checksum of its own"
        .to_owned();
    Ok((database, Some(Problem { sentence, is_repairable: false })))
}

/// The file of a store, which has to be there.
pub(super) fn file(path: &Path) -> Result<FileBackend, Error> {
    let file = File::options().read(true).write(true).open(path);
    let file =
        file.map_err(|error| Error::Unusable(format!("{} cannot be opened: {error}", path.display())))?;
    FileBackend::new(file).map_err(|error| open::explain(error, &path.display()))
}

fn log_file(path: &Path) -> Result<Option<FileBackend>, Error> {
    let path = path.with_extension(WAL_EXTENSION);
    path.exists().then(|| file(&path)).transpose()
}

fn diagnose(
    database: &Database,
    wal: Option<&mut Wal>,
    is_repaired: bool,
    watch: Watch<'_>,
) -> Result<Diagnosis, Failure> {
    let mut problems = Vec::new();
    let format = open::format(database)?;
    let log = look_at_log(database, wal.as_deref(), &mut problems)?;
    let mut transaction = begin(database)?;
    if let Err(failure) = make_ready(&transaction, wal) {
        let sentence = format!("the store does not open: {}", open::told(&failure.into()));
        problems.push(Problem { sentence, is_repairable: false });
        transaction.abort()?;
        transaction = begin(database)?;
        open::upgrade(&transaction, None)?;
    }
    let mut tables = Tables::open(&transaction)?;
    let findings = look(&tables, watch)?;
    problems.extend(findings.problems());
    let rows = counts(&tables)?;
    if is_repaired {
        repairing::repair(&mut tables, &findings)?;
    }
    drop(tables);
    if is_repaired {
        transaction.commit()?;
    } else {
        transaction.abort()?;
    }
    Ok(Diagnosis { format, store_bytes: 0, closed: true, log, rows, problems })
}

/// What opening a store does, but for the keys, which are not needed.
fn make_ready(transaction: &WriteTransaction, wal: Option<&mut Wal>) -> Result<(), Failure> {
    open::upgrade(transaction, None)?;
    match wal {
        Some(wal) => replaying::replay(transaction, wal, true).map(drop),
        None => replaying::load(transaction).map(drop),
    }
}

fn look(tables: &Tables<'_>, watch: Watch<'_>) -> Result<Findings, Failure> {
    let total = inspect::rows(tables)?;
    inspect::inspect(tables, &mut |rows| watch(rows.min(total), total))
}

fn look_at_log(database: &Database, wal: Option<&Wal>, problems: &mut Vec<Problem>) -> Result<Log, Failure> {
    let transaction = begin(database)?;
    open::upgrade(&transaction, None)?;
    let generation = replaying::next_generation(&Tables::open(&transaction)?)?;
    transaction.abort()?;
    let Some(wal) = wal else { return Ok(Log { bytes: 0, generation, frames: 0 }) };
    let logged = wal.read(generation)?;
    if logged.newer.is_some() {
        problems.push(Problem { sentence: replaying::NEWER_LOG.to_owned(), is_repairable: false });
    } else if let Some(damage) = &logged.damage {
        problems.push(Problem { sentence: replaying::damaged(damage), is_repairable: true });
    }
    Ok(Log { bytes: wal.length(), generation, frames: logged.frames })
}

fn counts(tables: &Tables<'_>) -> Result<Vec<Rows>, Failure> {
    let counts = [
        ("events", tables.events.len()?),
        ("deliveries", tables.deliveries.len()?),
        ("waiting for an attempt", tables.queue.len()?),
        ("waiting for a plugin", tables.holds.len()?),
        ("attempts", tables.attempts.len()?),
        ("endpoints", tables.endpoints.len()?),
        ("API keys", tables.keys.len()?),
        ("topics", tables.topics.len()?),
        ("audit entries", tables.audit.len()?),
    ];
    Ok(counts.map(|(of, count)| Rows { of, count }).into())
}

impl Findings {
    fn problems(&self) -> impl Iterator<Item = Problem> {
        let problem = |(sentence, is_repairable)| Problem { sentence, is_repairable };
        self.sentences().into_iter().map(problem)
    }
}
