//! The projects of `hookway plugin new`, each written, tested and built by the tools of its language in `target/templates`.
//!
//! Tools are installed once for the kinds of a language: what the first project installs, the others are linked to.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use hookway_tests::command::program;
use hookway_tests::guests::install;
use hookway_tests::templates::{BUILT, Project, projects};
use hookway_tests::toolbox::is_run_of_record;
use hookway_tests::workspace;

use crate::tools::step;

/// Builds what is not built. What stands in the way is said in a sentence and no error, so that the other tests run on a
/// machine without all these tool chains.
///
/// # Errors
/// One cannot be built although this is a run of record (`CI=true`).
pub(crate) fn build() -> Result<()> {
    for project in projects() {
        if project.is_current()? {
            continue;
        }
        step(&format!(
            "building a plugin from the templates: a {} in {}",
            project.kind, project.language.name
        ));
        match build_one(&project) {
            Err(error) if !is_run_of_record() => {
                step(&format!("the {} in {} is not tested: {error:#}", project.kind, project.language.name));
            }
            outcome => outcome?,
        }
    }
    Ok(())
}

fn build_one(project: &Project) -> Result<()> {
    for (command, package) in project.language.needs {
        ensure!(works(command), "{package} is missing: install it and run this again");
    }
    let folder = project.folder();
    remove(&folder)?;
    project.write(&folder)?;
    let tools = Tools::of(project)?;
    tools.link()?;
    run(&folder, project.language.test)?;
    run(&folder, &["./build.sh"])?;
    tools.keep()?;
    install(&folder.join(format!("{}.wasm", project.name())), &workspace().join(BUILT), &project.name())?;
    project.note_built()
}

fn run(folder: &Path, command: &[&str]) -> Result<()> {
    let line = command.join(" ");
    let (program_name, arguments) = command.split_first().context("a command has a name")?;
    let mut asked = Command::new(program_name);
    // Some are core modules until `hookway plugin componentize` makes components of them.
    asked.args(arguments).env("HOOKWAY", program()?).current_dir(folder).stdin(Stdio::null());
    // What the kinds have in common is compiled once.
    asked.env("CARGO_TARGET_DIR", workspace().join(BUILT).join("tools/rust"));
    let status =
        asked.status().with_context(|| format!("`{line}` could not be run in {}", folder.display()))?;
    ensure!(
        status.success(),
        "`{line}` failed in {}: see above, check the network and run this again",
        folder.display()
    );
    Ok(())
}

/// What a language installs into a project, shared by its kinds.
struct Tools {
    /// In the project.
    own: PathBuf,
    /// What pins them, whatever the project is called.
    pins: String,
    /// Where they are kept.
    shared: PathBuf,
    /// Whether there are any.
    some: bool,
}

impl Tools {
    fn of(project: &Project) -> Result<Self> {
        let folder = project.folder();
        if project.language.name == "rust" {
            // The same versions as here, so that nothing is downloaded for them.
            fs::copy(workspace().join("Cargo.lock"), folder.join("Cargo.lock"))?;
        }
        let shared = workspace().join(BUILT).join("tools").join(project.language.name);
        let Some((own, pins)) = project.language.tools else {
            return Ok(Self { own: folder, pins: String::new(), shared, some: false });
        };
        let pins = fs::read_to_string(folder.join(pins))?.replace(&project.name(), "");
        Ok(Self { own: folder.join(own), pins, shared, some: true })
    }

    /// Where they are kept, under their own name: Node looks for packages in folders that are called `node_modules`.
    fn kept(&self) -> PathBuf {
        self.shared.join(self.own.file_name().unwrap_or_default())
    }

    /// Uses what another project installed, if it is pinned alike.
    fn link(&self) -> Result<()> {
        if !self.some {
            return Ok(());
        }
        if fs::read_to_string(self.shared.join("pins")).is_ok_and(|pins| pins == self.pins) {
            return symlink(self.kept(), &self.own).context("the tools could not be linked");
        }
        remove(&self.shared)
    }

    /// Leaves what this project installed to the next one.
    fn keep(&self) -> Result<()> {
        if !self.some || self.own.is_symlink() {
            return Ok(());
        }
        fs::create_dir_all(&self.shared)?;
        fs::rename(&self.own, self.kept()).context("the tools could not be kept")?;
        // Programs of a virtual environment know the path that they were installed at.
        symlink(self.kept(), &self.own)?;
        fs::write(self.shared.join("pins"), &self.pins)?;
        Ok(())
    }
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", folder.display()))
        }
        _ => Ok(()),
    }
}

fn works(command: &[&str]) -> bool {
    let Some((program, arguments)) = command.split_first() else { return true };
    let mut asked = Command::new(program);
    asked.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_chain_is_there_or_not() {
        assert!(works(&["true"]) && works(&[]));
        assert!(!works(&["false"]) && !works(&["no-such-tool-chain"]));
    }

    #[test]
    fn tools_are_used_again_as_long_as_they_are_pinned_alike() {
        let home = tempfile::tempdir().unwrap();
        let tools = |project: &str, pins: &str| {
            let folder = home.path().join(project);
            fs::create_dir(&folder).unwrap();
            let shared = home.path().join("shared");
            let tools = Tools { own: folder.join("own"), pins: pins.to_owned(), shared, some: true };
            tools.link().unwrap();
            let had = tools.own.exists();
            if !had {
                fs::create_dir(&tools.own).unwrap();
            }
            tools.keep().unwrap();
            assert!(tools.own.is_symlink() && tools.own.is_dir());
            had
        };
        assert_eq!(
            [tools("a", "1"), tools("b", "1"), tools("c", "2"), tools("d", "2")],
            [false, true, false, true]
        );
    }
}
