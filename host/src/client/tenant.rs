//! `hookway tenant`: the customers of the platform. For administrators.

use clap::Subcommand;
use serde::Deserialize;

use super::error::Error;
use super::output::Row;
use super::session::{ListArgs, Session};

/// What can be done with tenants.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List those that have endpoints or keys.
    List {
        #[command(flatten)]
        list: ListArgs,
    },
}

#[derive(Deserialize)]
struct Tenant {
    name: String,
    endpoints: u64,
    keys: u64,
}

impl Row for Tenant {
    const HEAD: &'static [&'static str] = &["NAME", "ENDPOINTS", "KEYS"];

    fn cells(self) -> Vec<String> {
        vec![self.name, self.endpoints.to_string(), self.keys.to_string()]
    }
}

pub(super) fn run(command: Command, session: &mut Session) -> Result<(), Error> {
    let Command::List { list } = command;
    session.list::<Tenant>(&session.api.at(&["tenants"]), &list)
}
