//! `cargo xtask fuzz`: the readers of the gateway, fed with what libFuzzer thinks of. On stable Rust, so without sanitizers; there
//! is no `unsafe` in what is fed.
//!
//! `cargo +nightly fuzz run TARGET` does the same for whoever has cargo-fuzz.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use hookway_tests::{events, workspace};

use crate::tools::step;

/// Far longer than any input takes.
const SLOWEST_INPUT_SECS: u32 = 10;
const LONGEST_INPUT: u32 = 16 << 10;

/// The arguments of `cargo xtask fuzz`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// One of the programs in `fuzz/fuzz_targets`; all of them, one after another, if there is none
    target: Option<String>,
    /// How long each is fed
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Repeats what was done with this seed, as far as time lets it
    #[arg(long)]
    seed: Option<u32>,
    /// Feeds the target with this file alone: what it failed on
    #[arg(long, requires = "target")]
    input: Option<PathBuf>,
}

/// Builds the programs and runs them. Ends with the first that finds something.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let targets = match &arguments.target {
        Some(target) => vec![target.clone()],
        None => targets()?,
    };
    build(&targets)?;
    // Another one each time. libFuzzer takes 0 for none.
    let seed = arguments.seed.unwrap_or_else(|| std::process::id().max(1));
    targets.iter().try_for_each(|target| match &arguments.input {
        Some(input) => feed(target, input),
        None => fuzz(target, arguments.seconds, seed),
    })
}

fn targets() -> Result<Vec<String>> {
    let folder = workspace().join("fuzz/fuzz_targets");
    let mut targets = Vec::new();
    for file in fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        targets.extend(file?.path().file_stem().and_then(|name| Some(name.to_str()?.to_owned())));
    }
    targets.sort();
    Ok(targets)
}

/// The crates of the workspace are compiled so that the fuzzer sees which way they go.
fn build(targets: &[String]) -> Result<()> {
    step("cargo build -p hookway-fuzz, with coverage for libFuzzer");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "-p", "hookway-fuzz", "--features", "libfuzzer"]).current_dir(workspace());
    targets.iter().for_each(|target| {
        cargo.args(["--bin", target]);
    });
    let status = cargo.env("RUSTC_WORKSPACE_WRAPPER", workspace().join("fuzz/instrument.sh")).status();
    let status = status.context("cargo could not be run: install Rust from https://rustup.rs")?;
    ensure!(
        status.success(),
        "the programs could not be built: see above (libFuzzer is C++: it takes a compiler for that, such as g++)"
    );
    Ok(())
}

fn fuzz(target: &str, seconds: u32, seed: u32) -> Result<()> {
    step(&format!("{target}, {seconds} s, seed {seed}"));
    let (found, failed) =
        (workspace().join("target/fuzz").join(target), workspace().join("target/fuzz-failures"));
    fs::create_dir_all(&failed).context("target/fuzz-failures could not be made")?;
    prepare(target, &found)?;
    let status = program(target)
        .arg(&found)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-seed={seed}"))
        .arg(format!("-timeout={SLOWEST_INPUT_SECS}"))
        .arg(format!("-max_len={LONGEST_INPUT}"))
        .arg(format!("-artifact_prefix={}/{target}-", failed.display()))
        .args(["-print_final_stats=1", "-verbosity=0"])
        .status()
        .with_context(|| format!("{target} could not be started"))?;
    if status.success() {
        return Ok(());
    }
    bail!(
        "{target} found something with seed {seed}: see above. The input is in target/fuzz-failures; \
         `cargo xtask fuzz {target} --input FILE` feeds it again"
    )
}

fn feed(target: &str, input: &Path) -> Result<()> {
    let status =
        program(target).arg(input).status().with_context(|| format!("{target} could not be started"))?;
    ensure!(status.success(), "{target} fails on {}: see above", input.display());
    Ok(())
}

fn program(target: &str) -> Command {
    let mut program = Command::new(workspace().join("target/debug").join(target));
    program.current_dir(workspace());
    program
}

/// What earlier runs found interesting, with the seeds: those of the repository, where hex digits stand for what is no text,
/// and events as platforms send them.
fn prepare(target: &str, found: &Path) -> Result<()> {
    fs::create_dir_all(found).with_context(|| format!("{} could not be made", found.display()))?;
    let seeds = workspace().join("fuzz/corpus").join(target);
    for seed in fs::read_dir(&seeds).with_context(|| format!("{target} has no seeds"))? {
        let path = seed?.path();
        let bytes = fs::read(&path)?;
        let is_hex = path.extension().is_some_and(|extension| extension == "hex");
        let bytes = if is_hex { from_hex(&bytes).context("a seed is no hex")? } else { bytes };
        fs::write(found.join(path.file_stem().unwrap_or_default()), bytes)?;
    }
    if target == "ingest" {
        for (n, event) in events::load(&events::recorded())?.iter().enumerate().step_by(10) {
            fs::write(found.join(format!("event-{n}")), event.to_string())?;
        }
    }
    Ok(())
}

fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(digits).ok()?.trim();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_seeds() {
        let targets = targets().unwrap();
        assert!(targets.len() >= 8, "{targets:?}");
        for target in targets {
            let found = tempfile::tempdir().unwrap();
            prepare(&target, found.path()).unwrap();
            assert!(fs::read_dir(found.path()).unwrap().count() > 1, "{target}");
        }
    }

    #[test]
    fn hex_is_read_or_refused() {
        assert_eq!(from_hex(b"01fF\n"), Some(vec![1, 255]));
        assert_eq!(from_hex(b"0"), None);
        assert_eq!(from_hex(b"0g"), None);
    }
}
