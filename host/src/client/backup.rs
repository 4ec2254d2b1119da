//! `hookway backup`: everything that a gateway keeps, in one file that is there as a whole or not at all.
//!
//! What comes is verified while it comes, written beside the target and renamed when all of it is right and on stable storage.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::World;
use super::error::Error;
use super::session::{Direct, Session};
use crate::backup::{self, Manifest, Summary};
use crate::files::sync_name;

/// A gateway under full load makes a backup when nothing else wants to run.
const SILENCE: Duration = Duration::from_mins(5);
/// Stands for standard output.
const STANDARD: &str = "-";
const BUFFER: usize = 1 << 20;

/// `hookway backup TARGET` and `hookway backup verify FILE`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct BackupCommand {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    make: Direct<BackupArgs>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read all of a backup and say whether it is whole; no gateway is needed.
    Verify {
        /// The backup.
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The file that is made; it must not be there yet. `-`: standard output.
    #[arg(required = true, value_name = "TARGET")]
    target: Option<PathBuf>,
}

/// Does what was asked.
///
/// # Errors
/// No answer, a refusal, a backup that is not whole, or a file that cannot be written.
pub(super) fn run(command: BackupCommand, world: World) -> Result<(), Error> {
    match command.command {
        Some(Command::Verify { file }) => verify(&file),
        None => command.make.run(world, make),
    }
}

fn verify(path: &Path) -> Result<(), Error> {
    let file = File::open(path).map_err(|error| failed(path, &error))?;
    let bar = Progress::new("verifying");
    let found =
        backup::verify(BufReader::with_capacity(BUFFER, file), |manifest, rows| bar.show(manifest, rows));
    drop(bar);
    let (manifest, summary) =
        found.map_err(|error| Error::Unverified(format!("{}: {error}", path.display())))?;
    say(&format!("{}: {}", path.display(), described(&manifest, &summary)))
}

fn make(args: BackupArgs, session: &mut Session) -> Result<(), Error> {
    let target = args.target.ok_or_else(|| Error::Usage("where to?".to_owned()))?;
    let is_standard = target.as_os_str() == STANDARD;
    if !is_standard && target.exists() {
        let sentence = format!("{} is there already: choose another name, or move it away", target.display());
        return Err(Error::Usage(sentence));
    }
    // A file that cannot be made is told before the gateway begins.
    let partial = partial(&target);
    let out: Box<dyn Write> = if is_standard {
        Box::new(io::stdout().lock())
    } else {
        Box::new(private(&partial).map_err(|error| failed(&partial, &error))?)
    };
    let made = fetch(session, out);
    if is_standard {
        return made.map(drop);
    }
    let kept = made.and_then(|found| keep(&partial, &target).map(|()| found));
    if kept.is_err() {
        // What is left of it is of no use to anybody.
        let _ = fs::remove_file(&partial);
    }
    let (manifest, summary) = kept?;
    if session.out.json {
        let said = json!({ "file": target, "manifest": manifest, "summary": summary });
        return session.out.json(&said.to_string());
    }
    say(&format!("{}: {}", target.display(), described(&manifest, &summary)))
}

/// Has the gateway make one, and copies it to `out` while it is verified.
fn fetch(session: &Session, out: Box<dyn Write>) -> Result<(Manifest, Summary), Error> {
    let route = session.api.at(&["backup"]);
    let source = session.api.post_and_follow(&route, None, SILENCE)?;
    let bar = Progress::new("backup");
    let mut copy = Copy { source, out: BufWriter::with_capacity(BUFFER, out) };
    let found = backup::verify(&mut copy, |manifest, rows| bar.show(manifest, rows));
    drop(bar);
    let found =
        found.map_err(|error| Error::Failed(format!("{error}; the log of the gateway may say more")))?;
    copy.out.flush().map_err(|error| Error::Failed(format!("cannot write: {error}")))?;
    Ok(found)
}

/// From its partial name to its own, on stable storage.
fn keep(partial: &Path, target: &Path) -> Result<(), Error> {
    let keep = || {
        File::open(partial)?.sync_all()?;
        fs::rename(partial, target)?;
        sync_name(target)
    };
    keep().map_err(|error| failed(target, &error))
}

/// A new file that its owner alone may read: it will have what all customers sent.
fn private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn partial(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::Failed(format!("{}: {error}", path.display()))
}

fn say(line: &str) -> Result<(), Error> {
    writeln!(io::stdout(), "{line}").map_err(|_| Error::OutputClosed)
}

fn described(manifest: &Manifest, summary: &Summary) -> String {
    let events = manifest.tables.get("events").copied().unwrap_or(0);
    let Manifest { hookway, created_at, .. } = manifest;
    let Summary { rows, files, bytes, sha256 } = summary;
    format!(
        "whole; of {created_at}, made by Hookway {hookway}; {events} events, {rows} rows and {files} files in {bytes} bytes; \
         SHA-256 {}",
        sha256.get(..16).unwrap_or(sha256)
    )
}

/// Reads, and writes what was read.
struct Copy<R, W> {
    source: R,
    out: W,
}

impl<R: Read, W: Write> Read for Copy<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.out.write_all(&buffer[..read])?;
        Ok(read)
    }
}

/// A bar on standard error; nothing where no terminal is.
struct Progress(ProgressBar);

impl Progress {
    fn new(what: &'static str) -> Self {
        let style =
            ProgressStyle::with_template("{msg} {bar:40} {percent} %, {pos} of {len} rows, {eta} left");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::new(0).with_message(what).with_style(style))
    }

    fn show(&self, manifest: &Manifest, rows: u64) {
        self.0.set_length(manifest.rows());
        self.0.set_position(rows);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
