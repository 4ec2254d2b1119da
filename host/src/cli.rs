//! The command line: what people type, as types.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use hookway::compact::CompactArgs;
use hookway::config::Assignment;
use hookway::doctor::DoctorArgs;
use hookway::plugins::{self, CompileLimits};
use hookway::{authoring, client, doctor};

use crate::reload::Sources;

/// A self-hosted webhook gateway that users extend with WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "hookway", version, about, long_about = None, after_help = client::EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway.
    ///
    /// Without any settings it listens on 127.0.0.1:7400, keeps its data in ./hookway-data, loads plugins from
    /// ./hookway-data/plugins and prints an admin key at its first start.
    Serve(ServeArgs),
    /// Make a data directory of a backup. The gateway must not run on it.
    ///
    /// Everything is verified before anything is written, and what was interrupted can be run again. The key that seals signing
    /// secrets is not in a backup: put its file into the data directory, or set it, as it was. Deliveries that had not arrived when the
    /// backup was made are sent when the gateway starts, under the same `webhook-id`; --paused has them wait.
    Restore(RestoreArgs),
    /// What the gateway runs to compile a plugin; see `plugins::compile`.
    #[command(name = plugins::CHILD_COMMAND, hide = true)]
    CompilePlugin(CompileArgs),
    /// Plugins: those of a gateway, and tools for their authors, which need none.
    #[command(subcommand)]
    Plugin(PluginCommand),
    #[command(flatten)]
    Client(client::Command),
    /// Look at the data of a gateway that is stopped: whether it is whole, and what to do if it is not.
    ///
    /// Verifies every page and every row against the others and the write-ahead log, and changes nothing without --repair.
    #[command(after_help = doctor::EXIT_CODES)]
    Doctor(DoctorCommand),
    /// Make the file of the store as small as it can be. The gateway must be stopped.
    ///
    /// What retention and deletions free is used for what comes; this gives it back to the disk. All of the store is read and verified first,
    /// then what lies at the end of the file is moved to the front. A crash in the middle loses nothing.
    Compact(CompactCommand),
    /// Print the reference of the HTTP API as OpenAPI 3.1: `hookway openapi > openapi.json`.
    ///
    /// It is what a gateway of this version serves at /openapi.json. Generators of clients read it.
    Openapi,
    /// Print the completions of a shell: `hookway completions bash > /etc/bash_completion.d/hookway`.
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

/// Settings come from defaults, then the file, then `HOOKWAY_*` variables (`HOOKWAY_LISTEN`,
/// `HOOKWAY_DELIVER_ALLOW_HTTP`), then flags.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Where to serve the API, for example 0.0.0.0:7400; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

/// What every command takes that goes by the settings of a gateway.
#[derive(Debug, Args)]
pub(crate) struct SettingsArgs {
    /// The settings file [default: hookway.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to keep events, endpoints and keys.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// The directory that plugins are loaded from.
    #[arg(long, value_name = "DIR")]
    plugins_dir: Option<String>,
    /// Any setting, for example `deliver.allow_http=true`; may be repeated.
    #[arg(long, value_name = "SETTING=VALUE", value_parser = Assignment::parse)]
    set: Vec<Assignment>,
}

/// What `hookway restore` goes by: the settings say where things are, as they do for `hookway serve`. The data directory has to be empty
/// but for the file of keys.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup.
    pub(crate) source: PathBuf,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// Put what is in the data directory aside, into `replaced-TIME` in it, instead of refusing.
    #[arg(long)]
    pub(crate) replace: bool,
    /// Deactivate all endpoints: nothing is sent until they are activated, one by one or all.
    #[arg(long)]
    pub(crate) paused: bool,
}

impl SettingsArgs {
    /// Where the settings come from: the file, and what the flags say.
    pub(crate) fn sources(self) -> Sources {
        let named =
            [("--data-dir", "data_dir", self.data_dir), ("--plugins-dir", "plugins_dir", self.plugins_dir)];
        let named = named
            .into_iter()
            .filter_map(|(flag, name, value)| Some(Assignment::from_flag(flag, name, &value?)));
        Sources { file: self.config, flags: named.chain(self.set).collect() }
    }
}

/// Where the store is, for commands that work on one that no gateway uses.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// The settings file [default: hookway.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where events, endpoints and keys are kept.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

impl StoreArgs {
    /// Where the settings come from.
    pub(crate) fn sources(self) -> Sources {
        let data_dir = self.data_dir.map(|value| Assignment::from_flag("--data-dir", "data_dir", &value));
        Sources { file: self.config, flags: data_dir.into_iter().collect() }
    }
}

/// Which store is looked at, and what is done with it.
#[derive(Debug, Args)]
pub(crate) struct DoctorCommand {
    #[command(flatten)]
    pub(crate) args: DoctorArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// Which store is compacted.
#[derive(Debug, Args)]
pub(crate) struct CompactCommand {
    #[command(flatten)]
    pub(crate) args: CompactArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// What can be done with plugins.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    #[command(flatten)]
    OfGateway(client::PluginCommand),
    #[command(flatten)]
    OfAuthor(authoring::Command),
}

/// The limits of one compilation.
#[derive(Debug, Args)]
pub(crate) struct CompileArgs {
    #[arg(long)]
    cpu_seconds: u64,
    #[arg(long)]
    memory_bytes: u64,
    #[arg(long)]
    niceness: i32,
}

impl CompileArgs {
    pub(crate) const fn limits(&self) -> CompileLimits {
        CompileLimits {
            cpu: Duration::from_secs(self.cpu_seconds),
            memory_bytes: self.memory_bytes,
            niceness: self.niceness,
        }
    }
}

impl ServeArgs {
    /// Where the settings come from.
    pub(crate) fn sources(self) -> Sources {
        let mut sources = self.settings.sources();
        let listen = self.listen.map(|address| Assignment::from_flag("--listen", "listen", &address));
        sources.flags.splice(..0, listen);
        sources
    }
}
