//! Many events on their way: batch after batch, until the end, a line that is refused, or Ctrl-C.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use ureq::http::Method;

use super::batch::{body, divide};
use super::lines::Line;
use super::pace::Pace;
use super::progress::Progress;
use crate::client::error::{Error, Problem};
use crate::client::interrupt::Interrupt;
use crate::client::output::not_understood;
use crate::client::session::Session;

/// How soon Ctrl-C is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const MEDIA_TYPE: &str = "application/x-ndjson";

/// What is read, batch by batch; an empty one at the end.
pub(super) type Batches = Receiver<io::Result<Vec<Line>>>;

/// The answer to many events.
#[derive(Deserialize)]
struct Taken {
    duplicates: u64,
    events: Vec<Box<RawValue>>,
}

/// How far it is.
pub(super) struct Sending<'a> {
    session: &'a mut Session,
    progress: &'a Progress,
    pace: Pace,
    keep_going: bool,
    sent: u64,
    duplicates: u64,
    refused: u64,
    /// The last line that was dealt with; 0 = none.
    last_line: usize,
}

impl<'a> Sending<'a> {
    pub(super) fn new(
        session: &'a mut Session,
        progress: &'a Progress,
        pace: Pace,
        keep_going: bool,
    ) -> Self {
        Self { session, progress, pace, keep_going, sent: 0, duplicates: 0, refused: 0, last_line: 0 }
    }

    /// Sends all of them.
    ///
    /// # Errors
    /// A line was refused, the gateway does not answer, the input cannot be read, or somebody pressed Ctrl-C.
    pub(super) fn all(&mut self, batches: &Batches, interrupt: &Interrupt) -> Result<(), Error> {
        while let Some(batch) = self.next_batch(batches, interrupt)? {
            self.send(&batch)?;
        }
        match self.refused {
            0 => Ok(()),
            refused => Err(Error::Failed(format!("{refused} lines were refused"))),
        }
    }

    /// How it went.
    pub(super) fn summary(&self) -> String {
        let Self { sent, duplicates, .. } = self;
        let rate = self.pace.reached(*sent, self.session.world.clock.now());
        let known =
            if *duplicates == 0 { String::new() } else { format!(", {duplicates} of them known already") };
        let events = if *sent == 1 { "event" } else { "events" };
        format!("sent {sent} {events}{known} ({rate}/s)")
    }

    fn next_batch(&self, batches: &Batches, interrupt: &Interrupt) -> Result<Option<Vec<Line>>, Error> {
        loop {
            if interrupt.is_pressed() {
                return Err(Error::Failed(self.stopped()));
            }
            let wait = self.pace.wait(self.sent + self.refused, self.session.world.clock.now());
            if !wait.is_zero() {
                thread::sleep(wait.min(LOOK_EVERY));
                continue;
            }
            match batches.recv_timeout(LOOK_EVERY) {
                Ok(Ok(batch)) => return Ok(Some(batch).filter(|batch| !batch.is_empty())),
                Ok(Err(error)) => return Err(Error::Failed(format!("cannot read on: {error}"))),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
    }

    fn stopped(&self) -> String {
        format!("stopped; to go on: --from-line {}", self.last_line + 1)
    }

    /// Sends the lines in order, in as few requests as the gateway lets it.
    fn send(&mut self, batch: &[Line]) -> Result<(), Error> {
        let mut parts = vec![batch];
        while let Some(lines) = parts.pop() {
            match self.request(lines) {
                Ok(taken) => self.taken(lines, &taken)?,
                Err(Error::Problem(problem)) if problem.is_about_content() => {
                    if let [line] = lines {
                        self.refused(line, problem)?;
                    } else {
                        let (before, from) = divide(lines, problem.line);
                        parts.extend([from, before]);
                    }
                }
                Err(error) => return Err(self.broken(lines, error)),
            }
        }
        Ok(())
    }

    fn request(&self, lines: &[Line]) -> Result<Taken, Error> {
        let route = self.session.api.at(&["events"]);
        let json = self.session.api.call(Method::POST, &route, Some((MEDIA_TYPE, body(lines))))?;
        serde_json::from_str(&json).map_err(|error| not_understood(&error))
    }

    fn taken(&mut self, lines: &[Line], taken: &Taken) -> Result<(), Error> {
        self.sent += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        self.duplicates += taken.duplicates;
        self.advance(lines);
        if self.session.out.json {
            taken.events.iter().try_for_each(|event| self.session.out.json(event.get()))?;
        }
        Ok(())
    }

    fn refused(&mut self, line: &Line, problem: Problem) -> Result<(), Error> {
        let detail = format!("line {}: {}", line.number, problem.detail);
        let problem = Problem { detail, ..problem };
        if !self.keep_going {
            let detail = format!(
                "{}. Everything before it was sent and nothing after it; once it is put right, go on with --from-line {}",
                problem.detail, line.number
            );
            return Err(Error::Problem(Problem { detail, ..problem }));
        }
        self.refused += 1;
        self.advance(std::slice::from_ref(line));
        self.progress.say(&problem.to_string());
        Ok(())
    }

    /// What was not answered may have been stored or not; an event with an `event_id` can be sent again without harm.
    fn broken(&self, lines: &[Line], error: Error) -> Error {
        if let (Error::Unreachable(_), [first, .., last]) = (&error, lines) {
            self.progress.say(&format!(
                "lines {} to {} may have been stored or not: those with an `event_id` can be sent again without harm",
                first.number, last.number
            ));
        }
        let from = lines.first().map_or(self.last_line + 1, |line| line.number);
        self.progress.say(&format!("to go on: --from-line {from}"));
        error
    }

    fn advance(&mut self, lines: &[Line]) {
        let bytes = lines.iter().map(|line| line.text.len()).sum();
        self.last_line = lines.last().map_or(self.last_line, |line| line.number);
        self.progress.advance(bytes, self.sent, self.pace.reached(self.sent, self.session.world.clock.now()));
    }
}
