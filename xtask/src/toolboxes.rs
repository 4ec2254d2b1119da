//! The programs of PyPI and npm that tests ask, toolbox by toolbox: a virtual environment and a `node_modules` in a folder
//! of `target`, made anew when the pinned versions change.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use anyhow::{Context, Result, bail, ensure};
use hookway_tests::toolbox::{ALL, PINS, PYTHON, Toolbox, is_run_of_record};

use crate::tools::step;

/// Puts them in place, if they are not there. What stands in the way is said in a sentence and no error, so that the other
/// tests run on a machine without Python and Node.
///
/// # Errors
/// They cannot be put in place although this is a run of record (`CI=true`).
pub(crate) fn prepare() -> Result<()> {
    ALL.iter().try_for_each(prepare_one)
}

fn prepare_one(toolbox: &Toolbox) -> Result<()> {
    let folder = toolbox.prepared();
    if toolbox.is_stamped(&folder)? {
        return Ok(());
    }
    step(&format!("getting {}", toolbox.what));
    match install(toolbox, &folder) {
        Err(error) if !is_run_of_record() => {
            step(&format!("tests that ask {} are left out: {error:#}", toolbox.what));
            Ok(())
        }
        outcome => outcome,
    }
}

fn install(toolbox: &Toolbox, folder: &Path) -> Result<()> {
    ensure_tools()?;
    clear(folder)?;
    let sources = toolbox.sources();
    for name in PINS {
        fs::copy(sources.join(name), folder.join(name))
            .with_context(|| format!("{name} cannot be copied"))?;
    }
    let python = Path::new(PYTHON).join("bin/python");
    run(folder, Path::new("python3"), &["-m", "venv", PYTHON])?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
    run(folder, &folder.join(python), &[&pip[..], &["--require-hashes", "-r", PINS[0]]].concat())?;
    run(folder, Path::new("npm"), &["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"])?;
    toolbox.stamp(folder)
}

/// An environment of other versions, or half of one, is no start for this one.
fn clear(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(folder),
    }
    .with_context(|| format!("{} cannot be made anew", folder.display()))
}

/// Debian and Ubuntu ship Python without what makes virtual environments: it is asked for by name.
fn ensure_tools() -> Result<()> {
    for (program, arguments, package) in [
        (
            "python3",
            &["-c", "import ensurepip, venv"][..],
            "python3 with venv (Debian, Ubuntu: `python3-venv`)",
        ),
        ("node", &["--version"], "node (Debian, Ubuntu: `nodejs`)"),
        ("npm", &["--version"], "npm"),
    ] {
        let mut asked = Command::new(program);
        asked.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let is_there = asked.status().is_ok_and(|status| status.success());
        ensure!(is_there, "{package} is missing: install it and run this again");
    }
    Ok(())
}

fn run(folder: &Path, program: &Path, arguments: &[&str]) -> Result<()> {
    let line = format!("{} {}", program.display(), arguments.join(" "));
    let status = Command::new(program).args(arguments).current_dir(folder).stdin(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => bail!("`{line}` failed: see above, check the network and run this again"),
        Err(error) => Err(error).with_context(|| format!("`{line}` could not be run")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_half_made_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("verifiers");
        for _ in 0..2 {
            clear(&folder).unwrap();
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
            fs::write(folder.join("half"), "").unwrap();
        }
    }

    #[test]
    fn a_step_that_fails_is_quoted() {
        let error = run(Path::new("."), Path::new("false"), &["-x"]).unwrap_err().to_string();
        assert!(error.starts_with("`false -x` failed"), "{error}");
    }
}
