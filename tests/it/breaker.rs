//! Endpoints whose receivers are down: probed one at a time, without using up the attempts of what waits.

use anyhow::{Context, Result, ensure};
use hookway_tests::client::Endpoint;
use hookway_tests::gateway::Setup;
use hookway_tests::patience::eventually;
use hookway_tests::receiver::Answer;
use http::StatusCode;
use serde_json::{Value, json};

use crate::scene::Scene;

/// Failures that open it here.
const FAILURES: usize = 3;

/// One after another, so that what is sent before it opens can be counted.
fn setup(probe_wait: &str) -> Setup {
    Setup::default()
        .set(&format!("lanes.breaker_failures={FAILURES}"))
        .set(&format!("lanes.probe_wait={probe_wait}"))
        .set("lanes.max_in_flight_per_endpoint=1")
        .set(r#"deliver.retry=["1s", "1s", "1h"]"#)
}

async fn breaker_is(scene: &Scene, endpoint: &Endpoint, state: &str) -> Result<Value> {
    let path = format!("/v1/endpoints/{}", endpoint.id);
    eventually(&format!("the breaker is {state}"), || async {
        let body = scene.client.get(&path).await?.expect(StatusCode::OK)?.body;
        Ok((body["breaker"]["state"] == state).then(|| body["breaker"].clone()))
    })
    .await
}

/// Sends so many events to a receiver that answers 503, until its breaker is open.
async fn down(scene: &Scene, events: usize) -> Result<(Endpoint, Vec<String>, Value)> {
    scene.receiver.script("/a", [Answer::status(503)]);
    let endpoint = scene.endpoint("/a", json!({})).await?;
    breaker_is(scene, &endpoint, "closed").await?;
    let mut ids = Vec::new();
    for n in 0..events {
        ids.push(scene.client.send("a", &json!(n)).await?);
    }
    let open = breaker_is(scene, &endpoint, "open").await?;
    Ok((endpoint, ids, open))
}

#[tokio::test]
async fn a_receiver_that_is_down_is_only_probed_and_what_waits_keeps_its_attempts() -> Result<()> {
    let scene = Scene::with(setup("1h")).await?;
    let (endpoint, ids, open) = down(&scene, 20).await?;
    ensure!(open["since"].is_string() && open["next_probe_at"].is_string(), "{open}");
    assert_eq!(scene.receiver.requests("/a").len(), FAILURES);
    let last = ids.last().context("events were sent")?;
    let waits = scene.client.delivery_in(last, &endpoint.id, &["pending"]).await?;
    assert_eq!(waits["attempts"], 0);
    let reason = waits["reason"].as_str().context("a reason")?;
    ensure!(reason.contains("receiver is down") && reason.contains("probe"), "{reason}");
    let one = scene.client.delivery(waits["id"].as_str().context("an id")?).await?;
    assert_eq!(one["reason"], waits["reason"]);
    let event = scene.client.event(last).await?;
    assert_eq!(event["deliveries"][0]["reason"], waits["reason"]);
    let tried: u64 = scene
        .client
        .deliveries(&format!("endpoint={}", endpoint.id))
        .await?
        .iter()
        .filter_map(|delivery| delivery["attempts"].as_u64())
        .sum();
    assert_eq!(tried, FAILURES as u64, "each POST is an attempt in the log, and there are no others");
    Ok(())
}

#[tokio::test]
async fn a_probe_that_succeeds_lets_all_that_waits_go() -> Result<()> {
    let scene = Scene::with(setup("300ms")).await?;
    let (endpoint, ids, _) = down(&scene, 20).await?;
    scene.receiver.wait_for("/a", FAILURES + 1).await?;
    scene.receiver.script("/a", [Answer::status(200)]);
    for id in &ids {
        scene.client.delivery_in(id, &endpoint.id, &["delivered"]).await?;
    }
    let closed = breaker_is(&scene, &endpoint, "closed").await?;
    assert_eq!((&closed["since"], &closed["next_probe_at"]), (&Value::Null, &Value::Null));
    Ok(())
}

#[tokio::test]
async fn a_manual_retry_and_a_test_are_probes_at_once() -> Result<()> {
    for asks in ["retry", "test"] {
        let scene = Scene::with(setup("1h")).await?;
        let (endpoint, ids, _) = down(&scene, 10).await?;
        scene.receiver.script("/a", [Answer::status(200)]);
        let path = match asks {
            "retry" => {
                let waits = scene.client.delivery_in(&ids[9], &endpoint.id, &["pending"]).await?;
                format!("/v1/deliveries/{}/retry", waits["id"].as_str().context("an id")?)
            }
            _ => format!("/v1/endpoints/{}/test", endpoint.id),
        };
        scene.client.post(&path, &json!({})).await?.expect(StatusCode::ACCEPTED)?;
        for id in &ids {
            scene.client.delivery_in(id, &endpoint.id, &["delivered"]).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn after_a_restart_the_first_attempt_is_a_probe() -> Result<()> {
    let mut scene = Scene::with(setup("1h")).await?;
    let (endpoint, ids, _) = down(&scene, 10).await?;
    let before = scene.receiver.requests("/a").len();
    // Whoever reads has all before it committed: that the receiver fails is known after the restart.
    scene.client.deliveries(&format!("endpoint={}", endpoint.id)).await?;
    scene.gateway.kill().await?;
    scene.gateway.restart().await?;
    let open = breaker_is(&scene, &endpoint, "open").await?;
    ensure!(open["since"].is_string(), "{open}");
    assert_eq!(scene.receiver.requests("/a").len(), before + 1, "one probe");
    scene.receiver.script("/a", [Answer::status(200)]);
    let path = format!("/v1/endpoints/{}", endpoint.id);
    scene.client.patch(&path, &json!({ "description": "repaired" })).await?.expect(StatusCode::OK)?;
    for id in &ids {
        scene.client.delivery_in(id, &endpoint.id, &["delivered"]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_ordered_endpoint_goes_on_in_its_order_once_its_receiver_is_back() -> Result<()> {
    let scene =
        Scene::with(setup("300ms").set(r#"deliver.retry=["100ms", "100ms", "100ms", "100ms", "1h"]"#))
            .await?;
    scene.receiver.script("/a", [Answer::status(503)]);
    let endpoint = scene.endpoint("/a", json!({ "ordering": "fifo" })).await?;
    let mut ids = Vec::new();
    for n in 0..10 {
        ids.push(scene.client.send("a", &json!(n)).await?);
    }
    breaker_is(&scene, &endpoint, "open").await?;
    let failed = scene.receiver.requests("/a").len();
    scene.receiver.script("/a", [Answer::status(200)]);
    for id in &ids {
        scene.client.delivery_in(id, &endpoint.id, &["delivered"]).await?;
    }
    let mut sent: Vec<_> =
        scene.receiver.requests("/a").iter().skip(failed).map(|request| request.id().to_owned()).collect();
    sent.dedup();
    assert_eq!(sent, ids);
    Ok(())
}

#[tokio::test]
async fn a_receiver_that_refuses_what_it_is_sent_is_not_down() -> Result<()> {
    let scene = Scene::with(setup("1h")).await?;
    scene.receiver.script("/a", [Answer::status(422)]);
    let endpoint = scene.endpoint("/a", json!({})).await?;
    for n in 0..10 {
        scene.client.send("a", &json!(n)).await?;
    }
    scene.receiver.wait_for("/a", 10).await?;
    breaker_is(&scene, &endpoint, "closed").await?;
    Ok(())
}
