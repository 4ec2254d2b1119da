//! `hookway plugin versions | rollback | delete`: the versions that went live, and the way back to one.

use clap::Args;
use serde::Deserialize;
use serde::de::IgnoredAny;
use ureq::http::Method;

use super::push::say;
use crate::client::error::Error;
use crate::client::output::Row;
use crate::client::session::Session;

/// Which version of which plugin.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// Which plugin.
    name: String,
    /// Which version, as `plugin versions` names it [default: the one before that was not sent back].
    version: Option<String>,
    /// Try it as if it were to go live, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Which plugin.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Which plugin.
    name: String,
    /// Though endpoints, tenants or the gateway use it.
    #[arg(long)]
    force: bool,
}

#[derive(Deserialize)]
struct Version {
    version: String,
    live: bool,
    at: String,
    origin: String,
    key: Option<String>,
    size: u64,
    sent_back: Option<SentBack>,
}

#[derive(Deserialize)]
struct SentBack {
    reason: String,
}

/// What a way back is chosen by.
#[derive(Deserialize)]
struct Candidate {
    version: String,
    live: bool,
    sent_back: Option<IgnoredAny>,
}

impl Row for Version {
    const HEAD: &'static [&'static str] =
        &["VERSION", "STATE", "LIVE SINCE", "ORIGIN", "KEY", "BYTES", "REASON"];

    fn cells(self) -> Vec<String> {
        let state = match (self.live, &self.sent_back) {
            (true, _) => "live",
            (false, Some(_)) => "sent back",
            (false, None) => "",
        };
        vec![
            self.version,
            state.to_owned(),
            self.at,
            self.origin,
            self.key.unwrap_or_default(),
            self.size.to_string(),
            self.sent_back.map(|sent_back| sent_back.reason).unwrap_or_default(),
        ]
    }
}

pub(super) fn list(name: &str, session: &mut Session) -> Result<(), Error> {
    session.whole_list::<Version>(&session.api.at(&["plugins", name, "versions"]))
}

pub(super) fn roll_back(args: RollbackArgs, session: &mut Session) -> Result<(), Error> {
    let RollbackArgs { name, version, dry_run } = args;
    let version = match version {
        Some(version) => version,
        None => {
            let all = session.all(&session.api.at(&["plugins", &name, "versions"]))?;
            before(all).ok_or_else(|| {
                Error::Failed(format!("no version of `{name}` is kept that could serve again"))
            })?
        }
    };
    let route = session.api.at(&["plugins", &name, "versions", &version, "rollback"]);
    let route = route.with("dry_run", dry_run.then_some(true));
    let json = session.api.call_patiently(Method::POST, &route, None)?;
    say(&json, dry_run, session)
}

pub(super) fn delete(args: &DeleteArgs, session: &mut Session) -> Result<(), Error> {
    let route = session.api.at(&["plugins", &args.name]).with("force", args.force.then_some(true));
    let json = session.api.delete(&route)?;
    session.done(&json, format!("deleted {} and its versions", args.name))
}

/// The one that was live last of those that are not, and was not sent back.
fn before(versions: Vec<Candidate>) -> Option<String> {
    versions.into_iter().find(|one| !one.live && one.sent_back.is_none()).map(|one| one.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_leads_to_the_last_version_that_was_good() {
        let one = |version: &str, live, is_bad: bool| Candidate {
            version: version.to_owned(),
            live,
            sent_back: is_bad.then_some(IgnoredAny),
        };
        let all = vec![one("bad", false, true), one("good", true, false), one("older", false, false)];
        assert_eq!(before(all).unwrap(), "older");
        assert_eq!(before(vec![one("only", true, false)]), None);
    }
}
