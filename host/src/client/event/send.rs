//! `hookway event send`: events of a file to the gateway, as they come in.
//!
//! - Lines that are here go out together, so a file is fast and a pipe does not wait.
//! - What was sent is always known: everything before the line that is named, and nothing after it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use clap::Args;
use serde::Deserialize;

use super::batch::gather;
use super::lines::{Content, Lines, Source};
use super::pace::Pace;
use super::progress::Progress;
use super::sending::{Batches, Sending};
use crate::client::duration::Rate;
use crate::client::error::Error;
use crate::client::input::{is_stdin, unreadable};
use crate::client::interrupt::Interrupt;
use crate::client::output::not_understood;
use crate::client::session::Session;

/// What to send, and how.
#[derive(Debug, Args)]
pub struct SendArgs {
    /// One JSON, or NDJSON: one event a line, as `{"event": "orders/created", "data": {...}}`; `-` reads standard
    /// input.
    file: PathBuf,
    /// At most so many events in a second.
    #[arg(long, value_name = "N/s")]
    rate: Option<Rate>,
    /// At most so many events in one request.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// The line to begin with.
    #[arg(long, value_name = "LINE", default_value_t = 1)]
    from_line: usize,
    /// Report lines that are refused and go on with the next.
    #[arg(long)]
    keep_going: bool,
}

/// The answer to one event.
#[derive(Deserialize)]
struct Taken {
    event_id: String,
    duplicate: bool,
}

pub(super) fn run(args: SendArgs, session: &mut Session) -> Result<(), Error> {
    let SendArgs { file, rate, batch, from_line, keep_going } = args;
    let source = source(&file).map_err(|error| unreadable(&file, &error))?;
    let lines = match Content::begin(source).map_err(|error| unreadable(&file, &error))? {
        Content::One(json) => return send_one(json, session),
        Content::Many(lines) => lines,
    };
    let incoming = read_ahead(lines, Pace::batch(rate, batch.into()), from_line);
    let interrupt = Interrupt::listen();
    let interrupt = interrupt.map_err(|error| Error::Failed(format!("cannot listen to Ctrl-C: {error}")))?;
    let progress = Progress::begin(fs::metadata(&file).ok().map(|file| file.len()));
    let pace = Pace::new(rate, session.world.clock.now());
    let mut sending = Sending::new(session, &progress, pace, keep_going);
    let outcome = sending.all(&incoming, &interrupt);
    let summary = sending.summary();
    drop(progress);
    if !session.out.json {
        session.out.line(summary)?;
    }
    outcome
}

fn source(file: &Path) -> io::Result<Source> {
    if is_stdin(file) { Ok(Box::new(io::stdin())) } else { Ok(Box::new(File::open(file)?)) }
}

fn send_one(json: String, session: &mut Session) -> Result<(), Error> {
    let json = session.api.post(&session.api.at(&["events"]), Some(json))?;
    let Taken { event_id, duplicate } =
        serde_json::from_str(&json).map_err(|error| not_understood(&error))?;
    let was_there = if duplicate { " was there already" } else { "" };
    session.done(&json, format!("{event_id}{was_there}"))
}

/// The batches, from a thread of their own: waiting for input must not keep Ctrl-C waiting. Ends with an empty one.
fn read_ahead(mut lines: Lines, max: usize, from_line: usize) -> Batches {
    let (batches, incoming) = mpsc::sync_channel(1);
    thread::spawn(move || {
        loop {
            let batch = gather(&mut lines, max, from_line);
            let is_last = batch.as_ref().map_or(true, Vec::is_empty);
            if batches.send(batch).is_err() || is_last {
                return;
            }
        }
    });
    incoming
}
