//! The plugins that ship do what they say, and the log says what they did.

use anyhow::{Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::guests::plugin;
use http::StatusCode;
use serde_json::json;

use crate::scene::{Scene, run_of};

#[tokio::test]
async fn a_cel_filter_passes_or_drops_and_the_log_says_who_and_why() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("cel-filter", plugin("cel-filter")?)).await?;
    let expr = json!({ "expr": "data.items > 2 && data.merchant == 'Acme Corp'" });
    let endpoint = scene.endpoint_with("/a", "cel-filter", expr).await?;
    let dropped =
        scene.client.send("orders/created", &json!({ "items": 1, "merchant": "Acme Corp" })).await?;
    let missing = scene.client.send("orders/created", &json!({ "merchant": "Acme Corp" })).await?;
    let passed = scene.client.send("orders/created", &json!({ "items": 3, "merchant": "Acme Corp" })).await?;
    assert_eq!(scene.receiver.wait_for("/a", 1).await?[0].id(), passed);
    for (id, outcome, status) in
        [(dropped, "dropped", "filtered"), (missing, "dropped", "filtered"), (passed, "passed", "delivered")]
    {
        let delivery = scene.client.delivery_in(&id, &endpoint.id, &[status]).await?;
        let run = run_of(&delivery, "cel-filter");
        assert_eq!(run["outcome"], outcome, "{delivery}");
        assert_eq!(run["version"].as_str().map(str::len), Some(16), "{delivery}");
        ensure!(run["duration_us"].is_u64(), "{delivery}");
        if status == "filtered" {
            ensure!(delivery["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{delivery}");
            assert_eq!(delivery["attempts"], 0);
        }
    }
    assert_eq!(scene.receiver.requests("/a").len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_jq_program_makes_the_body_and_mqtt_patterns_choose_the_topics() -> Result<()> {
    let setup = Setup::default()
        .plugin("jq-transform", plugin("jq-transform")?)
        .plugin("mqtt-topics", plugin("mqtt-topics")?);
    let scene = Scene::with(setup).await?;
    let with = json!({
        "matcher": "mqtt-topics",
        "topics": ["orders/+/lines/#", "last"],
        "plugins": [{ "plugin": "jq-transform", "config": { "program": "{id: .event_id, n: .data.n}" } }],
    });
    scene.endpoint("/a", with).await?;
    for topic in ["orders/created", "orders/7/lines", "orders/7/lines/a/b", "orders/7/8/lines", "last"] {
        scene.client.send(topic, &json!({ "n": topic, "more": [1, 2, 3] })).await?;
    }
    let requests = scene.receiver.wait_for("/a", 3).await?;
    let mut topics = Vec::new();
    for request in &requests {
        let body = request.json()?;
        assert_eq!(body, json!({ "id": request.id(), "n": request.header("hookway-topic") }));
        topics.push(request.header("hookway-topic").to_owned());
    }
    topics.sort_unstable();
    assert_eq!(topics, ["last", "orders/7/lines", "orders/7/lines/a/b"]);
    Ok(())
}

#[tokio::test]
async fn redact_masks_and_drops_fields_and_leaves_the_rest() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("redact", plugin("redact")?)).await?;
    let config = json!({ "mask": ["/data/email", "/data/lines/*/card"], "drop": ["/data/password"] });
    scene.endpoint_with("/a", "redact", config).await?;
    let lines = json!([{ "card": "4111", "n": 1 }, { "card": "5500", "n": 2 }]);
    let data = json!({ "email": "a@example.com", "password": "hunter2", "lines": lines, "total": 12.5 });
    scene.client.send("orders/created", &data).await?;
    let request = scene.receiver.wait_for("/a", 1).await?.remove(0);
    let text = String::from_utf8(request.body.to_vec())?;
    for secret in ["a@example.com", "hunter2", "password", "4111", "5500"] {
        ensure!(!text.contains(secret), "{secret} is in {text}");
    }
    let body = request.json()?;
    assert_eq!((&body["data"]["total"], &body["data"]["lines"][1]["n"]), (&json!(12.5), &json!(2)));
    ensure!(body["data"]["email"].is_string(), "a masked field is still there: {body}");
    Ok(())
}

#[tokio::test]
async fn cloudevents_and_json_patch_make_the_body_that_is_sent() -> Result<()> {
    let setup = Setup::default()
        .plugin("cloudevents", plugin("cloudevents")?)
        .plugin("json-patch", plugin("json-patch")?)
        .manifest("cloudevents", include_str!("../../../plugins/cloudevents/cloudevents.toml"))
        .manifest("json-patch", include_str!("../../../plugins/json-patch/json-patch.toml"))
        .set("plugins.deadline=5s")
        .set("plugins.max_deadline=5s");
    let scene = Scene::with(setup).await?;
    let plugins = json!([
        { "plugin": "json-patch", "config": { "patch": [{ "op": "remove", "path": "/data/card" }] } },
        { "plugin": "cloudevents", "config": { "source": "/shop", "type_prefix": "com.example." } },
    ]);
    let endpoint = scene.endpoint("/a", json!({ "plugins": plugins })).await?;
    let id = scene.client.send("orders/created", &json!({ "card": "4111", "n": 1 })).await?;
    let request = scene.receiver.wait_for("/a", 1).await?.remove(0);
    assert_eq!(request.header("content-type"), "application/cloudevents+json; charset=utf-8");
    let mut sent = request.json()?;
    ensure!(sent["time"].take().is_string(), "{sent}");
    let expected = json!({
        "specversion": "1.0", "id": id, "source": "/shop", "type": "com.example.orders.created", "time": null,
        "datacontenttype": "application/json", "data": { "n": 1 },
    });
    assert_eq!(sent, expected);
    let without = scene.client.send("orders/created", &json!({ "n": 2 })).await?;
    let refused = scene.client.delivery_in(&without, &endpoint.id, &["failed"]).await?;
    let reason = refused["reason"].as_str().unwrap_or_default();
    ensure!(reason.contains("`patch[0]` finds no place at `/data/card`"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn transforms_follow_one_another_and_filters_come_first() -> Result<()> {
    let setup = Setup::default()
        .plugin("cel-filter", plugin("cel-filter")?)
        .plugin("jq-transform", plugin("jq-transform")?)
        .plugin("redact", plugin("redact")?);
    let scene = Scene::with(setup).await?;
    let plugins = json!([
        { "plugin": "jq-transform", "config": { "program": "{card: .data.card, n: .data.n}" } },
        { "plugin": "redact", "config": { "drop": ["/card"] } },
        { "plugin": "cel-filter", "config": { "expr": "data.n == 2" }, "topics": ["some/*"] },
    ]);
    scene.endpoint("/a", json!({ "plugins": plugins })).await?;
    for (topic, n) in [("some/thing", 1), ("some/thing", 2), ("other", 3)] {
        scene.client.send(topic, &json!({ "card": "4111", "n": n })).await?;
    }
    let requests = scene.receiver.wait_for("/a", 2).await?;
    let mut bodies: Vec<_> = requests.iter().map(|request| String::from_utf8_lossy(&request.body)).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, [r#"{"n":2}"#, r#"{"n":3}"#]);
    Ok(())
}

#[tokio::test]
async fn the_plugins_are_listed_with_their_versions() -> Result<()> {
    let setup =
        Setup::default().plugin("redact", plugin("redact")?).plugin("mqtt-topics", plugin("mqtt-topics")?);
    let scene = Scene::with(setup).await?;
    let list = scene.client.get("/v1/plugins").await?.expect(StatusCode::OK)?.body;
    let mut shown: Vec<_> = list["data"].as_array().into_iter().flatten().collect();
    shown.sort_by_key(|status| status["name"].to_string());
    assert_eq!(shown.len(), 2, "{list}");
    for (status, name) in shown.into_iter().zip(["mqtt-topics", "redact"]) {
        assert_eq!((&status["name"], &status["state"]), (&json!(name), &json!("active")));
    }
    scene.client.get("/v1/plugins/nothing").await?.expect_problem(404, "")?;
    Ok(())
}
