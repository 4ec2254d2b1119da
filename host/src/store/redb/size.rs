//! How much is stored, and the verbs of [`Retention`]: each handed to the writer or to a reader.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use redb::{ReadTransaction, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _};

use super::RedbStore;
use super::failure::Failure;
use super::schema::{EVENTS, META, META_BACKED_UP, META_OVERHEAD, META_ROW_BYTES};
use super::sweeping::Sweep;
use crate::model::{EventKey, UnixMs};
use crate::store::{Error, Retention, Retire, Retired, StoreFull, StoreFuture, StoreSize, SweepPlace};

/// Snapshots that are read for long. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(super) struct Pins(Arc<AtomicUsize>);

/// One of them.
#[derive(Debug)]
pub(super) struct Pin(Pins);

impl Pins {
    /// One more, until it is dropped.
    pub(super) fn pin(&self) -> Pin {
        self.0.fetch_add(1, Ordering::Relaxed);
        Pin(self.clone())
    }

    fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Retention for RedbStore {
    /// Of what is committed: to have more committed for it would cost more than it says.
    fn size(&self) -> StoreFuture<'_, StoreSize> {
        let (shared, path, is_pinned) = (Arc::clone(&self.shared), self.path.clone(), self.pins.any());
        let reading = move || {
            let file_bytes = path.as_deref().map(on_disk).transpose();
            let file_bytes = file_bytes.map_err(|error| Error::Storage(Arc::new(error)))?;
            let read = shared.with(|database| read(&database.begin_read()?))?;
            Ok(StoreSize { file_bytes, is_pinned, ..read })
        };
        Box::pin(async move {
            let joined = tokio::task::spawn_blocking(reading).await;
            joined.map_err(|error| Error::Storage(Arc::new(error)))?
        })
    }

    fn retire(&self, part: Retire) -> StoreFuture<'_, Retired> {
        self.write(part)
    }

    fn sweep(&self, place: SweepPlace, below: EventKey, limit: usize) -> StoreFuture<'_, Option<SweepPlace>> {
        self.write(Sweep { place, below, limit })
    }

    fn refuse_events(&self, full: Option<StoreFull>) {
        self.backlogs.refuse(full);
    }
}

fn read(transaction: &ReadTransaction) -> Result<StoreSize, Failure> {
    let (events, meta) = (transaction.open_table(EVENTS)?, transaction.open_table(META)?);
    let oldest = events.first()?.map(|(key, _)| EventKey::from_u128(key.value()).time());
    let number = |name| -> Result<Option<u128>, Failure> { Ok(meta.get(name)?.map(|value| value.value())) };
    let row_bytes = number(META_ROW_BYTES)?.and_then(|bytes| u64::try_from(bytes).ok());
    let overhead = number(META_OVERHEAD)?.and_then(|overhead| u32::try_from(overhead).ok());
    let row_bytes = row_bytes.unwrap_or_default();
    let backed_up = number(META_BACKED_UP)?.and_then(|at| u64::try_from(at).ok()).map(UnixMs);
    Ok(StoreSize { events: events.len()?, oldest, row_bytes, overhead, backed_up, ..StoreSize::default() })
}

/// What a file takes on its disk. Its length may be greater: the end of it is a hole until something is written there.
pub(super) fn on_disk(path: &Path) -> std::io::Result<u64> {
    let file = std::fs::metadata(path)?;
    #[cfg(unix)]
    let bytes = {
        // POSIX leaves the unit open, but every system that we know counts 512 bytes, as `du` does.
        const UNIT: u64 = 512;
        std::os::unix::fs::MetadataExt::blocks(&file) * UNIT
    };
    #[cfg(not(unix))]
    let bytes = file.len();
    Ok(bytes)
}
