//! The live tail: what changes in the log is told while it happens, to those who may see it, and again to those who come back.

use anyhow::{Context as _, Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::patience::eventually;
use hookway_tests::receiver::Answer;
use http::StatusCode;
use serde_json::{Value, json};

use crate::scene::Scene;

fn of(event: &str, status: &'static str) -> impl Fn(&Value) -> bool {
    move |row| row["event_id"] == event && row["status"] == status
}

#[tokio::test]
async fn each_change_is_told_as_a_row_of_the_log() -> Result<()> {
    let scene = Scene::with(Setup::default().set(r#"deliver.retry=["1h"]"#)).await?;
    scene.receiver.script("/b", [Answer::status(500)]);
    let (a, b) = (scene.endpoint("/a", json!({})).await?.id, scene.endpoint("/b", json!({})).await?.id);
    let before = scene.client.send("orders/created", &json!(1)).await?;
    scene.client.delivery_in(&before, &a, &["delivered"]).await?;
    scene.client.delivery_in(&before, &b, &["retrying"]).await?;
    let mut all = scene.client.tail("", None).await?;
    let mut failures = scene.client.tail(&format!("endpoint={b}&status=retrying"), None).await?;
    let mut others = scene.client.tail("topic=orders/paid&recent=10", None).await?;
    let mut recent = scene.client.tail(&format!("recent=1&endpoint={a}"), None).await?;

    let id = scene.client.send("orders/created", &json!(2)).await?;
    let row = all.find(of(&id, "delivered")).await?;
    let listed = scene.client.delivery_in(&id, &a, &["delivered"]).await?;
    assert_eq!(row, listed, "a row of the stream is a row of the list");
    let row = failures.find(|_| true).await?;
    ensure!(row["event_id"] == id && row["endpoint_id"] == b && row["last_status"] == 500, "{row}");
    let row = recent.find(|_| true).await?;
    ensure!(row["event_id"] == before, "what was there comes first: {row}");
    recent.find(of(&id, "delivered")).await?;
    let paid = scene.client.send("orders/paid", &json!(3)).await?;
    let row = others.find(|_| true).await?;
    ensure!(row["event_id"] == paid, "nothing of another topic came before: {row}");
    Ok(())
}

#[tokio::test]
async fn who_comes_back_is_told_what_was_missed_also_after_a_kill() -> Result<()> {
    let mut scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({})).await?.id;
    let mut tail = scene.client.tail("", None).await?;
    let first = scene.client.send("a", &json!(1)).await?;
    tail.find(of(&first, "delivered")).await?;
    let last_id = tail.last_id.clone();
    drop(tail);
    let missed = scene.client.send("a", &json!(2)).await?;
    scene.client.delivery_in(&missed, &endpoint, &["delivered"]).await?;
    scene.gateway.kill().await?;
    scene.gateway.restart().await?;
    let mut tail = scene.client.tail("", Some(&last_id)).await?;
    let row = tail.find(|_| true).await?;
    ensure!(of(&missed, "delivered")(&row), "what was told is not told again: {row}");
    let next = scene.client.send("a", &json!(3)).await?;
    tail.find(of(&next, "delivered")).await?;

    let mut lost = scene.client.tail("", Some("18446744073709551615")).await?;
    let gap = lost.next().await?.context("a gap is said")?;
    ensure!(gap.event == "gap" && gap.data["detail"].is_string(), "{gap:?}");
    let after = scene.client.send("a", &json!(4)).await?;
    lost.find(of(&after, "delivered")).await?;
    let refused = scene.client.open("/v1/deliveries/stream", &[("last-event-id", "x")]).await?;
    ensure!(refused.status() == StatusCode::BAD_REQUEST, "{}", refused.status());
    scene.client.get("/v1/deliveries/stream?recent=251").await?.expect_refusal("recent")?;
    scene.client.get("/v1/deliveries/stream?limit=1").await?.expect_refusal("limit")?;
    Ok(())
}

#[tokio::test]
async fn a_tenant_is_told_its_own_and_a_revoked_key_nothing_more() -> Result<()> {
    let scene = Scene::start().await?;
    for name in ["acme", "umbrella"] {
        scene.endpoint(&format!("/{name}"), json!({ "tenant": name })).await?;
    }
    let key = scene.client.post("/v1/keys", &json!({ "scope": "tenant:acme" })).await?;
    let key = key.expect(StatusCode::CREATED)?.body;
    let acme = scene.client.with_key(key["key"].as_str());
    let mut tail = acme.tail("", None).await?;
    let send = async |tenant: &str| {
        scene.client.send_event(&json!({ "tenant": tenant, "event": "a", "data": 1 })).await
    };
    send("umbrella").await?;
    let own = send("acme").await?;
    let row = tail.find(|_| true).await?;
    ensure!(row["event_id"] == own && row["tenant"] == "acme", "{row}");
    if row["status"] != "delivered" {
        tail.find(of(&own, "delivered")).await?;
    }
    let id = key["id"].as_str().context("a key has an id")?;
    scene.client.delete(&format!("/v1/keys/{id}")).await?.expect(StatusCode::NO_CONTENT)?;
    send("acme").await?;
    ensure!(tail.next().await?.is_none(), "a key that is revoked sees nothing more");
    Ok(())
}

#[tokio::test]
async fn a_stop_ends_streams_and_does_not_wait_for_them() -> Result<()> {
    let mut scene = Scene::with(Setup::default().set("shutdown.timeout=1h")).await?;
    let mut tail = scene.client.tail("", None).await?;
    scene.gateway.stop().await?;
    ensure!(tail.next().await?.is_none(), "it ends");
    Ok(())
}

#[tokio::test]
async fn clients_that_read_nothing_cost_little_and_delay_nobody() -> Result<()> {
    let scene = Scene::start().await?;
    scene.endpoint("/a", json!({})).await?;
    let mut first = scene.client.tail("", None).await?;
    let mut deaf = Vec::new();
    loop {
        let one = scene.client.open("/v1/deliveries/stream", &[]).await?;
        if one.status() == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        deaf.push(one);
    }
    assert_eq!(deaf.len(), 31, "of one tenant, or of administrators");
    let mut last = String::new();
    for n in 0..200 {
        last = scene.client.send("a", &json!({ "n": n, "text": "x".repeat(1_000) })).await?;
    }
    eventually("the last event is delivered", || async {
        let found = scene.client.deliveries(&format!("event_id={last}&status=delivered")).await?;
        Ok((!found.is_empty()).then_some(()))
    })
    .await?;
    first.find(of(&last, "delivered")).await?;
    Ok(())
}
