//! `hookway compact`, of a gateway that runs, was killed and was stopped.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use hookway_tests::command::Hookway;
use hookway_tests::gateway::Setup;
use hookway_tests::patience::eventually;
use serde_json::json;

use crate::scene::Scene;

#[tokio::test]
async fn what_retention_freed_is_given_back_and_what_waits_arrives() -> Result<()> {
    let mut scene = Scene::with(Setup::default().set("retention.max_age=1s")).await?;
    let data = scene.gateway.home().join("data");
    let directory = data.to_str().context("a path that is text")?.to_owned();
    let compact = ["compact", "--data-dir", directory.as_str()];
    let hookway = Hookway::default();
    let endpoint = scene.endpoint("/a", json!({ "topics": ["waits"] })).await?;
    let path = format!("/v1/endpoints/{}", endpoint.id);
    scene.client.post(&format!("{path}/deactivate"), &json!({})).await?;
    let mut waits = Vec::new();
    for n in 0..20 {
        scene.client.send("nobody/wants", &json!("x".repeat(200_000))).await?;
        waits.push(scene.client.send("waits", &json!(n)).await?);
    }
    eventually("what is over is removed", || async {
        let metrics = scene.client.get("/metrics").await?.body;
        let removed = metrics.as_str().is_some_and(|text| text.contains("\nhookway_store_events 20\n"));
        Ok(removed.then_some(()))
    })
    .await?;
    hookway.run(&compact).await?.ends(1, "in use by another process")?;
    scene.gateway.kill().await?;

    let length = || -> Result<u64> { Ok(fs::metadata(data.join("hookway.redb"))?.len()) };
    let before = length()?;
    hookway.run(&compact).await?.expect(0)?.says("are given back")?;
    let after = length()?;
    ensure!(after < before / 2, "{before} bytes became {after}");
    hookway.run(&["doctor", "--data-dir", &directory]).await?.expect(0)?.says("20 events")?;
    let told = hookway.run(&[&compact[..], &["--json"]].concat()).await?.expect(0)?.out;
    ensure!(serde_json::from_str::<serde_json::Value>(&told)?["bytes_after"].is_u64(), "{told}");

    scene.gateway.restart().await?;
    scene.client.post(&format!("{path}/activate"), &json!({})).await?;
    let arrived = scene.receiver.wait_for("/a", waits.len()).await?;
    for id in waits {
        ensure!(arrived.iter().any(|one| one.id() == id), "{id} did not arrive");
    }
    Ok(())
}
