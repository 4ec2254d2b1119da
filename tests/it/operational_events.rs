//! Operational events: the gateway tells a tenant what becomes of endpoints, deliveries, secrets and plugins.

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{guest, install_bytes};
use hookway_tests::patience::eventually;
use hookway_tests::receiver::{Answer, Received};
use http::StatusCode;
use serde_json::{Value, json};

use crate::scene::Scene;

const FAILED: &str = "hookway.endpoint.failed";
const DEACTIVATED: &str = "hookway.endpoint.deactivated";
const ACTIVATED: &str = "hookway.endpoint.activated";
const EXHAUSTED: &str = "hookway.delivery.exhausted";
const DEGRADED: &str = "hookway.plugin.degraded";

fn setup() -> Setup {
    Setup::default().set("operations.tenant=ops").set(r#"deliver.retry=["10ms"]"#)
}

/// A gateway that tells the tenant `ops`, whose endpoint is at `/ops`.
async fn scene(setup: Setup) -> Result<Scene> {
    let scene = Scene::with(setup).await?;
    scene.endpoint("/ops", json!({ "tenant": "ops", "topics": ["hookway.**"], "ordering": "fifo" })).await?;
    Ok(scene)
}

/// What arrived at `/ops`, once there is so much: topics in order, and bodies.
async fn told(scene: &Scene, n: usize) -> Result<(Vec<String>, Vec<Value>)> {
    let requests = scene.receiver.wait_for("/ops", n).await?;
    let topics = requests.iter().map(|request| request.header("hookway-topic").to_owned()).collect();
    let bodies = requests.iter().map(Received::json).collect::<Result<_>>()?;
    Ok((topics, bodies))
}

async fn set(scene: &Scene, endpoint: &str, verb: &str) -> Result<()> {
    let path = format!("/v1/endpoints/{endpoint}/{verb}");
    scene.client.post(&path, &json!({})).await?.expect(StatusCode::OK)?;
    Ok(())
}

#[tokio::test]
async fn what_becomes_of_an_endpoint_is_told_by_whoever_does_it() -> Result<()> {
    let scene = scene(setup()).await?;
    scene.receiver.script("/a", [Answer::status(410)]);
    let endpoint = scene.endpoint("/a?token=planted-7f3a", json!({ "tenant": "shop" })).await?;
    for verb in ["deactivate", "deactivate", "activate", "activate"] {
        set(&scene, &endpoint.id, verb).await?;
    }
    scene.client.send_event(&json!({ "tenant": "shop", "event": "orders/created", "data": 1 })).await?;
    let (topics, bodies) = told(&scene, 4).await?;
    assert_eq!(topics, [DEACTIVATED, ACTIVATED, FAILED, DEACTIVATED]);
    let reasons: Vec<_> = bodies.iter().map(|body| body["data"]["reason"].clone()).collect();
    assert_eq!(reasons, ["deactivated", "deactivated", "gone", "gone"]);
    for body in &bodies {
        let data = &body["data"];
        assert_eq!(data["tenant"], "shop");
        assert_eq!(data["endpoint_id"], endpoint.id.as_str());
        assert_eq!(data["url"], scene.receiver.url("/a"));
        ensure!(data["since"].is_string() && !body.to_string().contains("planted-7f3a"), "{body}");
    }
    Ok(())
}

#[tokio::test]
async fn a_delivery_that_is_given_up_is_told() -> Result<()> {
    let scene = scene(setup().plugin("invalid-always", guest("invalid-always")?)).await?;
    scene.receiver.script("/a", [Answer::status(500), Answer::status(503)]);
    let failing = scene.endpoint("/a", json!({})).await?;
    let event = scene.client.send("orders/created", &json!(1)).await?;
    let (_, bodies) = told(&scene, 1).await?;
    let data = &bodies[0]["data"];
    let delivery = scene.client.delivery_in(&event, &failing.id, &["failed"]).await?;
    assert_eq!(
        *data,
        json!({
            "tenant": "default", "endpoint_id": failing.id, "url": scene.receiver.url("/a"),
            "delivery_id": delivery["id"], "event_id": event, "topic": "orders/created", "attempts": 2,
            "last_status": 503, "reason": "exhausted", "plugin": null, "message": "the receiver answered 503",
        })
    );
    set(&scene, &failing.id, "deactivate").await?;
    scene.client.plugin_active("invalid-always").await?;
    let refusing = scene.endpoint_with("/b", "invalid-always", json!({})).await?;
    scene.client.send("orders/created", &json!(2)).await?;
    let (topics, bodies) = told(&scene, 3).await?;
    assert_eq!(topics, [EXHAUSTED, DEACTIVATED, EXHAUSTED]);
    let data = &bodies[2]["data"];
    assert_eq!((&data["reason"], &data["plugin"]), (&json!("plugin_refused"), &json!("invalid-always")));
    assert_eq!((&data["endpoint_id"], &data["attempts"]), (&json!(refusing.id), &json!(0)));
    Ok(())
}

#[tokio::test]
async fn a_kill_right_after_the_cause_loses_nothing_and_repeats_nothing() -> Result<()> {
    let mut scene = scene(setup()).await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    for round in 1..=5 {
        for verb in ["deactivate", "activate"] {
            set(&scene, &endpoint.id, verb).await?;
        }
        scene.gateway.kill().await?;
        scene.gateway.restart().await?;
        let distinct = |requests: &[Received]| {
            let ids: std::collections::HashSet<_> = requests.iter().map(Received::id).collect();
            ids.len()
        };
        let what = format!("two events for each of {round} rounds");
        let requests =
            scene.receiver.wait_until("/ops", &what, |requests| distinct(requests) >= 2 * round).await?;
        assert_eq!(distinct(&requests), 2 * round, "an attempt may be repeated, an event not");
    }
    Ok(())
}

#[tokio::test]
async fn a_bad_plugin_file_is_told_once() -> Result<()> {
    let mut scene = scene(setup()).await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let plugins = scene.gateway.plugins_dir();
    install_bytes(b"this is no component", &plugins, "broken")?;
    let (topics, bodies) = told(&scene, 1).await?;
    assert_eq!(topics, [DEGRADED]);
    let status = scene.client.get("/v1/plugins/broken").await?.expect(StatusCode::OK)?.body;
    assert_eq!(
        (&bodies[0]["data"]["plugin"], &bodies[0]["data"]["message"]),
        (&json!("broken"), &status["reason"])
    );
    install_bytes(b"this is no component", &plugins, "broken")?;
    scene.gateway.kill().await?;
    scene.gateway.restart().await?;
    let is_refused = |status: &Value| status["state"] == "degraded";
    scene.client.plugin_when("broken", "is refused", is_refused).await?;
    set(&scene, &endpoint.id, "deactivate").await?;
    install_bytes(b"nor is this", &plugins, "broken")?;
    let (mut topics, _) = told(&scene, 3).await?;
    topics.sort();
    assert_eq!(topics, [DEACTIVATED, DEGRADED, DEGRADED]);
    Ok(())
}

#[tokio::test]
async fn a_secret_that_expires_soon_is_told_once() -> Result<()> {
    let mut scene = scene(setup()).await?;
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48);
    let endpoint = scene.endpoint("/a", json!({ "secret_expires_at": soon.to_string() })).await?;
    let (topics, bodies) = told(&scene, 1).await?;
    assert_eq!(topics, ["hookway.secret.expiring"]);
    let data = &bodies[0]["data"];
    assert_eq!((&data["endpoint_id"], &data["is_last"]), (&json!(endpoint.id), &json!(true)));
    let path = format!("/v1/endpoints/{}/secrets", endpoint.id);
    let listed = scene.client.get(&path).await?.expect(StatusCode::OK)?.body;
    let secret = listed["data"].get(0).context("the endpoint has a secret")?;
    assert_eq!((&data["secret_id"], &data["expires_at"]), (&secret["id"], &secret["expires_at"]));
    scene.gateway.stop().await?;
    scene.gateway.restart().await?;
    set(&scene, &endpoint.id, "deactivate").await?;
    assert_eq!(told(&scene, 2).await?.0, ["hookway.secret.expiring", DEACTIVATED]);
    Ok(())
}

#[tokio::test]
async fn an_endpoint_of_operations_that_takes_nothing_causes_no_events() -> Result<()> {
    let scene = Scene::with(setup()).await?;
    scene.receiver.script("/ops", [Answer::status(500)]);
    scene.receiver.script("/a", [Answer::status(500)]);
    let deaf = scene.endpoint("/ops", json!({ "tenant": "ops" })).await?;
    let failing = scene.endpoint("/a", json!({})).await?;
    for n in 0..3 {
        scene.client.send("orders/created", &json!(n)).await?;
    }
    // Two attempts for each of three, and none for what their exhaustion might have led to.
    scene.receiver.wait_for("/ops", 6).await?;
    scene.receiver.script("/ops", [Answer::status(410)]);
    scene.client.send("orders/created", &json!(3)).await?;
    let path = format!("/v1/endpoints/{}", deaf.id);
    eventually("the endpoint is inactive", || async {
        let shown = scene.client.get(&path).await?.expect(StatusCode::OK)?.body;
        Ok((shown["state"] == "inactive").then_some(()))
    })
    .await?;
    // What is told of this one is the last event: had there been others, they would be older.
    set(&scene, &failing.id, "deactivate").await?;
    let topics = eventually("the last event is there", || async {
        let deliveries = scene.client.deliveries(&format!("endpoint={}", deaf.id)).await?;
        let topics: Vec<_> = deliveries.iter().map(|delivery| delivery["topic"].clone()).collect();
        Ok(topics.contains(&json!(DEACTIVATED)).then_some(topics))
    })
    .await?;
    assert_eq!(topics, [DEACTIVATED, EXHAUSTED, EXHAUSTED, EXHAUSTED, EXHAUSTED]);
    assert_eq!(scene.receiver.requests("/ops").len(), 7);
    Ok(())
}

#[tokio::test]
async fn producers_cannot_post_operational_events() -> Result<()> {
    let scene = scene(setup()).await?;
    let forged = json!({ "tenant": "ops", "event": FAILED, "data": {} });
    let refused = scene.client.post("/v1/events", &forged).await?.expect_problem(422, "/event")?;
    ensure!(refused.body["detail"].as_str().is_some_and(|detail| detail.contains("hookway")), "{refused:?}");
    let lines = format!("{}\n{forged}\n", json!({ "tenant": "ops", "event": "a", "data": 1 }));
    let ndjson = [("content-type", "application/x-ndjson")];
    let refused = scene.client.call(http::Method::POST, "/v1/events", &ndjson, Some(lines.into())).await?;
    assert_eq!(refused.expect_problem(422, "/event")?.body["line"], 2);
    assert!(scene.client.deliveries("tenant=ops").await?.is_empty());
    Ok(())
}
