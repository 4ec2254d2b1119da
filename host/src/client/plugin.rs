//! `hookway plugin`: what runs in the gateway, why what does not run does not, what it says, and its versions.

mod backtest;
mod candidate;
mod dev;
mod logs;
mod push;
mod versions;

use clap::{Args, Subcommand};
use serde::Deserialize;

use self::backtest::BacktestArgs;
use self::dev::DevArgs;
use self::logs::LogArgs;
use self::push::PushArgs;
use self::versions::{DeleteArgs, RollbackArgs};
use super::World;
use super::error::Error;
use super::output::Row;
use super::session::{Direct, Remote};

/// What can be done with the plugins of a gateway. Each has the flags of a connection by itself: the commands beside these,
/// for authors, have none.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List them.
    List(Direct<AllArgs>),
    /// Show one with all that is known of it.
    Show(Direct<OneArgs>),
    /// Show what one logged lately: the last 1,000 lines are kept.
    Logs(Direct<LogArgs>),
    /// Install a version of one: waits until it is live, or says why not.
    Push(Direct<PushArgs>),
    /// List the versions of one that went live: the last ten are kept.
    Versions(Direct<OneArgs>),
    /// Have a version of one go live again.
    Rollback(Direct<RollbackArgs>),
    /// Try a version on live events before it goes live.
    Candidate(Remote<candidate::Command>),
    /// Delete one and its versions.
    Delete(Direct<DeleteArgs>),
    /// Show what a version that is not live would have made of the events in the log, beside what the live one says.
    ///
    /// The gateway judges its newest events by both versions, for each endpoint that wants them and uses the plugin, and tells
    /// each difference once. Nothing is stored or sent. Press Ctrl-C to end it.
    Backtest(Box<Direct<BacktestArgs>>),
    /// Build a plugin with every change of its source, try it, and show what it makes of the newest events of a gateway.
    ///
    /// The differences to the version that is live there are shown as `backtest` shows them. What cannot be built or fails is told, and
    /// the next change is waited for. Press Ctrl-C to end it.
    Dev(Box<Direct<DevArgs>>),
}

/// All of them.
#[derive(Debug, Args)]
pub struct AllArgs {}

/// One of them.
#[derive(Debug, Args)]
pub struct OneArgs {
    /// Which.
    name: String,
}

#[derive(Deserialize)]
struct Plugin {
    name: String,
    state: String,
    version: Option<String>,
    capabilities: Vec<String>,
    usage: Option<Usage>,
    reason: Option<String>,
}

/// What only an administrator is told.
#[derive(Deserialize)]
struct Usage {
    calls: u64,
    errors: u64,
    duration_p99_us: Option<f64>,
}

impl Row for Plugin {
    const HEAD: &'static [&'static str] =
        &["NAME", "STATE", "VERSION", "CAPABILITIES", "CALLS", "ERRORS", "P99", "REASON"];

    fn cells(self) -> Vec<String> {
        vec![
            self.name,
            self.state,
            self.version.unwrap_or_default(),
            self.capabilities.join(" "),
            self.usage.as_ref().map(|usage| usage.calls.to_string()).unwrap_or_default(),
            self.usage.as_ref().map(|usage| usage.errors.to_string()).unwrap_or_default(),
            self.usage.and_then(|usage| usage.duration_p99_us).map(microseconds).unwrap_or_default(),
            self.reason.unwrap_or_default(),
        ]
    }
}

fn microseconds(us: f64) -> String {
    if us < 1_000.0 { format!("{us:.1} us") } else { format!("{:.1} ms", us / 1_000.0) }
}

pub(super) fn run(command: Command, world: World) -> Result<(), Error> {
    match command {
        Command::List(all) => {
            all.run(world, |_, session| session.whole_list::<Plugin>(&session.api.at(&["plugins"])))
        }
        Command::Show(one) => one.run(world, |OneArgs { name }, session| {
            let json = session.api.get(&session.api.at(&["plugins", &name]))?;
            session.object(&json)
        }),
        Command::Logs(logs) => logs.run(world, |args, session| logs::run(&args, session)),
        Command::Push(push) => push.run(world, push::run),
        Command::Versions(one) => one.run(world, |OneArgs { name }, session| versions::list(&name, session)),
        Command::Rollback(rollback) => rollback.run(world, versions::roll_back),
        Command::Candidate(remote) => remote.run(world, candidate::run),
        Command::Delete(delete) => delete.run(world, |args, session| versions::delete(&args, session)),
        Command::Dev(dev) => dev.run(world, dev::run),
        Command::Backtest(backtest) => backtest.run(world, backtest::run),
    }
}
