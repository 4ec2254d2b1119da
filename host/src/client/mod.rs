//! The command line over the HTTP API: each noun of the API is a subcommand with the verbs of the API.
//!
//! - Imports nothing of the gateway but its words: it speaks to a gateway as anybody does, perhaps to one of another
//!   version. What it does not know in an answer it leaves alone.
//! - People get tables and sentences, scripts get the API's JSON and exit codes ([`Error`]).
//! - One file per noun. What turns answers into rows and lines is pure; [`session`] has what all share.

mod api;
mod audit;
mod backup;
mod declared;
mod delivery;
mod diff;
mod duration;
mod endpoint;
mod error;
mod event;
mod fields;
mod health;
mod input;
mod interrupt;
mod key;
mod line;
mod listen;
mod output;
mod plugin;
mod pretty;
mod profile;
mod recovery;
mod same_json;
mod secret;
mod session;
mod sign;
mod signature;
mod statistics;
mod tenant;
mod topic;

use clap::Subcommand;

pub(crate) use self::diff::diff;
pub use self::error::Error;
pub(crate) use self::line::{Line, Tone};
pub(crate) use self::output::Output;
pub use self::plugin::Command as PluginCommand;
pub use self::session::{Common, Direct, Remote};
use crate::clock::Clock;

/// The exit codes, for `--help`.
pub const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused (no key, or not for this), 5 conflict with what is \
stored, 6 no answer from the gateway, 7 a signature or the audit log is not what it should be, 8 something would change \
(apply --exit-code) or is different (plugin backtest --fail-on-difference)";

/// What is outside of the process.
#[derive(Debug, Clone)]
pub struct World {
    /// The environment variables.
    pub environment: Vec<(String, String)>,
    /// The time.
    pub clock: Clock,
}

/// All subcommands but those that run a gateway.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Endpoints: the webhook configurations of tenants.
    Endpoint(Remote<endpoint::Command>),
    /// Signing secrets of an endpoint.
    Secret(Remote<secret::Command>),
    /// The catalogue of topics.
    Topic(Remote<topic::Command>),
    /// Events: send them, and see what became of them.
    Event(Remote<event::Command>),
    /// The delivery log.
    Delivery(Remote<delivery::Command>),
    /// Recoveries: ranges of events that are sent again.
    Recovery(Remote<recovery::Command>),
    /// How deliveries ended and how long attempts took, in the last hour, day and week.
    Stats(Direct<statistics::StatsArgs>),
    /// Whether a gateway takes events: ends with 0 if it does. No key is needed.
    Health(Direct<health::HealthArgs>),
    /// API keys.
    Key(Remote<key::Command>),
    /// Tenants.
    Tenant(Remote<tenant::Command>),
    /// The audit log.
    Audit(Remote<audit::Command>),
    /// Plugins of the gateway. The program has more to do with plugins, so it asks for this by itself.
    #[command(skip)]
    Plugin(PluginCommand),
    /// Bring topics and endpoints to what files say: shows what changes, asks, and changes it.
    Apply(Direct<declared::ApplyArgs>),
    /// Write topics and endpoints as a file that `apply` takes.
    Export(Direct<declared::ExportArgs>),
    /// Make a backup of a gateway while it runs: one file with everything but the configuration and the key that seals secrets.
    ///
    /// The file is there as a whole or not at all. `hookway backup verify FILE` reads one, `hookway restore` makes a data directory of
    /// it. Needs an admin key.
    Backup(backup::BackupCommand),
    /// Run a receiver: prints each request and answers as it is told.
    Listen(listen::ListenArgs),
    /// Print the three headers of a signed request.
    Sign(sign::SignArgs),
    /// Say whether a request is signed with a secret; exit code 7 if it is not.
    Verify(sign::VerifyArgs),
}

/// Does what was asked.
///
/// # Errors
/// It could not be done; the error is for people, its exit code for scripts.
pub fn run(command: Command, world: World) -> Result<(), Error> {
    match command {
        Command::Endpoint(remote) => remote.run(world, endpoint::run),
        Command::Secret(remote) => remote.run(world, secret::run),
        Command::Topic(remote) => remote.run(world, topic::run),
        Command::Event(remote) => remote.run(world, event::run),
        Command::Delivery(remote) => remote.run(world, delivery::run),
        Command::Recovery(remote) => remote.run(world, recovery::run),
        Command::Stats(remote) => remote.run(world, statistics::run),
        Command::Health(direct) => direct.run(world, health::run),
        Command::Key(remote) => remote.run(world, key::run),
        Command::Tenant(remote) => remote.run(world, tenant::run),
        Command::Audit(remote) => remote.run(world, audit::run),
        Command::Plugin(command) => plugin::run(command, world),
        Command::Apply(direct) => direct.run(world, declared::apply),
        Command::Export(direct) => direct.run(world, declared::export),
        Command::Backup(command) => backup::run(command, world),
        Command::Listen(args) => listen::run(args, world),
        Command::Sign(args) => sign::sign(args, &world),
        Command::Verify(args) => sign::verify(args, &world),
    }
}
