//! What can be set while the gateway runs.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::config::Settings;
use crate::free_space::FreeSpace;
use crate::ingest;
use crate::operations::retention;
use crate::store::Store;

/// The settings that count from the next request, or the next look, on. Clones share them.
#[derive(Clone)]
pub struct Live {
    pub(super) ingest: Arc<ArcSwap<ingest::Options>>,
    pub(super) retention: Arc<ArcSwap<retention::Options>>,
    pub(super) free_space: FreeSpace,
    store: Arc<dyn Store>,
}

impl Live {
    pub(super) fn new(settings: &Settings, free_space: FreeSpace, store: Arc<dyn Store>) -> Self {
        store.limit_backlog(settings.ingest.backlog_limits());
        Self {
            ingest: Arc::new(ArcSwap::from_pointee(settings.ingest.clone())),
            retention: Arc::new(ArcSwap::from_pointee(settings.retention.clone())),
            free_space,
            store,
        }
    }

    /// Takes what these say of it from now on.
    pub fn set(&self, settings: &Settings) {
        let ingest = settings.ingest.clone();
        self.store.limit_backlog(ingest.backlog_limits());
        self.free_space.keep(ingest.min_free_bytes);
        self.ingest.store(Arc::new(ingest));
        self.retention.store(Arc::new(settings.retention.clone()));
    }
}
