//! What can be set while the gateway runs.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::free_space::FreeSpace;
use crate::ingest;
use crate::store::Store;

/// The settings that count from the next request on. Clones share them.
#[derive(Clone)]
pub struct Live {
    pub(super) ingest: Arc<ArcSwap<ingest::Options>>,
    pub(super) free_space: FreeSpace,
    store: Arc<dyn Store>,
}

impl Live {
    pub(super) fn new(options: ingest::Options, free_space: FreeSpace, store: Arc<dyn Store>) -> Self {
        store.limit_backlog(options.backlog_limits());
        Self { ingest: Arc::new(ArcSwap::from_pointee(options)), free_space, store }
    }

    /// Takes these from now on.
    pub fn set_ingest(&self, options: ingest::Options) {
        self.store.limit_backlog(options.backlog_limits());
        self.free_space.keep(options.min_free_bytes);
        self.ingest.store(Arc::new(options));
    }
}
