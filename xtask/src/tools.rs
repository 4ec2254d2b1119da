//! What every command needs: cargo, the WebAssembly target, and words on the terminal.

use std::io;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use hookway_tests::workspace;

/// What plugins are compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-wasip2";

/// Says what is done next.
pub(crate) fn step(text: &str) {
    println!("==> {text}");
}

/// Says why the command failed, with the causes.
#[expect(clippy::print_stderr, reason = "a program for the command line complains on stderr")]
pub(crate) fn complain(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}

/// Runs cargo in the workspace.
///
/// # Errors
/// It cannot be run, or it fails; it has said why on its own.
pub(crate) fn cargo(arguments: &[&str]) -> Result<()> {
    let line = format!("cargo {}", arguments.join(" "));
    step(&line);
    let status = Command::new("cargo").args(arguments).current_dir(workspace()).status();
    let status = status.context("cargo could not be run: install Rust from https://rustup.rs")?;
    ensure!(status.success(), "`{line}` failed: see above");
    Ok(())
}

/// Adds the WebAssembly target to the toolchain, if it is missing.
///
/// # Errors
/// rustup is missing or fails; the sentence says what to do.
pub(crate) fn ensure_wasm_target() -> Result<()> {
    if has_target(WASM_TARGET)? {
        return Ok(());
    }
    step(&format!("rustup target add {WASM_TARGET} (plugins are compiled for it)"));
    let status =
        Command::new("rustup").args(["target", "add", WASM_TARGET]).current_dir(workspace()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => bail!(
            "the target {WASM_TARGET} could not be added: check the network and run `rustup target add {WASM_TARGET}`"
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "the Rust toolchain lacks the target {WASM_TARGET} and there is no rustup to add it: install rustup from \
             https://rustup.rs, or the package of your system that has the standard library for {WASM_TARGET}"
        ),
        Err(error) => Err(error).context("rustup could not be run"),
    }
}

/// Whether the toolchain has the standard library of a target.
fn has_target(target: &str) -> Result<bool> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", target]).current_dir(workspace());
    let output = rustc.stderr(Stdio::inherit()).output();
    let output = output.context("rustc could not be run: install Rust from https://rustup.rs")?;
    let libraries = String::from_utf8(output.stdout).context("rustc names a folder that is not UTF-8")?;
    Ok(output.status.success() && std::path::Path::new(libraries.trim()).is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_which_targets_are_there() {
        assert!(!has_target("wasm64-unknown-unknown").unwrap());
    }

    #[test]
    fn a_failing_cargo_is_an_error_that_quotes_the_command() {
        let error = cargo(&["no-such-command"]).unwrap_err().to_string();
        assert_eq!(error, "`cargo no-such-command` failed: see above");
    }
}
