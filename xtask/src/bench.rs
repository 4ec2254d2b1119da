//! `cargo xtask bench plugins | matching | log`: what a call of each plugin that ships costs, what it costs to find the
//! endpoints that want an event, and to ask a log of a million deliveries.

use anyhow::Result;

use crate::plugins::build_shipped;
use crate::tools::{cargo, ensure_wasm_target};

/// The arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The cost of one call per plugin, with a fresh and with a reused instance
    Plugins(Rest),
    /// The cost of finding the endpoints that want an event, among 10,000
    Matching(Rest),
    /// The cost of filtered pages, statistics and the live tail at a million deliveries
    Log(Rest),
}

#[derive(Debug, clap::Args)]
struct Rest {
    /// Goes to the benchmark as it stands
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds what is measured and measures it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.what {
        What::Plugins(rest) => {
            ensure_wasm_target()?;
            build_shipped()?;
            bench("plugins", rest)
        }
        What::Matching(rest) => bench("matching", rest),
        What::Log(rest) => bench("log", rest),
    }
}

fn bench(name: &str, Rest { rest }: &Rest) -> Result<()> {
    let rest: Vec<_> = rest.iter().map(String::as_str).collect();
    cargo(&[&["bench", "-p", "hookway", "--bench", name, "--"], &rest[..]].concat())
}
