//! The `hookway` command: arguments -> settings -> the gateway -> exit code.
//!
//! Standard output gets what a person or a script needs to go on (the address, the first key); logs go to standard
//! error.

mod cli;
mod core_dumps;
mod open_files;
mod private_files;
mod reload;
mod restoring;
mod serve;
mod signals;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use hookway::client::{self, World};
use hookway::clock::Clock;
use hookway::config;
use hookway::store::redb::{Options, RedbStore};
use hookway::{app, authoring, compact, doctor, plugins};
use tikv_jemallocator::Jemalloc;

use self::cli::{Cli, Command, CompactCommand, DoctorCommand, PluginCommand, StoreArgs};
use self::serve::serve;

/// Most memory is freed by another thread than took it, since one thread writes what all others bring. With the allocator of
/// glibc they wait for each other then: a fifth fewer events were delivered.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve(args).map_err(|failure| (format!("cannot start:\n{failure}"), 1)),
        Command::Restore(args) => {
            restoring::run(args).map_err(|failure| (format!("cannot restore:\n{failure}"), 1))
        }
        Command::CompilePlugin(args) => plugins::compile_as_child(args.limits())
            .map_err(|failure| (format!("cannot compile: {failure}"), 1)),
        Command::Plugin(command) => plugin(command),
        Command::Client(command) => ask(command),
        Command::Doctor(command) => examine(command),
        Command::Compact(command) => make_small(command),
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

/// Looks at a store.
fn examine(DoctorCommand { args, store }: DoctorCommand) -> Result<(), (String, u8)> {
    let (path, options) = stopped(store)?;
    match doctor::run(&args, &path, &options, &mut std::io::stdout()) {
        Ok(0) => Ok(()),
        Ok(code) => Err((String::new(), code)),
        Err(sentence) => Err((sentence, 1)),
    }
}

/// Compacts a store.
fn make_small(CompactCommand { args, store }: CompactCommand) -> Result<(), (String, u8)> {
    let (path, options) = stopped(store)?;
    compact::run(&args, &path, &options, &mut std::io::stdout()).map_err(|sentence| (sentence, 1))
}

/// Where a store is that no gateway uses, and how it is opened.
fn stopped(store: StoreArgs) -> Result<(PathBuf, Options), (String, u8)> {
    let settings = store.sources().read().map_err(|error| (error.to_string(), 1))?;
    Ok((settings.data_dir.join(RedbStore::FILE_NAME), settings.store))
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
