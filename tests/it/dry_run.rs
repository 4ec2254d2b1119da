//! Changes that are only tried, and endpoints that are replaced as a whole: what `hookway apply` stands on.

use anyhow::{Result, ensure};
use hookway_tests::client::{Answer, Client};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::Scene;

async fn put(client: &Client, path: &str, body: &Value) -> Result<Answer> {
    let json = [("content-type", "application/json")];
    client.call(Method::PUT, path, &json, Some(body.to_string().into())).await
}

/// All that could change, and the audit log of it.
async fn everything(client: &Client) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for path in ["/v1/endpoints", "/v1/topics", "/v1/audit"] {
        all.push(client.get(path).await?.expect(StatusCode::OK)?.body);
    }
    Ok(all)
}

#[tokio::test]
async fn what_is_tried_is_checked_as_a_whole_and_changes_nothing() -> Result<()> {
    let scene = Scene::start().await?;
    let client = &scene.client;
    let there = scene.endpoint("/there", json!({ "description": "old" })).await?;
    let one = format!("/v1/endpoints/{}", there.id);
    client.post("/v1/topics", &json!({ "topic": "a" })).await?.expect(StatusCode::CREATED)?;
    let before = everything(client).await?;

    let new = scene.described("/new", json!({ "headers": { "X-A": "1" }, "timeout": "1000ms" }));
    let tried = client.post("/v1/endpoints?dry_run=true", &new).await?.expect(StatusCode::OK)?.body;
    ensure!(tried["headers"] == json!({ "x-a": "1" }) && tried["timeout"] == "1s", "{tried}");
    ensure!(!tried.to_string().contains("whsec_"), "a secret that is not stored is not shown: {tried}");
    let patch = client.patch(&format!("{one}?dry_run=true"), &json!({ "description": "new" })).await?;
    ensure!(patch.expect(StatusCode::OK)?.body["description"] == "new");
    let replaced = put(client, &format!("{one}?dry_run=true"), &scene.described("/there", json!({}))).await?;
    ensure!(replaced.expect(StatusCode::OK)?.body["description"] == "");
    let topics = json!({ "topics": [{ "topic": "a" }, { "topic": "b" }] });
    let imported = put(client, "/v1/topics?dry_run=true", &topics).await?.expect(StatusCode::OK)?.body;
    ensure!(imported == json!({ "created": 1, "updated": 0, "unchanged": 1 }), "{imported}");

    let taken = scene.described("/there", json!({}));
    client.post("/v1/endpoints?dry_run=true", &taken).await?.expect_problem(409, "already")?;
    scene.endpoint("/other", json!({})).await?;
    let other = scene.described("/other", json!({}));
    put(client, &format!("{one}?dry_run=true"), &other).await?.expect_problem(409, "already")?;
    let plugin = scene.described("/new", json!({ "plugins": [{ "plugin": "none" }] }));
    client.post("/v1/endpoints?dry_run=true", &plugin).await?.expect_problem(422, "no plugin")?;
    let bad = json!({ "topics": [{ "topic": "a", "schema": { "type": "none" } }] });
    put(client, "/v1/topics?dry_run=true", &bad).await?.expect_problem(422, "schema")?;
    // A typing error must not make the change.
    client.post("/v1/endpoints?dryrun=true", &new).await?.expect_problem(400, "dryrun")?;
    client.patch(&format!("{one}?dry_run=yes"), &json!({})).await?.expect_problem(400, "query")?;

    let after = everything(client).await?;
    let (rows, others) = (&after[2]["data"], before[2]["data"].as_array().map_or(0, Vec::len));
    ensure!(rows.as_array().map_or(0, Vec::len) == others + 1, "only `/other` was created: {rows}");
    ensure!(after[0]["data"][0] == before[0]["data"][0] && after[1] == before[1]);
    Ok(())
}

#[tokio::test]
async fn a_replaced_endpoint_is_what_was_sent_and_keeps_what_is_not_written() -> Result<()> {
    let scene = Scene::start().await?;
    let client = &scene.client;
    let given = json!({ "tenant": "acme", "description": "old", "rate_limit": 5, "metadata": { "a": "b" } });
    let endpoint = scene.endpoint("/a", given).await?;
    let path = format!("/v1/endpoints/{}", endpoint.id);
    client.post(&format!("{path}/deactivate"), &json!({})).await?.expect(StatusCode::OK)?;
    let before = client.get(&path).await?.body;

    let body = scene.described("/b", json!({ "rate_limit": 7, "tenant": "acme" }));
    let after = put(client, &path, &body).await?.expect(StatusCode::OK)?.body;
    ensure!(
        after["rate_limit"] == 7 && after["description"] == "" && after["metadata"] == json!({}),
        "{after}"
    );
    for kept in ["id", "tenant", "secrets", "state", "inactive_since", "created_at"] {
        ensure!(after[kept] == before[kept], "{kept}: {after}");
    }
    ensure!(client.get(&path).await?.body == after);
    ensure!(
        put(client, &path, &body).await?.expect(StatusCode::OK)?.body == after,
        "the same again is no change"
    );
    let rows = client.get("/v1/audit?action=endpoint.updated").await?.body;
    let changes = &rows["data"][0]["changes"];
    ensure!(rows["data"].as_array().is_some_and(|rows| rows.len() == 1), "{rows}");
    ensure!(
        changes["rate_limit"] == json!({ "old": 5, "new": 7 }) && changes["url"].is_object(),
        "{changes}"
    );

    for (field, value) in [
        ("secret", json!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
        ("secrets", json!([{}])),
        ("secret_expires_at", json!("2099-01-01T00:00:00Z")),
        ("tenant", json!("globex")),
    ] {
        let body = scene.described("/b", json!({ field: value }));
        put(client, &path, &body).await?.expect_refusal(field)?;
    }
    put(client, &path, &json!({ "topics": ["a"] })).await?.expect_refusal("url")?;
    put(client, &path, &json!({ "url": scene.receiver.url("/b") })).await?.expect_refusal("topics")?;
    ensure!(client.get(&path).await?.body == after);
    Ok(())
}
