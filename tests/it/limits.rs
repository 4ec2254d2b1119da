//! What an owner allows an endpoint to get: so many a second, so many at the same time, from the moment it is said.

use std::time::Duration;

use anyhow::{Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::receiver::{Answer, Received};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::Scene;

const SECOND: Duration = Duration::from_secs(1);
const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

/// Posts many events in one call, so that they wait before the first is delivered.
async fn send_many(scene: &Scene, count: usize) -> Result<()> {
    let lines: String = (0..count).map(|n| format!("{}\n", json!({ "event": "a", "data": n }))).collect();
    let posted = scene.client.call(Method::POST, "/v1/events", &[NDJSON], Some(lines.into())).await?;
    posted.expect(StatusCode::ACCEPTED)?;
    Ok(())
}

async fn change(scene: &Scene, endpoint: &str, patch: Value) -> Result<Value> {
    Ok(scene.client.patch(&format!("/v1/endpoints/{endpoint}"), &patch).await?.expect(StatusCode::OK)?.body)
}

/// Checks that no second, wherever it begins, has more arrivals than the limit.
fn at_most_in_any_second(limit: usize, requests: &[Received]) -> Result<()> {
    for (first, over) in requests.iter().zip(requests.iter().skip(limit)) {
        let took = over.at.duration_since(first.at);
        ensure!(took >= SECOND, "{} requests came within {took:?}", limit + 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_a_second_are_never_exceeded_and_nearly_reached() -> Result<()> {
    let scene = Scene::start().await?;
    scene.endpoint("/a", json!({ "rate_limit": 50 })).await?;
    send_many(&scene, 160).await?;
    let requests = scene.receiver.wait_for("/a", 150).await?;
    at_most_in_any_second(50, &requests)?;
    let took = requests[149].at.duration_since(requests[0].at);
    ensure!(took <= 3 * SECOND.mul_f64(1.0 / 0.95), "150 requests took {took:?}");
    Ok(())
}

#[tokio::test]
async fn retries_count_as_well() -> Result<()> {
    let setup = Setup::default().set(r#"deliver.retry=["10ms","10ms","10ms","10ms","10ms","10ms","10ms"]"#);
    let scene = Scene::with(setup).await?;
    scene.receiver.script("/a", [Answer::status(500)]);
    scene.endpoint("/a", json!({ "rate_limit": 4 })).await?;
    send_many(&scene, 2).await?;
    at_most_in_any_second(4, &scene.receiver.wait_for("/a", 10).await?)
}

#[tokio::test]
async fn no_more_than_the_burst_limit_are_open_at_the_same_time() -> Result<()> {
    let open = Duration::from_millis(100);
    let scene = Scene::start().await?;
    scene.receiver.script("/a", [Answer::status(200).after(open)]);
    scene.endpoint("/a", json!({ "burst_limit": 3 })).await?;
    send_many(&scene, 15).await?;
    let requests = scene.receiver.wait_for("/a", 15).await?;
    for (first, fourth) in requests.iter().zip(&requests[3..]) {
        ensure!(fourth.at.duration_since(first.at) >= open, "four were open at the same time");
    }
    Ok(())
}

#[tokio::test]
async fn another_burst_limit_counts_at_once() -> Result<()> {
    let scene = Scene::start().await?;
    scene.receiver.script("/hangs", [Answer::Hang]);
    let endpoint = scene.endpoint("/hangs", json!({ "burst_limit": 3 })).await?;
    scene.endpoint("/works", json!({})).await?;
    send_many(&scene, 10).await?;
    scene.receiver.wait_for("/works", 10).await?;
    assert_eq!(scene.receiver.wait_for("/hangs", 3).await?.len(), 3);
    change(&scene, &endpoint.id, json!({ "burst_limit": 5 })).await?;
    assert_eq!(scene.receiver.wait_for("/hangs", 5).await?.len(), 5);
    change(&scene, &endpoint.id, json!({ "burst_limit": 0 })).await?;
    scene.receiver.wait_for("/hangs", 10).await?;
    Ok(())
}

#[tokio::test]
async fn another_rate_limit_counts_at_once() -> Result<()> {
    let scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({ "rate_limit": 1 })).await?;
    send_many(&scene, 40).await?;
    scene.receiver.wait_for("/a", 1).await?;
    change(&scene, &endpoint.id, json!({ "rate_limit": 0 })).await?;
    let requests = scene.receiver.wait_for("/a", 40).await?;
    let took = requests[39].at.duration_since(requests[0].at);
    ensure!(took < 20 * SECOND, "the old limit was kept for {took:?}");
    Ok(())
}

#[tokio::test]
async fn limits_survive_a_restart() -> Result<()> {
    let mut scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({ "rate_limit": 7, "burst_limit": 2 })).await?;
    scene.gateway.kill().await?;
    scene.gateway.restart().await?;
    let shown = change(&scene, &endpoint.id, json!({})).await?;
    assert_eq!((&shown["rate_limit"], &shown["burst_limit"]), (&json!(7), &json!(2)));
    send_many(&scene, 20).await?;
    at_most_in_any_second(7, &scene.receiver.wait_for("/a", 20).await?)
}

#[tokio::test]
async fn a_limit_that_is_none_is_refused_and_changes_nothing() -> Result<()> {
    let scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let path = format!("/v1/endpoints/{}", endpoint.id);
    for field in ["rate_limit", "burst_limit"] {
        for value in [json!(-1), json!(1.5), json!("5"), json!(100_001), json!(5_000_000_000_u64)] {
            scene.client.patch(&path, &json!({ field: value })).await?.expect_refusal(field)?;
        }
        assert_eq!(scene.client.get(&path).await?.expect(StatusCode::OK)?.body[field], 0);
    }
    Ok(())
}
