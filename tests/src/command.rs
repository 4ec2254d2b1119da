//! The command line over the API: the real binary, run as a script runs it, with no terminal and nothing in its
//! environment but what a test puts there.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::gateway::{Gateway, beside_this_program};
use crate::patience::within;

/// The program that is tested.
///
/// # Errors
/// It is not built.
pub fn program() -> Result<PathBuf> {
    beside_this_program()
}

/// Runs `hookway` with these variables.
#[derive(Debug, Clone, Default)]
pub struct Hookway {
    environment: Vec<(String, String)>,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
}

/// A command that runs until it is dropped.
#[derive(Debug)]
pub struct Running {
    /// Keeps the process: it is killed with this.
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Hookway {
    /// With the address and the admin key of a gateway.
    #[must_use]
    pub fn of(gateway: &Gateway) -> Self {
        Self::default().set("HOOKWAY_ADDRESS", &gateway.base()).set("HOOKWAY_KEY", gateway.key())
    }

    /// With one variable more; of two of the same name the later one counts.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// It does not end, or writes escape codes although nobody looks.
    pub async fn run(&self, args: &[&str]) -> Result<Ran> {
        self.run_with(args, "").await
    }

    /// Runs a command that reads `input`.
    ///
    /// # Errors
    /// As [`Hookway::run`].
    pub async fn run_with(&self, args: &[&str], input: &str) -> Result<Ran> {
        let mut child = self.command(args)?.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().context("stdin is piped")?;
        let input = input.to_owned();
        // A command that does not read may be gone before all is written.
        let writing = tokio::spawn(async move { stdin.write_all(input.as_bytes()).await });
        let output = within(&format!("hookway {args:?} ends"), child.wait_with_output()).await??;
        drop(writing);
        let ran = Ran {
            code: output.status.code().context("no signal ended it")?,
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        };
        let is_plain = |text: &str| !text.contains('\u{1b}');
        ensure!(is_plain(&ran.out) && is_plain(&ran.err), "escape codes without a terminal: {ran:?}");
        Ok(ran)
    }

    /// Runs a command that must end with 0.
    ///
    /// # Errors
    /// It does not.
    pub async fn ok(&self, args: &[&str]) -> Result<Ran> {
        self.run(args).await?.expect(0)
    }

    /// The object that a command prints with `--json`.
    ///
    /// # Errors
    /// It does not end with 0, or prints anything else.
    pub async fn json(&self, args: &[&str]) -> Result<Value> {
        let args = [args, &["--json"]].concat();
        let ran = self.ok(&args).await?;
        serde_json::from_str(&ran.out).with_context(|| format!("not JSON: {}", ran.out))
    }

    /// The objects that a command prints with `--json`, one a line.
    ///
    /// # Errors
    /// It does not end with 0, or prints anything else.
    pub async fn rows(&self, args: &[&str]) -> Result<Vec<Value>> {
        self.ok(&[args, &["--json"]].concat()).await?.rows()
    }

    /// Starts a command that runs on.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(&self, args: &[&str]) -> Result<Running> {
        let mut child = self.command(args)?.stdin(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        Ok(Running { _child: child, lines: BufReader::new(stdout).lines() })
    }

    fn command(&self, args: &[&str]) -> Result<Command> {
        let mut command = Command::new(beside_this_program()?);
        command.args(args).env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdout(Stdio::piped()).kill_on_drop(true);
        Ok(command)
    }

    /// With profiles in a home directory of its own, and nothing else.
    #[must_use]
    pub fn at_home(home: &Path) -> Self {
        Self::default().set("HOME", &home.display().to_string())
    }
}

impl Ran {
    /// The same, if it ended with this code.
    ///
    /// # Errors
    /// It did not.
    pub fn expect(self, code: i32) -> Result<Self> {
        ensure!(self.code == code, "expected exit code {code}: {self:?}");
        Ok(self)
    }

    /// The same, if it ended with this code and said this on standard error.
    ///
    /// # Errors
    /// It did not.
    pub fn ends(self, code: i32, word: &str) -> Result<Self> {
        let ran = self.expect(code)?;
        ensure!(ran.err.contains(word), "the sentence does not name {word:?}: {ran:?}");
        Ok(ran)
    }

    /// The same, if standard output has this.
    ///
    /// # Errors
    /// It has not.
    pub fn says(self, word: &str) -> Result<Self> {
        ensure!(self.out.contains(word), "the output does not name {word:?}: {self:?}");
        Ok(self)
    }

    /// The objects on standard output, one a line.
    ///
    /// # Errors
    /// A line is not JSON.
    pub fn rows(&self) -> Result<Vec<Value>> {
        let row = |line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}"));
        self.out.lines().map(row).collect()
    }
}

impl Running {
    /// The next line that `wanted` turns into something.
    ///
    /// # Errors
    /// It does not come in time.
    pub async fn find<T>(&mut self, what: &str, wanted: impl Fn(&str) -> Option<T>) -> Result<T> {
        let finding = async {
            while let Some(line) = self.lines.next_line().await? {
                if let Some(found) = wanted(&line) {
                    return Ok(found);
                }
            }
            anyhow::bail!("the command ended without it: {what}")
        };
        within(what, finding).await?
    }
}
