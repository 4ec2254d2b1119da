//! Gives what is free in a store back to its disk, while nobody uses it: pages from the end of the file are moved to free places before
//! them, and the end is cut off.
//!
//! redb moves pages in transactions, so a crash at any moment leaves every row, and a file that is between what it was and what it would
//! have been. No row is changed: neither keys nor the write-ahead log are needed, and an older format stays what it is. Every page is
//! verified first, as one that was changed on the disk would get a new checksum with its new place.

use std::fmt;
use std::io;
use std::ops::Bound;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;

use redb::{BackendError, Database, StorageBackend};
use serde::Serialize;

use super::Options;
use super::doctor::file;
use super::open;
use super::size::on_disk;
use crate::store::Error;

/// Told how many bytes were read or written, each time some were.
pub type Tell = Arc<dyn Fn(u64) + Send + Sync>;

/// What a file took on its disk, and what it takes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Compacted {
    /// Bytes before.
    pub bytes_before: u64,
    /// Bytes after.
    pub bytes_after: u64,
}

/// A file that tells how much of it is read and written.
struct Watched<B> {
    file: B,
    tell: Tell,
}

/// Makes the store in this file as small as it can be without changing a row. The length of the file follows.
///
/// # Errors
/// [`Error::Unusable`], with a sentence, if there is no store, if a process uses it, if a newer version wrote it, if it is damaged, or if the
/// file cannot be written to its end. What was stored is there in any case.
pub fn compact(path: &Path, options: &Options, tell: Tell) -> Result<Compacted, Error> {
    let compacting = || {
        open::check_unused(path)?;
        open::check_format(path, options)?;
        let watched = Watched { file: file(path)?, tell };
        let size = || on_disk(path).map_err(|error| unfinished(path, &error));
        let bytes_before = size()?;
        let database = open::verified(watched, options, path).map_err(|_| damaged(path))?;
        pack(database).map_err(|error| unfinished(path, &error))?;
        Ok(Compacted { bytes_before, bytes_after: size()? })
    };
    open::guarded(path, AssertUnwindSafe(compacting))
}

/// Moves what lies behind free pages, and closes the database.
pub(super) fn pack(mut database: Database) -> Result<(), redb::Error> {
    database.compact()?;
    database.close()?;
    Ok(())
}

fn damaged(path: &Path) -> Error {
    Error::Unusable(format!(
        "{} is left as it is, because not all of it is what was written: run `hookway doctor`, which says what is wrong",
        path.display()
    ))
}

fn unfinished(path: &Path, error: &dyn fmt::Display) -> Error {
    Error::Unusable(format!(
        "{} was not compacted to the end ({error}): all that was stored is there, and the command can be run again",
        path.display()
    ))
}

impl<B> fmt::Debug for Watched<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

impl<B: StorageBackend> StorageBackend for Watched<B> {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        (self.tell)(out.len() as u64);
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        (self.tell)(data.len() as u64);
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}
