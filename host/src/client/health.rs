//! `hookway health`: whether a gateway takes events, for health checks where there is no other program to ask.

use clap::Args;

use super::error::Error;
use super::session::Session;

/// Which gateway is said by the flags that all commands have.
#[derive(Debug, Args)]
pub struct HealthArgs {}

/// Asks `/readyz`, which needs no key.
pub(super) fn run(_args: HealthArgs, session: &mut Session) -> Result<(), Error> {
    let answer = session.api.get(&session.api.readiness())?;
    if session.out.json {
        return session.out.json(&answer);
    }
    session.out.line("the gateway takes events")
}
