//! The filter of an endpoint decides what is sent, before any plugin, and the log says why something was not.

use anyhow::{Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::guests::plugin;
use http::StatusCode;
use serde_json::{Value, json};

use crate::scene::Scene;

#[tokio::test]
async fn an_event_that_fails_the_filter_is_not_sent_and_the_log_names_the_condition() -> Result<()> {
    let scene = Scene::start().await?;
    let filter =
        json!({ "event": { "$startsWith": "orders/" }, "data": { "order": { "total": { "$gte": 100 } } } });
    let endpoint = scene.endpoint("/a", json!({ "filter": filter })).await?;
    let small = scene.client.send("orders/created", &json!({ "order": { "total": 40 } })).await?;
    let missing = scene.client.send("orders/created", &json!({})).await?;
    let other = scene.client.send("users/created", &json!({ "order": { "total": 400 } })).await?;
    let passed = scene.client.send("orders/created", &json!({ "order": { "total": 100.0 } })).await?;
    assert_eq!(scene.receiver.wait_for("/a", 1).await?[0].id(), passed);
    for (event, reason) in [
        (small, "data.order.total: 40 is not >= 100"),
        (missing, "data.order.total is missing"),
        (other, "event: \"users/created\" does not start with \"orders/\""),
    ] {
        let delivery = scene.client.delivery_in(&event, &endpoint.id, &["filtered"]).await?;
        let shown = delivery["reason"].as_str().unwrap_or_default();
        assert_eq!(shown, format!("the endpoint's filter does not let it through: {reason}"));
        assert_eq!((&delivery["attempts"], &delivery["plugins"]), (&json!(0), &json!([])));
    }
    assert_eq!(scene.receiver.requests("/a").len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_fails_the_filter_is_never_shown_to_a_plugin() -> Result<()> {
    let setup = Setup::default().plugin("cel-filter", plugin("cel-filter")?);
    let scene = Scene::with(setup).await?;
    let plugins = json!([{ "plugin": "cel-filter", "config": { "expr": "data.n < 10" } }]);
    let with = json!({ "filter": { "data": { "n": { "$gt": 1 } } }, "plugins": plugins });
    let endpoint = scene.endpoint("/a", with).await?;
    let mut runs = Vec::new();
    for (n, status) in [(1, "filtered"), (5, "delivered"), (50, "filtered")] {
        let event = scene.client.send("a", &json!({ "n": n })).await?;
        let delivery = scene.client.delivery_in(&event, &endpoint.id, &[status]).await?;
        runs.push(delivery["plugins"].as_array().map(Vec::len));
    }
    assert_eq!(runs, [Some(0), Some(1), Some(1)]);
    Ok(())
}

#[tokio::test]
async fn a_filter_is_changed_kept_and_taken_away_and_the_next_event_is_judged_by_it() -> Result<()> {
    let scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({ "metadata": { "region": "eu" } })).await?;
    let path = format!("/v1/endpoints/{}", endpoint.id);
    let change = async |change: Value| -> Result<Value> {
        Ok(scene.client.patch(&path, &change).await?.expect(StatusCode::OK)?.body)
    };
    let status = async |data: Value, status: &str| -> Result<Value> {
        let event = scene.client.send("a", &data).await?;
        scene.client.delivery_in(&event, &endpoint.id, &[status]).await
    };
    assert_eq!(scene.client.get(&path).await?.expect(StatusCode::OK)?.body["filter"], Value::Null);
    status(json!({ "n": 1 }), "delivered").await?;

    let filter = json!({ "data": { "n": { "$in": [2, 3] } }, "metadata": { "region": "eu" } });
    assert_eq!(change(json!({ "filter": filter })).await?["filter"], filter);
    status(json!({ "n": 1 }), "filtered").await?;
    status(json!({ "n": 3 }), "delivered").await?;

    assert_eq!(change(json!({ "metadata": { "region": "us" } })).await?["filter"], filter);
    let delivery = status(json!({ "n": 3 }), "filtered").await?;
    ensure!(delivery["reason"].as_str().is_some_and(|text| text.contains("metadata.region")), "{delivery}");

    assert_eq!(change(json!({ "filter": null })).await?["filter"], Value::Null);
    status(json!({ "n": 1 }), "delivered").await?;
    Ok(())
}

#[tokio::test]
async fn a_filter_survives_a_restart() -> Result<()> {
    let mut scene = Scene::start().await?;
    let filter = json!({ "data": { "id": 123_456_789_012_345_678_u64 } });
    let endpoint = scene.endpoint("/a", json!({ "filter": filter })).await?;
    scene.gateway.stop().await?;
    scene.gateway.restart().await?;
    let client = scene.gateway.client();
    let dropped = client.send("a", &json!({ "id": 123_456_789_012_345_679_u64 })).await?;
    let passed = client.send("a", &json!({ "id": 123_456_789_012_345_678_u64 })).await?;
    client.delivery_in(&dropped, &endpoint.id, &["filtered"]).await?;
    client.delivery_in(&passed, &endpoint.id, &["delivered"]).await?;
    assert_eq!(scene.receiver.requests("/a").len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_filter_that_is_none_is_refused_at_its_place_and_changes_nothing() -> Result<()> {
    let scene = Scene::start().await?;
    let filter = json!({ "data": { "n": 1 } });
    let endpoint = scene.endpoint("/a", json!({ "filter": filter })).await?;
    let path = format!("/v1/endpoints/{}", endpoint.id);
    let cases = [
        (json!({ "data": { "a/b": { "$near": 1 } } }), "/filter/data/a~1b/$near"),
        (json!({ "body": 1 }), "/filter/body"),
        (json!({ "data": { "a": { "$regex": "(" } } }), "/filter/data/a/$regex"),
        (json!({ "$or": [{ "data": 1 }, { "event": 1 }] }), "/filter/$or/1/event"),
        (json!([]), "/filter"),
        (json!({ "event": "x".repeat(17_000) }), "/filter"),
    ];
    for (wrong, pointer) in cases {
        let body = json!({ "filter": wrong, "description": "changed" });
        let answer = scene.client.patch(&path, &body).await?.expect_problem(422, pointer)?;
        assert_eq!(answer.body["pointer"], pointer);
        let body = scene.described("/b", json!({ "filter": wrong }));
        scene.client.post("/v1/endpoints", &body).await?.expect_problem(422, pointer)?;
    }
    let shown = scene.client.get(&path).await?.expect(StatusCode::OK)?.body;
    assert_eq!((&shown["filter"], &shown["description"]), (&filter, &json!("")));
    Ok(())
}
