//! `hookway serve`: listeners, then the store and the gateway on it, until it is told to stop.
//!
//! - The listeners are open before the store is, so that whoever asks is told that the gateway is starting.
//! - A store that fails is closed and opened again, which reads what the disk really holds, and everything that works on it starts anew.
//!   So a disk that was full, or gone for a moment, needs nobody to restart the process.

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hookway::app::{self, App, Ended};
use hookway::clock::Clock;
use hookway::config::Settings;
use hookway::files::make_directory;
use hookway::http::{self, Front};
use hookway::plugins::Compiler;
use hookway::shutdown::Shutdown;
use hookway::store::redb::RedbStore;
use hookway::telemetry::{self, Level};
use hookway::{backup, vault};
use tokio::net::TcpListener;

use crate::cli::ServeArgs;
use crate::reload::{Sources, reload};
use crate::signals::HangUps;
use crate::{core_dumps, open_files, private_files, signals};

/// Something that is shown to the person who started the command.
type Failure = Box<dyn Error>;

/// How long until a store that cannot be opened again is tried the next time.
const REOPEN_WAIT: Duration = Duration::from_secs(1);
/// For what runs beside the gateway, when all is done and stored.
const LAST: Duration = Duration::from_millis(500);

/// Runs the gateway until it is told to stop.
///
/// # Errors
/// It cannot start: a sentence about what to change.
pub(crate) fn serve(args: ServeArgs) -> Result<(), Failure> {
    let sources = args.sources();
    let settings = sources.read()?;
    private_files::make_private();
    if !settings.core_dumps {
        core_dumps::forbid()?;
    }
    let level = telemetry::init(&settings.log)?;
    open_files::provide(&settings);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(run(settings, &sources, &level));
    runtime.shutdown_timeout(LAST);
    served
}

async fn run(mut settings: Settings, sources: &Sources, level: &Level) -> Result<(), Failure> {
    let (clock, stop) = (Clock::system(), Shutdown::new());
    let mut hang_ups = HangUps::new()?;
    signals::stop_on_signal(stop.clone(), settings.shutdown)?;
    make_directory(&settings.data_dir)
        .map_err(|error| format!("data_dir: cannot make {}: {error}", settings.data_dir.display()))?;
    let doors = Doors::open(&settings, &stop).await?;
    let (first, keys_file) = Running::start(&settings, clock, &stop).await?;
    let mut greeting = Some(doors.greeting(&settings, &first.app, keys_file));
    let (requests, for_work) = (stop.clone(), settings.shutdown.for_work());
    let requests = tokio::spawn(async move {
        requests.requested().await;
        requests.finished(for_work).await;
    });
    let mut next = Some(first);
    while let Some(Running { app, store }) = next.take() {
        let live = app.live();
        let serving = app.serve(&doors.api, doors.metrics.as_ref());
        if let Some(lines) = greeting.take() {
            let mut out = std::io::stdout();
            out.write_all(lines.as_bytes())?;
            out.flush()?;
        }
        let mut running = Box::pin(serving.end());
        let ended = loop {
            tokio::select! {
                ended = &mut running => break ended,
                () = hang_ups.next() => reload(sources, &mut settings, &live, level),
            }
        };
        match ended {
            Ended::StoreFailed => {
                // What it says was said before.
                let _ = store.close();
                next = Running::again(&settings, store.clock(), &stop).await;
                continue;
            }
            Ended::CutOff => {
                tracing::warn!("some attempts did not end in time; they are made again after the next start");
            }
            Ended::Drained => {}
        }
        // Until then they may write.
        requests.await?;
        store.close()?;
        return Ok(());
    }
    Ok(())
}

/// The gateway on its store.
struct Running {
    app: App,
    store: Arc<RedbStore>,
}

impl Running {
    /// Opens the store and starts the gateway; also says which file of keys was made for it, if one was.
    async fn start(
        settings: &Settings,
        clock: Clock,
        stop: &Shutdown,
    ) -> Result<(Self, Option<PathBuf>), Failure> {
        let (store, keys_file) = open_store(settings, clock)?;
        let clock = store.clock();
        let store = Arc::new(store);
        let (compiler, shutdown) = (Compiler::this_program()?, stop.child());
        let started =
            App::start(settings.clone(), Arc::<RedbStore>::clone(&store), compiler, clock, shutdown.clone());
        match started.await {
            Ok(app) => Ok((Self { app, store }, keys_file)),
            Err(error) => {
                // What it began must not work on a store that somebody else opens.
                shutdown.request();
                store.close()?;
                Err(error.into())
            }
        }
    }

    /// The same after the store failed, as often as it takes; `None` when it is time to stop.
    async fn again(settings: &Settings, clock: Clock, stop: &Shutdown) -> Option<Self> {
        let mut told = String::new();
        loop {
            match Self::start(settings, clock, stop).await {
                Ok((running, _)) => {
                    tracing::info!("the store is open again, with all that was answered");
                    return Some(running);
                }
                Err(error) => {
                    let error = with_causes(&*error);
                    if error != told {
                        tracing::error!(%error, "the store cannot be opened again yet; it is tried every second");
                        told = error;
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(REOPEN_WAIT) => {}
                () = stop.requested() => return None,
            }
        }
    }
}

/// What is listened at. It is open before there is anything behind it.
struct Doors {
    address: SocketAddr,
    api: Front,
    metrics_address: Option<SocketAddr>,
    metrics: Option<Front>,
}

impl Doors {
    async fn open(settings: &Settings, stop: &Shutdown) -> Result<Self, Failure> {
        let early =
            || app::early_router("the gateway is starting: the store is opened and plugins are loaded", stop);
        let open = async |setting: &str, address: SocketAddr| -> Result<_, Failure> {
            let listener = TcpListener::bind(address).await;
            let listener =
                listener.map_err(|error| format!("{setting}: cannot listen on {address}: {error}"))?;
            let (address, front) = (listener.local_addr()?, Front::closed(early()));
            stop.spawn(http::serve(listener, front.clone(), settings.http.clone(), stop.clone()));
            Ok((address, front))
        };
        let (address, api) = open("listen", settings.listen).await?;
        let (metrics_address, metrics) = match settings.metrics.listen {
            Some(address) => Some(open("metrics.listen", address).await?).unzip(),
            None => (None, None),
        };
        Ok(Self { address, api, metrics_address, metrics })
    }

    /// Where everything is.
    fn greeting(&self, settings: &Settings, app: &App, keys_file: Option<PathBuf>) -> String {
        let admin_key = app.admin_key().map(|key| format!("admin key (shown once): {}", key.reveal()));
        let keys_file = keys_file.map(|path| {
            let path = path.display();
            format!("signing secrets are sealed with a new key in {path}: keep a copy of it")
        });
        let plugins = format!("plugins are loaded from {}", settings.plugins_dir().display());
        let metrics =
            self.metrics_address.map(|at| format!("metrics are at http://{at}/metrics, without a key"));
        let address = format!("listening on http://{}", self.address);
        let lines = [admin_key, keys_file, Some(plugins), metrics, Some(address)];
        lines.into_iter().flatten().map(|line| line + "\n").collect()
    }
}

fn with_causes(error: &dyn Error) -> String {
    let (mut said, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}

/// The store, and the file of keys that was made for it, if one was. The store is asked before a key is made: if it has
/// secrets, it needs the key that sealed them and no new one.
fn open_store(settings: &Settings, clock: Clock) -> Result<(RedbStore, Option<PathBuf>), Failure> {
    let path = settings.data_dir.join(RedbStore::FILE_NAME);
    let unfinished = settings.data_dir.join(backup::UNFINISHED);
    if unfinished.exists() {
        let there = unfinished.display();
        return Err(
            format!("{there} is of a restore that was interrupted: run `hookway restore` again").into()
        );
    }
    let keys = vault::load(&settings.secrets, &settings.data_dir)?;
    RedbStore::check_keys(&path, &keys.vault, &settings.store)?;
    let (vault, made) = keys.save()?;
    if let Some(file) = &made {
        tracing::info!(file = %file.display(), "made a key for signing secrets; without it they are lost");
    }
    Ok((RedbStore::open(&path, vault, clock, &settings.store)?, made))
}
