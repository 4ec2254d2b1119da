//! The composition root: the only place that knows all stages.
//!
//! [`App::start`] opens what has to be open before the first request: keys, endpoints, plugins, lanes. [`App::run`] serves
//! until it is told to stop and then lets everything that is under way end. Listener, store, clock and stop signal come
//! from outside.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::clock::Clock;
use crate::config::Settings;
use crate::directory::Directory;
use crate::dispatch::{Dispatch, Outbox};
use crate::http::Keys;
use crate::lanes::Lanes;
use crate::model::{ApiKey, EndpointId, Job, UnixMs};
use crate::plugins::Plugins;
use crate::shutdown::Shutdown;
use crate::store::Store;
use crate::{api, deliver, handoff, http, ingest, plugins, store};

/// Events that wait in memory for dispatch; more wait in the store.
const HANDOFF_EVENTS: usize = 4096;
/// How long the stages may take to end what is under way: the longest attempt fits in twice.
const DRAIN: Duration = Duration::from_secs(30);

/// The gateway, ready to serve.
pub struct App {
    settings: Settings,
    keys: Keys,
    admin_key: Option<ApiKey>,
    store: Arc<dyn Store>,
    directory: Directory,
    plugins: Plugins,
    lanes: Lanes,
    transport: Arc<dyn deliver::Transport>,
    clock: Clock,
    shutdown: Shutdown,
}

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The plugin directory cannot be used.
    #[error(transparent)]
    Plugins(#[from] plugins::Error),
    /// The settings of deliveries do not work.
    #[error(transparent)]
    Deliver(#[from] deliver::Error),
}

impl App {
    /// Loads what is stored and starts plugins and lanes. Nothing is served or sent yet.
    ///
    /// # Errors
    /// The store cannot be read, or the plugin directory cannot be made or watched.
    pub async fn start(
        settings: Settings,
        store: Arc<dyn Store>,
        clock: Clock,
        shutdown: Shutdown,
    ) -> Result<Self, Error> {
        let transport = Arc::new(deliver::HttpTransport::new(&settings.deliver)?);
        let admin_key = http::ensure_admin_key(&*store, &clock).await?;
        let keys = Keys::load(&*store).await?;
        let directory = Directory::load(Arc::clone(&store)).await?;
        let options = plugins::Options { dir: Some(settings.plugins_dir()), ..settings.plugins.clone() };
        let plugins = Plugins::start(options, clock, &shutdown).await?;
        let lanes =
            Lanes::start(settings.lanes.clone(), Arc::clone(&store), directory.clone(), clock, shutdown.clone())
                .await?;
        Ok(Self { settings, keys, admin_key, store, directory, plugins, lanes, transport, clock, shutdown })
    }

    /// The first admin key, made by this start because there was none. Shown once, kept as a hash.
    #[must_use]
    pub const fn admin_key(&self) -> Option<&ApiKey> {
        self.admin_key.as_ref()
    }

    /// Serves until the stop signal, then ends what is under way. True if all of it ended in time; what did not is in
    /// the store and goes on after the next start.
    pub async fn run(self, listener: TcpListener) -> bool {
        let Self { settings, keys, store, directory, plugins, lanes, transport, clock, shutdown, .. } = self;
        let (accepted, events) = handoff::channel(HANDOFF_EVENTS);

        let deliver = deliver::Deliver::new(&settings.deliver, Arc::clone(&store), directory.clone(), lanes.clone(), transport, clock);
        shutdown.spawn(deliver::run(deliver, shutdown.clone()));

        let outbox = Arc::new(LanesOutbox(lanes));
        let dispatch = Dispatch::new(
            settings.dispatch.clone(),
            Arc::clone(&store),
            (directory.clone(), plugins.clone()),
            outbox,
            clock,
        );
        shutdown.spawn(dispatch.run(events, shutdown.clone()));

        let policy = settings.deliver.policy();
        let target_check = Arc::new(move |url: &str| deliver::check_target(url, &policy).map_err(|error| error.to_string()));
        let router = ingest::router(settings.ingest.clone(), Arc::clone(&store), accepted, keys.clone(), clock)
            .merge(api::router(store, directory, plugins, keys, clock, target_check));
        http::serve(listener, router, settings.http.clone(), shutdown.clone()).await;
        shutdown.finished(DRAIN).await
    }
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
}
