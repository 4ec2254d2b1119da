//! The `hookway` command: arguments -> settings -> the gateway -> exit code.
//!
//! Standard output gets what a person or a script needs to go on (the address, the first key); logs go to standard
//! error.

mod cli;
mod core_dumps;
mod open_files;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, Parser as _};
use hookway::app::{self, App};
use hookway::client::{self, World};
use hookway::clock::Clock;
use hookway::config::{self, Settings};
use hookway::plugins::{self, Compiler};
use hookway::shutdown::Shutdown;
use hookway::store::redb::RedbStore;
use hookway::{authoring, telemetry, vault};
use tikv_jemallocator::Jemalloc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use self::cli::{Cli, Command, PluginCommand, ServeArgs};

/// Most memory is freed by another thread than took it, since one thread writes what all others bring. With the allocator of
/// glibc they wait for each other then: a fifth fewer events were delivered.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Something that is shown to the person who started the command.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve(args).map_err(|failure| (format!("cannot start:\n{failure}"), 1)),
        Command::CompilePlugin(args) => plugins::compile_as_child(args.limits())
            .map_err(|failure| (format!("cannot compile: {failure}"), 1)),
        Command::Plugin(command) => plugin(command),
        Command::Client(command) => ask(command),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "hookway", &mut script);
            print(&script)
        }
        Command::Openapi => print(format!("{:#}\n", app::openapi()).as_bytes()),
    };
    let Err((sentence, code)) = done else { return ExitCode::SUCCESS };
    if !sentence.is_empty() {
        // Nobody to tell that telling failed.
        let _ = writeln!(std::io::stderr(), "hookway: {sentence}");
    }
    code.into()
}

fn print(text: &[u8]) -> Result<(), (String, u8)> {
    std::io::stdout().write_all(text).map_err(|error| (format!("cannot write: {error}"), 1))
}

/// Speaks to a gateway.
fn ask(command: client::Command) -> Result<(), (String, u8)> {
    let world = World { environment: config::environment(), clock: Clock::system() };
    client::run(command, world).map_err(|error| {
        let sentence = if error.is_silent() { String::new() } else { error.sentence() };
        (sentence, error.exit_code())
    })
}

fn plugin(command: PluginCommand) -> Result<(), (String, u8)> {
    match command {
        PluginCommand::OfGateway(command) => ask(client::Command::Plugin(command)),
        PluginCommand::OfAuthor(command) => {
            let means = || app::means_without_gateway().map_err(|error| error.to_string());
            let world = authoring::World { environment: config::environment(), means };
            authoring::run(command, world).map_err(|error| (error.to_string(), 1))
        }
    }
}

fn serve(mut args: ServeArgs) -> Result<(), Failure> {
    let file = args.config.take();
    let settings = Settings::load(file, config::environment(), args.assignments())?;
    if !settings.core_dumps {
        core_dumps::forbid()?;
    }
    telemetry::init(&settings.log)?;
    raise_open_files(&settings);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(settings))
}

async fn run(settings: Settings) -> Result<(), Failure> {
    let (clock, shutdown) = (Clock::system(), Shutdown::new());
    stop_on_signal(shutdown.clone())?;
    std::fs::create_dir_all(&settings.data_dir)
        .map_err(|error| format!("data_dir: cannot make {}: {error}", settings.data_dir.display()))?;
    let (store, keys_file) = open_store(&settings, clock)?;
    let store = Arc::new(store);
    let listener = listen("listen", settings.listen).await?;
    let for_metrics = match settings.metrics.listen {
        Some(address) => Some(listen("metrics.listen", address).await?),
        None => None,
    };
    let address = listener.local_addr()?;
    let plugins_dir = settings.plugins_dir();
    let compiler = Compiler::this_program()?;
    let app = App::start(settings, Arc::<RedbStore>::clone(&store), compiler, clock, shutdown).await?;

    let mut out = std::io::stdout();
    if let Some(key) = app.admin_key() {
        writeln!(out, "admin key (shown once): {}", key.reveal())?;
    }
    if let Some(path) = keys_file {
        writeln!(out, "signing secrets are sealed with a new key in {}: keep a copy of it", path.display())?;
    }
    writeln!(out, "plugins are loaded from {}", plugins_dir.display())?;
    if let Some(listener) = &for_metrics {
        writeln!(out, "metrics are at http://{}/metrics, without a key", listener.local_addr()?)?;
    }
    writeln!(out, "listening on http://{address}")?;
    out.flush()?;

    let drained = app.run(listener, for_metrics).await;
    if !drained {
        tracing::warn!("some attempts did not end in time; they are made again after the next start");
    }
    store.close()?;
    Ok(())
}

async fn listen(setting: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).await;
    Ok(listener.map_err(|error| format!("{setting}: cannot listen on {address}: {error}"))?)
}

/// Says how many files may be open, and whether that is enough for what is configured.
fn raise_open_files(settings: &Settings) {
    /// Idle connections to receivers, the store, the log, plugins and what the system has open itself.
    const BESIDE: u64 = 1_200;
    let needed =
        u64::from(settings.http.max_connections.get()) + settings.lanes.max_in_flight as u64 + BESIDE;
    match open_files::raise() {
        Ok(Some(limit)) if limit < needed => tracing::warn!(
            limit,
            needed,
            "fewer files may be open than connections are allowed; raise the hard limit (`LimitNOFILE=` of systemd, \
             `ulimit -Hn`), or lower `http.max_connections` and `lanes.max_in_flight`"
        ),
        Ok(limit) => tracing::info!(limit, "files that may be open"),
        Err(error) => {
            tracing::warn!(%error, "the limit of open files cannot be raised to what the system allows");
        }
    }
}

/// The store, and the file of keys that was made for it, if one was. The store is asked before a key is made: if it has
/// secrets, it needs the key that sealed them and no new one.
fn open_store(settings: &Settings, clock: Clock) -> Result<(RedbStore, Option<PathBuf>), Failure> {
    let path = settings.data_dir.join("hookway.redb");
    let keys = vault::load(&settings.secrets, &settings.data_dir)?;
    RedbStore::check_keys(&path, &keys.vault, &settings.store)?;
    let (vault, made) = keys.save()?;
    if let Some(file) = &made {
        tracing::info!(file = %file.display(), "made a key for signing secrets; without it they are lost");
    }
    Ok((RedbStore::open(&path, vault, clock, &settings.store)?, made))
}

/// The first SIGTERM or SIGINT drains; a second one ends the process at once, which loses nothing either.
fn stop_on_signal(shutdown: Shutdown) -> Result<(), Failure> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        let mut wait = async || tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} };
        wait().await;
        tracing::info!("stopping: no new requests, ending what is under way");
        shutdown.request();
        wait().await;
        exit_now();
    });
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the one place that ends the process")]
fn exit_now() {
    std::process::exit(1);
}
