//! `hookway secret`: the signing secrets of an endpoint.

use std::path::PathBuf;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::Value;

use super::error::Error;
use super::input::{FieldArgs, read_text};
use super::output::Row;
use super::session::Session;

const EXAMPLES: &str = "\
Examples:
  hookway secret add ep_01J...                                        a new one, which signs at once
  hookway secret add ep_01J... --value-from old.secret --expires-at 2030-01-31T12:00:00Z
  hookway secret expire ep_01J... sec_01J...                          the old one signs nothing from now on";

/// What can be done with signing secrets.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// List those of an endpoint, the newest first; never their values.
    List { endpoint: String },
    /// Add one; it signs at once. Shows its value, this once.
    Add {
        endpoint: String,
        /// A value of your own, `whsec_...`, from a file; `-` reads standard input [default: a random one].
        #[arg(long, value_name = "FILE")]
        value_from: Option<PathBuf>,
        /// When it ends: `2030-01-31T12:00:00Z` [default: never].
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        #[command(flatten)]
        fields: FieldArgs,
    },
    /// Let one end: now, at a time, or never.
    Expire {
        endpoint: String,
        secret: String,
        /// When: `2030-01-31T12:00:00Z` [default: now].
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// It does not end.
        #[arg(long, conflicts_with = "at")]
        never: bool,
    },
    /// Remove one that has ended.
    Delete { endpoint: String, secret: String },
}

#[derive(Deserialize)]
struct Secret {
    id: String,
    created_at: String,
    expires_at: Option<String>,
}

impl Row for Secret {
    const HEAD: &'static [&'static str] = &["ID", "CREATED", "EXPIRES"];

    fn cells(self) -> Vec<String> {
        vec![self.id, self.created_at, self.expires_at.unwrap_or_else(|| "never".to_owned())]
    }
}

pub(super) fn run(command: Command, session: &mut Session) -> Result<(), Error> {
    match command {
        Command::List { endpoint } => {
            let route = session.api.at(&["endpoints", &endpoint, "secrets"]);
            session.whole_list::<Secret>(&route)
        }
        Command::Add { endpoint, value_from, expires_at, fields } => {
            let value = value_from.map(|path| read_text(&path)).transpose()?;
            let value = value.map(|text| Value::from(text.trim()));
            let body = fields.object(&[("value", value), ("expires_at", expires_at.map(Value::from))])?;
            let route = session.api.at(&["endpoints", &endpoint, "secrets"]);
            let json = session.api.post(&route, Some(body))?;
            session.object(&json)
        }
        Command::Expire { endpoint, secret, at: None, never: false } => {
            let route = session.api.at(&["endpoints", &endpoint, "secrets", &secret, "expire"]);
            let json = session.api.post(&route, None)?;
            session.object(&json)
        }
        Command::Expire { endpoint, secret, at, .. } => {
            let body = serde_json::json!({ "expires_at": at }).to_string();
            let json =
                session.api.patch(&session.api.at(&["endpoints", &endpoint, "secrets", &secret]), body)?;
            session.object(&json)
        }
        Command::Delete { endpoint, secret } => {
            let json = session.api.delete(&session.api.at(&["endpoints", &endpoint, "secrets", &secret]))?;
            session.done(&json, format!("deleted {secret}"))
        }
    }
}
