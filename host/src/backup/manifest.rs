//! What a backup says of itself, at its beginning and at its end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of Hookway that made it.
    pub hookway: String,
    /// The moment that it is of: RFC 3339, in UTC.
    pub created_at: String,
    /// The format of the rows.
    pub store_format: u64,
    /// How many rows each table has.
    pub tables: BTreeMap<String, u64>,
    /// How many files there are.
    pub files: u64,
}

/// The head of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileHead {
    pub(super) place: FilePlace,
    pub(super) name: String,
    pub(super) bytes: u64,
}

/// Where a file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilePlace {
    /// In the plugin directory.
    Plugins,
    /// Among the versions of plugins.
    PluginVersions,
}

/// The end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// How many rows there were.
    pub rows: u64,
    /// How many files.
    pub files: u64,
    /// Bytes before the last frame.
    pub bytes: u64,
    /// SHA-256 of them, in hex.
    pub sha256: String,
}

impl Manifest {
    /// All rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        // Whoever made it up may have named more than there can be.
        self.tables.values().fold(0, |sum, rows| sum.saturating_add(*rows))
    }
}
