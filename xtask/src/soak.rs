//! `cargo xtask soak reload`: a run of minutes that shows what a short one does not.

use anyhow::Result;

use crate::bench::{Rest, under_load};
use crate::plugins::build_guests;
use crate::tools::ensure_wasm_target;

/// The arguments of `cargo xtask soak`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Replaces a plugin 1,000 times under 2,000 events/s (`--reloads 100 --rate 500` for less): nothing is lost or doubled,
    /// memory and open files are flat
    Reload(Rest),
}

/// Builds what it needs, for speed, and runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let What::Reload(rest) = &arguments.what;
    ensure_wasm_target()?;
    build_guests()?;
    under_load(&["soak"], rest)
}
