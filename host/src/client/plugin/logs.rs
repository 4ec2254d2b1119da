//! `hookway plugin logs`: what a plugin said lately, and what it says from now on.

use std::thread;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::error::Error;
use crate::client::line::{Line, Tone};
use crate::client::output::{hint, not_understood};
use crate::client::session::{MAX_LIMIT, Session};

/// How often there is a look for new lines: soon enough to read along, at the cost of one small request.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Which lines of which plugin.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Which plugin.
    name: String,
    /// Go on with what it says, until you stop it.
    #[arg(short, long)]
    follow: bool,
    /// Lines that are at least so loud: trace, debug, info, warn or error.
    #[arg(long)]
    level: Option<String>,
    /// Lines of this time or later, for example 2024-03-15T14:30:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Lines of calls of this tenant.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// How many of those that are there, at most 250.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=250))]
    limit: u16,
}

#[derive(Deserialize)]
struct Logs {
    data: Vec<Box<RawValue>>,
    last: u64,
}

#[derive(Deserialize)]
struct LogLine {
    at: String,
    level: String,
    version: String,
    tenant: Option<String>,
    event_id: Option<String>,
    message: String,
}

/// Shows lines; if they are followed, until somebody stops it or nobody reads any more.
pub(super) fn run(args: &LogArgs, session: &mut Session) -> Result<(), Error> {
    let route = session.api.at(&["plugins", &args.name, "logs"]);
    let route = route
        .with("level", args.level.as_ref())
        .with("since", args.since.as_ref())
        .with("tenant", args.tenant.as_ref());
    let mut logs: Logs = session.api.read(&route.clone().with("limit", Some(args.limit)))?;
    if logs.data.is_empty() && !args.follow {
        hint("nothing found");
    }
    loop {
        let is_full = logs.data.len() >= usize::from(MAX_LIMIT);
        show(&logs, session)?;
        if !args.follow {
            return Ok(());
        }
        if !is_full {
            thread::sleep(LOOK_EVERY);
        }
        logs =
            session.api.read(&route.clone().with("limit", Some(MAX_LIMIT)).with("after", Some(logs.last)))?;
    }
}

fn show(logs: &Logs, session: &mut Session) -> Result<(), Error> {
    for json in &logs.data {
        if session.out.json {
            session.out.json(json.get())?;
        } else {
            let line = serde_json::from_str(json.get()).map_err(|error| not_understood(&error))?;
            session.out.line(of(line))?;
        }
    }
    Ok(())
}

fn of(line: LogLine) -> Line {
    let tone = match line.level.as_str() {
        "error" => Tone::Bad,
        "warn" => Tone::Warning,
        _ => Tone::Plain,
    };
    let about = [line.tenant, line.event_id].into_iter().flatten().collect::<Vec<_>>().join(" ");
    Line::new(Tone::Faint, line.at)
        .and(tone, format!("  {:5}", line.level))
        .and(Tone::Plain, format!("  {}", line.message))
        .and(Tone::Faint, format!("  {}  {about}", line.version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_when_what_and_about_which_event() {
        let line = LogLine {
            at: "T".to_owned(),
            level: "warn".to_owned(),
            version: "v".to_owned(),
            tenant: Some("acme".to_owned()),
            event_id: Some("evt_1".to_owned()),
            message: "no total\u{1b}[31m".to_owned(),
        };
        let shown = of(line).render(false);
        assert!(shown.starts_with("T  warn   no total") && shown.ends_with("  v  acme evt_1"), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown}");
    }
}
