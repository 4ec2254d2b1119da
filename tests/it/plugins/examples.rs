//! The examples in other languages: each is loaded and does the same.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookway_tests::examples::EXAMPLES;
use hookway_tests::gateway::Setup;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::scene::{Scene, run_of};

/// An interpreter is compiled for 15 s, and for longer beside other tests.
const FOR_AN_INTERPRETER: Duration = Duration::from_mins(5);

async fn active(scene: &Scene, plugin: &str) -> Result<()> {
    let asking = async {
        loop {
            let status = scene.client.get(&format!("/v1/plugins/{plugin}")).await?.body;
            ensure!(status["state"] != "degraded", "{plugin}: {status}");
            if status["state"] == "active" {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(FOR_AN_INTERPRETER, asking).await.with_context(|| format!("waited long for {plugin}"))?
}

/// A filter that drops orders below `minimum`, and a transform that sends the bare data with the topic in a header.
async fn does_what_it_says(scene: &Scene, plugin: &str) -> Result<()> {
    let path = format!("/{plugin}");
    let bad = json!({ "plugins": [{ "plugin": plugin, "config": { "minimum": "many" } }] });
    let refused = scene.client.post("/v1/endpoints", &scene.described(&path, bad)).await?;
    refused
        .expect_refusal("`minimum` must be a number")
        .with_context(|| format!("{plugin} speaks of its config"))?;
    let endpoint = scene.endpoint_with(&path, plugin, json!({ "minimum": 100 })).await?;
    for too_small in [json!({ "total": 99.5 }), json!({ "total": "100" }), json!([])] {
        let id = scene.client.send("orders/created", &too_small).await?;
        let dropped = scene.client.delivery_in(&id, &endpoint.id, &["filtered"]).await?;
        let reason = dropped["reason"].as_str().unwrap_or_default();
        ensure!(reason.contains("the total is below 100"), "{plugin}: {dropped}");
    }
    let order = json!({ "total": 100, "note": "\u{1F60E} ü \" \u{0}" });
    let id = scene.client.send("orders/created", &order).await?;
    let sent = scene.receiver.wait_for(&path, 1).await?;
    assert_eq!(sent[0].json()?, order, "{plugin} sends the bare data");
    assert_eq!(
        (sent[0].header("x-topic"), sent[0].header("content-type")),
        ("orders/created", "application/json")
    );
    let delivered = scene.client.delivery_in(&id, &endpoint.id, &["delivered"]).await?;
    ensure!(run_of(&delivered, plugin) != &Value::Null, "{delivered}");
    Ok(())
}

/// As many bytes as make every language collect its garbage, whatever it does at that moment.
async fn takes_many_large_events(scene: &Scene, plugin: &str) -> Result<()> {
    const EVENTS: usize = 100;
    let path = format!("/{plugin}");
    let before = scene.receiver.requests(&path).len();
    let order = json!({ "total": 100, "note": "n".repeat(200_000) });
    for _ in 0..EVENTS {
        scene.client.send("orders/large", &order).await?;
    }
    scene.receiver.wait_for(&path, before + EVENTS).await?;
    let status = scene.client.get(&format!("/v1/plugins/{plugin}")).await?.body;
    ensure!(status["usage"]["errors"] == 0, "{plugin}: {status}");
    Ok(())
}

#[tokio::test]
async fn the_example_in_each_language_does_what_it_says_and_starts_warm() -> Result<()> {
    let mut setup = Setup::default().set("plugins.deadline=5s");
    let mut names = Vec::new();
    for example in EXAMPLES {
        if let Some(component) = example.find()? {
            setup = setup.plugin(example.name, component);
            names.push(example.name);
        }
    }
    let mut scene = Scene::with(setup).await?;
    for name in &names {
        active(&scene, name).await?;
        does_what_it_says(&scene, name).await?;
        takes_many_large_events(&scene, name).await?;
    }
    scene.gateway.stop().await?;
    let started = tokio::time::Instant::now();
    scene.gateway.restart().await?;
    for name in &names {
        active(&scene, name).await?;
    }
    eprintln!("{} examples were live {} ms after the start", names.len(), started.elapsed().as_millis());
    let log = std::fs::read_to_string(scene.gateway.home().join("gateway.log"))?;
    assert_eq!(log.matches("plugin is compiled").count(), names.len(), "the second start compiles nothing");
    Ok(())
}
