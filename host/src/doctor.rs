//! `hookway doctor`: whether the store that no gateway uses is whole, in sentences, and what to do if it is not.
//!
//! Standard output gets what was found, for people or as JSON; how far it is goes to standard error, on a terminal only. The
//! exit code says what a script has to know.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

use crate::store::redb::{self, Diagnosis, Options};

/// What follows the options in the help.
pub const EXIT_CODES: &str = "\
Exit codes: 0 nothing is wrong, or all was repaired; 1 the store could not be looked at; 9 something is wrong that --repair makes \
right; 10 something is lost that only a backup may have";

const REPAIRABLE: u8 = 9;
const LOST: u8 = 10;
const BAR: &str = "{msg} [{bar:40}] {human_pos}/{human_len} rows";

/// What is done besides looking.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Make anew what can be made from the rest, and keep all of the write-ahead log that can be read. Make a copy of the data
    /// directory before.
    #[arg(long)]
    repair: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Looks at the store in this file. Returns the exit code.
///
/// # Errors
/// A sentence, if the store could not be looked at or not be repaired.
pub fn run(args: &DoctorArgs, path: &Path, options: &Options, out: &mut impl Write) -> Result<u8, String> {
    let before = watched("looking at", |watch| redb::examine(path, options, watch))?;
    let repaired = args.repair && before.problems.iter().any(|problem| problem.is_repairable);
    let after = match repaired {
        true => {
            let [_, after] = watched("repairing", |watch| redb::repair(path, options, watch))?;
            Some(after)
        }
        false => None,
    };
    let last = after.as_ref().unwrap_or(&before);
    let told = match args.json {
        true => tell_json(last, after.is_some().then_some(&before), out),
        false => tell(path, &before, after.as_ref(), out),
    };
    told.map_err(|error| format!("cannot write: {error}"))?;
    Ok(exit_code(last))
}

fn exit_code(diagnosis: &Diagnosis) -> u8 {
    match diagnosis.problems.as_slice() {
        [] => 0,
        _ if diagnosis.is_repairable() => REPAIRABLE,
        _ => LOST,
    }
}

fn watched<T>(
    what: &'static str,
    work: impl FnOnce(redb::Watch<'_>) -> Result<T, crate::store::Error>,
) -> Result<T, String> {
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(0).with_style(style).with_message(format!("{what} the store"));
    let done = work(&mut |rows, total| {
        bar.set_length(total);
        bar.set_position(rows);
    });
    bar.finish_and_clear();
    done.map_err(|error| error.to_string())
}

fn tell_json(last: &Diagnosis, before: Option<&Diagnosis>, out: &mut impl Write) -> io::Result<()> {
    let repaired = before.map(|before| &before.problems);
    let told = serde_json::json!({ "store": last, "problems_before_repair": repaired });
    writeln!(out, "{told:#}")
}

fn tell(path: &Path, before: &Diagnosis, after: Option<&Diagnosis>, out: &mut impl Write) -> io::Result<()> {
    let Diagnosis { format, store_bytes, closed, log, rows, problems } = before;
    let closed = if *closed { "closed" } else { "not closed: the next start repeats what the log has" };
    writeln!(out, "store: {}, {}, format {format}, {closed}", path.display(), HumanBytes(*store_bytes))?;
    let frames = match log.frames {
        0 => "nothing in it that the store lacks".to_owned(),
        1 => "1 frame that the store lacks".to_owned(),
        frames => format!("{frames} frames that the store lacks"),
    };
    writeln!(
        out,
        "log:   hookway.wal, {}, generation {:x}, {frames}",
        HumanBytes(log.bytes),
        log.generation
    )?;
    for rows in rows {
        writeln!(out, "{:>14} {}", HumanCount(rows.count).to_string(), rows.of)?;
    }
    if problems.is_empty() {
        return writeln!(out, "Every page is what was written, and all tables agree: nothing is wrong.");
    }
    for problem in problems {
        writeln!(out, "- {}.", problem.sentence)?;
    }
    match after {
        None if before.is_repairable() => writeln!(
            out,
            "Copy the data directory, then run `hookway doctor --repair`, which makes all of this right."
        ),
        None => writeln!(
            out,
            "Something is lost: restore a backup. Where there is none, `hookway doctor --repair` makes right what it can."
        ),
        Some(after) if after.problems.is_empty() => {
            writeln!(out, "All of it is repaired: nothing is wrong now.")
        }
        Some(after) => {
            writeln!(out, "Repaired, as far as it can be. What is left:")?;
            after.problems.iter().try_for_each(|problem| writeln!(out, "- {}.", problem.sentence))
        }
    }
}

#[cfg(test)]
mod tests;
