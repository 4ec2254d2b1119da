//! `cargo xtask test`: everything that proves that Hookway works, in one command.

use anyhow::Result;

use crate::plugins::{build_guests, build_shipped};
use crate::templates;
use crate::toolboxes;
use crate::tools::{cargo, ensure_wasm_target};

/// What is tested: all members except this program, which is tested apart because it cannot be replaced while it runs.
const ALL_BUT_THIS: [&str; 3] = ["--workspace", "--exclude", "xtask"];

/// The arguments of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only tests whose name contains this, for example `delivery`
    filter: Option<String>,
    /// Goes to the test programs, for example `-- --nocapture`
    #[arg(last = true)]
    rest: Vec<String>,
}

impl Arguments {
    /// What follows `cargo test`.
    pub(crate) fn cargo_arguments(&self) -> Vec<&str> {
        let filter = self.filter.as_deref().into_iter();
        filter.chain(["--"]).chain(self.rest.iter().map(String::as_str)).collect()
    }
}

/// Installs what is missing, builds plugins, guests and the binary, and runs all tests.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure_wasm_target()?;
    toolboxes::prepare()?;
    build_shipped()?;
    build_guests()?;
    // Together with the tests, so that dependencies have the same features in both steps and are built once.
    let build = [&["build"], &ALL_BUT_THIS[..], &["--lib", "--bins", "--tests"]].concat();
    cargo(&build)?;
    templates::build()?;
    let rest = arguments.cargo_arguments();
    cargo(&[&["test"], &ALL_BUT_THIS[..], &rest[..]].concat())?;
    cargo(&[&["test", "-p", "xtask"], &rest[..]].concat())
}
