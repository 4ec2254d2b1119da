//! The composition root: the only place that knows all stages.
//!
//! [`App::start`] opens what has to be open before the first request: keys, endpoints, plugins, lanes. [`App::serve`] serves
//! until it is told to stop, or the store fails, and then lets everything that is under way end. Listener, store, compiler, clock
//! and stop signal come from outside.

mod exposition;
mod global_plugins;
mod live;
mod plugin_records;
mod plugin_requests;
mod plugin_values;
mod readiness;
mod reseal;
mod serving;
mod topics_file;
mod uses;

use std::sync::Arc;

use axum::Router;
use serde_json::Value;

pub use self::live::Live;
use self::live::Senders;
use self::plugin_records::StoredRecords;
use self::plugin_requests::PluginRequests;
use self::plugin_values::PluginValues;
pub use self::serving::{Ended, Serving};
use crate::api::Api;
use crate::backtest::Backtests;
use crate::backup::{self, Backups};
use crate::catalogue::Catalogue;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::Settings;
use crate::deliver::{Attempts, Client, Deliver, HttpTransport, Transport};
use crate::directory::Directory;
use crate::dispatch::{Dispatch, Judge, Outbox};
use crate::free_space::FreeSpace;
use crate::http::{Front, Keys, Problem};
use crate::ingest::Ingest;
use crate::lanes::Lanes;
use crate::metrics::Metrics;
use crate::model::{ApiKey, EndpointId, Event, Job, UnixMs};
use crate::notices::Notices;
use crate::openapi::{Described, document};
use crate::operations::Operations;
use crate::operations::retention::{Counted, Retention};
use crate::plugins::{Compiler, Means, Places, Plugins};
use crate::preview::Previews;
use crate::reference::Reference;
use crate::replay::Resends;
use crate::shutdown::Shutdown;
use crate::store::Store;
use crate::traces::{self, Exporting, Traces};
use crate::{
    api, catalogue, deliver, free_space, handoff, http, ingest, operations, plugins, reference, store,
};

/// Events that wait in memory for dispatch; more wait in the store.
const HANDOFF_EVENTS: usize = 4096;

/// The gateway, ready to serve.
pub struct App {
    settings: Settings,
    keys: Keys,
    admin_key: Option<ApiKey>,
    store: Arc<dyn Store>,
    directory: Directory,
    catalogue: Catalogue,
    plugins: Plugins,
    lanes: Lanes,
    transport: Arc<dyn Transport>,
    /// From those who accept events to dispatch.
    accepted: handoff::Sender<Arc<Event>>,
    events: handoff::Receiver<Arc<Event>>,
    notices: Notices,
    metrics: Metrics,
    traces: Traces,
    exporting: Exporting,
    live: Live,
    clock: Clock,
    chance: Chance,
    shutdown: Shutdown,
}

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The catalogue of topics in the store cannot be used.
    #[error("the catalogue of topics in the store cannot be used: {0}")]
    Catalogue(#[from] catalogue::Error),
    /// The catalogue of topics in `topics_file` cannot be used.
    #[error(transparent)]
    TopicsFile(#[from] topics_file::Error),
    /// The plugin directory cannot be used.
    #[error(transparent)]
    Plugins(#[from] plugins::Error),
    /// The settings of deliveries do not work.
    #[error(transparent)]
    Deliver(#[from] deliver::OptionsError),
    /// The settings of traces do not work.
    #[error(transparent)]
    Traces(#[from] traces::OptionsError),
}

impl App {
    /// Loads what is stored and starts plugins and lanes. Nothing is served or sent yet.
    ///
    /// # Errors
    /// The store or the file of topics cannot be read, or the plugin directory cannot be made or watched.
    pub async fn start(
        settings: Settings,
        store: Arc<dyn Store>,
        compiler: Compiler,
        clock: Clock,
        shutdown: Shutdown,
    ) -> Result<Self, Error> {
        let senders = Senders::new(&settings.deliver)?;
        let metrics = Metrics::default();
        let (traces, exporting) = Traces::start(&settings.traces, clock, &metrics)?;
        // A wrong file stops the start, so it is read before a key is made that only this start can show.
        let catalogue = Catalogue::load(Arc::clone(&store)).await?;
        if let Some(path) = &settings.topics_file {
            topics_file::import(&catalogue, path, clock.now()).await?;
        }
        let admin_key = http::ensure_admin_key(&*store, &clock).await?;
        let keys = Keys::load(&*store, clock).await?;
        let (accepted, events) = handoff::channel(HANDOFF_EVENTS);
        let notices = Notices::new(&settings.operations, clock, accepted.clone());
        let directory =
            Directory::load(Arc::clone(&store), notices.clone(), settings.plugins.bindings.clone()).await?;
        let places = places(&settings, &senders, &store, compiler, clock);
        let plugins = Plugins::start(places, settings.plugins.clone(), clock, &shutdown).await?;
        let users = directory.clone();
        plugins.set_in_use(move |plugin| uses::of(&users, plugin));
        let least = settings.ingest.min_free_bytes;
        let free_space = FreeSpace::new(free_space::of_disk(&settings.data_dir), least);
        senders.transport.count_in(&metrics);
        plugins.count_in(&metrics);
        global_plugins::check(&plugins, directory.global()).await;
        let (limits, stored) = (settings.lanes.clone(), Arc::clone(&store));
        let lanes = Lanes::start(limits, stored, directory.clone(), clock, shutdown.clone()).await?;
        let transport = Arc::<HttpTransport>::clone(&senders.transport);
        let live = Live::new(&settings, free_space, lanes.clone(), senders, Arc::clone(&store));
        Ok(Self {
            settings,
            keys,
            admin_key,
            store,
            directory,
            catalogue,
            plugins,
            lanes,
            transport,
            accepted,
            events,
            notices,
            metrics,
            traces,
            exporting,
            live,
            clock,
            chance: Chance::of_machine(),
            shutdown,
        })
    }

    /// The first admin key, made by this start because there was none. Shown once, kept as a hash.
    #[must_use]
    pub const fn admin_key(&self) -> Option<&ApiKey> {
        self.admin_key.as_ref()
    }

    /// What can be set while it runs.
    #[must_use]
    pub fn live(&self) -> Live {
        self.live.clone()
    }

    /// Serves from now on. What is in front for metrics answers without a key, and serves nothing else.
    pub fn serve(self, front: &Front, for_metrics: Option<&Front>) -> Serving {
        let (deliver, dispatch) = (self.deliver(), self.dispatch());
        self.count(&dispatch, front);
        let resends = self.resends(&dispatch);
        let router = self.router(&resends);
        operations::start(&self.operations(), &self.shutdown);
        let Self {
            settings, keys, store, directory, events, metrics, exporting, live, clock, shutdown, ..
        } = self;
        shutdown.spawn(live.free_space.clone().watch(shutdown.clone()));
        let counted = Counted::in_metrics(&metrics);
        let retention = Retention::new(Arc::clone(&store), clock, live.retention, live.free_space, counted);
        shutdown.spawn(retention.run(shutdown.clone()));
        shutdown.spawn(reseal::run(Arc::clone(&store), shutdown.clone()));
        shutdown.spawn(plugin_values::sweep(Arc::clone(&store), directory, clock, shutdown.clone()));
        shutdown.spawn(deliver::run(deliver, shutdown.clone()));
        shutdown.spawn(dispatch.run(events, shutdown.clone()));
        shutdown.spawn(resends.go_on());
        shutdown.spawn(keys.clone().keep_noting(Arc::clone(&store), shutdown.clone()));
        front.open(router);
        if let Some(front) = for_metrics {
            front.open(api::open_router(metrics));
        }
        Serving { front: front.clone(), keys, store, shutdown, exporting, stop: settings.shutdown }
    }

    fn router(&self, resends: &Resends) -> Router {
        let reference = reference::router(Reference::new(&openapi()));
        ingest::router(self.ingest()).merge(api::router(self.api(resends))).merge(reference)
    }

    /// Has the metrics tell of what is not in them yet.
    fn count(&self, dispatch: &Dispatch, front: &Front) {
        exposition::tell(&self.metrics, &self.store, self.clock.wall());
        front.traffic().count_in(&self.metrics);
        dispatch.count_in(&self.metrics);
        self.lanes.count_in(&self.metrics);
    }

    fn judge(&self) -> Judge {
        Judge::new(self.directory.clone(), self.plugins.clone(), self.clock, self.chance.clone())
    }

    fn resends(&self, dispatch: &Dispatch) -> Resends {
        Resends {
            store: Arc::clone(&self.store),
            directory: self.directory.clone(),
            judge: self.judge(),
            lanes: self.lanes.clone(),
            held: dispatch.held_bell(),
            cancelled: Arc::default(),
            clock: self.clock,
            shutdown: self.shutdown.clone(),
        }
    }

    fn ingest(&self) -> Ingest {
        Ingest {
            store: Arc::clone(&self.store),
            keys: self.keys.clone(),
            catalogue: self.catalogue.clone(),
            clock: self.clock,
            accepted: self.accepted.clone(),
            free_space: self.live.free_space.clone(),
            options: Arc::clone(&self.live.ingest),
            counts: ingest::Counts::new(&self.metrics),
            traces: self.traces.clone(),
        }
    }

    fn dispatch(&self) -> Dispatch {
        Dispatch::new(
            self.settings.dispatch.clone(),
            Arc::clone(&self.store),
            self.judge(),
            (Arc::new(LanesOutbox(self.lanes.clone())), self.notices.clone()),
            (self.clock, self.traces.clone()),
        )
    }

    fn deliver(&self) -> Deliver {
        Deliver {
            lanes: self.lanes.clone(),
            directory: self.directory.clone(),
            store: Arc::clone(&self.store),
            notices: self.notices.clone(),
            attempts: Attempts {
                transport: Arc::clone(&self.transport),
                clock: self.clock,
                options: Arc::clone(&self.live.deliver),
                chance: self.chance.clone(),
                counts: deliver::Counts::new(&self.metrics),
                traces: self.traces.clone(),
            },
        }
    }

    fn operations(&self) -> Operations {
        Operations {
            store: Arc::clone(&self.store),
            directory: self.directory.clone(),
            plugins: self.plugins.clone(),
            notices: self.notices.clone(),
            clock: self.clock,
        }
    }

    fn backed_up(&self) -> backup::Places {
        backup::Places { plugins: self.settings.plugins_dir(), versions: self.settings.plugin_versions_dir() }
    }

    fn api(&self, resends: &Resends) -> Api {
        let (store, shutdown) = (Arc::clone(&self.store), self.shutdown.clone());
        let readiness = readiness::started(store, self.live.free_space.clone(), shutdown);
        let ingest = Arc::clone(&self.live.ingest);
        Api {
            store: Arc::clone(&self.store),
            keys: self.keys.clone(),
            clock: self.clock,
            directory: self.directory.clone(),
            catalogue: self.catalogue.clone(),
            plugins: self.plugins.clone(),
            lanes: self.lanes.clone(),
            resends: resends.clone(),
            previews: Previews::new(self.judge(), self.clock),
            backtests: Backtests::new(Arc::clone(&self.store), self.judge()),
            backups: Backups::new(Arc::clone(&self.store), self.backed_up(), self.clock),
            metrics: self.metrics.clone(),
            target_check: self.live.target_check(),
            readiness,
            accepted: self.accepted.clone(),
            max_event_bytes: Arc::new(move || ingest.load().max_event_bytes),
            shutdown: self.shutdown.clone(),
            streams: api::Streams::default(),
            traces: self.traces.clone(),
        }
    }
}

/// Where plugins come from, and what they may use.
fn places(
    settings: &Settings,
    senders: &Senders,
    store: &Arc<dyn Store>,
    compiler: Compiler,
    clock: Clock,
) -> Places {
    let means = Means {
        outbound: Arc::new(PluginRequests(Arc::clone(&senders.client))),
        key_values: Arc::new(PluginValues { store: Arc::clone(store), clock }),
    };
    Places {
        plugins: settings.plugins_dir(),
        cache: Some(settings.plugin_cache_dir()),
        versions: settings.plugin_versions_dir(),
        compiler,
        means,
        records: Arc::new(StoredRecords(Arc::clone(store))),
    }
}

/// What is said of every route of the gateway.
fn described() -> Vec<Described> {
    ingest::described().chain(api::described()).chain(reference::described()).collect()
}

/// What plugins reach others with where there is no gateway: requests go through the guard of deliveries to public addresses,
/// and nothing is kept.
///
/// # Errors
/// The DNS servers of this machine cannot be used.
pub fn means_without_gateway() -> Result<Means, deliver::OptionsError> {
    let requests = PluginRequests(Arc::new(Client::new(&deliver::Options::default())?));
    Ok(Means { outbound: Arc::new(requests), ..Means::default() })
}

/// The API as an OpenAPI 3.1 document.
#[must_use]
pub fn openapi() -> Value {
    document::<Problem>(&described())
}

/// What is served while there is no gateway, and why there is none.
pub fn early_router(why: &str, shutdown: &Shutdown) -> Router {
    api::early_router(readiness::early(why.to_owned(), shutdown.clone()))
}

/// Dispatch does not know lanes; this is where the two meet.
struct LanesOutbox(Lanes);

impl Outbox for LanesOutbox {
    fn offer(&self, job: Job) -> bool {
        self.0.offer(job)
    }

    fn stored(&self, endpoint: EndpointId, due_at: UnixMs) {
        self.0.stored(endpoint, due_at);
    }

    fn added(&self, endpoint: EndpointId, due_at: UnixMs) {
        self.0.added(endpoint, due_at);
    }

    fn dispatched(&self) {
        self.0.dispatched();
    }
}

#[cfg(test)]
mod loop_tests;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
