//! The plugin directory as it is now. Everything here blocks.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::time::SystemTime;

use super::beneath;
use super::error::LoadError;
use crate::model::PluginName;

/// A program with an interpreter in it, which takes half a minute to compile where others take a second.
const LARGE_BYTES: u64 = 4 << 20;

/// What changes when a file is replaced or written to. A symlink counts as the file that it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint {
    size: u64,
    modified: Option<SystemTime>,
    /// Device, inode and change time: a copy that keeps size and time has others.
    identity: (u64, u64, i64, i64),
}

/// A file that would be a plugin.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) plugin: PluginName,
    pub(super) file: OsString,
    /// None: not a file that can be read.
    pub(super) fingerprint: Option<Fingerprint>,
}

impl Found {
    /// Whether it may take long to compile.
    pub(super) fn is_large(&self) -> bool {
        self.fingerprint.is_some_and(|fingerprint| fingerprint.size >= LARGE_BYTES)
    }
}

/// All that is in the directory.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) found: Vec<Found>,
    /// Files `*.wasm` whose names are no plugin names.
    pub(super) misnamed: Vec<String>,
}

impl Fingerprint {
    fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified: metadata.modified().ok(), identity: identity(metadata) }
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> (u64, u64, i64, i64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
const fn identity(_: &Metadata) -> (u64, u64, i64, i64) {
    (0, 0, 0, 0)
}

/// Lists the directory. What vanishes meanwhile is not there.
pub(super) fn scan(dir: &Path) -> io::Result<Scan> {
    let mut scan = Scan::default();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".wasm")) else { continue };
        if stem.starts_with('.') {
            continue;
        }
        let Ok(plugin) = stem.parse() else {
            scan.misnamed.push(name.to_string_lossy().into_owned());
            continue;
        };
        let fingerprint = match beneath::metadata(dir, &name) {
            Ok(metadata) => metadata.is_file().then(|| Fingerprint::of(&metadata)),
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(_) => None,
        };
        scan.found.push(Found { plugin, file: name, fingerprint });
    }
    scan.found.sort_by(|a, b| a.plugin.cmp(&b.plugin));
    Ok(scan)
}

/// Reads a file of the directory once. `None` if it changed meanwhile.
pub(super) fn read_in(dir: &Path, file: &OsStr, max_bytes: u64) -> Result<Option<Vec<u8>>, LoadError> {
    read(beneath::open(dir, file), max_bytes)
}

/// Reads an opened file once. `None` if it changed meanwhile.
pub(super) fn read(file: io::Result<File>, max_bytes: u64) -> Result<Option<Vec<u8>>, LoadError> {
    let unreadable = |error: io::Error| LoadError::Unreadable(error.to_string());
    let mut file = file.map_err(unreadable)?;
    let before = file.metadata().map_err(unreadable)?;
    if !before.is_file() {
        return Err(LoadError::Unreadable("it is not a regular file".to_owned()));
    }
    let too_big = || LoadError::TooBig(usize::try_from(max_bytes).unwrap_or(usize::MAX));
    if before.len() > max_bytes {
        return Err(too_big());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or(0));
    file.by_ref().take(max_bytes + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > max_bytes {
        return Err(too_big());
    }
    let after = file.metadata().map_err(unreadable)?;
    Ok((Fingerprint::of(&before) == Fingerprint::of(&after)).then_some(bytes))
}
