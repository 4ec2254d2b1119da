//! The plugin directory as it is now. Everything here blocks.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use super::beneath;
use super::error::LoadError;
use super::load::{Files, hex};
use super::manifest::{self, ManifestError};
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

/// What a name leads to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing.
    #[default]
    Absent,
    /// Not a file that can be read.
    NoFile,
    /// A file.
    File(Fingerprint),
}

/// The looks of the two files of a plugin: what tells that something changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Looks {
    /// `NAME.wasm`.
    pub(super) component: Look,
    /// `NAME.toml`.
    pub(super) manifest: Look,
}

/// Files that would be a plugin.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) plugin: PluginName,
    pub(super) looks: Looks,
}

impl Found {
    /// Whether there is nothing but a manifest.
    pub(super) fn has_no_component(&self) -> bool {
        self.looks.component == Look::Absent
    }

    /// Whether it may take long to compile.
    pub(super) const fn is_large(&self) -> bool {
        matches!(self.looks.component, Look::File(fingerprint) if fingerprint.size >= LARGE_BYTES)
    }
}

/// All that is in the directory.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// By name.
    pub(super) found: Vec<Found>,
    /// Files `*.wasm` and `*.toml` whose names are no plugin names.
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
    let mut found = BTreeMap::<PluginName, Looks>::new();
    let mut misnamed = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let Some((stem, extension)) = name.to_str().and_then(|name| name.rsplit_once('.')) else { continue };
        if stem.starts_with('.') || !["wasm", "toml"].contains(&extension) {
            continue;
        }
        let Ok(plugin) = stem.parse::<PluginName>() else {
            misnamed.push(name.to_string_lossy().into_owned());
            continue;
        };
        let look = look(dir, &name);
        if look == Look::Absent {
            continue;
        }
        let looks = found.entry(plugin).or_default();
        let place = if extension == "wasm" { &mut looks.component } else { &mut looks.manifest };
        *place = look;
    }
    let found = found.into_iter().map(|(plugin, looks)| Found { plugin, looks }).collect();
    Ok(Scan { found, misnamed })
}

fn look(dir: &Path, name: &OsStr) -> Look {
    match beneath::metadata(dir, name) {
        Ok(metadata) if metadata.is_file() => Look::File(Fingerprint::of(&metadata)),
        Ok(_) => Look::NoFile,
        Err(error) if error.kind() == ErrorKind::NotFound => Look::Absent,
        Err(_) => Look::NoFile,
    }
}

/// The looks of the files of one plugin.
pub(super) fn looks(dir: &Path, plugin: &PluginName) -> Looks {
    let of = |extension: &str| look(dir, format!("{plugin}.{extension}").as_ref());
    Looks { component: of("wasm"), manifest: of("toml") }
}

/// The component of a plugin, if there is one.
pub(super) fn component_of(
    dir: &Path,
    plugin: &PluginName,
    max_bytes: u64,
) -> Result<Option<Vec<u8>>, LoadError> {
    if looks(dir, plugin).component == Look::Absent {
        return Ok(None);
    }
    let file = beneath::open(dir, format!("{plugin}.wasm").as_ref());
    read(file, max_bytes)?.ok_or_else(changes).map(Some)
}

/// The manifest of a plugin, if there is one.
pub(super) fn manifest_of(dir: &Path, plugin: &PluginName) -> Result<Option<Vec<u8>>, LoadError> {
    if looks(dir, plugin).manifest == Look::Absent {
        return Ok(None);
    }
    let name = format!("{plugin}.toml");
    let file = beneath::open(dir, name.as_ref());
    read_manifest(&name, file)?.ok_or_else(changes).map(Some)
}

/// The SHA-256 of component and manifest, in hex, each if it is there.
pub(super) fn digests(
    dir: &Path,
    plugin: &PluginName,
    max_bytes: u64,
) -> Result<(Option<String>, Option<String>), LoadError> {
    let digest = |bytes: Option<Vec<u8>>| bytes.map(|bytes| hex(&Sha256::digest(bytes)));
    Ok((digest(component_of(dir, plugin, max_bytes)?), digest(manifest_of(dir, plugin)?)))
}

fn changes() -> LoadError {
    LoadError::Unreadable("somebody writes to it".to_owned())
}

/// Reads the files of a plugin once. `None` if one of them changed meanwhile.
pub(super) fn read_files(dir: &Path, found: &Found, max_bytes: u64) -> Result<Option<Files>, LoadError> {
    let open = |extension: &str| beneath::open(dir, format!("{}.{extension}", found.plugin).as_ref());
    let manifest = match found.looks.manifest {
        Look::Absent => None,
        Look::NoFile | Look::File(_) => {
            let Some(manifest) = read_manifest(&format!("{}.toml", found.plugin), open("toml"))? else {
                return Ok(None);
            };
            Some(manifest)
        }
    };
    let component = read(open("wasm"), max_bytes)?;
    Ok(component.map(|component| Files { component, manifest }))
}

/// Reads an opened manifest once; `name` is that of its file. `None` if it changed meanwhile.
pub(super) fn read_manifest(name: &str, file: io::Result<File>) -> Result<Option<Vec<u8>>, ManifestError> {
    read(file, manifest::MAX_BYTES).map_err(|error| {
        let file = name.to_owned();
        if matches!(error, LoadError::TooBig(_)) {
            return ManifestError::TooBig { file };
        }
        let reason = if let LoadError::Unreadable(reason) = error { reason } else { error.to_string() };
        ManifestError::Unreadable { file, reason }
    })
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
