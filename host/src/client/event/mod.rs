//! `hookway event`: what happened on the platform, and what became of it.

mod batch;
mod get;
mod lines;
mod list;
mod pace;
mod preview;
mod progress;
mod replay;
mod send;
mod sending;
mod view;
mod why;

use clap::Subcommand;

pub(super) use self::view::Event;
use super::error::Error;
use super::session::Session;

const EXAMPLES: &str = "\
Examples:
  hookway event why --tenant acme order-42       did it arrive, and if not, why not?
  hookway event send events.ndjson --rate 100/s
  echo '{\"event\": \"orders/created\", \"event_id\": \"order-42\", \"tenant\": \"acme\", \"data\": {}}' | hookway event send -";

/// What can be done with events.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// Send the events of a file: one of JSON, or many as NDJSON, one a line.
    Send(send::SendArgs),
    /// List them, the newest first, with what became of each.
    List(list::EventListArgs),
    /// Show one with its deliveries.
    Get {
        id: String,
        /// Whose it is [default: the tenant of the key, or `default`].
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Deliver one anew: it is matched and judged by the endpoints as they are now.
    Replay {
        id: String,
        /// Whose it is [default: the tenant of the key, or `default`].
        #[arg(long)]
        tenant: Option<String>,
        /// To this endpoint only; may be repeated.
        #[arg(long = "endpoint", value_name = "ID")]
        endpoints: Vec<String>,
    },
    /// Show what would be sent to whom, and why not to others. Nothing is sent.
    Preview(preview::PreviewArgs),
    /// Say in sentences, for each endpoint of its tenant, whether the event arrived there, and if not, why not.
    Why {
        id: String,
        /// Whose it is [default: the tenant of the key, or `default`].
        #[arg(long)]
        tenant: Option<String>,
        /// At this endpoint only.
        #[arg(long, value_name = "ID")]
        endpoint: Option<String>,
    },
}

pub(super) fn run(command: Command, session: &mut Session) -> Result<(), Error> {
    match command {
        Command::Send(args) => send::run(args, session),
        Command::List(args) => list::run(args, session),
        Command::Get { id, tenant } => get::run(&id, tenant, session),
        Command::Replay { id, tenant, endpoints } => replay::run(&id, tenant, endpoints, session),
        Command::Preview(args) => preview::run(args, session),
        Command::Why { id, tenant, endpoint } => why::run(&id, tenant, endpoint.as_deref(), session),
    }
}
