//! The Standard Webhooks libraries of PyPI and npm as judges of what the gateway sent: programs beside it, asked over pipes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::patience::within;
use crate::receiver::Received;
use crate::toolbox::{PYTHON, VERIFIERS};

/// Requests that a library is asked about at once: few enough for a slow machine to answer in time.
const PORTION: usize = 2000;
/// The libraries, ready to be asked.
#[derive(Debug)]
pub struct Verifiers {
    prepared: PathBuf,
}

/// A library, by the registry that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// `standardwebhooks` for Python.
    PyPi,
    /// `standardwebhooks` for JavaScript.
    Npm,
}

/// A request that arrived, perhaps altered since, and what a library has to say of it.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What it is called in a failure.
    pub name: String,
    /// All headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    #[serde(serialize_with = "as_base64")]
    pub body: Vec<u8>,
    /// Every one of these secrets verifies it.
    pub verify: Vec<String>,
    /// None of these secrets verifies it.
    pub refuse: Vec<String>,
}

/// What a library said of many requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Summary {
    /// How often a secret verified a request, as it should.
    pub verified: usize,
    /// How often a secret did not, as it should not.
    pub refused: usize,
    /// A sentence for every other outcome.
    pub failures: Vec<String>,
}

impl Verifiers {
    /// The libraries; `None`, with a line on stderr that nothing captures, if `what` is to be left out for want of them.
    ///
    /// # Errors
    /// They are missing although this is a run of record (`CI=true`).
    pub fn find(what: &str) -> Result<Option<Self>> {
        Ok(VERIFIERS.find(what)?.map(|prepared| Self { prepared }))
    }

    /// Asks a library about all these requests.
    ///
    /// # Errors
    /// It cannot be run, or does not answer. That it found failures is no error.
    pub async fn judge(&self, library: Library, checks: &[Check]) -> Result<Summary> {
        let mut all = Summary::default();
        for portion in checks.chunks(PORTION) {
            let summary = self.judge_portion(library, portion).await?;
            all.verified += summary.verified;
            all.refused += summary.refused;
            all.failures.extend(summary.failures);
        }
        Ok(all)
    }

    async fn judge_portion(&self, library: Library, checks: &[Check]) -> Result<Summary> {
        let mut child =
            self.command(library).spawn().with_context(|| format!("{library:?} does not start"))?;
        let mut stdin = child.stdin.take().context("stdin is piped")?;
        let mut lines = Vec::new();
        for check in checks {
            serde_json::to_writer(&mut lines, check)?;
            lines.push(b'\n');
        }
        let feed = tokio::spawn(async move { stdin.write_all(&lines).await });
        let output = within(&format!("{library:?} answers"), child.wait_with_output()).await??;
        let said = String::from_utf8_lossy(&output.stderr);
        feed.await?.with_context(|| format!("{library:?} did not read all requests: {said}"))?;
        let summary: Summary = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{library:?} ended with {} and no summary: {said}", output.status))?;
        ensure!(
            output.status.success() == summary.failures.is_empty(),
            "{library:?} ended with {} and {summary:?}",
            output.status
        );
        Ok(summary)
    }

    fn command(&self, library: Library) -> Command {
        let (program, script) = match library {
            Library::PyPi => (self.prepared.join(PYTHON).join("bin/python"), "verify.py"),
            Library::Npm => (PathBuf::from("node"), "verify.mjs"),
        };
        let mut command = Command::new(program);
        command.arg(VERIFIERS.sources().join(script)).current_dir(&self.prepared).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl Check {
    /// A request as it arrived.
    #[must_use]
    pub fn new(request: &Received, verify: &[&str], refuse: &[&str]) -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Self {
            name: format!(
                "{} at {}, attempt {}",
                request.id(),
                request.path,
                request.header("hookway-attempt")
            ),
            headers: request.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: request.body.to_vec(),
            verify: texts(verify),
            refuse: texts(refuse),
        }
    }
}

fn as_base64<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}
