//! Plugins do not know the store; this is where what is kept of them meets it.

use std::sync::Arc;

use crate::model::{AuditEntry, PluginRecord};
use crate::plugins::{PluginRecords, RecordFailure, RecordFuture};
use crate::store::{self, Store};

/// Keeps the rows of plugins in the store.
pub(super) struct StoredRecords(pub(super) Arc<dyn Store>);

impl PluginRecords for StoredRecords {
    fn all(&self) -> RecordFuture<'_, Vec<PluginRecord>> {
        let reading = self.0.plugins();
        Box::pin(async { reading.await.map_err(failure) })
    }

    fn set(&self, record: PluginRecord, audit: Option<AuditEntry>) -> RecordFuture<'_, ()> {
        let writing = self.0.set_plugin(record, audit);
        Box::pin(async { writing.await.map_err(failure) })
    }
}

fn failure(error: store::Error) -> RecordFailure {
    RecordFailure(error.to_string())
}
