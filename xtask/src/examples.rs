//! The plugins of `plugins/examples`, each built by its own tool chain into `target/examples`.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use hookway_tests::command::program;
use hookway_tests::examples::{EXAMPLES, Example};
use hookway_tests::guests::install;
use hookway_tests::toolbox::is_run_of_record;

use crate::tools::step;

/// Builds what is not built. What stands in the way is said in a sentence and no error, so that the other tests run on a
/// machine without all these tool chains.
///
/// # Errors
/// One cannot be built although this is a run of record (`CI=true`).
pub(crate) fn build() -> Result<()> {
    for example in EXAMPLES {
        if example.is_current()? {
            continue;
        }
        step(&format!("building the example plugin in {}", example.name));
        match build_one(example) {
            Err(error) if !is_run_of_record() => {
                step(&format!("the example plugin in {} is not tested: {error:#}", example.name));
            }
            outcome => outcome?,
        }
    }
    Ok(())
}

fn build_one(example: &Example) -> Result<()> {
    for (command, package) in example.needs {
        ensure!(works(command), "{package} is missing: install it and run this again");
    }
    let script = example.folder().join("build.sh");
    // Some are core modules until `hookway plugin componentize` makes components of them.
    let status = Command::new(&script).env("HOOKWAY", program()?).stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("{} could not be run", script.display()))?;
    ensure!(status.success(), "{} failed: see above, check the network and run this again", script.display());
    let built = example.component();
    let folder = built.parent().context("it has a folder")?;
    fs::create_dir_all(folder)?;
    install(&example.folder().join("plugin.wasm"), folder, example.name)?;
    example.note_built()
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
}
