//! `hookway plugin backtest`: what another version of a plugin would have made of the events in the log.

mod progress;
mod reading;
mod show;

use std::path::PathBuf;

use clap::Args;

use self::progress::Progress;
use self::reading::{Line, Reading, Summary};
use crate::client::error::Error;
use crate::client::input::read_bytes;
use crate::client::output::hint;
use crate::client::plugin::push::{beside, body, stem};
use crate::client::session::Session;

/// Which version, on which events.
#[derive(Debug, Args)]
pub struct BacktestArgs {
    /// The component of the version that is not live; with `--version`, the plugin.
    #[arg(value_name = "FILE.wasm | NAME")]
    candidate: PathBuf,
    /// The plugin that it is a version of [default: the name of the file without .wasm].
    #[arg(long, value_name = "NAME", conflicts_with = "version")]
    name: Option<String>,
    /// Its manifest [default: the file of the same name that ends in .toml, if there is one; else that of the gateway].
    #[arg(long, value_name = "FILE", conflicts_with = "version")]
    manifest: Option<PathBuf>,
    /// A version that was live before, as `hookway plugin versions NAME` lists it.
    #[arg(long)]
    version: Option<String>,
    #[command(flatten)]
    events: EventArgs,
    /// How many differences are shown to people; all of them are counted. With `--json` all are printed.
    #[arg(long, value_name = "N", default_value_t = 20)]
    show: usize,
    /// End with exit code 8 if there is a difference.
    #[arg(long)]
    fail_on_difference: bool,
}

/// Which events.
#[derive(Debug, Args)]
pub(super) struct EventArgs {
    /// Of this tenant.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Of this topic.
    #[arg(long)]
    topic: Option<String>,
    /// For this endpoint.
    #[arg(long, value_name = "ID")]
    endpoint: Option<String>,
    /// Accepted at this time or later, for example 2024-03-15T14:30:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Accepted before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// How many events at most: the newest.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    limit: u64,
    /// Tell of what means the same in other bytes, too.
    #[arg(long)]
    equivalent: bool,
}

impl EventArgs {
    /// So many of the newest.
    pub(super) const fn newest(limit: u64) -> Self {
        Self { tenant: None, topic: None, endpoint: None, since: None, until: None, limit, equivalent: false }
    }
}

/// The version that is compared with the live one.
pub(super) enum Candidate {
    /// A component, with its manifest if it has one.
    Files(Vec<u8>, Option<Vec<u8>>),
    /// One that the gateway keeps.
    Kept(String),
}

pub(super) fn run(args: BacktestArgs, session: &mut Session) -> Result<(), Error> {
    let BacktestArgs { candidate: file, name, manifest, version, events, show, fail_on_difference } = args;
    let (name, candidate) = match version {
        Some(version) => (file.to_string_lossy().into_owned(), Candidate::Kept(version)),
        None => {
            let manifest = match manifest {
                Some(manifest) => Some(read_bytes(&manifest)?),
                None => beside(&file)?,
            };
            (name.map_or_else(|| stem(&file), Ok)?, Candidate::Files(read_bytes(&file)?, manifest))
        }
    };
    let summary = compare(session, &name, candidate, &events, show)?;
    if fail_on_difference && summary.different > 0 { Err(Error::Pending) } else { Ok(()) }
}

/// Has a candidate compared with the live version of a plugin, and shows what comes.
///
/// # Errors
/// No answer, a refusal, or an answer that was cut off.
pub(super) fn compare(
    session: &mut Session,
    name: &str,
    candidate: Candidate,
    events: &EventArgs,
    show: usize,
) -> Result<Summary, Error> {
    let EventArgs { tenant, topic, endpoint, since, until, limit, equivalent } = events;
    let (version, body) = match candidate {
        Candidate::Files(component, manifest) => (None, Some(body(component, manifest))),
        Candidate::Kept(version) => (Some(version), None),
    };
    let route = session.api.at(&["plugins", name, "backtest"]);
    let route = route
        .with("tenant", tenant.as_ref())
        .with("topic", topic.as_ref())
        .with("endpoint", endpoint.as_ref())
        .with("since", since.as_ref())
        .with("until", until.as_ref())
        .with("limit", Some(limit))
        .with("equivalent", equivalent.then_some(true))
        .with("version", version);
    let mut reading = Reading::begin(&session.api, &route, body)?;
    let progress = Progress::begin(*limit);
    let mut shown = 0;
    while let Some(json) = reading.next()? {
        let line = Line::parse(&json)?;
        if session.out.json && !matches!(line, Line::Progress(_)) {
            session.out.json(&json)?;
        }
        match line {
            Line::Start(start) if !session.out.json => session.out.lines(show::start(&start))?,
            Line::Difference(difference) if !session.out.json && shown < show => {
                shown += 1;
                progress.aside(|| session.out.lines(show::difference(&difference)))?;
            }
            Line::Progress(counts) => progress.advance(&counts),
            Line::Summary(summary) => {
                drop(progress);
                if !session.out.json {
                    end(session, &summary, show)?;
                }
                return Ok(*summary);
            }
            Line::Error(failure) => return Err(Error::Failed(failure.detail)),
            Line::Start(_) | Line::Difference(_) | Line::Other => {}
        }
    }
    Err(Error::Failed(
        "the answer ended before the backtest did: the gateway stops, or the key was revoked; begin again"
            .to_owned(),
    ))
}

fn end(session: &mut Session, summary: &Summary, show: usize) -> Result<(), Error> {
    let told = summary.different;
    if told > show as u64 {
        hint(&format!("{} differences more are not shown: --show N, or --json for all", told - show as u64));
    }
    session.out.lines(show::summary(summary))?;
    session.out.table(show::HEAD, show::versions(summary))
}
