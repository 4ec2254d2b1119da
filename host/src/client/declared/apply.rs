//! `hookway apply`: a gateway as files say it.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;

use clap::Args;

use super::format::Format;
use super::plan::Plan;
use super::secrets::SecretsFile;
use super::{file, plan, show, steps};
use crate::client::error::Error;
use crate::client::input::is_stdin;
use crate::client::line::{Line, Tone};
use crate::client::output::hint;
use crate::client::session::Session;

/// What is not declared, by name, up to here.
const MAX_LEFT: usize = 5;

const EXAMPLE: &str = "\
A file (TOML, or the same in YAML):
  [[topics]]
  topic = \"orders/created\"
  description = \"an order was placed\"

  [[tenants]]
  name = \"acme\"
  plugins = [{ plugin = \"redact\", config = { mask = [\"/data/customer/phone\"] } }]

  [[endpoints]]
  tenant = \"acme\"
  url = \"https://hooks.acme.example/orders\"
  topics = [\"orders/*\"]
  rate_limit = 10
  headers = { authorization = { env = \"ACME_TOKEN\" } }
  plugins = [{ plugin = \"redact\", config = { mask = [\"/data/customer/email\"] } }]

Examples:
  hookway apply hookway.toml --dry-run                      show what would change, change nothing
  hookway apply hookway.toml                                show it, ask, change it
  hookway apply config/ --yes --secrets-out secrets.ndjson  in a script; new secrets go to a file
  hookway apply hookway.toml --prune                        delete what the file does not have, too";

/// Which files, and how to go about it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct ApplyArgs {
    /// Files in TOML or YAML, or folders of them; `-` reads standard input. Together they are one configuration.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The language of the files [default: what their names say; TOML for standard input].
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Whose the endpoints are that do not say so [default: the tenant of the key, or `default`].
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Delete endpoints of the tenants in the files, and topics if the files have any, that the files do not have.
    #[arg(long)]
    prune: bool,
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// End with 8 if something would change.
    #[arg(long, requires = "dry_run")]
    exit_code: bool,
    /// Do not ask. Scripts have to say so: without a terminal nobody can be asked.
    #[arg(long, short)]
    yes: bool,
    /// Write secrets that the gateway makes to this file (only its owner may read it) and not to standard output.
    #[arg(long, value_name = "FILE")]
    secrets_out: Option<PathBuf>,
}

pub(crate) fn run(args: ApplyArgs, session: &mut Session) -> Result<(), Error> {
    let declared = file::read(&args.files, args.format, &session.world.environment)?;
    let plan = plan::make(declared, args.tenant.as_deref(), args.prune, session)?;
    tell_left(&plan);
    if plan.steps.is_empty() {
        hint("nothing to do: the gateway is as the files say");
        return Ok(());
    }
    if !session.out.json {
        session.out.lines(show::lines(&plan))?;
        session.out.line("")?;
    }
    if args.dry_run {
        return only_told(&plan, args.exit_code, session);
    }
    if !args.yes {
        ask(&args, &plan, session)?;
    }
    let file = args.secrets_out.as_deref().map(SecretsFile::open).transpose()?;
    steps::perform(plan, file, session)?;
    if let Some(file) = &args.secrets_out {
        hint(&format!("secrets of new endpoints are in {}", file.display()));
    }
    Ok(())
}

fn only_told(plan: &Plan, has_exit_code: bool, session: &mut Session) -> Result<(), Error> {
    if session.out.json {
        plan.steps.iter().try_for_each(|step| session.out.json(&show::for_scripts(step, false, None)))?;
    }
    hint(&format!("{}; nothing was changed", show::summary(plan)));
    if has_exit_code { Err(Error::Pending) } else { Ok(()) }
}

fn tell_left(plan: &Plan) {
    if plan.left.is_empty() {
        return;
    }
    let named = plan.left.iter().take(MAX_LEFT).cloned().collect::<Vec<_>>().join(", ");
    let more = plan.left.len().saturating_sub(MAX_LEFT);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    hint(&format!("not in the files, and left as it is (--prune deletes it): {named}{more}"));
}

/// # Errors
/// Nobody can be asked, or the answer is not yes.
fn ask(args: &ApplyArgs, plan: &Plan, session: &mut Session) -> Result<(), Error> {
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if session.out.json || !is_terminal || args.files.iter().any(|file| is_stdin(file)) {
        let summary = show::summary(plan);
        return Err(Error::Usage(format!(
            "{summary}, and nothing was changed: say --yes to do it without being asked, or --dry-run to only look"
        )));
    }
    let question = Line::new(Tone::Strong, format!("{}. Do it? [y/N] ", show::summary(plan)));
    session.out.unfinished_line(question)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(Error::from)?;
    if is_yes(&answer) {
        return Ok(());
    }
    // So that what follows does not stand behind the question.
    let _ = writeln!(io::stderr());
    Err(Error::Failed("nothing was changed".to_owned()))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        assert!(is_yes("y\n") && is_yes(" YES\r\n"));
        for answer in ["", "\n", "n", "yo", "yes please"] {
            assert!(!is_yes(answer), "{answer}");
        }
    }
}
