//! `hookway delivery`: the delivery log.

mod filter;
mod show;
mod stream;
mod tail;
mod view;

use clap::Subcommand;

use self::filter::Filter;
pub(super) use self::show::plugin_run;
pub(super) use self::view::{Delivery, PluginRun, Record, state_tone};
use super::error::Error;
use super::line::{Line, Tone};
use super::output::not_understood;
use super::session::{ListArgs, Session};

const EXAMPLES: &str = "\
Examples:
  hookway delivery list --tenant acme --status failed --since 2024-03-15T00:00:00Z
  hookway delivery show dlv_01J..._0
  hookway delivery tail --endpoint ep_01J...";

/// What can be done with deliveries.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// List them, the newest first.
    List {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show one: the event, the body that was sent, each attempt and its answer, what plugins said.
    Show { id: String },
    /// Send one again now, with the same bytes; as often as you like.
    Retry { id: String },
    /// End one that waits. An attempt that is under way ends and is recorded.
    Cancel { id: String },
    /// Follow the log: a line for each new delivery and for each change of one, until you stop it.
    Tail {
        #[command(flatten)]
        filter: Filter,
        /// How many of those that are there to begin with, at most 250.
        #[arg(long, value_name = "N", default_value_t = 10)]
        lines: usize,
    },
}

pub(super) fn run(command: Command, session: &mut Session) -> Result<(), Error> {
    match command {
        Command::List { filter, list } => {
            session.list::<Delivery>(&filter.apply(session.api.at(&["deliveries"])), &list)
        }
        Command::Show { id } => show::run(&id, session),
        Command::Retry { id } => change(session, &id, "retry"),
        Command::Cancel { id } => change(session, &id, "cancel"),
        Command::Tail { filter, lines } => {
            let route = filter.apply(session.api.at(&["deliveries", "stream"]));
            tail::run(stream::Stream::new(route, lines), session)
        }
    }
}

fn change(session: &mut Session, id: &str, verb: &str) -> Result<(), Error> {
    let json = session.api.post(&session.api.at(&["deliveries", id, verb]), None)?;
    let delivery: Delivery = serde_json::from_str(&json).map_err(|error| not_understood(&error))?;
    let tone = state_tone(&delivery.status);
    let reason = delivery.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    session.done(&json, Line::from(format!("{id} is ")).and(tone, delivery.status).and(Tone::Plain, reason))
}
