//! The plugins of `plugins/examples`: one in each language, built by its own tool chain.
//!
//! `cargo xtask test` builds them into `target/examples`. Whether one is there and current is known by a copy of what it was
//! built from, which is written last.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::toolbox::is_run_of_record;
use crate::workspace;

/// Where the built components are, relative to the workspace.
pub const BUILT: &str = "target/examples";
/// Where their sources are, relative to the workspace.
pub const SOURCES: &str = "plugins/examples";
/// What they are built for, relative to the workspace.
const CONTRACT: &str = "wit/hookway.wit";

/// An example: its folder, and a program without which it cannot be built.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// The name of its folder.
    pub name: &'static str,
    /// A command that succeeds where the tool chain is there, and what is to be installed where it does not.
    pub needs: &'static [(&'static [&'static str], &'static str)],
}

const PYTHON: &[&str] = &["python3", "-c", "import ensurepip, venv"];
const PYTHON_PACKAGE: &str = "python3 with venv (Debian, Ubuntu: `python3-venv`)";

/// All of them.
pub const EXAMPLES: &[Example] = &[
    Example { name: "c", needs: &[(PYTHON, PYTHON_PACKAGE)] },
    Example { name: "go", needs: &[(&["go", "version"], "go 1.24 or later (Debian, Ubuntu: `golang-go`)")] },
    Example {
        name: "javascript",
        needs: &[(&["node", "--version"], "node (Debian, Ubuntu: `nodejs`)"), (&["npm", "--version"], "npm")],
    },
    Example { name: "python", needs: &[(PYTHON, PYTHON_PACKAGE)] },
];

impl Example {
    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        workspace().join(SOURCES).join(self.name)
    }

    /// Where its component lies, if it was built.
    #[must_use]
    pub fn component(&self) -> PathBuf {
        workspace().join(BUILT).join(format!("{}.wasm", self.name))
    }

    /// Its component; `None`, with a line on stderr that nothing captures, if it is to be left out for want of a tool chain.
    ///
    /// # Errors
    /// It is missing although this is a run of record (`CI=true`).
    pub fn find(&self) -> Result<Option<PathBuf>> {
        if self.is_current()? {
            return Ok(Some(self.component()));
        }
        let missing = format!(
            "the example in {} is not built, or not from the present sources: run `cargo xtask test`, which needs its tool chain",
            self.name
        );
        ensure!(!is_run_of_record(), "{missing}");
        // Not by a macro: the test runner captures those and would hide the line of a test that passes.
        writeln!(io::stderr(), "LEFT OUT: {missing}")?;
        Ok(None)
    }

    /// Whether the component that is there was built from what is there now.
    ///
    /// # Errors
    /// A source cannot be read.
    pub fn is_current(&self) -> Result<bool> {
        let sources = self.sources()?;
        Ok(self.component().is_file() && fs::read(self.stamp()).is_ok_and(|stamp| stamp == sources))
    }

    /// Notes that the component was built from what is there now.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn note_built(&self) -> Result<()> {
        fs::write(self.stamp(), self.sources()?).context("the example could not be noted as built")
    }

    fn stamp(&self) -> PathBuf {
        workspace().join(BUILT).join(format!("{}.stamp", self.name))
    }

    /// All that it is built from, one after the other.
    fn sources(&self) -> Result<Vec<u8>> {
        let mut files = vec![workspace().join(CONTRACT)];
        let folder = self.folder();
        let entries =
            fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_file() && !is_made(&path) {
                files.push(path);
            }
        }
        files.sort();
        let mut all = Vec::new();
        for file in files {
            all.extend(fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?);
        }
        Ok(all)
    }
}

/// What building leaves in the folder.
fn is_made(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wasm")
}
