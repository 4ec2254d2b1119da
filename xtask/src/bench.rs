//! `cargo xtask bench gateway | neighbours | retention | plugins | backtest | matching | log | start`: the whole gateway under load, what noisy
//! neighbours take from others, what a call of each plugin that ships costs, how fast a version is tried on the log, what it costs to
//! find the endpoints that want an event, to ask a log of a million deliveries, and to start with a million that wait.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use hookway_tests::workspace;

use crate::plugins::{build_guests, build_shipped};
use crate::tools::{cargo, ensure_wasm_target};

/// The arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The whole gateway under load, as ratios against a program that only forwards
    Gateway(Rest),
    /// What receivers that hang or fail, and slow clients, take from everybody else
    Neighbours(Rest),
    /// A store at its size limit under full load, beside one without a limit; 5 million events, or `--events N --max-mib N`
    Retention(Rest),
    /// The cost of one call per plugin, with a fresh and with a reused instance
    Plugins(Rest),
    /// How fast two versions of a filter are compared over 100,000 stored events
    Backtest(Rest),
    /// The cost of finding the endpoints that want an event, among 10,000
    Matching(Rest),
    /// The cost of filtered pages, statistics and the live tail at a million deliveries
    Log(Rest),
    /// A start with a million deliveries that wait for 100,000 endpoints, and the memory that it takes
    Start(Rest),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Rest {
    /// Goes to the program as it stands
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds what is measured and measures it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.what {
        What::Gateway(rest) => {
            ensure_wasm_target()?;
            build_shipped()?;
            under_load(&[], rest)
        }
        What::Neighbours(rest) => under_load(&["neighbours"], rest),
        What::Retention(rest) => under_load(&["retention"], rest),
        What::Plugins(rest) => {
            ensure_wasm_target()?;
            build_shipped()?;
            build_guests()?;
            bench("plugins", rest)
        }
        What::Backtest(rest) => {
            ensure_wasm_target()?;
            build_guests()?;
            bench("backtest", rest)
        }
        What::Matching(rest) => bench("matching", rest),
        What::Log(rest) => bench("log", rest),
        What::Start(rest) => bench("start", rest),
    }
}

/// Builds the gateway and the program that puts it under load, and runs a part of that. Both are built in one call, and so for
/// the same profile and with the same features.
pub(crate) fn under_load(part: &[&str], Rest { rest }: &Rest) -> Result<()> {
    cargo(&["build", "--release", "-p", "hookway", "-p", "hookway-bench"])?;
    let program = format!("target/release/hookway-bench{}", std::env::consts::EXE_SUFFIX);
    let status =
        Command::new(workspace().join(program)).args(part).args(rest).current_dir(workspace()).status();
    ensure!(
        status.context("the benchmark could not be started")?.success(),
        "the benchmark failed: see above"
    );
    Ok(())
}

fn bench(name: &str, Rest { rest }: &Rest) -> Result<()> {
    let rest: Vec<_> = rest.iter().map(String::as_str).collect();
    cargo(&[&["bench", "-p", "hookway", "--bench", name, "--"], &rest[..]].concat())
}
