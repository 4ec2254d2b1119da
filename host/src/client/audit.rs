//! `hookway audit`: who changed what, and whether the log of that is what was written.

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::Error;
use super::line::{Line, Tone};
use super::output::{Row, not_understood};
use super::session::{ListArgs, Session};

/// What can be done with the audit log.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List changes, the newest first.
    List {
        /// Of this tenant only.
        #[arg(long)]
        tenant: Option<String>,
        /// Of this kind only: `endpoint.updated`, `key.created`.
        #[arg(long)]
        action: Option<String>,
        /// Not older than this: `2024-03-15T14:30:00Z`.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Work the chain of hashes out again; exit code 7 if it is broken.
    Verify,
}

#[derive(Deserialize)]
struct Change {
    number: u64,
    at: String,
    action: String,
    target: String,
    actor: Actor,
    changes: Map<String, Value>,
}

#[derive(Deserialize)]
struct Actor {
    kind: String,
    scope: Option<String>,
    key: Option<String>,
}

#[derive(Deserialize)]
struct Chain {
    intact: bool,
    rows: u64,
    head: String,
    broken_at: Option<u64>,
}

impl Row for Change {
    const HEAD: &'static [&'static str] = &["NUMBER", "AT", "ACTION", "TARGET", "BY", "CHANGED"];

    fn cells(self) -> Vec<String> {
        let Actor { kind, scope, key } = self.actor;
        let by = key.or(scope).unwrap_or(kind);
        // Of what was made or removed, all fields changed.
        let is_update = self.action.ends_with(".updated");
        let fields: Vec<_> = self.changes.into_iter().map(|(name, _)| name).filter(|_| is_update).collect();
        vec![self.number.to_string(), self.at, self.action, self.target, by, fields.join(" ")]
    }
}

pub(super) fn run(command: Command, session: &mut Session) -> Result<(), Error> {
    match command {
        Command::List { tenant, action, since, list } => {
            let route = session.api.at(&["audit"]);
            let route = route.with("tenant", tenant).with("action", action).with("since", since);
            session.list::<Change>(&route, &list)
        }
        Command::Verify => verify(session),
    }
}

fn verify(session: &mut Session) -> Result<(), Error> {
    let json = session.api.get(&session.api.at(&["audit", "verify"]))?;
    let chain: Chain = serde_json::from_str(&json).map_err(|error| not_understood(&error))?;
    if chain.intact {
        let line = Line::new(Tone::Good, "intact").and(Tone::Plain, format!(", {} rows", chain.rows));
        return session.done(&json, line.and(Tone::Faint, format!(", head {}", chain.head)));
    }
    if session.out.json {
        session.out.json(&json)?;
    }
    let place =
        chain.broken_at.map_or_else(String::new, |number| format!(": row {number} is not what was written"));
    Err(Error::Unverified(format!("the audit log is broken{place}")))
}
