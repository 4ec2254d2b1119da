//! Replacing a plugin while events flow.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{guest, install};
use hookway_tests::receiver::Received;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::load::{Load, all_arrive, none_twice};
use crate::scene::Scene;

/// The promise is one second; a busy machine gets more before the test fails.
const NEW_VERSION_WITHIN: Duration = Duration::from_secs(5);
const REPLACEMENTS: usize = 200;
/// The first replacements fill caches and pools; memory is compared from here on.
const WARM_UP: usize = 40;
/// A leak of one compiled module per replacement would be tens of MiB.
const MAY_GROW_KIB: u64 = 24 * 1024;

fn version(request: &Received) -> Value {
    request.json().map(|body| body["v"].clone()).unwrap_or_default()
}

async fn tagging() -> Result<Scene> {
    let setup = Setup::default().plugin("tagger", guest("switchable-v1")?);
    let scene = Scene::with(setup).await?;
    scene.endpoint("/a", json!({ "plugins": [{ "plugin": "tagger" }] })).await?;
    Ok(scene)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_is_replaced_under_load_without_losing_or_doubling_an_event() -> Result<()> {
    let scene = tagging().await?;
    let started = Instant::now();
    let load = Load::start(&scene.client, 16);
    load.reached(500).await?;
    install(&guest("switchable-v2")?, &scene.gateway.plugins_dir(), "tagger")?;
    let renamed = Instant::now();
    let is_new = |requests: &[Received]| requests.last().is_some_and(|last| version(last) == 2);
    let changed = scene.receiver.wait_until("/a", "an output of version 2", is_new).await?;
    load.reached(load.count() + 500).await?;
    let rate = load.count() as f64 / started.elapsed().as_secs_f64();
    let accepted = load.finish().await?;
    let first_new = changed.iter().find(|one| version(one) == 2).context("version 2 arrived")?;
    let took = first_new.at.duration_since(renamed);
    eprintln!("version 2 was seen {} ms after the rename, at {rate:.0} events/s", took.as_millis());
    ensure!(took < NEW_VERSION_WITHIN, "the new version took {took:?}");
    let requests = all_arrive(&scene.receiver, "/a", &accepted).await?;
    ensure!(requests.iter().all(|one| version(one) == 1 || version(one) == 2), "an event skipped the plugin");
    none_twice(&requests)
}

/// The long form, with memory and a pace, is `cargo xtask soak reload`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_replacements_under_load_lose_and_double_nothing_and_leave_no_file_open() -> Result<()> {
    let scene = tagging().await?;
    let files = [guest("switchable-v2")?, guest("switchable-v1")?];
    let mut live = scene.client.plugin_active("tagger").await?["version"].clone();
    let load = Load::start(&scene.client, 4);
    let mut open = 0;
    for (number, file) in files.iter().cycle().take(40).enumerate() {
        install(file, &scene.gateway.plugins_dir(), "tagger")?;
        let is_next = |status: &Value| status["version"] != live;
        live = scene.client.plugin_when("tagger", "the next version", is_next).await?["version"].clone();
        load.reached(load.count() + 20).await.context("events flow after each")?;
        if number == 10 {
            open = open_files(&scene)?;
        }
    }
    let left = open_files(&scene)?;
    ensure!(left <= open + 4, "{open} files were open, now {left}");
    let accepted = load.finish().await?;
    let requests = all_arrive(&scene.receiver, "/a", &accepted).await?;
    for expected in [1, 2] {
        ensure!(requests.iter().any(|one| version(one) == expected), "version {expected} did its work");
    }
    ensure!(requests.iter().all(|one| version(one) == 1 || version(one) == 2), "an event skipped the plugin");
    none_twice(&requests)
}

/// Those that are no connections, which come and go.
fn open_files(scene: &Scene) -> Result<usize> {
    let files = std::fs::read_dir(format!("/proc/{}/fd", scene.gateway.id()?))?;
    let targets = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    Ok(targets.filter(|target| !target.to_string_lossy().starts_with("socket:")).count())
}

#[tokio::test]
async fn two_hundred_replacements_leave_memory_flat() -> Result<()> {
    let scene = tagging().await?;
    let files = [guest("switchable-v2")?, guest("switchable-v1")?];
    let mut live = scene.client.plugin_active("tagger").await?["version"].clone();
    let mut warm = 0;
    for (number, file) in files.iter().cycle().take(REPLACEMENTS).enumerate() {
        install(file, &scene.gateway.plugins_dir(), "tagger")?;
        let is_next = |status: &Value| status["version"] != live;
        live = scene.client.plugin_when("tagger", "the next version", is_next).await?["version"].clone();
        scene.client.send("a", &json!(number)).await?;
        if number == WARM_UP {
            warm = scene.gateway.resident_kib()?;
        }
    }
    scene.receiver.wait_for("/a", REPLACEMENTS).await?;
    let end = scene.gateway.resident_kib()?;
    eprintln!("resident memory: {warm} KiB after {WARM_UP} replacements, {end} KiB after {REPLACEMENTS}");
    ensure!(end < warm + MAY_GROW_KIB, "memory grew from {warm} to {end} KiB");
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_removed_takes_its_plugin_away_and_holds_its_deliveries() -> Result<()> {
    let scene = tagging().await?;
    std::fs::remove_file(scene.gateway.plugins_dir().join("tagger.wasm"))?;
    hookway_tests::patience::eventually("tagger is gone", || async {
        let answer = scene.client.get("/v1/plugins/tagger").await?;
        Ok((answer.body["state"] != "active").then_some(()))
    })
    .await?;
    let id = scene.client.send("a", &json!(1)).await?;
    let event = hookway_tests::patience::eventually("the event is dispatched", || async {
        let event = scene.client.event(&id).await?;
        Ok((event["deliveries"][0]["status"] == "held").then_some(event))
    })
    .await?;
    let reason = &event["deliveries"][0]["reason"];
    ensure!(reason.as_str().is_some_and(|reason| reason.contains("tagger")), "the reason names it: {reason}");
    install(&guest("switchable-v2")?, &scene.gateway.plugins_dir(), "tagger")?;
    assert_eq!(version(&scene.receiver.wait_for("/a", 1).await?[0]), 2);
    Ok(())
}
