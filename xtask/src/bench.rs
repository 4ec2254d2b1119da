//! `cargo xtask bench plugins`: what a call of each plugin that ships costs, fresh and reused.

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
    Plugins {
        /// Goes to the benchmark as it stands
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
}

/// Builds what is measured and measures it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let What::Plugins { rest } = &arguments.what;
    ensure_wasm_target()?;
    build_shipped()?;
    let rest: Vec<_> = rest.iter().map(String::as_str).collect();
    cargo(&[&["bench", "-p", "hookway", "--bench", "plugins", "--"], &rest[..]].concat())
}
