//! Manifests in the running gateway: a change of one alone, bad ones, samples, limits and isolation.

use std::fs;

use anyhow::{Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{guest, install_manifest, plugin};
use hookway_tests::receiver::Received;
use http::StatusCode;
use serde_json::{Value, json};

use crate::load::{Load, all_arrive, none_twice};
use crate::scene::{Scene, run_of};

/// What the gateway writes into its log when it compiles.
const COMPILED: &str = "plugin is compiled";

fn reason(status: &Value) -> &str {
    status["reason"].as_str().unwrap_or_default()
}

fn is_tagged(request: &Received) -> bool {
    request.json().is_ok_and(|body| body["v"] == 1)
}

impl Scene {
    /// One with a guest and its manifest, and an endpoint that uses it without a word of its own.
    async fn with_manifest(name: &str, manifest: &str) -> Result<(Self, String)> {
        let setup = Setup::default().set("plugins.deadline=5s").plugin(name, guest(name)?);
        let scene = Self::with(setup.manifest(name, manifest)).await?;
        scene.client.plugin_active(name).await?;
        let endpoint = scene.endpoint("/a", json!({ "plugins": [{ "plugin": name }] })).await?;
        Ok((scene, endpoint.id))
    }

    /// The log line about the file of a plugin that is not loaded.
    async fn refused(&self, name: &str, word: &str) -> Result<Value> {
        let is_refused = |status: &Value| status["state"] == "degraded" && reason(status).contains(word);
        self.client.plugin_when(name, &format!("is degraded: {word}"), is_refused).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_changes_under_load_without_compiling_losing_or_doubling() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("tagger", guest("switchable-v1")?)).await?;
    scene.endpoint("/a", json!({ "plugins": [{ "plugin": "tagger" }] })).await?;
    let bare = scene.client.plugin_active("tagger").await?["version"].clone();
    let load = Load::start(&scene.client, 8);
    load.reached(200).await?;
    install_manifest("topics = [\"other/*\"]", &scene.gateway.plugins_dir(), "tagger")?;
    let is_bare = |requests: &[Received]| requests.last().is_some_and(|last| !is_tagged(last));
    scene.receiver.wait_until("/a", "an event that the plugin is not for", is_bare).await?;
    let other = scene.client.plugin_active("tagger").await?["version"].clone();
    install_manifest("topics = [\"orders/*\"]", &scene.gateway.plugins_dir(), "tagger")?;
    // What was judged before may still arrive, so an event that has been through it says nothing yet.
    let is_swapped = |status: &Value| status["version"] != other;
    scene.client.plugin_when("tagger", "the third manifest is in force", is_swapped).await?;
    let is_back = |requests: &[Received]| requests.last().is_some_and(is_tagged);
    let seen = scene.receiver.wait_until("/a", "an event that it is for again", is_back).await?;
    ensure!(is_tagged(&seen[0]), "the first was judged without a manifest");
    load.reached(load.count() + 200).await?;
    let accepted = load.finish().await?;
    none_twice(&all_arrive(&scene.receiver, "/a", &accepted).await?)?;

    let status = scene.client.plugin_active("tagger").await?;
    let version = status["version"].as_str().unwrap_or_default();
    let code = bare.as_str().unwrap_or_default();
    ensure!(version.starts_with(&format!("{code}+")), "the same code under another manifest: {status}");
    let last =
        scene.client.get("/v1/deliveries?limit=1").await?.expect(StatusCode::OK)?.body["data"][0].clone();
    ensure!(run_of(&last, "tagger")["version"] == status["version"], "{last}");
    let log = fs::read_to_string(scene.gateway.home().join("gateway.log"))?;
    ensure!(log.matches(COMPILED).count() == 1, "one compilation for three versions: {log}");
    Ok(())
}

#[tokio::test]
async fn a_bad_manifest_never_replaces_a_good_one() -> Result<()> {
    let (scene, _) = Scene::with_manifest("switchable-v1", "topics = [\"orders/*\"]").await?;
    let good = scene.client.plugin_active("switchable-v1").await?["version"].clone();
    let dir = scene.gateway.plugins_dir();
    for (manifest, sentence) in [
        (
            "\n\ntopcs = []",
            "switchable-v1.toml, line 3, `topcs`: unknown field `topcs`, expected one of `topics`",
        ),
        (
            "limits.memory_mb = 999",
            "switchable-v1.toml, line 1, `limits.memory_mb`: the operator allows at most 256",
        ),
        ("topics = [", "switchable-v1.toml, line 1: "),
    ] {
        install_manifest(manifest, &dir, "switchable-v1")?;
        let status = scene.refused("switchable-v1", sentence).await?;
        ensure!(status["version"] == good, "{status}");
        scene.client.send("orders/created", &json!({})).await?;
    }
    install_manifest("topics = [\"orders/*\"]", &dir, "switchable-v1")?;
    ensure!(scene.client.plugin_active("switchable-v1").await?["version"] == good);
    let served = scene.receiver.wait_for("/a", 3).await?;
    ensure!(served.iter().all(is_tagged), "the version before served");
    Ok(())
}

#[tokio::test]
async fn a_manifest_without_its_component_says_so() -> Result<()> {
    let scene = Scene::start().await?;
    install_manifest("topics = []", &scene.gateway.plugins_dir(), "alone")?;
    let status = scene.refused("alone", "`alone.toml` is there, but no `alone.wasm`").await?;
    ensure!(status["version"].is_null(), "{status}");
    Ok(())
}

#[tokio::test]
async fn samples_must_pass_before_a_version_goes_live() -> Result<()> {
    let manifest = |expect: &str| {
        format!(
            "config = {{ expr = \"data.total >= 100\" }}\n\
             [[samples]]\nname = \"large\"\nevent = {{ topic = \"orders/created\", data = {{ total = 150 }} }}\nexpect = \"deliver\"\n\
             [[samples]]\nname = \"small\"\nevent = {{ topic = \"orders/created\", data = {{ total = 5 }} }}\nexpect = \"{expect}\"\n"
        )
    };
    let setup = Setup::default().set("plugins.deadline=5s").set("plugins.max_deadline=5s");
    let setup = setup.plugin("cel-filter", plugin("cel-filter")?).manifest("cel-filter", &manifest("drop"));
    let scene = Scene::with(setup).await?;
    let good = scene.client.plugin_active("cel-filter").await?;
    ensure!(good["usage"]["calls"] == 0, "samples are no calls of the version that is live: {good}");
    install_manifest(&manifest("deliver"), &scene.gateway.plugins_dir(), "cel-filter")?;
    let words = "sample 2 (small) of cel-filter.toml expects `deliver`, but the plugin drops the event";
    let status = scene.refused("cel-filter", words).await?;
    ensure!(status["version"] == good["version"], "{status}");

    scene.endpoint("/a", json!({ "plugins": [{ "plugin": "cel-filter" }] })).await?;
    for total in [5, 150] {
        scene.client.send("a", &json!({ "total": total })).await?;
    }
    let received = scene.receiver.wait_for("/a", 1).await?;
    ensure!(received.iter().filter_map(|one| one.json().ok()).all(|body| body["data"]["total"] == 150));
    Ok(())
}

#[tokio::test]
async fn the_body_of_a_sample_is_compared() -> Result<()> {
    let manifest = |body: &str| {
        format!(
            "config = {{ program = \"{{n: .data.n}}\" }}\n\
             [[samples]]\nevent = {{ topic = \"a\", data = {{ n = 1 }} }}\nexpect = {{ body = {body} }}\n"
        )
    };
    let setup = Setup::default().set("plugins.deadline=5s");
    let setup = setup.plugin("jq-transform", plugin("jq-transform")?);
    let scene = Scene::with(setup.manifest("jq-transform", &manifest("{ n = 1 }"))).await?;
    scene.client.plugin_active("jq-transform").await?;
    install_manifest(&manifest("{ n = 2 }"), &scene.gateway.plugins_dir(), "jq-transform")?;
    scene
        .refused("jq-transform", "expects the body `{\"n\":2}`, but the plugin makes the body `{\"n\":1}`")
        .await?;
    Ok(())
}

#[tokio::test]
async fn an_instance_for_each_event_has_no_state_of_the_call_before() -> Result<()> {
    let (scene, _) = Scene::with_manifest("leaky", "isolation = \"event\"").await?;
    for sent in 1..=3 {
        scene.client.send("a", &json!({})).await?;
        scene.receiver.wait_for("/a", sent).await?;
    }
    let seen = |requests: Vec<Received>| -> Vec<Value> {
        requests.iter().filter_map(|one| one.json().ok()).map(|body| body["seen"].clone()).collect()
    };
    let isolated = seen(scene.receiver.wait_for("/a", 3).await?);
    ensure!(isolated.iter().all(Value::is_null), "{isolated:?}");
    // The same guest shows what it would see if instances were shared.
    let isolated = scene.client.plugin_active("leaky").await?["version"].clone();
    install_manifest("isolation = \"tenant\"", &scene.gateway.plugins_dir(), "leaky")?;
    let is_next = |status: &Value| status["version"] != isolated;
    scene.client.plugin_when("leaky", "the next version", is_next).await?;
    for sent in 4..=5 {
        scene.client.send("a", &json!({})).await?;
        scene.receiver.wait_for("/a", sent).await?;
    }
    let shared = seen(scene.receiver.wait_for("/a", 5).await?);
    ensure!(shared[4].is_array(), "{shared:?}");
    Ok(())
}

#[tokio::test]
async fn deadline_memory_and_output_are_those_of_the_manifest() -> Result<()> {
    for (name, manifest, word) in [
        ("spin-forever", "limits.deadline_ms = 40", "ran past its deadline of 40 ms"),
        ("eat-memory", "limits.memory_mb = 32", "used more than 32 MiB of memory"),
        ("huge-output", "limits.output_kb = 2", "over the limit of 2 KiB"),
    ] {
        let (scene, endpoint) = Scene::with_manifest(name, manifest).await?;
        scene.client.send("a", &json!({ "n": 1 })).await?;
        scene.receiver.wait_for("/a", 1).await?;
        let id = scene.client.send("a", &json!({ "poison": true })).await?;
        let held = scene.client.delivery_in(&id, &endpoint, &["held"]).await?;
        ensure!(reason(&held).contains(word), "{name}: {held}");
    }
    Ok(())
}

#[tokio::test]
async fn the_manifest_says_what_a_failure_means_where_the_binding_does_not() -> Result<()> {
    let (scene, silent) = Scene::with_manifest("trap", "on_failure = \"closed\"").await?;
    let open = json!({ "plugins": [{ "plugin": "trap", "on_failure": "open" }] });
    scene.endpoint("/open", open).await?;
    let id = scene.client.send("a", &json!({ "poison": true })).await?;
    scene.receiver.wait_for("/open", 1).await?;
    let dropped = scene.client.delivery_in(&id, &silent, &["filtered"]).await?;
    ensure!(reason(&dropped).contains("on_failure = \"closed\""), "{dropped}");
    let shown = scene.client.get(&format!("/v1/endpoints/{silent}")).await?.body;
    ensure!(
        shown["plugins"][0]["on_failure"].is_null() && shown["plugins"][0]["config"].is_null(),
        "{shown}"
    );
    Ok(())
}
