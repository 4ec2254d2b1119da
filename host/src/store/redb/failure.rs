//! Two ways to fail inside a transaction, because one command must not harm the others of its batch.

use std::sync::Arc;

use super::codec::Corrupt;
use crate::store::Error;

/// Why a command or a read did not happen.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command was refused before it wrote anything; the transaction is sound.
    Refused(Error),
    /// The same, because a row that it needs cannot be read.
    Damaged(Corrupt),
    /// The storage failed; the transaction must not be committed.
    Broken(Error),
}

macro_rules! broken_by {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Broken(Error::Storage(Arc::new(error)))
            }
        })*
    };
}

broken_by!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::SetDurabilityError,
    std::io::Error
);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<Corrupt> for Failure {
    /// A row that cannot be read stops the command that needs it and nothing else.
    fn from(corrupt: Corrupt) -> Self {
        Self::Damaged(corrupt)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) | Failure::Broken(error) => error,
            Failure::Damaged(corrupt) => Self::Damaged(Arc::new(corrupt)),
        }
    }
}
