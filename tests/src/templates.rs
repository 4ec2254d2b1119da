//! The projects that `hookway plugin new` writes: one in each language for each kind, built by the tools of its language.
//!
//! `cargo xtask test` writes and builds them in `target/templates`. Whether one is there and current is known by a copy of what it was
//! built from, which is written last.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::command::program;
use crate::toolbox::is_run_of_record;
use crate::workspace;

/// Where projects and their components are, relative to the workspace.
pub const BUILT: &str = "target/templates";
/// What a plugin can do.
pub const KINDS: [&str; 3] = ["filter", "transform", "matcher"];

/// A language that projects are written for.
#[derive(Debug, Clone, Copy)]
pub struct Language {
    /// What `--lang` calls it.
    pub name: &'static str,
    /// Commands that succeed where the tool chain is there, and what is to be installed where one does not.
    pub needs: &'static [(&'static [&'static str], &'static str)],
    /// What runs the tests of a project.
    pub test: &'static [&'static str],
    /// The folder that its tools are put into, and the file that pins them.
    pub tools: Option<(&'static str, &'static str)>,
}

const PYTHON: &[&str] = &["python3", "-c", "import ensurepip, venv"];
const PYTHON_PACKAGE: &str = "python3 with venv (Debian, Ubuntu: `python3-venv`)";
const GO_PACKAGE: &str = "go 1.24 or later (Debian, Ubuntu: `golang-go`)";
const NODE_PACKAGE: &str = "node (Debian, Ubuntu: `nodejs`)";

/// All of them.
pub const LANGUAGES: [Language; 5] = [
    Language { name: "rust", needs: &[], test: &["cargo", "test", "--quiet"], tools: None },
    Language {
        name: "c",
        needs: &[(PYTHON, PYTHON_PACKAGE)],
        test: &["./test.sh"],
        tools: Some((".venv", "requirements.txt")),
    },
    Language {
        name: "go",
        needs: &[(&["go", "version"], GO_PACKAGE)],
        test: &["go", "test", "."],
        tools: None,
    },
    Language {
        name: "js",
        needs: &[(&["node", "--version"], NODE_PACKAGE), (&["npm", "--version"], "npm")],
        test: &["npm", "test", "--silent"],
        tools: Some(("node_modules", "package-lock.json")),
    },
    Language {
        name: "python",
        needs: &[(PYTHON, PYTHON_PACKAGE)],
        test: &["./test.sh"],
        tools: Some((".venv", "requirements.txt")),
    },
];

/// A project of one language and kind.
#[derive(Debug, Clone, Copy)]
pub struct Project {
    /// What it is written in.
    pub language: Language,
    /// What it does.
    pub kind: &'static str,
}

/// Every project, kind by kind within each language.
pub fn projects() -> impl Iterator<Item = Project> {
    LANGUAGES.into_iter().flat_map(|language| KINDS.map(|kind| Project { language, kind }))
}

impl Project {
    /// The name of its plugin: `js-filter`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}", self.language.name, self.kind)
    }

    /// Where it is built.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        workspace().join(BUILT).join(self.name())
    }

    /// Where its component lies, if it was built.
    #[must_use]
    pub fn component(&self) -> PathBuf {
        workspace().join(BUILT).join(format!("{}.wasm", self.name()))
    }

    /// Its manifest, as the project has it.
    ///
    /// # Errors
    /// The project was not written.
    pub fn manifest(&self) -> Result<String> {
        let path = self.folder().join(format!("{}.toml", self.name()));
        fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
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
            "the plugin of `hookway plugin new --lang {} --kind {}` is not built, or not from the present templates: run `cargo xtask test`, \
             which needs the tools of the language",
            self.language.name, self.kind
        );
        ensure!(!is_run_of_record(), "{missing}");
        // Not by a macro: the test runner captures those and would hide the line of a test that passes.
        writeln!(io::stderr(), "LEFT OUT: {missing}")?;
        Ok(None)
    }

    /// Writes it as a user does.
    ///
    /// # Errors
    /// `hookway plugin new` fails; it has said why on its own.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let mut command = Command::new(program()?);
        command.args([
            "plugin",
            "new",
            &self.name(),
            "--lang",
            self.language.name,
            "--kind",
            self.kind,
            "--path",
        ]);
        command.arg(folder).stdin(Stdio::null()).stdout(Stdio::null());
        ensure!(command.status()?.success(), "`hookway plugin new` fails for {}: see above", self.name());
        Ok(())
    }

    /// Whether the component that is there was built from what would be written now.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn is_current(&self) -> Result<bool> {
        let Ok(stamp) = fs::read(self.stamp()) else { return Ok(false) };
        Ok(self.component().is_file() && stamp == self.sources()?)
    }

    /// Notes that the component was built from what would be written now.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn note_built(&self) -> Result<()> {
        fs::write(self.stamp(), self.sources()?).context("the project could not be noted as built")
    }

    fn stamp(&self) -> PathBuf {
        workspace().join(BUILT).join(format!("{}.stamp", self.name()))
    }

    /// All that it is built from, one after the other.
    fn sources(&self) -> Result<Vec<u8>> {
        let home = tempfile::tempdir()?;
        let folder = home.path().join("project");
        self.write(&folder)?;
        let mut files = files(&folder)?;
        if self.language.name == "rust" {
            files.extend(self::files(&workspace().join("guest-sdk"))?);
        }
        let read =
            |file: &PathBuf| fs::read(file).with_context(|| format!("{} cannot be read", file.display()));
        Ok(files.iter().map(read).collect::<Result<Vec<_>>>()?.concat())
    }
}

/// All files below a folder, in an order that stays.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
