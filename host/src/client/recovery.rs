//! `hookway recovery` and `hookway endpoint recover`: ranges of events that the gateway sends again, as a job of its own.

use std::thread;
use std::time::Duration;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::json;

use super::error::Error;
use super::interrupt::Interrupt;
use super::line::{Line, Tone};
use super::output::{Row, hint, not_understood};
use super::session::{ListArgs, Session};

/// How often to look how far a recovery is.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How soon Ctrl-C is noticed.
const NOTICE_EVERY: Duration = Duration::from_millis(100);

/// What can be done with recoveries.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List them, the newest first.
    List {
        /// Of this tenant only.
        #[arg(long)]
        tenant: Option<String>,
        /// Of this endpoint only.
        #[arg(long, value_name = "ID")]
        endpoint: Option<String>,
        /// Only those that are `running`, `done` or `cancelled`.
        #[arg(long)]
        state: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show one and how far it is.
    Get { id: String },
    /// End one; what it had sent again goes on.
    Cancel { id: String },
}

/// What is sent again.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// The endpoint.
    id: String,
    /// Events accepted from then on: a time (`2024-03-15T14:30:00Z`).
    #[arg(long, value_name = "TIME")]
    since: String,
    /// Events accepted before then [default: now].
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// `failed`, `cancelled`, `filtered`, `delivered`, or `missed`: events that the endpoint wants and never had; may be
    /// repeated [default: failed].
    #[arg(long, value_name = "STATUS")]
    status: Vec<String>,
    /// Count what it would be, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not wait for its end.
    #[arg(long, conflicts_with = "dry_run")]
    detach: bool,
}

#[derive(Debug, Clone, Deserialize)]
struct Recovery {
    id: String,
    endpoint_id: String,
    tenant: String,
    since: String,
    until: String,
    status: Vec<String>,
    state: String,
    waits_for: Option<String>,
    position: String,
    scanned: u64,
    resent: u64,
}

/// The times of a recovery, for the length of its bar.
struct Span(jiff::Timestamp, jiff::Timestamp);

impl Row for Recovery {
    const HEAD: &'static [&'static str] =
        &["ID", "TENANT", "ENDPOINT", "STATUS", "STATE", "RESENT", "SCANNED", "SINCE", "UNTIL"];

    fn cells(self) -> Vec<String> {
        vec![
            self.id,
            self.tenant,
            self.endpoint_id,
            self.status.join(" "),
            self.state,
            self.resent.to_string(),
            self.scanned.to_string(),
            self.since,
            self.until,
        ]
    }
}

pub(super) fn run(command: Command, session: &mut Session) -> Result<(), Error> {
    match command {
        Command::List { tenant, endpoint, state, list } => {
            let route = session.api.at(&["recoveries"]).with("tenant", tenant);
            session.list::<Recovery>(&route.with("endpoint", endpoint).with("state", state), &list)
        }
        Command::Get { id } => {
            let json = session.api.get(&session.api.at(&["recoveries", &id]))?;
            session.object(&json)
        }
        Command::Cancel { id } => {
            let json = session.api.post(&session.api.at(&["recoveries", &id, "cancel"]), None)?;
            session.done(&json, format!("cancelled {id}"))
        }
    }
}

/// Starts one, or counts what it would be.
pub(super) fn recover(args: RecoverArgs, session: &mut Session) -> Result<(), Error> {
    let RecoverArgs { id, since, until, status, dry_run, detach } = args;
    let mut body = json!({ "since": since, "dry_run": dry_run });
    if let Some(until) = until {
        body["until"] = until.into();
    }
    if !status.is_empty() {
        body["status"] = status.into();
    }
    let route = session.api.at(&["endpoints", &id, "recover"]);
    let json = session.api.post(&route, Some(body.to_string()))?;
    if dry_run || detach {
        return session.object(&json);
    }
    let begun = read(&json)?;
    let json = wait(&begun, session)?;
    let ended = read(&json)?;
    let tone = if ended.state == "done" { Tone::Good } else { Tone::Warning };
    let counts = format!(": {} sent again, {} looked at", ended.resent, ended.scanned);
    session
        .done(&json, Line::from(format!("{} is ", ended.id)).and(tone, ended.state).and(Tone::Plain, counts))
}

/// Looks how far it is until it ends; the last answer.
fn wait(begun: &Recovery, session: &Session) -> Result<String, Error> {
    let interrupt =
        Interrupt::listen().map_err(|error| Error::Failed(format!("cannot hear Ctrl-C: {error}")))?;
    let route = session.api.at(&["recoveries", &begun.id]);
    let span = Span::of(begun);
    let bar = bar();
    let mut told = None;
    loop {
        let json = session.api.get(&route)?;
        let now = read(&json)?;
        bar.set_position(span.percent(&now.position));
        bar.set_message(format!("{} sent again", now.resent));
        if now.state != "running" {
            bar.finish_and_clear();
            return Ok(json);
        }
        if now.waits_for != told {
            told.clone_from(&now.waits_for);
            if let Some(reason) = &told {
                bar.suspend(|| hint(&format!("it waits: {reason}")));
            }
        }
        for _ in 0..LOOK_EVERY.as_millis() / NOTICE_EVERY.as_millis() {
            if interrupt.is_pressed() {
                bar.finish_and_clear();
                let id = &begun.id;
                return Err(Error::Failed(format!(
                    "it goes on without you: hookway recovery get {id}, or cancel {id}"
                )));
            }
            thread::sleep(NOTICE_EVERY);
        }
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {percent}%  {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(100).with_style(style.progress_chars("=> "))
}

fn read(json: &str) -> Result<Recovery, Error> {
    serde_json::from_str(json).map_err(|error| not_understood(&error))
}

impl Span {
    fn of(recovery: &Recovery) -> Self {
        let at = |text: &str| text.parse().unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Self(at(&recovery.since), at(&recovery.until))
    }

    /// How much of the time lies before this place: events may be dense or rare in it, so it says no more than that.
    fn percent(&self, position: &str) -> u64 {
        let Self(since, until) = self;
        let Ok(position) = position.parse::<jiff::Timestamp>() else { return 0 };
        let ms = |from: &jiff::Timestamp, to: &jiff::Timestamp| to.as_millisecond() - from.as_millisecond();
        let part = ms(since, &position).saturating_mul(100) / ms(since, until).max(1);
        u64::try_from(part.clamp(0, 100)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_shows_how_much_of_the_time_is_done() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let span = Span(at("2024-03-15T14:00:00Z"), at("2024-03-15T15:00:00Z"));
        let cases =
            [("14:00:00", 0), ("14:15:00", 25), ("15:00:00", 100), ("16:00:00", 100), ("13:00:00", 0)];
        for (time, percent) in cases {
            assert_eq!(span.percent(&format!("2024-03-15T{time}Z")), percent, "{time}");
        }
        assert_eq!(span.percent("soon"), 0);
    }
}
