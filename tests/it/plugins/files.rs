//! Files that are no plugins, or none that this gateway can run: each gets a sentence, and the version before serves on.

use std::fs;

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{install, install_bytes, plugin};
use serde_json::{Value, json};

use crate::scene::Scene;

/// A WebAssembly core module with nothing in it.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";
/// How files compiled ahead of time begin.
const ELF: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0";

/// Files that are no good, each with a word that the sentence about it has.
fn bad_files() -> Result<Vec<(&'static str, Vec<u8>, &'static str)>> {
    let good = fs::read(plugin("cel-filter")?)?;
    let half = good[..good.len() / 2].to_vec();
    Ok(vec![
        ("empty", Vec::new(), "empty"),
        ("text", b"hello, this is text".to_vec(), ""),
        ("truncated", half, ""),
        ("compiled", ELF.to_vec(), ""),
        ("core-module", CORE_MODULE.to_vec(), "module"),
        ("other-version", of_version_2(&good)?, "2.0.0"),
        ("nothing-in-it", b"\0asm\x0d\0\x01\0".to_vec(), "export"),
    ])
}

/// The same component, exporting and importing version 2 of the contract: the names have the same length.
fn of_version_2(component: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = component.to_vec();
    let (prefix, version) = (&b"hookway:plugin/"[..], &b"@1.0.0"[..]);
    let mut found = 0;
    let mut at = 0;
    while let Some(start) = find(&bytes[at..], prefix) {
        let end = (at + start + prefix.len() + 24).min(bytes.len());
        if let Some(offset) = find(&bytes[at + start..end], version) {
            bytes[at + start + offset + 1] = b'2';
            found += 1;
        }
        at += start + prefix.len();
    }
    ensure!(found > 0, "a component names the interfaces it exports");
    Ok(bytes)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn reason(status: &Value) -> &str {
    status["reason"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_bad_file_never_replaces_a_good_one() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("cel-filter", plugin("cel-filter")?)).await?;
    scene.endpoint_with("/a", "cel-filter", json!({ "expr": "data == 1" })).await?;
    let live = scene.client.plugin_active("cel-filter").await?["version"].clone();
    let mut before = String::new();
    for (number, (name, bytes, word)) in bad_files()?.into_iter().enumerate() {
        install_bytes(&bytes, &scene.gateway.plugins_dir(), "cel-filter")?;
        let is_refused = |status: &Value| status["state"] == "degraded" && reason(status) != before;
        let what = format!("the {name} file is refused");
        let status = scene.client.plugin_when("cel-filter", &what, is_refused).await?;
        ensure!(reason(&status).contains(word), "{name}: the reason says {word:?}: {status}");
        ensure!(reason(&status).contains(' '), "{name}: the reason is a sentence: {status}");
        assert_eq!(status["version"], live, "{name}: the version before stays");
        reason(&status).clone_into(&mut before);
        scene.client.send("a", &json!(2)).await?;
        scene.client.send("a", &json!(1)).await?;
        assert_eq!(
            scene.receiver.wait_for("/a", number + 1).await?.len(),
            number + 1,
            "{name}: it still filters"
        );
    }
    install(&plugin("cel-filter")?, &scene.gateway.plugins_dir(), "cel-filter")?;
    scene.client.plugin_active("cel-filter").await?;
    Ok(())
}

#[tokio::test]
async fn bad_files_at_the_start_do_not_stop_the_gateway() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut setup = Setup::default().plugin("redact", plugin("redact")?);
    for (name, bytes, _) in bad_files()? {
        install_bytes(&bytes, folder.path(), name)?;
        setup = setup.plugin(name, folder.path().join(format!("{name}.wasm")));
    }
    let scene = Scene::with(setup).await?;
    for (name, _, word) in bad_files()? {
        let is_refused = |status: &Value| status["state"] == "degraded";
        let status = scene.client.plugin_when(name, "is refused", is_refused).await?;
        ensure!(reason(&status).contains(word), "{name}: {status}");
    }
    scene.client.plugin_active("redact").await?;
    let plugins = json!({ "plugins": [{ "plugin": "text" }] });
    let refused = scene.client.post("/v1/endpoints", &scene.described("/a", plugins)).await?;
    refused.expect_refusal("text").context("a plugin that never worked cannot be used")?;
    Ok(())
}
