//! Backups: one file with everything that a gateway keeps, made while it runs, and a data directory made of it.
//!
//! ```text
//! snapshot of the store, files of plugins -> frames -> HTTP -> FILE.partial -> FILE -> all verified -> a new data directory
//! ```
//!
//! - A backup is a stream of frames ([`frame`]): a manifest, rows of tables, files, and an end that has a checksum of all before
//!   it. One without its end is no backup.
//! - It has one moment: what was answered before it began is in it, and nothing after.
//! - Signing secrets are in it as they lie in the store, sealed; the key that sealed them is not, and neither is the configuration.

mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod make;
mod manifest;
mod read;
mod restore;
#[cfg(test)]
mod tests;

pub use self::make::{Backups, Place, Places};
pub use self::manifest::{Manifest, Summary};
pub use self::read::{Part, Reader, verify};
pub use self::restore::{Destination, Restored, UNFINISHED, restore};
use crate::store;

/// The media type of a backup.
pub const MEDIA: &str = "application/vnd.hookway.backup";

/// Why something is no backup, or cannot be restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another file.
    #[error("this is not a backup of Hookway")]
    NotOne,
    /// Its end is missing.
    #[error("the backup is cut off after {0} bytes: it was not finished, or not copied as a whole")]
    CutOff(u64),
    /// Some bytes are others.
    #[error("the backup is damaged: what begins at byte {0} is not what was written")]
    Damaged(u64),
    /// It does not have what it says.
    #[error("the backup is damaged: {0}")]
    Inconsistent(String),
    /// Made by something newer.
    #[error(
        "the backup has format {found}, made by a newer Hookway ({by}); this one reads up to {known}: upgrade Hookway"
    )]
    Newer {
        /// Its format, or that of its rows.
        found: u64,
        /// What this version reads.
        known: u64,
        /// The version that made it.
        by: String,
    },
    /// Something is in the way.
    #[error("{0}")]
    InTheWay(String),
    /// A file cannot be read or written.
    #[error("{what}: {source}")]
    Io {
        /// Which.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// The store.
    #[error("the rows cannot be stored: {0}")]
    Store(#[from] store::Error),
}

impl Error {
    fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }
}
