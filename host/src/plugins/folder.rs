//! A folder that belongs to this gateway alone.
//!
//! It is opened once; every file is then opened relative to it, never through a link, and looked at before it is read:
//! a regular file of our own user that nobody else may touch. What is written appears whole or not at all.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW};
use rustix::fs::{fchmod, fstat, futimens, openat, statat, unlinkat};
use rustix::process::geteuid;

use super::draft::{self, Draft};

const READ: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// The open folder. Everything here blocks.
pub(super) struct Folder {
    folder: Arc<OwnedFd>,
    /// Whether a file is read only if nobody else may touch it.
    is_strict: bool,
}

/// A file in the folder.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) size: u64,
    /// When it was last read or written: seconds and nanoseconds.
    pub(super) used: (i64, u64),
}

impl Folder {
    /// Opens it, and makes it if it is missing. What is in it is believed, so it must have been nobody else's.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let folder = open(path)?;
        ensure_private(&fstat(&folder)?)?;
        Self::of(folder, true)
    }

    /// The same for files that are held against a hash when they are read. Where somebody gave others rights to the folder, as
    /// Kubernetes does to a volume with an `fsGroup`, they are taken away again.
    pub(super) fn open_and_close_to_others(path: &Path) -> io::Result<Self> {
        let folder = open(path)?;
        if ensure_private(&fstat(&folder)?).is_err() {
            fchmod(&folder, Mode::RWXU)?;
        }
        Self::of(folder, false)
    }

    fn of(folder: OwnedFd, is_strict: bool) -> io::Result<Self> {
        draft::clear(&folder)?;
        Ok(Self { folder: Arc::new(folder), is_strict })
    }

    /// The first `N` bytes of a file, and the rest. `None` if there is no such file.
    pub(super) fn read<const N: usize>(
        &self,
        name: &str,
        max_bytes: u64,
    ) -> io::Result<Option<([u8; N], Vec<u8>)>> {
        let file = match openat(&self.folder, name, READ, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            opened => opened?,
        };
        let stat = fstat(&file)?;
        if self.is_strict {
            ensure_private(&stat)?;
        }
        let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || size > max_bytes {
            return Err(io::Error::new(ErrorKind::InvalidData, "it is not a file that the gateway wrote"));
        }
        // When it was used says what is dropped first; if it cannot be said, nothing is lost.
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let _ = futimens(&file, &Timestamps { last_access: now, last_modification: now });
        let mut file = File::from(file);
        let mut first = [0; N];
        file.read_exact(&mut first)?;
        let mut rest = Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_sub(N));
        file.take(max_bytes).read_to_end(&mut rest)?;
        Ok(Some((first, rest)))
    }

    /// How many bytes a file has. `None` if there is no such file.
    pub(super) fn size(&self, name: &str) -> io::Result<Option<u64>> {
        match statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(rustix::io::Errno::NOENT) => Ok(None),
            stat => Ok(Some(u64::try_from(stat?.st_size).unwrap_or(0))),
        }
    }

    /// A file that nobody sees yet.
    pub(super) fn draft(&self) -> io::Result<Draft> {
        Draft::new(&self.folder, Mode::RUSR | Mode::WUSR)
    }

    /// Makes or replaces a file.
    pub(super) fn write(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let mut draft = self.draft()?;
        for part in parts {
            draft.write(part)?;
        }
        draft.keep(name)
    }

    /// Removes a file, or whatever has its name. A link goes, what it leads to stays.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.folder, name, AtFlags::empty()) {
            Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(rustix::io::Errno::ISDIR) => Ok(unlinkat(&self.folder, name, AtFlags::REMOVEDIR)?),
            removed => Ok(removed?),
        }
    }

    pub(super) fn list(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            let Ok(stat) = statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
                let size = u64::try_from(stat.st_size).unwrap_or(0);
                let used = (stat.st_mtime, stat.st_mtime_nsec);
                entries.push(Entry { name: name.to_owned(), size, used });
            }
        }
        Ok(entries)
    }
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    Ok(rustix::fs::open(path, READ | OFlags::DIRECTORY, Mode::empty())?)
}

/// Ours, and nobody else may do anything with it.
fn ensure_private(stat: &Stat) -> io::Result<()> {
    if stat.st_uid != geteuid().as_raw() {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "it belongs to another user"));
    }
    if Mode::from_raw_mode(stat.st_mode).intersects(Mode::RWXG | Mode::RWXO) {
        return Err(io::Error::new(
            ErrorKind::PermissionDenied,
            "other users may use it: take their rights away (`chmod go= `)",
        ));
    }
    Ok(())
}
