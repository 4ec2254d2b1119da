//! What can be set while the gateway runs.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::api::TargetCheck;
use crate::config::Settings;
use crate::deliver::{self, Client, HttpTransport};
use crate::free_space::FreeSpace;
use crate::ingest;
use crate::lanes::Lanes;
use crate::operations::retention;
use crate::store::Store;

/// The settings that count from the next request, attempt or look on. Clones share them.
#[derive(Clone)]
pub struct Live {
    pub(super) ingest: Arc<ArcSwap<ingest::Options>>,
    pub(super) deliver: Arc<ArcSwap<deliver::Options>>,
    pub(super) retention: Arc<ArcSwap<retention::Options>>,
    pub(super) free_space: FreeSpace,
    lanes: Lanes,
    senders: Senders,
    store: Arc<dyn Store>,
}

/// What connects to others.
#[derive(Clone)]
pub(super) struct Senders {
    /// Of deliveries.
    pub(super) transport: Arc<HttpTransport>,
    /// Of the requests of plugins.
    pub(super) client: Arc<Client>,
}

impl Senders {
    pub(super) fn new(options: &deliver::Options) -> Result<Self, deliver::OptionsError> {
        let (transport, client) = (HttpTransport::new(options)?, Client::new(options)?);
        Ok(Self { transport: Arc::new(transport), client: Arc::new(client) })
    }
}

impl Live {
    pub(super) fn new(
        settings: &Settings,
        free_space: FreeSpace,
        lanes: Lanes,
        senders: Senders,
        store: Arc<dyn Store>,
    ) -> Self {
        store.limit_backlog(settings.ingest.backlog_limits());
        Self {
            ingest: Arc::new(ArcSwap::from_pointee(settings.ingest.clone())),
            deliver: Arc::new(ArcSwap::from_pointee(settings.deliver.clone())),
            retention: Arc::new(ArcSwap::from_pointee(settings.retention.clone())),
            free_space,
            lanes,
            senders,
            store,
        }
    }

    /// Whether an endpoint may have a URL, by what is allowed when that is asked.
    pub(super) fn target_check(&self) -> TargetCheck {
        let deliver = Arc::clone(&self.deliver);
        Arc::new(move |url| {
            deliver::check_target(url, &deliver.load().policy()).map_err(|error| error.to_string())
        })
    }

    /// Takes what these say of it from now on.
    ///
    /// # Errors
    /// The settings of deliveries do not work; nothing is changed then.
    pub fn set(&self, settings: &Settings) -> Result<(), deliver::OptionsError> {
        let set_transport = self.senders.transport.prepare(&settings.deliver)?;
        let set_client = self.senders.client.prepare(&settings.deliver)?;
        set_transport();
        set_client();
        self.deliver.store(Arc::new(settings.deliver.clone()));
        self.lanes.set(settings.lanes.clone());
        let ingest = settings.ingest.clone();
        self.store.limit_backlog(ingest.backlog_limits());
        self.free_space.keep(ingest.min_free_bytes);
        self.ingest.store(Arc::new(ingest));
        self.retention.store(Arc::new(settings.retention.clone()));
        Ok(())
    }
}
