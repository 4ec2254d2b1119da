//! `hookway topic`: the catalogue of topics.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Deserialize;
use serde_json::Value;
use ureq::http::Method;

use super::error::Error;
use super::input::{FieldArgs, read_text, texts};
use super::output::Row;
use super::session::{ListArgs, Session};

const EXAMPLES: &str = "\
Examples:
  hookway topic create orders/created --description 'an order was placed' --available-for Sellers
  hookway topic update orders/created --set 'schema={\"type\":\"object\"}'
  hookway topic import topics.toml";

/// What can be done with the catalogue.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// List the topics.
    List {
        /// Those that are available for this label, as `Sellers`.
        #[arg(long, value_name = "LABEL")]
        available_for: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show one with its examples and its schema.
    Get { topic: String },
    /// Add one.
    Create {
        topic: String,
        #[command(flatten)]
        entry: Entry,
    },
    /// Change some fields of one; the others stay.
    Update {
        topic: String,
        #[command(flatten)]
        entry: Entry,
    },
    /// Remove one from the catalogue.
    Delete { topic: String },
    /// Create or replace the topics of a file, all or none.
    Import {
        /// JSON, or TOML if its name ends so; `-` reads JSON from standard input.
        file: PathBuf,
    },
}

/// What can be said about a topic.
#[derive(Debug, clap::Args)]
pub struct Entry {
    /// When it occurs.
    #[arg(long)]
    description: Option<String>,
    /// Whom it is available for; may be repeated.
    #[arg(long, value_name = "LABEL")]
    available_for: Vec<String>,
    /// What it is good for; may be repeated.
    #[arg(long = "use-case", value_name = "SENTENCE")]
    use_cases: Vec<String>,
    #[command(flatten)]
    fields: FieldArgs,
}

#[derive(Deserialize)]
struct Topic {
    topic: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    available_for: Vec<String>,
}

impl Row for Topic {
    const HEAD: &'static [&'static str] = &["TOPIC", "AVAILABLE FOR", "OCCURS WHEN"];

    fn cells(self) -> Vec<String> {
        vec![self.topic, self.available_for.join(", "), self.description]
    }
}

impl Entry {
    fn body(self, topic: Option<String>) -> Result<String, Error> {
        self.fields.object(&[
            ("topic", topic.map(Value::from)),
            ("description", self.description.map(Value::from)),
            ("available_for", texts(self.available_for)),
            ("use_cases", texts(self.use_cases)),
        ])
    }
}

pub(super) fn run(command: Command, session: &mut Session) -> Result<(), Error> {
    match command {
        Command::List { available_for, list } => {
            let route = session.api.at(&["topics"]).with("available_for", available_for);
            session.list::<Topic>(&route, &list)
        }
        Command::Get { topic } => {
            let json = session.api.get(&session.api.at(&["topics", &topic]))?;
            session.document(&json)
        }
        Command::Create { topic, entry } => {
            let json = session.api.post(&session.api.at(&["topics"]), Some(entry.body(Some(topic))?))?;
            session.document(&json)
        }
        Command::Update { topic, entry } => {
            let json = session.api.patch(&session.api.at(&["topics", &topic]), entry.body(None)?)?;
            session.document(&json)
        }
        Command::Delete { topic } => {
            let json = session.api.delete(&session.api.at(&["topics", &topic]))?;
            session.done(&json, format!("deleted {topic}"))
        }
        Command::Import { file } => {
            let body = Some((media_type(&file), read_text(&file)?));
            let json = session.api.call(Method::PUT, &session.api.at(&["topics"]), body)?;
            session.object(&json)
        }
    }
}

fn media_type(file: &Path) -> &'static str {
    if file.extension().is_some_and(|end| end == "toml") { "application/toml" } else { "application/json" }
}
