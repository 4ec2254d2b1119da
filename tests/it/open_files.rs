//! The process takes as many files as the system gives it, and says so.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::{Setup, beside_this_program};
use tempfile::TempDir;

/// A program that runs the gateway with these limits.
fn limited(limits: &str) -> Result<(TempDir, PathBuf)> {
    let home = tempfile::tempdir()?;
    let script = home.path().join("limited");
    fs::write(&script, format!("#!/bin/sh\n{limits}\nexec '{}' \"$@\"\n", beside_this_program()?.display()))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700))?;
    Ok((home, script))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_soft_limit_of_open_files_is_raised_to_the_hard_one() -> Result<()> {
    for (limits, hard, warns) in
        [("ulimit -Sn 256; ulimit -Hn 2048", "2048", true), ("ulimit -Sn 256", "", false)]
    {
        let (_home, script) = limited(limits)?;
        let gateway =
            Setup::default().binary(script).set("http.max_connections=512").set("lanes.max_in_flight=64");
        // 512 + 64 and what is needed beside fit into 2,048, the default of 8,192 connections does not.
        let gateway = if warns { gateway.set("http.max_connections=8192") } else { gateway };
        let gateway = gateway.start().await?;
        let table = gateway.proc("limits")?;
        let line = table.lines().find(|line| line.starts_with("Max open files")).context("a line")?;
        let numbers: Vec<_> = line.split_whitespace().skip(3).take(2).collect();
        ensure!(numbers[0] == numbers[1] && (hard.is_empty() || numbers[1] == hard), "{line}");
        let log = gateway.log_tail();
        ensure!(log.contains("files that may be open") != warns, "{log}");
        ensure!(log.contains("raise the hard limit") == warns, "{log}");
    }
    Ok(())
}
