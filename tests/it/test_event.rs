//! `POST /v1/endpoints/{id}/test`: one event for one endpoint, the whole way of an event.

use anyhow::{Result, ensure};
use hookway_tests::client::{Answer, Endpoint};
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{guest, install, plugin};
use hookway_tests::patience::eventually;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::scene::Scene;

fn path(endpoint: &Endpoint) -> String {
    format!("/v1/endpoints/{}/test", endpoint.id)
}

/// Sends a test; the answer's body.
async fn test(scene: &Scene, endpoint: &Endpoint, body: &Value) -> Result<Value> {
    Ok(scene.client.post(&path(endpoint), body).await?.expect(StatusCode::ACCEPTED)?.body)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

#[tokio::test]
async fn only_the_endpoint_under_test_gets_it_whatever_the_topics_say() -> Result<()> {
    let scene = Scene::start().await?;
    let tested = scene.endpoint("/tested", json!({ "topics": ["returns/*", "orders/paid"] })).await?;
    scene.endpoint("/other", json!({ "topics": ["**"] })).await?;
    let sent = test(&scene, &tested, &json!({})).await?;
    assert_eq!(sent["topic"], "orders/paid", "the first that it names in full");
    let given = json!({ "event": "stock/low", "data": { "left": 3 } });
    let second = test(&scene, &tested, &given).await?;
    let requests = scene.receiver.wait_for("/tested", 2).await?;
    let request = requests.iter().find(|request| request.id() == text(&second, "event_id"));
    let request = request.ok_or_else(|| anyhow::anyhow!("the second test did not come: {second}"))?;
    Webhook::new(&tested.secret)?.verify(&request.body, &request.headers)?;
    assert_eq!((request.header("hookway-test"), request.header("hookway-topic")), ("true", "stock/low"));
    assert_eq!(request.json()?["data"], given["data"]);

    let delivery = scene.client.delivery_in(text(&sent, "event_id"), &tested.id, &["delivered"]).await?;
    assert_eq!((&delivery["id"], &delivery["test"]), (&sent["delivery_id"], &json!(true)));
    let event = scene.client.event(text(&sent, "event_id")).await?;
    assert_eq!((&event["test"], &event["data"]["test"]), (&json!(true), &json!(true)));
    assert_eq!(event["deliveries"].as_array().map(Vec::len), Some(1));

    let ordinary = scene.client.send("stock/low", &json!(1)).await?;
    let others = scene.receiver.wait_for("/other", 1).await?;
    assert_eq!(others.iter().map(|request| request.id()).collect::<Vec<_>>(), [ordinary.as_str()]);
    assert_eq!(others[0].header("hookway-test"), "");
    assert_eq!(scene.client.event(&ordinary).await?["test"], false);
    Ok(())
}

#[tokio::test]
async fn the_filter_judges_a_test_and_an_inactive_endpoint_holds_it() -> Result<()> {
    let scene = Scene::start().await?;
    let large = json!({ "filter": { "data": { "total": { "$gte": 100 } } } });
    let endpoint = scene.endpoint("/a", large).await?;
    let small = test(&scene, &endpoint, &json!({ "data": { "total": 1 } })).await?;
    scene.client.delivery_in(text(&small, "event_id"), &endpoint.id, &["filtered"]).await?;
    scene.client.post(&format!("/v1/endpoints/{}/deactivate", endpoint.id), &json!({})).await?;
    let held = test(&scene, &endpoint, &json!({ "data": { "total": 100 } })).await?;
    scene.client.delivery_in(text(&held, "event_id"), &endpoint.id, &["held"]).await?;
    scene.client.post(&format!("/v1/endpoints/{}/activate", endpoint.id), &json!({})).await?;
    scene.client.delivery_in(text(&held, "event_id"), &endpoint.id, &["delivered"]).await?;
    assert_eq!(scene.receiver.requests("/a").len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_matcher_is_not_asked_about_a_test_not_even_after_a_plugin_held_it() -> Result<()> {
    let setup = Setup::default()
        .plugin("mqtt-topics", plugin("mqtt-topics")?)
        .plugin("tagger", guest("switchable-v1")?);
    let scene = Scene::with(setup).await?;
    let bound =
        json!({ "matcher": "mqtt-topics", "topics": ["orders/#"], "plugins": [{ "plugin": "tagger" }] });
    let endpoint = scene.endpoint("/a", bound).await?;
    let plugins = scene.gateway.plugins_dir();
    std::fs::remove_file(plugins.join("tagger.wasm"))?;
    eventually("tagger is gone", || async {
        let status = scene.client.get("/v1/plugins/tagger").await?.body;
        Ok((status["state"] != "active").then_some(()))
    })
    .await?;
    let sent = test(&scene, &endpoint, &json!({})).await?;
    scene.client.delivery_in(text(&sent, "event_id"), &endpoint.id, &["held"]).await?;
    install(&guest("switchable-v2")?, &plugins, "tagger")?;
    scene.client.delivery_in(text(&sent, "event_id"), &endpoint.id, &["delivered"]).await?;
    assert_eq!(scene.receiver.requests("/a")[0].header("hookway-topic"), "test/ping");
    Ok(())
}

#[tokio::test]
async fn a_test_that_a_kill_interrupts_still_goes_to_its_endpoint_alone() -> Result<()> {
    let mut scene = Scene::start().await?;
    let tested = scene.endpoint("/tested", json!({ "topics": ["orders/paid"] })).await?;
    scene.endpoint("/other", json!({ "topics": ["**"] })).await?;
    let mut sent = Vec::new();
    for n in 0..50 {
        let body = json!({ "event": "stock/low", "data": n });
        sent.push(text(&test(&scene, &tested, &body).await?, "event_id").to_owned());
    }
    scene.gateway.kill().await?;
    scene.gateway.restart().await?;
    for id in &sent {
        scene.client.delivery_in(id, &tested.id, &["delivered"]).await?;
        assert_eq!(scene.client.event(id).await?["deliveries"].as_array().map(Vec::len), Some(1));
    }
    assert_eq!(scene.receiver.requests("/other").len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_test_without_a_body_is_taken_and_a_bad_one_changes_nothing() -> Result<()> {
    let scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let client = &scene.client;
    let raw = async |body: &'static str| -> Result<Answer> {
        client.call(Method::POST, &path(&endpoint), &[], Some(body.into())).await
    };
    raw("").await?.expect(StatusCode::ACCEPTED)?;
    let bare = client.call(Method::POST, &path(&endpoint), &[], None).await?.expect(StatusCode::ACCEPTED)?;
    assert_eq!(bare.body["topic"], "test/ping");
    let link = bare.headers["location"].to_str()?;
    assert_eq!(client.get(link).await?.expect(StatusCode::OK)?.body["event_id"], bare.body["event_id"]);
    raw(r#"{"data": null}"#).await?.expect(StatusCode::ACCEPTED)?;
    scene.receiver.wait_for("/a", 3).await?;

    raw("{").await?.expect_problem(400, "JSON")?;
    raw(r#"{"event": "orders/*"}"#).await?.expect_problem(422, "/event")?;
    raw(r#"{"event": 5}"#).await?.expect_problem(422, "/event")?;
    raw(r#"{"topic": "a"}"#).await?.expect_problem(422, "/topic")?;
    raw("[]").await?.expect_problem(422, "")?;
    let large = format!(r#"{{"data": "{}"}}"#, "x".repeat(1024 * 1024));
    let large = client.call(Method::POST, &path(&endpoint), &[], Some(large.into())).await?;
    large.expect_problem(413, "at most")?;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let form = client.call(Method::POST, &path(&endpoint), &form, Some("a=b".into())).await?;
    form.expect_problem(415, "application/json")?;
    let log = client.get("/v1/audit?action=endpoint.tested").await?.expect(StatusCode::OK)?.body;
    assert_eq!(log["data"].as_array().map(Vec::len), Some(3), "what was refused was not done");
    Ok(())
}

#[tokio::test]
async fn a_test_is_for_those_who_manage_the_endpoint_and_is_written_down() -> Result<()> {
    let scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({ "tenant": "acme" })).await?;
    let key = async |scope: &str| -> Result<String> {
        let made = scene.client.post("/v1/keys", &json!({ "scope": scope })).await?;
        Ok(text(&made.expect(StatusCode::CREATED)?.body, "key").to_owned())
    };
    for scope in ["tenant:other", "events:write", "events:write:acme"] {
        let stranger = scene.client.with_key(Some(&key(scope).await?));
        stranger.post(&path(&endpoint), &json!({})).await?.expect_problem(404, "no endpoint")?;
    }
    scene.client.with_key(None).post(&path(&endpoint), &json!({})).await?.expect_problem(401, "key")?;
    scene.client.post("/v1/endpoints/ep_x/test", &json!({})).await?.expect_problem(404, "no endpoint")?;
    let owner = scene.client.with_key(Some(&key("tenant:acme").await?));
    owner.post(&path(&endpoint), &json!({ "event": "a/b" })).await?.expect(StatusCode::ACCEPTED)?;
    scene.receiver.wait_for("/a", 1).await?;
    let log = scene.client.get("/v1/audit?action=endpoint.tested").await?.expect(StatusCode::OK)?.body;
    let row = &log["data"][0];
    assert_eq!((&row["target"], &row["tenant"]), (&json!(endpoint.id), &json!("acme")));
    assert_eq!(row["changes"], json!({ "topic": { "old": null, "new": "a/b" } }));
    ensure!(log["data"].as_array().is_some_and(|rows| rows.len() == 1), "only what was done: {log}");
    Ok(())
}
