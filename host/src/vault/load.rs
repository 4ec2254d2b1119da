//! Where the keys come from: a setting, a file, or, at the first start, a new file beside the data.
//!
//! A file that others can read is refused. A new key is written only by [`Loaded::save`], so that the store can be asked
//! first whether it needs another one.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{KeyRing, KeysError, Vault};
use crate::files::sync_name;

/// The file that is made in the data directory if nothing is set.
const DEFAULT_FILE: &str = "secrets.keys";
/// More than a thousand keys; anything larger is not a file of keys.
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// Permission bits of group and others.
const OF_OTHERS: u32 = 0o077;
const HEADER: &str = "# The keys that seal signing secrets: an id and base64 of 32 random bytes on each line. The first one seals,\n\
                      # all of them open. Without this file the secrets are lost: keep a copy apart from the data.\n";

/// Where the keys that seal secrets come from. With neither, a file is made in the data directory.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// A file of lines `KEY_ID BASE64_OF_32_BYTES`, the current key first, readable by its owner alone.
    pub keys_file: Option<PathBuf>,
    /// The same lines, separated by commas, for an environment that hands secrets over in variables.
    pub keys: Option<KeysText>,
}

/// Keys as text. `Debug` never shows them.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct KeysText(Zeroizing<String>);

/// Keys, perhaps new ones that no file has yet.
#[derive(Debug)]
pub struct Loaded {
    /// What seals and opens with them.
    pub vault: Vault,
    unsaved: Option<Unsaved>,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two answers to one question.
    #[error("`secrets.keys` and `secrets.keys_file` are both set: take one of them away")]
    Both,
    /// The setting is not keys.
    #[error("secrets.keys: {0}")]
    Setting(KeysError),
    /// The file is not keys.
    #[error("secrets.keys_file: {path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeysError,
    },
    /// The file cannot be read or made.
    #[error("secrets.keys_file: {path} cannot be used: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not a file, or too large for one of keys.
    #[error("secrets.keys_file: {path} is not a file of keys: it has to be a regular file of at most {MAX_FILE_BYTES} bytes", path = .0.display())]
    NotAFile(PathBuf),
    /// Others can read it.
    #[error(
        "secrets.keys_file: {path} can be used by others (mode {mode:04o}): run `chmod 600 {path}`, and replace the keys if \
         somebody may have read them",
        path = .path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

#[derive(Debug)]
struct Unsaved {
    path: PathBuf,
    text: KeysText,
}

impl Options {
    /// The file of keys, if they are in one, or where it would be.
    #[must_use]
    pub fn keys_file(&self, data_dir: &Path) -> PathBuf {
        self.keys_file.clone().unwrap_or_else(|| data_dir.join(DEFAULT_FILE))
    }
}

/// The keys that the settings name, or those of the file in the data directory, or a new one.
///
/// # Errors
/// The keys cannot be read, or others can read them.
pub fn load(options: &Options, data_dir: &Path) -> Result<Loaded, Error> {
    let (ring, unsaved) = match (&options.keys, &options.keys_file) {
        (Some(_), Some(_)) => return Err(Error::Both),
        (Some(text), None) => (text.0.parse().map_err(Error::Setting)?, None),
        (None, Some(path)) => (read(path)?, None),
        (None, None) => {
            let path = data_dir.join(DEFAULT_FILE);
            match read(&path) {
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    let ring = KeyRing::random();
                    let text = KeysText(ring.to_text());
                    (ring, Some(Unsaved { path, text }))
                }
                read => (read?, None),
            }
        }
    };
    Ok(Loaded { vault: Vault::new(ring), unsaved })
}

impl Loaded {
    /// Writes new keys to stable storage, before anything is sealed with them. Returns the file that was made, if one was.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn save(self) -> Result<(Vault, Option<PathBuf>), Error> {
        let Some(Unsaved { path, text }) = self.unsaved else { return Ok((self.vault, None)) };
        match write(&path, &text.0) {
            Ok(()) => Ok((self.vault, Some(path))),
            Err(source) => Err(Error::Io { path, source }),
        }
    }
}

impl fmt::Debug for KeysText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

fn read(path: &Path) -> Result<KeyRing, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    // The open file is looked at, so that it cannot be another one than the one that is read.
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return Err(Error::NotAFile(path.to_owned()));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & OF_OTHERS != 0 {
        return Err(Error::Exposed { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(io)?;
    text.parse().map_err(|source| Error::File { path: path.to_owned(), source })
}

/// Complete or not there at all: a half-written file of keys would stop every later start.
fn write(path: &Path, keys: &str) -> io::Result<()> {
    let draft = path.with_extension("keys.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(HEADER.as_bytes())?;
    file.write_all(keys.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    sync_name(path)
}
