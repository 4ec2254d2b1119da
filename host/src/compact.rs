//! `hookway compact`: gives what is free in the store that no gateway uses back to its disk.
//!
//! Standard output gets what came of it, for people or as JSON; how far it is goes to standard error, on a terminal only.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::store::redb::{self, Compacted, Options};

const BAR: &str = "{spinner} compacting the store: {binary_bytes} read and written in {elapsed}";
/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(100);

/// How it is told.
#[derive(Debug, Args)]
pub struct CompactArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Compacts the store in this file, and says what it took and takes.
///
/// # Errors
/// A sentence, if the store could not be compacted.
pub fn run(args: &CompactArgs, path: &Path, options: &Options, out: &mut impl Write) -> Result<(), String> {
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(TICK);
    let counted = bar.clone();
    let done = redb::compact(path, options, Arc::new(move |bytes| counted.inc(bytes)));
    bar.finish_and_clear();
    let compacted = done.map_err(|error| error.to_string())?;
    let told = match args.json {
        true => writeln!(out, "{:#}", serde_json::json!(compacted)),
        false => tell(path, compacted, out),
    };
    told.map_err(|error| format!("cannot write: {error}"))
}

fn tell(path: &Path, compacted: Compacted, out: &mut impl Write) -> io::Result<()> {
    let Compacted { bytes_before, bytes_after } = compacted;
    let (before, after) = (HumanBytes(bytes_before), HumanBytes(bytes_after));
    match bytes_before.checked_sub(bytes_after).filter(|given_back| *given_back > 0) {
        Some(given_back) => writeln!(
            out,
            "{} took {before} and takes {after} now: {} are given back.",
            path.display(),
            HumanBytes(given_back)
        ),
        None => writeln!(out, "{} takes {after}: there was nothing to give back.", path.display()),
    }
}

#[cfg(test)]
mod tests;
