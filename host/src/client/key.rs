//! `hookway key`: the API keys. For administrators.

use clap::Subcommand;
use serde::Deserialize;
use serde_json::json;

use super::error::Error;
use super::output::Row;
use super::session::{ListArgs, Session};

const EXAMPLES: &str = "\
Examples:
  hookway key create --scope events:write --description 'the shop'
  hookway key create --scope tenant:acme --expires-at 2030-01-31T12:00:00Z
  hookway key delete key_01J...";

/// What can be done with API keys.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// List them, the oldest first; never their texts.
    List {
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show one.
    Get { id: String },
    /// Make one; shows its text, this once.
    Create {
        /// `admin`, `tenant:NAME`, `events:write`, `events:write:NAME` or `metrics:read`.
        #[arg(long)]
        scope: String,
        /// Who uses it.
        #[arg(long)]
        description: Option<String>,
        /// When it ends: `2030-01-31T12:00:00Z` [default: never].
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
    },
    /// Revoke one: it opens nothing from now on.
    Delete { id: String },
}

#[derive(Deserialize)]
struct Key {
    id: String,
    scope: String,
    description: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
}

impl Row for Key {
    const HEAD: &'static [&'static str] = &["ID", "SCOPE", "EXPIRES", "LAST USED", "DESCRIPTION"];

    fn cells(self) -> Vec<String> {
        let never = || "never".to_owned();
        let (expires, used) =
            (self.expires_at.unwrap_or_else(never), self.last_used_at.unwrap_or_else(never));
        vec![self.id, self.scope, expires, used, self.description]
    }
}

pub(super) fn run(command: Command, session: &mut Session) -> Result<(), Error> {
    match command {
        Command::List { list } => session.list::<Key>(&session.api.at(&["keys"]), &list),
        Command::Get { id } => {
            let json = session.api.get(&session.api.at(&["keys", &id]))?;
            session.object(&json)
        }
        Command::Create { scope, description, expires_at } => {
            let description = description.unwrap_or_default();
            let body = json!({ "scope": scope, "description": description, "expires_at": expires_at });
            let json = session.api.post(&session.api.at(&["keys"]), Some(body.to_string()))?;
            session.object(&json)
        }
        Command::Delete { id } => {
            let json = session.api.delete(&session.api.at(&["keys", &id]))?;
            session.done(&json, format!("revoked {id}"))
        }
    }
}
