//! `hookway plugin`: what runs in the gateway, and why what does not run does not.

use clap::Subcommand;
use serde::Deserialize;

use super::error::Error;
use super::output::Row;
use super::session::Session;

/// What can be done with plugins.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List them.
    List,
    /// Show one with all that is known of it.
    Show {
        /// Which.
        name: String,
    },
}

#[derive(Deserialize)]
struct Plugin {
    name: String,
    state: String,
    version: Option<String>,
    capabilities: Vec<String>,
    calls: u64,
    errors: u64,
    reason: Option<String>,
}

impl Row for Plugin {
    const HEAD: &'static [&'static str] =
        &["NAME", "STATE", "VERSION", "CAPABILITIES", "CALLS", "ERRORS", "REASON"];

    fn cells(self) -> Vec<String> {
        vec![
            self.name,
            self.state,
            self.version.unwrap_or_default(),
            self.capabilities.join(" "),
            self.calls.to_string(),
            self.errors.to_string(),
            self.reason.unwrap_or_default(),
        ]
    }
}

pub(super) fn run(command: Command, session: &mut Session) -> Result<(), Error> {
    match command {
        Command::List => session.whole_list::<Plugin>(&session.api.at(&["plugins"])),
        Command::Show { name } => {
            let json = session.api.get(&session.api.at(&["plugins", &name]))?;
            session.object(&json)
        }
    }
}
