//! `kill -9` in the middle of everything: what was answered with 202 is delivered, with the same id and bytes each time.

use anyhow::{Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::guests::guest;
use hookway_tests::receiver::Answer;
use hookway_tests::soak::failpoints::{self, Step};
use hookway_tests::{events, soak};
use serde_json::{Value, json};

use crate::load::{Load, all_arrive, same_bytes_each_time};
use crate::scene::Scene;

/// How many events are accepted before each kill: thousands of commits are behind, hundreds of events are in between.
const BEFORE_KILL: usize = 400;

/// Many failures in a row are what is wanted here.
fn setup() -> Setup {
    Setup::default().set("lanes.breaker_failures=0")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_accepted_event_survives_kill_9() -> Result<()> {
    let scene = Scene::with(setup()).await?;
    survives(scene, json!({})).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_transformed_event_survives_kill_9_with_the_same_bytes() -> Result<()> {
    let setup = setup().plugin("tagger", guest("switchable-v1")?);
    let scene = Scene::with(setup).await?;
    survives(scene, json!({ "plugins": [{ "plugin": "tagger" }] })).await
}

async fn survives(mut scene: Scene, with: Value) -> Result<()> {
    // The first answers are failures, so that retries are under way when the process dies.
    let failures = std::iter::repeat_n(Answer::status(500), 100);
    scene.receiver.script("/a", failures.chain([Answer::status(200)]));
    scene.endpoint("/a", with).await?;
    let load = Load::start(&scene.client, 16);
    load.reached(BEFORE_KILL).await?;
    scene.gateway.kill().await?;
    let accepted = load.finish().await?;
    scene.gateway.restart().await?;
    let requests = all_arrive(&scene.receiver, "/a", &accepted).await?;
    same_bytes_each_time(&requests)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_and_keys_survive_kill_9() -> Result<()> {
    let mut scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    scene.gateway.kill().await?;
    scene.gateway.restart().await?;
    let id = scene.client.send("a", &json!(1)).await?;
    assert_eq!(scene.receiver.wait_for("/a", 1).await?[0].id(), id);
    scene.client.delivery_in(&id, &endpoint.id, &["delivered"]).await?;
    Ok(())
}

/// The short form of `cargo xtask soak kill`, each time with another seed; a failure names it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn again_and_again_nothing_is_lost_and_each_repeat_is_explained() -> Result<()> {
    let options = soak::Options { seed: rand::random(), kills: 8, events: 1_200, producers: 8, early: false };
    let report = soak::kill(&options, &events::recorded(), |_, _| {}).await?;
    ensure!(report.is_clean(), "{report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_count_as_accepted_before_they_are_written_are_lost() -> Result<()> {
    let options = soak::Options { seed: 1, kills: 1, events: 100, producers: 8, early: true };
    let report = soak::kill(&options, &events::recorded(), |_, _| {}).await?;
    ensure!(!report.verdict.lost.is_empty(), "the test above would not notice a loss: {report}");
    Ok(())
}

/// Each once; `cargo xtask soak failpoints` has each a hundred times.
#[tokio::test]
async fn wherever_the_process_dies_the_next_one_goes_on_as_promised() -> Result<()> {
    for step in Step::ALL {
        failpoints::dies_at(step).await?;
    }
    Ok(())
}
