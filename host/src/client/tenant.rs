//! `hookway tenant`: the customers of the platform. For administrators.

use clap::Subcommand;
use serde::Deserialize;
use serde_json::Value;

use super::error::Error;
use super::input::FieldArgs;
use super::output::Row;
use super::session::{ListArgs, Session};

const EXAMPLES: &str = "\
Examples:
  hookway tenant list
  hookway tenant update acme --set 'plugins=[{\"plugin\":\"redact\",\"config\":{\"drop\":[\"/data/card\"]}}]'
  hookway tenant update acme --set 'plugins=[]'";

/// What can be done with tenants.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// List those that have endpoints or keys, or about whom something is said.
    List {
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show one with the plugins of all its endpoints.
    Get { name: String },
    /// Change what is said about one; the other fields stay. `plugins` are those that the deliveries of all its endpoints go
    /// through.
    Update {
        name: String,
        /// For people.
        #[arg(long)]
        description: Option<String>,
        #[command(flatten)]
        fields: FieldArgs,
    },
}

#[derive(Deserialize)]
struct Tenant {
    name: String,
    endpoints: u64,
    keys: u64,
    #[serde(default)]
    plugins: Vec<Binding>,
}

#[derive(Deserialize)]
struct Binding {
    plugin: String,
}

impl Row for Tenant {
    const HEAD: &'static [&'static str] = &["NAME", "ENDPOINTS", "KEYS", "PLUGINS"];

    fn cells(self) -> Vec<String> {
        let plugins: Vec<_> = self.plugins.into_iter().map(|binding| binding.plugin).collect();
        vec![self.name, self.endpoints.to_string(), self.keys.to_string(), plugins.join(" ")]
    }
}

pub(super) fn run(command: Command, session: &mut Session) -> Result<(), Error> {
    match command {
        Command::List { list } => session.list::<Tenant>(&session.api.at(&["tenants"]), &list),
        Command::Get { name } => {
            let json = session.api.get(&session.api.at(&["tenants", &name]))?;
            session.object(&json)
        }
        Command::Update { name, description, fields } => {
            let body = fields.object(&[("description", description.map(Value::from))])?;
            let json = session.api.patch(&session.api.at(&["tenants", &name]), body)?;
            session.object(&json)
        }
    }
}
