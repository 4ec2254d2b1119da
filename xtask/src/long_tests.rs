//! `cargo xtask soak power-loss | corruption | simulate`: tests that are short in `cargo test` and long here.
//!
//! They are tests of the library, since what they do to a store, or to time, nobody else may do. The seed and the count reach them in
//! the environment.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use hookway_tests::workspace;

use crate::tools::step;

/// How long a run is, and how it is repeated.
#[derive(Debug, clap::Args)]
pub(crate) struct Repeatable {
    /// How many
    #[arg(long)]
    count: Option<u64>,
    /// Repeats the run that printed it
    #[arg(long)]
    seed: Option<u64>,
}

/// Runs the ignored test `soak` of this module.
pub(crate) fn run(module: &str, Repeatable { count, seed }: &Repeatable) -> Result<()> {
    let test = format!("{module}::soak");
    let mut cargo = Command::new("cargo");
    cargo.args([
        "test",
        "-p",
        "hookway",
        "--lib",
        "--",
        "--ignored",
        "--exact",
        "--nocapture",
        test.as_str(),
    ]);
    // redb panics on some pages that it did not write. Each panic is caught, and its first lines are enough.
    cargo.env("RUST_BACKTRACE", "0");
    for (variable, number) in [("HOOKWAY_SOAK_COUNT", count), ("HOOKWAY_SOAK_SEED", seed)] {
        if let Some(number) = number {
            cargo.env(variable, number.to_string());
        }
    }
    step(&format!("the test {test}"));
    let status = cargo.current_dir(workspace()).status().context("cargo could not be run")?;
    ensure!(status.success(), "the run failed: it printed its seed above, `--seed` repeats it");
    Ok(())
}
