//! Imports the file of topics that `topics_file` names, before anything is served.
//!
//! What is in the catalogue with the same content is left alone, so a start with an unchanged file writes nothing. Topics
//! that are not in the file stay.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::api::{FileFormat, import_topics, read_topics};
use crate::catalogue::Catalogue;
use crate::http::Problem;
use crate::model::{Actor, UnixMs};

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It cannot be read.
    #[error("topics_file: {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Its name does not tell what it is.
    #[error("topics_file: the name of {} ends neither in `.toml` nor in `.json`", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// Something in it cannot be taken.
    #[error("topics_file: {}{}: {}", path.display(), place(problem), problem.detail())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What cannot.
        problem: Problem,
    },
}

/// Adds or replaces the topics in this file, all or none.
pub(super) async fn import(catalogue: &Catalogue, path: &Path, at: UnixMs) -> Result<(), Error> {
    let format = FileFormat::of(path).ok_or_else(|| Error::Format { path: path.to_owned() })?;
    let text =
        fs::read_to_string(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    let refused = |problem| Error::Refused { path: path.to_owned(), problem };
    let entries = read_topics(format, &text, at).map_err(refused)?;
    let imported = import_topics(catalogue, entries, Actor::Gateway, at).await.map_err(refused)?;
    tracing::info!(file = %path.display(), ?imported, "topics imported");
    Ok(())
}

/// Where in the file: the place of the entry and the field.
fn place(problem: &Problem) -> String {
    problem
        .pointer()
        .filter(|pointer| !pointer.is_empty())
        .map_or_else(String::new, |at| format!(", at {at}"))
}
