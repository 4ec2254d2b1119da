//! A disk that is almost full refuses events and nothing else; one that is full is survived, and needs nobody when there is room again.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use hookway_tests::client::Client;
use hookway_tests::gateway::{Setup, small_disks};
use hookway_tests::patience::eventually;
use hookway_tests::receiver::Answer;
use http::StatusCode;
use serde_json::{Value, json};

use crate::load::{all_arrive, none_twice};
use crate::scene::Scene;

/// Of a disk of 48 MiB, which an empty store leaves most of.
const BALLAST: usize = 16 << 20;
/// Far more than fit.
const MOST: usize = 5_000;

fn event(number: usize, bytes: usize) -> Value {
    json!({ "event": "a", "event_id": format!("full-{number}"), "data": "x".repeat(bytes) })
}

/// Posts events of this size until one is refused; returns the ids of those that were not, and the refusal.
async fn fill(client: &Client, bytes: usize) -> Result<(BTreeSet<String>, Value)> {
    let mut accepted = BTreeSet::new();
    for number in 1..MOST {
        let answer = client.post("/v1/events", &event(number, bytes)).await?;
        if answer.status != StatusCode::ACCEPTED {
            return Ok((accepted, answer.expect_problem(503, "")?.body));
        }
        accepted.insert(answer.body["event_id"].as_str().context("an id")?.to_owned());
    }
    anyhow::bail!("{MOST} events fit")
}

async fn is_ready(client: &Client) -> Result<()> {
    eventually("it is ready again", || async {
        Ok((client.get("/readyz").await?.status == StatusCode::OK).then_some(()))
    })
    .await
}

#[tokio::test]
async fn below_the_mark_events_are_refused_and_deliveries_go_on() -> Result<()> {
    let mut scene = Scene::with(Setup::default().set(r#"deliver.retry=["1s", "1s", "1s"]"#)).await?;
    scene.receiver.script("/a", [Answer::status(500), Answer::status(200)]);
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let id = scene.client.send("a", &json!(1)).await?;
    scene.receiver.wait_for("/a", 1).await?;
    scene.gateway.stop().await?;
    // No disk has so much.
    let setup = Setup::default().set("ingest.min_free_bytes=9000000000000000000");
    scene.gateway.restart_with(setup.clone()).await?;
    let refused =
        scene.client.post("/v1/events", &event(1, 100)).await?.expect_problem(503, "almost full")?;
    ensure!(refused.body["code"] == "disk_full" && refused.headers["retry-after"] == "30", "{refused:?}");
    let ready = scene.client.get("/readyz").await?.expect_problem(503, "ingest.min_free_bytes")?.body;
    let disk = ready["checks"].as_array().into_iter().flatten().find(|check| check["name"] == "disk");
    ensure!(disk.is_some_and(|check| check["ok"] == false), "{ready}");
    scene.client.delivery_in(&id, &endpoint.id, &["delivered"]).await?;
    scene.client.delete(&format!("/v1/endpoints/{}", endpoint.id)).await?.expect(StatusCode::NO_CONTENT)?;
    let stored = scene.client.get("/v1/events").await?.expect(StatusCode::OK)?.body;
    assert_eq!(stored["data"].as_array().map(Vec::len), Some(1), "what was refused is not stored");
    scene.gateway.stop().await?;
    scene.gateway.restart_with(setup.set("ingest.min_free_bytes=0")).await?;
    scene.client.send("a", &json!(2)).await?;
    Ok(())
}

#[tokio::test]
async fn the_mark_is_seen_before_the_disk_is_full_and_room_opens_the_door_again() -> Result<()> {
    if !small_disks().await {
        return Ok(());
    }
    // The disk is looked at once a second: below the mark is room for what comes meanwhile.
    let setup = Setup::default().disk_mib(96).set("core_dumps=true").set("ingest.min_free_bytes=25165824");
    let scene = Scene::with(setup).await?;
    scene.endpoint("/a", json!({})).await?;
    let ballast = scene.gateway.disk()?.join("ballast");
    std::fs::write(&ballast, vec![1; 3 * BALLAST])?;
    let (accepted, refusal) = fill(&scene.client, 5_000).await?;
    ensure!(refusal["code"] == "disk_full", "{refusal}");
    none_twice(&all_arrive(&scene.receiver, "/a", &accepted).await?)?;
    std::fs::remove_file(&ballast)?;
    is_ready(&scene.client).await?;
    scene.client.post("/v1/events", &event(0, 100)).await?.expect(StatusCode::ACCEPTED)?;
    Ok(())
}

#[tokio::test]
async fn a_disk_that_is_full_loses_nothing_and_the_process_goes_on_when_there_is_room() -> Result<()> {
    if !small_disks().await {
        return Ok(());
    }
    let setup = Setup::default().disk_mib(48).set("core_dumps=true").set("ingest.min_free_bytes=0");
    let scene = Scene::with(setup).await?;
    scene.endpoint("/a", json!({})).await?;
    let (ballast, process) = (scene.gateway.disk()?.join("ballast"), scene.gateway.id()?);
    std::fs::write(&ballast, vec![1; BALLAST])?;
    let (mut accepted, refusal) = fill(&scene.client, 100_000).await?;
    ensure!(refusal["code"] == "unavailable", "{refusal}");
    scene.client.get("/readyz").await?.expect_problem(503, "store")?;
    std::fs::remove_file(&ballast)?;
    is_ready(&scene.client).await?;
    let answer = scene.client.post("/v1/events", &event(0, 100)).await?.expect(StatusCode::ACCEPTED)?;
    accepted.insert(answer.body["event_id"].as_str().context("an id")?.to_owned());
    all_arrive(&scene.receiver, "/a", &accepted).await?;
    assert_eq!(scene.gateway.id()?, process, "the process is the same");
    Ok(())
}
