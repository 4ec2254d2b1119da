//! Programs of other languages that tests ask, in the versions that files of this repository pin.
//!
//! `cargo xtask test` puts those of `tests/NAME` into `target/NAME`: packages of PyPI into a virtual environment, those of npm
//! into `node_modules`. Whether they are there and current is known by a copy of the files that pin them, which is
//! written last.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, ensure};

use crate::workspace;

/// The files that pin the programs.
pub const PINS: [&str; 3] = ["requirements.txt", "package.json", "package-lock.json"];
/// The virtual environment of Python, relative to [`Toolbox::prepared`].
pub const PYTHON: &str = "python";
/// The name of the copy of [`PINS`] among what is prepared.
const STAMP: &str = "prepared";

/// Programs that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Toolbox {
    /// The folder with the pins, in `tests`, and with what is prepared, in `target`.
    name: &'static str,
    /// What they are, for people.
    pub what: &'static str,
}

/// The Standard Webhooks libraries.
pub const VERIFIERS: Toolbox =
    Toolbox { name: "verifiers", what: "the Standard Webhooks libraries of PyPI and npm" };
/// What reads the OpenAPI document: schemathesis, and generators of clients.
pub const OPENAPI: Toolbox = Toolbox { name: "openapi", what: "the OpenAPI tools of PyPI and npm" };
/// All of them.
pub const ALL: [Toolbox; 2] = [VERIFIERS, OPENAPI];

impl Toolbox {
    /// Where they are put.
    #[must_use]
    pub fn prepared(&self) -> PathBuf {
        workspace().join("target").join(self.name)
    }

    /// Where the pins and our own scripts are.
    #[must_use]
    pub fn sources(&self) -> PathBuf {
        workspace().join("tests").join(self.name)
    }

    /// Where they are, if they are there; `None`, with a line on stderr that nothing captures, if `what` is to be left out
    /// for want of them.
    ///
    /// # Errors
    /// They are missing although this is a run of record (`CI=true`).
    pub fn find(&self, what: &str) -> Result<Option<PathBuf>> {
        let prepared = self.prepared();
        if self.is_stamped(&prepared)? {
            return Ok(Some(prepared));
        }
        let missing = format!(
            "{what}: {} are not in target/{name}, or not in the versions of tests/{name}; run `cargo xtask test`, which needs \
             python3 with venv, node and npm",
            self.what,
            name = self.name
        );
        ensure!(!is_run_of_record(), "{missing}");
        // Not by a macro: the test runner captures those and would hide the line of a test that passes.
        writeln!(io::stderr(), "LEFT OUT: {missing}")?;
        Ok(None)
    }

    /// Whether the programs in this folder are those that are pinned now.
    ///
    /// # Errors
    /// A pinning file cannot be read.
    pub fn is_stamped(&self, prepared: &Path) -> Result<bool> {
        let pins = self.pins()?;
        Ok(fs::read_to_string(prepared.join(STAMP)).is_ok_and(|stamp| stamp == pins))
    }

    /// Notes that the programs in this folder are those that are pinned now.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn stamp(&self, prepared: &Path) -> Result<()> {
        fs::write(prepared.join(STAMP), self.pins()?).context("the programs could not be noted as prepared")
    }

    fn pins(&self) -> Result<String> {
        let read = |name: &&str| {
            let path = self.sources().join(name);
            fs::read_to_string(&path).with_context(|| format!("{} could not be read", path.display()))
        };
        PINS.iter().map(read).collect()
    }
}

/// Whether nothing may be left out: `CI=true`.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the tests says so, not the configuration of the gateway"
)]
pub fn is_run_of_record() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_of_other_versions_does_not_count() {
        for toolbox in ALL {
            let folder = tempfile::tempdir().unwrap();
            assert!(!toolbox.is_stamped(folder.path()).unwrap());
            toolbox.stamp(folder.path()).unwrap();
            assert!(toolbox.is_stamped(folder.path()).unwrap());
            fs::write(folder.path().join(STAMP), "standardwebhooks==1.0.0").unwrap();
            assert!(!toolbox.is_stamped(folder.path()).unwrap());
        }
    }
}
