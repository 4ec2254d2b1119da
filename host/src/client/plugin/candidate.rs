//! `hookway plugin candidate`: a version that is tried on live events beside the one that is live.

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use ureq::http::Method;

use super::push::{FileArgs, say};
use crate::client::error::Error;
use crate::client::line::{Line, Tone, lines};
use crate::client::output::not_understood;
use crate::client::pretty::pretty;
use crate::client::session::Session;

const EXAMPLES: &str = "\
Examples:
  hookway plugin candidate push big-orders.wasm                # asked beside the live version, compared, nothing follows
  hookway plugin candidate show big-orders
  hookway plugin candidate set big-orders --percent 10         # decides a tenth of the events
  hookway plugin candidate promote big-orders";

/// What can be done with the candidate of a plugin.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// Have a version tried: waits until it is, or says why not. In shadow, unless --percent is given.
    Push {
        #[command(flatten)]
        files: FileArgs,
        #[command(flatten)]
        trial: TrialArgs,
    },
    /// Show how it does: counts, and the last events about which it said something else.
    Show { name: String },
    /// Have it tried in another way; one that had ended begins anew.
    Set {
        name: String,
        #[command(flatten)]
        trial: TrialArgs,
    },
    /// Have it go live.
    Promote { name: String },
    /// Give it up.
    Discard { name: String },
}

/// How it is tried.
#[derive(Debug, Args)]
pub struct TrialArgs {
    /// Compare it with the live version; nothing follows.
    #[arg(long, conflicts_with = "percent")]
    shadow: bool,
    /// Let it decide so many of a hundred events.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    percent: Option<u8>,
}

#[derive(Deserialize)]
struct Candidate {
    name: String,
    version: String,
    live_version: Option<String>,
    percent: Option<u8>,
    state: String,
    reason: Option<String>,
    since: String,
    counts: Counts,
    examples: Vec<Example>,
}

#[derive(Deserialize)]
struct Counts {
    decided: u64,
    same: u64,
    equivalent: u64,
    different: u64,
    failed: u64,
    skipped: u64,
}

#[derive(Deserialize)]
struct Example {
    at: String,
    event_id: String,
    tenant: String,
    endpoint: String,
    comparison: Box<RawValue>,
}

pub(super) fn run(command: Command, session: &mut Session) -> Result<(), Error> {
    let at = |session: &Session, name: &str, more: &[&str]| {
        session.api.at(&[&["plugins", name, "candidate"], more].concat())
    };
    match command {
        Command::Push { files, trial } => {
            let (name, media, body) = files.read()?;
            let route = at(session, &name, &[]).with("percent", trial.percent);
            let json = session.api.call_patiently(Method::PUT, &route, Some((&media, body)))?;
            show(&json, session)
        }
        Command::Show { name } => {
            let json = session.api.get(&at(session, &name, &[]))?;
            show(&json, session)
        }
        Command::Set { name, trial: TrialArgs { shadow, percent } } => {
            if !shadow && percent.is_none() {
                return Err(Error::Usage("say how it is to be tried: --shadow or --percent N".to_owned()));
            }
            let body =
                percent.map_or_else(|| json!({ "mode": "shadow" }), |percent| json!({ "percent": percent }));
            let json = session.api.patch(&at(session, &name, &[]), body.to_string())?;
            show(&json, session)
        }
        Command::Promote { name } => {
            let json = session.api.call_patiently(Method::POST, &at(session, &name, &["promote"]), None)?;
            say(&json, false, session)
        }
        Command::Discard { name } => {
            let json = session.api.delete(&at(session, &name, &[]))?;
            session.done(&json, format!("discarded the candidate of {name}"))
        }
    }
}

fn show(json: &str, session: &mut Session) -> Result<(), Error> {
    if session.out.json {
        return session.out.json(json);
    }
    let candidate = serde_json::from_str(json).map_err(|error| not_understood(&error))?;
    session.out.lines(all(&candidate))
}

fn all(candidate: &Candidate) -> Vec<Line> {
    let Candidate { name, version, live_version, percent, state, reason, since, counts, examples } =
        candidate;
    let how = percent
        .map_or_else(|| "in shadow".to_owned(), |percent| format!("decides {percent} % of the events"));
    let tone = if state == "running" { Tone::Good } else { Tone::Bad };
    let live = live_version.as_deref().unwrap_or("nothing");
    let mut all = vec![
        Line::from(format!("{name}: {version} beside {live}, {how}: "))
            .and(tone, state.as_str())
            .and(Tone::Plain, format!(" since {since}")),
    ];
    all.extend(reason.as_ref().map(|reason| Line::new(Tone::Bad, reason.as_str())));
    let Counts { decided, same, equivalent, different, failed, skipped } = counts;
    all.push(Line::from(match percent {
        Some(_) => format!("decided {decided}, failed {failed}"),
        None => format!(
            "same {same}, equivalent {equivalent}, different {different}, failed {failed}, skipped {skipped}"
        ),
    }));
    for Example { at, event_id, tenant, endpoint, comparison } in examples {
        all.push(
            Line::new(Tone::Strong, format!("{event_id} of {tenant} for {endpoint}"))
                .and(Tone::Faint, format!("  {at}")),
        );
        all.extend(lines(Tone::Plain, &pretty(comparison.get())));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(percent: Option<u8>, reason: Option<&str>) -> String {
        let counts = Counts { decided: 7, same: 1, equivalent: 2, different: 3, failed: 4, skipped: 5 };
        let comparison = RawValue::from_string(r#"{"sameness":"different"}"#.to_owned()).unwrap();
        let text = str::to_owned;
        let example = Example {
            at: text("T"),
            event_id: text("evt_1"),
            tenant: text("acme"),
            endpoint: text("ep_1"),
            comparison,
        };
        let shown = all(&Candidate {
            name: text("p"),
            version: text("v2"),
            live_version: Some(text("v1")),
            percent,
            state: text(if reason.is_some() { "ended" } else { "running" }),
            reason: reason.map(str::to_owned),
            since: text("T"),
            counts,
            examples: vec![example],
        });
        shown.iter().map(|line| line.render(false) + "\n").collect()
    }

    #[test]
    fn how_a_candidate_does_is_said_in_lines() {
        let shadow = candidate(None, None);
        assert!(
            shadow.starts_with(
                "p: v2 beside v1, in shadow: running since T\nsame 1, equivalent 2, different 3"
            ),
            "{shadow}"
        );
        assert!(shadow.contains("evt_1 of acme for ep_1  T\n") && shadow.contains("different"), "{shadow}");
        let canary = candidate(Some(10), Some("it failed"));
        assert!(
            canary.starts_with(
                "p: v2 beside v1, decides 10 % of the events: ended since T\nit failed\ndecided 7, failed 4\n"
            ),
            "{canary}"
        );
    }
}
