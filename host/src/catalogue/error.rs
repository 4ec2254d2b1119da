//! What the catalogue refuses, and why.

use crate::store;

/// A part of an entry, or of a payload, that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// Where it stands: a JSON pointer (RFC 6901) into the entry or into the payload.
    pub pointer: String,
    /// A sentence that says what is wrong.
    pub reason: String,
}

/// Why the catalogue was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An entry cannot be taken.
    #[error("{refusal}")]
    Refused {
        /// Its place among those that came together, from 0.
        index: usize,
        /// What cannot be taken; the pointer is into the entry.
        refusal: Refusal,
    },
    /// There would be too many topics.
    #[error("the catalogue has at most {} topics; delete some first", super::MAX_TOPICS)]
    Full,
    /// Compiling or checking a schema broke off, which is our fault.
    #[error("a schema could not be compiled or checked")]
    Aborted(#[from] tokio::task::JoinError),
    /// The store's.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Why a payload is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// It does not satisfy the schema of its topic; the pointer is into the payload.
    #[error(transparent)]
    Mismatch(#[from] Refusal),
    /// The check broke off, which is our fault.
    #[error("the check against a schema broke off")]
    Aborted(#[from] tokio::task::JoinError),
}

impl Refusal {
    /// A refusal of what stands at this pointer.
    pub(super) fn new(pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), reason: reason.into() }
    }

    /// The same, where the pointer begins at `parent`.
    pub(super) fn inside(self, parent: &str) -> Self {
        Self { pointer: format!("{parent}{}", self.pointer), ..self }
    }
}
