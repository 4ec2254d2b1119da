//! Every plugin that ships has a manifest with samples, and `hookway plugin check` and `test` are content with it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use hookway_tests::command::Hookway;
use hookway_tests::guests::plugin;
use hookway_tests::workspace;

/// More than the least that could be meant by samples.
const AT_LEAST: usize = 3;

/// A plugin that ships.
struct Shipped {
    component: String,
    manifest: String,
}

/// All that have a folder of their own in `plugins`.
fn all_shipped() -> Result<Vec<Shipped>> {
    let folder = workspace().join("plugins");
    let mut shipped = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let folder = entry?.path();
        if folder.join("Cargo.toml").is_file() {
            let name = folder.file_name().and_then(|name| name.to_str()).context("a folder has a name")?;
            let text = |path: PathBuf| path.to_string_lossy().into_owned();
            let manifest = folder.join(format!("{name}.toml"));
            ensure!(manifest.is_file(), "{} is missing: give the plugin samples", manifest.display());
            shipped.push(Shipped { component: text(plugin(name)?), manifest: text(manifest) });
        }
    }
    ensure!(shipped.len() >= 4, "the plugins that ship are not in {}", folder.display());
    Ok(shipped)
}

#[tokio::test]
async fn every_plugin_that_ships_passes_its_samples() -> Result<()> {
    // Each is compiled once for both commands, and once more to count instructions.
    let home = tempfile::tempdir()?;
    let hookway = Hookway::default().set("XDG_CACHE_HOME", &home.path().to_string_lossy());
    let all = all_shipped()?;
    let pieces = 2 * all.len();
    for Shipped { component, manifest } in all {
        let report = hookway.json(&["plugin", "check", &component, "--manifest", &manifest]).await?;
        ensure!(report["problem"].is_null() && report["capabilities"] != serde_json::json!([]), "{report}");
        ensure!(report["manifest"]["samples"].as_u64() >= Some(AT_LEAST as u64), "too few samples: {report}");
        let size = report["machine_code_size"].as_u64().context("it is compiled")?;
        ensure!(size > report["size"].as_u64().unwrap_or_default() / 10, "{report}");
        let tested = ["plugin", "test", &component, "--manifest", &manifest, "--max-memory-mb", "32"];
        let tested = hookway.json(&tested).await.with_context(|| manifest.clone())?;
        for sample in tested["samples"].as_array().context("a list")? {
            ensure!(sample["instructions"].as_u64() > Some(0), "{sample}");
        }
    }
    let kept = fs::read_dir(home.path().join("hookway/plugins"))?.count();
    ensure!(kept > pieces, "machine code is kept for the next command, with a key: {kept} files");
    Ok(())
}
