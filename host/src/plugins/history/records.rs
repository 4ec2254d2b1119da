//! Where the rows of the history are: plugins do not know the store.

use std::future::Future;
use std::pin::Pin;

use crate::model::{AuditEntry, PluginRecord};

/// What a [`PluginRecords`] returns.
pub type RecordFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, RecordFailure>> + Send + 'a>>;

/// What is kept of plugins, one row each. Each verb is one transaction.
pub trait PluginRecords: Send + Sync + 'static {
    /// All of them.
    fn all(&self) -> RecordFuture<'_, Vec<PluginRecord>>;

    /// Replaces the row of a plugin, durably; one that says nothing leaves none. The entry is put into the audit log by the same
    /// transaction.
    fn set(&self, record: PluginRecord, audit: Option<AuditEntry>) -> RecordFuture<'_, ()>;
}

/// The storage failed, as it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RecordFailure(pub String);

/// Rows that nobody writes: every start begins without a history. For where there is no store.
#[derive(Debug, Clone, Copy)]
pub struct Unrecorded;

impl PluginRecords for Unrecorded {
    fn all(&self) -> RecordFuture<'_, Vec<PluginRecord>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn set(&self, _: PluginRecord, _: Option<AuditEntry>) -> RecordFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
