//! A file that is being written: it gets its name whole and on stable storage, or it never was there.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, fsync, openat, renameat, unlinkat};

/// How such files are called. What a crash leaves of them is removed at the next start.
const PREFIX: &str = ".hookway-draft-";

/// A file without its name. Dropping it removes it.
pub(super) struct Draft {
    folder: Arc<OwnedFd>,
    name: String,
    file: File,
    is_kept: bool,
}

impl Draft {
    /// An empty one, with these rights.
    pub(super) fn new(folder: &Arc<OwnedFd>, rights: Mode) -> io::Result<Self> {
        let name = format!("{PREFIX}{:016x}", rand::random::<u64>());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(folder, &name, flags, rights)?);
        Ok(Self { folder: Arc::clone(folder), name, file, is_kept: false })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Puts its content on stable storage.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Gives it this name in its folder; a file that has the name is replaced.
    pub(super) fn keep(mut self, name: &str) -> io::Result<()> {
        self.sync()?;
        renameat(&self.folder, &self.name, &self.folder, name)?;
        self.is_kept = true;
        Ok(fsync(&self.folder)?)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_kept {
            // If it cannot be removed now, the next start does.
            let _ = unlinkat(&self.folder, &self.name, AtFlags::empty());
        }
    }
}

/// Removes what a crash left.
pub(super) fn clear(folder: &OwnedFd) -> io::Result<()> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if entry.file_name().to_bytes().starts_with(PREFIX.as_bytes()) {
            unlinkat(folder, entry.file_name(), AtFlags::empty())?;
        }
    }
    Ok(())
}
