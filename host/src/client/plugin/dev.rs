//! `hookway plugin dev`: whenever the source of a plugin changes, it is built, tried, compared with the live version and put to
//! work.

mod place;
mod project;
mod source;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
use std::{env, io};

use clap::Args;

use self::project::Project;
use self::source::Source;
use super::backtest::{Candidate, EventArgs, compare};
use super::push;
use crate::client::error::Error;
use crate::client::input::read_bytes;
use crate::client::interrupt::Interrupt;
use crate::client::line::{Line, Tone};
use crate::client::output::hint;
use crate::client::session::Session;

/// How often there is a look at the source.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How often it is built again because something was changed meanwhile.
const MAX_REPEATS: u32 = 3;
/// Differences that are shown of one comparison.
const SHOWN: usize = 20;

/// What is built, how, and where it goes.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// The folder of the project.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// What builds it, for `sh` in the folder [default: ./build.sh, cargo build --release --target wasm32-wasip2, npm run build
    /// or make, whichever it has what for].
    #[arg(long, value_name = "COMMAND")]
    build: Option<String>,
    /// The component that is built [default: the newest *.wasm in the folder, its dist or build, or Cargo's target].
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What the plugin is called [default: the name of its manifest NAME.toml, else that of the component].
    #[arg(long)]
    name: Option<String>,
    /// On how many of the newest events it is compared with the live version; 0: on none.
    #[arg(long, value_name = "N", default_value_t = 20)]
    last: u64,
    /// Put it into this plugin directory, with its manifest, and do not push it.
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
    /// Stop at the comparison.
    #[arg(long, conflicts_with = "into")]
    no_push: bool,
}

/// Builds, tries and compares with every change, until somebody stops it.
pub(super) fn run(args: DevArgs, session: &mut Session) -> Result<(), Error> {
    let project = Project::new(&args.folder, args.build.as_deref(), args.output.as_deref())?;
    let interrupt = Interrupt::listen();
    let interrupt = interrupt.map_err(|error| Error::Failed(format!("cannot listen to Ctrl-C: {error}")))?;
    let source = Source::of(&args.folder);
    let mut dealt_with = None;
    let mut repeats = 0;
    while !interrupt.is_pressed() {
        let before = source.look();
        // An editor writes several files; what counts is how they are when it is done.
        if dealt_with == Some(before) || !is_quiet(&source, before) {
            thread::sleep(LOOK_EVERY);
            continue;
        }
        match turn(&args, &project, session) {
            Err(Error::OutputClosed) => return Ok(()),
            Err(error) if !interrupt.is_pressed() => hint(&error.sentence()),
            Ok(()) | Err(_) => {}
        }
        // What was changed while it was built is built again; what building itself changes is not, for ever.
        let after = source.look();
        let is_again = after != before && repeats < MAX_REPEATS;
        repeats = if is_again { repeats + 1 } else { 0 };
        dealt_with = Some(if is_again { before } else { after });
        if !is_again && !interrupt.is_pressed() {
            hint("waiting for changes; Ctrl-C ends it");
        }
    }
    Ok(())
}

fn is_quiet(source: &Source, seen: u64) -> bool {
    thread::sleep(LOOK_EVERY);
    source.look() == seen
}

/// From the source to the gateway, as far as it goes.
fn turn(args: &DevArgs, project: &Project, session: &mut Session) -> Result<(), Error> {
    session.out.line(Line::new(Tone::Strong, format!("$ {}", project.command())))?;
    project.build()?;
    let path = project.component()?;
    let (found, manifest) = project.name(&path)?;
    try_out("check", &path, manifest.as_deref())?;
    if project.has_samples(manifest.as_deref()) {
        try_out("test", &path, manifest.as_deref())?;
    }
    let name = args.name.clone().unwrap_or(found);
    let component = read_bytes(&path)?;
    let manifest = manifest.map(|path| read_bytes(&path)).transpose()?;
    if args.last > 0 {
        let candidate = Candidate::Files(component.clone(), manifest.clone());
        beside_the_live_one(session, &name, candidate, args.last)?;
    }
    match &args.into {
        Some(folder) => {
            place::put(&component, manifest.as_deref(), folder, &name)?;
            session.out.line(Line::new(Tone::Good, format!("{name} is in {}", folder.display())))
        }
        None if args.no_push => Ok(()),
        None => push::put(session, &name, (component, manifest)),
    }
}

/// Tries it as its author would: with this program, which has the engine and the limits of a gateway.
fn try_out(how: &str, component: &Path, manifest: Option<&Path>) -> Result<(), Error> {
    let program = env::current_exe();
    let program = program.map_err(|error| Error::Failed(format!("this program is gone: {error}")))?;
    let mut command = Command::new(program);
    command.args(["plugin", how]).arg(component);
    if let Some(manifest) = manifest {
        command.arg("--manifest").arg(manifest);
    }
    if how == "test" {
        command.arg("--no-instructions");
    }
    run_beside(command, &format!("`hookway plugin {how}` failed"))
}

/// What it writes is no result of this command.
fn run_beside(mut command: Command, failed: &str) -> Result<(), Error> {
    let status = command.stdin(Stdio::null()).stdout(io::stderr()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::Failed(format!("{failed} ({status})"))),
        Err(error) => Err(Error::Failed(format!("{failed}: {error}"))),
    }
}

fn beside_the_live_one(
    session: &mut Session,
    name: &str,
    candidate: Candidate,
    last: u64,
) -> Result<(), Error> {
    match compare(session, name, candidate, &EventArgs::newest(last), SHOWN) {
        Ok(_) => Ok(()),
        Err(Error::Problem(problem)) if problem.status == 404 => {
            hint(&format!("the gateway has no plugin {name} yet, so there is nothing to compare with"));
            Ok(())
        }
        Err(Error::Unreachable(sentence)) => {
            hint(&format!("not compared with the live version: {sentence}"));
            Ok(())
        }
        Err(error) => Err(error),
    }
}
