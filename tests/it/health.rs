//! Endpoints that are deactivated, by hand or because they fail, and the request options of one endpoint.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookway_tests::client::Endpoint;
use hookway_tests::gateway::Setup;
use hookway_tests::patience::eventually;
use hookway_tests::receiver::Answer;
use http::StatusCode;
use serde_json::{Value, json};

use crate::scene::Scene;

async fn set(scene: &Scene, endpoint: &Endpoint, verb: &str) -> Result<Value> {
    let path = format!("/v1/endpoints/{}/{verb}", endpoint.id);
    Ok(scene.client.post(&path, &json!({})).await?.expect(StatusCode::OK)?.body)
}

async fn inactive(scene: &Scene, endpoint: &Endpoint) -> Result<Value> {
    let path = format!("/v1/endpoints/{}", endpoint.id);
    eventually("the endpoint is inactive", || async {
        let body = scene.client.get(&path).await?.expect(StatusCode::OK)?.body;
        Ok((body["state"] == "inactive").then_some(body))
    })
    .await
}

#[tokio::test]
async fn a_410_deactivates_at_once_and_activating_sends_what_was_held() -> Result<()> {
    let scene = Scene::start().await?;
    scene.receiver.script("/a", [Answer::status(410), Answer::status(200)]);
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let first = scene.client.send("a", &json!(1)).await?;
    let shown = inactive(&scene, &endpoint).await?;
    assert_eq!((&shown["health"], &shown["inactive_reason"]), (&json!("failed"), &json!("gone")));
    ensure!(shown["inactive_since"].is_string(), "{shown}");
    let second = scene.client.send("a", &json!(2)).await?;
    for id in [&first, &second] {
        let held = scene.client.delivery_in(id, &endpoint.id, &["held"]).await?;
        ensure!(held["reason"].as_str().is_some_and(|reason| reason.contains("inactive")), "{held}");
        assert_eq!(held["due_at"], Value::Null);
    }
    assert_eq!(scene.receiver.requests("/a").len(), 1);
    assert_eq!(scene.client.deliveries("status=held").await?.len(), 2);
    let shown = set(&scene, &endpoint, "activate").await?;
    assert_eq!((&shown["state"], &shown["health"]), (&json!("active"), &json!("healthy")));
    assert_eq!((&shown["inactive_reason"], &shown["inactive_since"]), (&Value::Null, &Value::Null));
    for id in [&first, &second] {
        scene.client.delivery_in(id, &endpoint.id, &["delivered"]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_audit_log_says_who_activated_and_deactivated_an_endpoint() -> Result<()> {
    let scene = Scene::start().await?;
    scene.receiver.script("/a", [Answer::status(200), Answer::status(410)]);
    let endpoint = scene.endpoint("/a", json!({})).await?;
    for verb in ["deactivate", "deactivate", "activate", "activate"] {
        set(&scene, &endpoint, verb).await?;
    }
    let first = scene.client.send("a", &json!(1)).await?;
    scene.client.delivery_in(&first, &endpoint.id, &["delivered"]).await?;
    scene.client.send("a", &json!(2)).await?;
    inactive(&scene, &endpoint).await?;
    let log = scene.client.get("/v1/audit").await?.expect(StatusCode::OK)?.body;
    let rows = log["data"].as_array().context("a list")?;
    let of_endpoint = rows.iter().filter(|row| row["target"] == endpoint.id.as_str());
    let said: Vec<_> = of_endpoint
        .map(|row| json!([row["action"], row["actor"]["kind"], row["changes"]["inactive_reason"]["new"]]))
        .collect();
    assert_eq!(
        Value::from(said),
        json!([
            ["endpoint.deactivated", "gateway", "gone"],
            ["endpoint.activated", "key", null],
            ["endpoint.deactivated", "key", "deactivated"],
            ["endpoint.created", "key", null],
        ]),
        "what changed nothing is not written down"
    );
    Ok(())
}

#[tokio::test]
async fn deactivating_keeps_the_order_and_loses_nothing_over_a_restart() -> Result<()> {
    let setup = Setup::default().set("lanes.max_in_flight_per_endpoint=1").set(r#"deliver.retry=["1h"]"#);
    let mut scene = Scene::with(setup).await?;
    scene.receiver.script("/a", [Answer::status(500), Answer::status(200)]);
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let mut ids = vec![scene.client.send("a", &json!(0)).await?];
    scene.client.delivery_in(&ids[0], &endpoint.id, &["retrying"]).await?;
    let shown = set(&scene, &endpoint, "deactivate").await?;
    assert_eq!((&shown["health"], &shown["inactive_reason"]), (&json!("healthy"), &json!("deactivated")));
    for n in 1..20 {
        if n == 10 {
            scene.gateway.kill().await?;
            scene.gateway.restart().await?;
        }
        ids.push(scene.client.send("a", &json!(n)).await?);
    }
    for id in &ids {
        scene.client.delivery_in(id, &endpoint.id, &["held"]).await?;
    }
    assert_eq!(scene.receiver.requests("/a").len(), 1, "nothing is sent while it is inactive");
    set(&scene, &endpoint, "activate").await?;
    let requests = scene.receiver.wait_for("/a", 21).await?;
    let sent: Vec<_> = requests[1..].iter().map(|request| request.id().to_owned()).collect();
    assert_eq!(sent, ids);
    Ok(())
}

#[tokio::test]
async fn a_fifo_endpoint_that_was_inactive_goes_on_in_its_order() -> Result<()> {
    let scene = Scene::with(Setup::default().set(r#"deliver.retry=["1h"]"#)).await?;
    scene.receiver.script("/a", [Answer::status(200), Answer::status(410), Answer::status(200)]);
    let endpoint = scene.endpoint("/a", json!({ "ordering": "fifo" })).await?;
    let mut ids = Vec::new();
    for n in 0..10 {
        ids.push(scene.client.send("a", &json!(n)).await?);
    }
    inactive(&scene, &endpoint).await?;
    for n in 10..20 {
        ids.push(scene.client.send("a", &json!(n)).await?);
    }
    for id in &ids[1..] {
        scene.client.delivery_in(id, &endpoint.id, &["held"]).await?;
    }
    assert_eq!(scene.receiver.requests("/a").len(), 2, "nothing is sent while it is inactive");
    set(&scene, &endpoint, "activate").await?;
    let requests = scene.receiver.wait_for("/a", 21).await?;
    let sent: Vec<_> = requests[2..].iter().map(|request| request.id().to_owned()).collect();
    assert_eq!(sent, ids[1..]);
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_fails_too_long_is_deactivated() -> Result<()> {
    let scene = Scene::with(Setup::default().set("deliver.fail_after=200ms")).await?;
    scene.receiver.script("/a", [Answer::status(500)]);
    let endpoint = scene.endpoint("/a", json!({})).await?;
    scene.client.send("a", &json!(1)).await?;
    let shown = inactive(&scene, &endpoint).await?;
    assert_eq!((&shown["health"], &shown["inactive_reason"]), (&json!("failed"), &json!("failing")));
    Ok(())
}

#[tokio::test]
async fn headers_of_an_endpoint_are_sent_and_their_values_are_in_no_log() -> Result<()> {
    let scene = Scene::start().await?;
    let with = json!({ "headers": { "Authorization": "Bearer planted-7f3a", "X-Shop": "é" } });
    let endpoint = scene.endpoint("/a", with).await?;
    let id = scene.client.send("a", &json!(1)).await?;
    let request = scene.receiver.wait_for("/a", 1).await?.remove(0);
    assert_eq!(request.header("authorization"), "Bearer planted-7f3a");
    assert_eq!(request.headers["x-shop"].as_bytes(), "é".as_bytes());
    let delivery = scene.client.delivery_in(&id, &endpoint.id, &["delivered"]).await?;
    let record = scene.client.delivery(delivery["id"].as_str().context("an id")?).await?;
    assert_eq!(record["attempt_log"][0]["request"]["headers"]["authorization"], "[redacted]");
    ensure!(!record.to_string().contains("planted-7f3a"), "{record}");
    let audit = scene.client.get("/v1/audit").await?.expect(StatusCode::OK)?.body;
    ensure!(!audit.to_string().contains("planted-7f3a"), "{audit}");
    ensure!(!scene.gateway.log_tail().contains("planted-7f3a"), "the process log has it");
    scene
        .client
        .patch(&format!("/v1/endpoints/{}", endpoint.id), &json!({ "headers": {} }))
        .await?
        .expect(StatusCode::OK)?;
    scene.client.send("a", &json!(2)).await?;
    assert_eq!(scene.receiver.wait_for("/a", 2).await?[1].header("authorization"), "");
    Ok(())
}

#[tokio::test]
async fn reserved_headers_and_wrong_limits_are_refused_with_their_pointer() -> Result<()> {
    let scene = Scene::start().await?;
    for (with, pointer) in [
        (json!({ "headers": { "Host": "a" } }), "/headers/Host"),
        (json!({ "headers": { "webhook-id": "a" } }), "/headers/webhook-id"),
        (json!({ "headers": { "Content-Type": "a" } }), "/headers/Content-Type"),
        (json!({ "headers": { "x": "a\r\nhost: b" } }), "/headers/x"),
        (json!({ "headers": { "x": "a\u{0}" } }), "/headers/x"),
        (json!({ "timeout": "31s" }), "/timeout"),
        (json!({ "timeout": "0s" }), "/timeout"),
        (json!({ "retry": [] }), "/retry"),
        (json!({ "retry": ["1s", "73h"] }), "/retry/1"),
    ] {
        let answer = scene.client.post("/v1/endpoints", &scene.described("/a", with)).await?;
        let body = answer.expect_problem(422, "")?.body;
        assert_eq!(body["pointer"], pointer);
    }
    let none = scene.client.get("/v1/endpoints").await?.expect(StatusCode::OK)?.body;
    assert_eq!(none["data"], json!([]));
    Ok(())
}

#[tokio::test]
async fn an_endpoint_has_a_timeout_and_retries_of_its_own_without_a_restart() -> Result<()> {
    let scene = Scene::with(Setup::default().set(r#"deliver.retry=["1h"]"#)).await?;
    scene.receiver.script("/a", [Answer::Hang]);
    let endpoint = scene.endpoint("/a", json!({ "timeout": "100ms", "retry": ["10ms", "10ms"] })).await?;
    let id = scene.client.send("a", &json!(1)).await?;
    let failed = scene.client.delivery_in(&id, &endpoint.id, &["failed"]).await?;
    assert_eq!(failed["attempts"], 3);
    let first = failed["last_duration_ms"].as_u64().context("a duration")?;
    ensure!(u128::from(first) < Duration::from_secs(10).as_millis(), "{failed}");
    let changed = json!({ "timeout": null, "retry": null });
    let path = format!("/v1/endpoints/{}", endpoint.id);
    let shown = scene.client.patch(&path, &changed).await?.expect(StatusCode::OK)?.body;
    assert_eq!((&shown["timeout"], &shown["retry"]), (&Value::Null, &Value::Null));
    scene.receiver.script("/a", [Answer::status(500)]);
    let id = scene.client.send("a", &json!(2)).await?;
    scene.client.delivery_in(&id, &endpoint.id, &["retrying"]).await?;
    Ok(())
}
