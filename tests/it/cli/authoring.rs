//! `hookway plugin check | componentize | wit`, and a gateway that agrees with them.

use std::fs;

use anyhow::{Context, Result, ensure};
use hookway_tests::command::Hookway;
use hookway_tests::guests::{guest, install, plugin};
use serde_json::{Value, json};

use crate::scene::Scene;

/// A matcher by the names of the canonical ABI that accepts topics of more than six characters, and writes to standard output through
/// preview 1 each time.
const CORE: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "[export]hookway:plugin/topic-matcher@1.0.0" "[resource-new]matcher" (func $new (param i32) (result i32)))
  (memory (export "memory") 1)
  (global $free (mut i32) (i32.const 4096))
  (data (i32.const 64) "asked\n")
  (data (i32.const 80) "\40\00\00\00\06\00\00\00")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.get $free)
    (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get 3)) (i32.const 7)) (i32.const -8))))
  (func (export "hookway:plugin/topic-matcher@1.0.0#[static]matcher.compile") (param i32 i32) (result i32)
    (i32.store (i32.const 128) (i32.const 0))
    (i32.store (i32.const 132) (call $new (i32.const 1)))
    (i32.const 128))
  (func (export "hookway:plugin/topic-matcher@1.0.0#[method]matcher.matches") (param i32 i32 i32) (result i32)
    (drop (call $write (i32.const 1) (i32.const 80) (i32.const 1) (i32.const 96)))
    (i32.gt_u (local.get 2) (i32.const 6))))"#;

#[tokio::test]
async fn a_core_module_becomes_a_plugin_that_works() -> Result<()> {
    let home = tempfile::tempdir()?;
    let path = |name: &str| home.path().join(name).to_string_lossy().into_owned();
    let (core, component) = (path("core.wasm"), path("component.wasm"));
    fs::write(&core, wat::parse_str(CORE)?)?;
    let hookway = Hookway::default();
    hookway.run(&["plugin", "check", &core]).await?.ends(1, "hookway plugin componentize")?;
    let componentize = ["plugin", "componentize", &core, "-o", &component];
    hookway.run(&componentize).await?.ends(1, "name its world with --world")?;
    hookway
        .run(&[&componentize[..], &["--world", "filter-plugin"]].concat())
        .await?
        .ends(1, "hookway:plugin/")?;
    hookway.ok(&[&componentize[..], &["--world", "matcher-plugin"]].concat()).await?;
    let report = hookway.json(&["plugin", "check", &component]).await?;
    assert_eq!((&report["capabilities"], &report["problem"]), (&json!(["topic-matcher"]), &Value::Null));
    let imports = report["imports"].as_array().context("a list")?;
    ensure!(imports.iter().any(|import| import["gets"] == "lines of the log"), "{report}");

    let scene = Scene::start().await?;
    install(component.as_ref(), &scene.gateway.plugins_dir(), "long")?;
    scene.client.plugin_active("long").await?;
    scene.endpoint("/a", json!({ "matcher": "long", "topics": ["any"] })).await?;
    scene.client.send("short", &json!(1)).await?;
    let long = scene.client.send("long-enough", &json!(2)).await?;
    assert_eq!(scene.receiver.wait_for("/a", 1).await?[0].id(), long);
    Ok(())
}

#[tokio::test]
async fn a_check_says_what_the_gateway_would_say() -> Result<()> {
    let hookway = Hookway::default();
    let path = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
    let good = hookway.ok(&["plugin", "check", &path(plugin("cel-filter")?)]).await?;
    good.says("hookway:plugin/filter@1.0.0")?.says("the gateway would load it as: filter")?;
    hookway.ok(&["plugin", "check", &path(guest("one-field")?)]).await?;
    let home = tempfile::tempdir()?;
    let bad = home.path().join("bad.wasm");
    fs::write(&bad, "text")?;
    let bad = path(bad);
    hookway.run(&["plugin", "check", &bad]).await?.ends(1, "the file is not WebAssembly")?;
    let report = hookway.run(&["plugin", "check", "--json", &bad]).await?;
    ensure!(
        report.code == 1 && report.out.contains(r#""problem":"the file is not WebAssembly"#),
        "{}",
        report.out
    );
    hookway.run(&["plugin", "check", "/nonexistent"]).await?.ends(1, "cannot be read")?;
    Ok(())
}

#[tokio::test]
async fn what_needs_no_gateway_has_no_flags_of_a_connection() -> Result<()> {
    let hookway = Hookway::default();
    for command in [&["plugin", "check"][..], &["plugin", "componentize"], &["plugin", "wit"], &["plugin"]] {
        let help = hookway.ok(&[command, &["--help"]].concat()).await?.out;
        ensure!(!help.contains("--address") && !help.contains("--profile"), "{command:?}: {help}");
    }
    hookway.run(&["plugin", "wit", "--address", "http://127.0.0.1:1"]).await?.ends(2, "--address")?;
    let help = hookway.ok(&["plugin", "list", "--help"]).await?.out;
    ensure!(help.contains("--address") && help.contains("--json"), "{help}");
    Ok(())
}

#[tokio::test]
async fn the_contract_is_printed_as_it_is() -> Result<()> {
    let printed = Hookway::default().ok(&["plugin", "wit"]).await?.out;
    assert_eq!(printed, fs::read_to_string(hookway_tests::workspace().join("wit/hookway.wit"))?);
    Ok(())
}
