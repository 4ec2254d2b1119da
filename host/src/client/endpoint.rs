//! `hookway endpoint`: the webhook configurations.

use std::path::PathBuf;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::Value;

use super::error::Error;
use super::input::{FieldArgs, read_text, texts};
use super::line::{Line, Tone};
use super::output::Row;
use super::session::{ListArgs, Session};
use super::statistics;

const EXAMPLES: &str = "\
Examples:
  hookway endpoint create https://hooks.acme.example/orders --tenant acme --topic 'orders/*'
  hookway endpoint create --from endpoint.json
  hookway endpoint update ep_01J... --set rate_limit=50 --set 'retry=[\"5s\",\"1h\"]' --set filter=null
  hookway endpoint list --tenant acme
  hookway endpoint test ep_01J...";

/// What can be done with endpoints.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// List them, the oldest first.
    List {
        /// Of this tenant only.
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show one with all its fields.
    Get { id: String },
    /// Create one; shows its signing secret, this once.
    Create {
        /// The target URL; or `url` in `--from`.
        url: Option<String>,
        /// A topic or pattern: `orders/created`, `orders/*`, `**`; may be repeated.
        #[arg(long = "topic", value_name = "PATTERN")]
        topics: Vec<String>,
        /// Whose it is [default: the tenant of the key, or `default`].
        #[arg(long)]
        tenant: Option<String>,
        /// What it is for.
        #[arg(long)]
        description: Option<String>,
        #[command(flatten)]
        fields: FieldArgs,
    },
    /// Change some fields; the others stay.
    Update {
        id: String,
        /// A new target URL.
        #[arg(long)]
        url: Option<String>,
        /// Its topics from now on; may be repeated.
        #[arg(long = "topic", value_name = "PATTERN")]
        topics: Vec<String>,
        /// What it is for.
        #[arg(long)]
        description: Option<String>,
        #[command(flatten)]
        fields: FieldArgs,
    },
    /// Delete one; what waits for it is cancelled.
    Delete { id: String },
    /// Make one active and healthy; what waited is sent.
    Activate { id: String },
    /// Send nothing more; what is for it waits.
    Deactivate { id: String },
    /// Send the events of a range again, as a job of the gateway; shows how far it is until it is done.
    Recover(super::recovery::RecoverArgs),
    /// How its deliveries ended and how long attempts took, in the last hour, day and week.
    Stats { id: String },
    /// Send a test event to this endpoint alone.
    Test {
        id: String,
        /// The topic of the event [default: one that the endpoint wants].
        #[arg(long)]
        topic: Option<String>,
        /// Its `data`, a file of JSON; `-` reads standard input.
        #[arg(long, value_name = "FILE")]
        data: Option<PathBuf>,
    },
}

/// A row of the list, and what [`super::why`] needs to know.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Endpoint {
    pub(super) id: String,
    pub(super) tenant: String,
    pub(super) url: String,
    pub(super) topics: Vec<String>,
    pub(super) matcher: Option<String>,
    pub(super) state: String,
    pub(super) health: String,
    pub(super) created_at: String,
}

impl Row for Endpoint {
    const HEAD: &'static [&'static str] = &["ID", "TENANT", "STATE", "HEALTH", "TOPICS", "URL"];

    fn cells(self) -> Vec<String> {
        vec![self.id, self.tenant, self.state, self.health, self.topics.join(" "), self.url]
    }
}

pub(super) fn run(command: Command, session: &mut Session) -> Result<(), Error> {
    match command {
        Command::List { tenant, list } => {
            let route = session.api.at(&["endpoints"]).with("tenant", tenant);
            session.list::<Endpoint>(&route, &list)
        }
        Command::Get { id } => {
            let json = session.api.get(&session.api.at(&["endpoints", &id]))?;
            session.object(&json)
        }
        Command::Create { url, topics, tenant, description, fields } => {
            if fields.is_empty() && (url.is_none() || topics.is_empty()) {
                let usage = "say where to send and what: hookway endpoint create URL --topic 'orders/*'";
                return Err(Error::Usage(usage.to_owned()));
            }
            let named = [("tenant", tenant), ("url", url), ("description", description)];
            let mut named = named.map(|(name, text)| (name, text.map(Value::from))).to_vec();
            named.push(("topics", texts(topics)));
            let body = fields.object(&named)?;
            let json = session.api.post(&session.api.at(&["endpoints"]), Some(body))?;
            session.object(&json)
        }
        Command::Update { id, url, topics, description, fields } => {
            let named = [("url", url), ("description", description)];
            let mut named = named.map(|(name, text)| (name, text.map(Value::from))).to_vec();
            named.push(("topics", texts(topics)));
            let body = fields.object(&named)?;
            let json = session.api.patch(&session.api.at(&["endpoints", &id]), body)?;
            session.object(&json)
        }
        Command::Delete { id } => {
            let json = session.api.delete(&session.api.at(&["endpoints", &id]))?;
            session.done(&json, format!("deleted {id}"))
        }
        Command::Activate { id } => set_activity(session, &id, "activate"),
        Command::Deactivate { id } => set_activity(session, &id, "deactivate"),
        Command::Recover(args) => super::recovery::recover(args, session),
        Command::Stats { id } => {
            let route = session.api.at(&["endpoints", &id, "stats"]);
            statistics::show(&route, session)
        }
        Command::Test { id, topic, data } => test(session, &id, topic, data),
    }
}

fn set_activity(session: &mut Session, id: &str, verb: &str) -> Result<(), Error> {
    let json = session.api.post(&session.api.at(&["endpoints", id, verb]), None)?;
    let endpoint: Endpoint =
        serde_json::from_str(&json).map_err(|error| super::output::not_understood(&error))?;
    let tone = if endpoint.state == "active" { Tone::Good } else { Tone::Warning };
    session.done(&json, Line::from(format!("{id} is ")).and(tone, endpoint.state))
}

fn test(session: &mut Session, id: &str, topic: Option<String>, data: Option<PathBuf>) -> Result<(), Error> {
    let mut body = FieldArgs::default();
    if let Some(path) = data {
        body.put("data", &read_text(&path)?)?;
    }
    let body = body.object(&[("event", topic.map(Value::from))])?;
    let json = session.api.post(&session.api.at(&["endpoints", id, "test"]), Some(body))?;
    session.object(&json)
}
