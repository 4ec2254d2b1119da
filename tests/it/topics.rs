//! The catalogue of topics as operators, tenants and producers use it.

use std::fs;

use anyhow::{Context, Result, ensure};
use hookway_tests::client::{Answer, Client};
use hookway_tests::gateway::Setup;
use hookway_tests::workspace;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::Scene;

const JSON: &str = "application/json";
const TOML: &str = "application/toml";

fn example_file() -> Result<String> {
    fs::read_to_string(workspace().join("docs/examples/topics.toml")).context("the example is there")
}

async fn import(client: &Client, kind: &str, file: &str) -> Result<Answer> {
    let headers = [("content-type", kind)];
    client.call(Method::PUT, "/v1/topics", &headers, Some(file.to_owned().into())).await
}

async fn scoped(client: &Client, scope: &str) -> Result<Client> {
    let made = client.post("/v1/keys", &json!({ "scope": scope })).await?.expect(StatusCode::CREATED)?;
    Ok(client.with_key(made.body["key"].as_str()))
}

/// The names of the topics that a list shows, page after page.
async fn names(client: &Client, query: &str) -> Result<Vec<String>> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/v1/topics?{query}{cursor}")).await?.expect(StatusCode::OK)?.body;
        let rows = page["data"].as_array().context("a list has `data`")?;
        all.extend(rows.iter().filter_map(|row| row["topic"].as_str()).map(str::to_owned));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(all),
        }
    }
}

async fn audit_rows(client: &Client) -> Result<Value> {
    Ok(client.get("/v1/audit/verify").await?.expect(StatusCode::OK)?.body["rows"].clone())
}

#[tokio::test]
async fn the_example_catalogue_is_imported_read_by_everyone_and_held_against_events() -> Result<()> {
    let scene = Scene::start().await?;
    scene.endpoint("/hook", json!({})).await?;
    let file = example_file()?;
    let first = import(&scene.client, TOML, &file).await?.expect(StatusCode::OK)?.body;
    ensure!(first == json!({ "created": 4, "updated": 0, "unchanged": 0 }), "{first}");
    let rows = audit_rows(&scene.client).await?;
    let again = import(&scene.client, TOML, &file).await?.expect(StatusCode::OK)?.body;
    ensure!(again == json!({ "created": 0, "updated": 0, "unchanged": 4 }), "{again}");
    ensure!(audit_rows(&scene.client).await? == rows, "what is unchanged writes nothing");

    for scope in ["tenant:acme", "events:write", "events:write:acme"] {
        let reader = scoped(&scene.client, scope).await?;
        let all = names(&reader, "limit=3").await?;
        let expected =
            ["buyer-products/selected", "fulfillments/created", "orders/cancelled", "product-stock/updated"];
        ensure!(all == expected, "{scope}: {all:?}");
        ensure!(names(&reader, "available_for=Sellers").await? == ["orders/cancelled"], "{scope}");
        for path in ["/v1/topics/fulfillments/created", "/v1/topics/fulfillments%2Fcreated"] {
            let one = reader.get(path).await?.expect(StatusCode::OK)?.body;
            ensure!(
                one["description"].as_str().is_some_and(|text| text.contains("added to an order")),
                "{one}"
            );
            ensure!(one["schema"]["required"][0] == "order_id" && one["use_cases"][0].is_string(), "{one}");
        }
        import(&reader, TOML, &file).await?.expect_problem(403, "admin")?;
        reader.delete("/v1/topics/orders/cancelled").await?.expect_problem(403, "admin")?;
    }

    let topic = scene.client.get("/v1/topics/fulfillments/created").await?.expect(StatusCode::OK)?.body;
    let example = &topic["examples"][0];
    let id = scene.client.send("fulfillments/created", example).await?;
    let mut wrong = example.clone();
    wrong["items"][0]["quantity"] = json!("2");
    let event = json!({ "event": "fulfillments/created", "data": wrong });
    let refused = scene.client.post("/v1/events", &event).await?;
    let refused = refused.expect_problem(422, "/data/items/0/quantity")?;
    ensure!(refused.body["code"] == "schema_mismatch", "{}", refused.body);
    let requests = scene.receiver.wait_for("/hook", 1).await?;
    ensure!(requests.len() == 1 && requests[0].id() == id, "only the good one arrives");
    Ok(())
}

#[tokio::test]
async fn one_line_that_does_not_fit_keeps_a_whole_batch_out() -> Result<()> {
    let scene = Scene::start().await?;
    let topic = json!({ "topic": "a", "schema": { "properties": { "n": { "type": "number" } } } });
    scene.client.post("/v1/topics", &topic).await?.expect(StatusCode::CREATED)?;
    let lines =
        "{\"event\":\"b\",\"data\":1,\"event_id\":\"first\"}\n\n{\"event\":\"a\",\"data\":{\"n\":\"x\"}}\n";
    let headers = [("content-type", "application/x-ndjson")];
    let refused = scene.client.call(Method::POST, "/v1/events", &headers, Some(lines.into())).await?;
    let refused = refused.expect_problem(422, "/data/n")?;
    ensure!(refused.body["line"] == 3 && refused.body["code"] == "schema_mismatch", "{}", refused.body);
    scene.client.get("/v1/events/first").await?.expect_problem(404, "")?;
    Ok(())
}

#[tokio::test]
async fn a_topic_is_created_shown_as_written_changed_and_deleted() -> Result<()> {
    let scene = Scene::start().await?;
    let client = &scene.client;
    let body = r#"{"topic": "a/b.c", "examples": [{"z": 1.00,  "a": 123456789012345678901234567890}], "schema": { "type":"object" }}"#;
    let headers = [("content-type", JSON)];
    let made = client.call(Method::POST, "/v1/topics", &headers, Some(body.into())).await?;
    let made = made.expect(StatusCode::CREATED)?;
    ensure!(made.headers["location"] == "/v1/topics/a/b.c");
    client.post("/v1/topics", &json!({ "topic": "a/b.c" })).await?.expect_problem(409, "/topic")?;

    let path = "/v1/topics/a/b.c";
    let rows = audit_rows(client).await?;
    client.patch(path, &json!({ "schema": { "type": "object" } })).await?.expect(StatusCode::OK)?;
    client.patch(path, &json!({ "examples": [[]] })).await?.expect_problem(422, "/examples/0")?;
    client
        .patch(path, &json!({ "schema": { "$ref": "https://example.com/" } }))
        .await?
        .expect_refusal("fetched")?;
    client.patch(path, &json!({ "topic": "b" })).await?.expect_refusal("/topic")?;
    let after = client.patch(path, &json!({ "schema": null, "available_for": ["Buyers"] })).await?;
    let after = after.expect(StatusCode::OK)?.body;
    ensure!(after["schema"].is_null() && after["available_for"] == json!(["Buyers"]), "{after}");
    let spelled = json!(rows.as_u64().context("a number")? + 2);
    ensure!(audit_rows(client).await? == spelled, "a change of spelling and the last change");
    client.send("a/b.c", &json!([])).await?;

    client.delete(path).await?.expect(StatusCode::NO_CONTENT)?;
    for gone in [client.get(path).await?, client.delete(path).await?, client.patch(path, &json!({})).await?] {
        gone.expect_problem(404, "")?;
    }
    client.get("/v1/topics/a%20b").await?.expect_problem(404, "")?;
    client.post("/v1/topics", &json!({ "topic": "hookway.x" })).await?.expect_refusal("/topic")?;
    Ok(())
}

#[tokio::test]
async fn an_import_is_all_or_nothing_and_names_what_is_wrong() -> Result<()> {
    let scene = Scene::start().await?;
    let one = |rest: &str| format!("[[topics]]\ntopic = \"a\"\n[[topics]]\ntopic = \"b\"\n{rest}");
    for (kind, file, word) in [
        (TOML, one("schema = { type = \"strin\" }"), "/topics/1/schema/type"),
        (TOML, one("examples = ['{']"), "/topics/1/examples/0"),
        (TOML, one("schema = { type = \"object\" }\nexamples = ['1']"), "/topics/1/examples/0"),
        (TOML, one("[[topics]]\ntopic = \"a\""), "/topics/2/topic"),
        (TOML, one("typo = 1"), "/topics/1/typo"),
        (TOML, "topics = [".to_owned(), "TOML"),
        (JSON, r#"{"topics": [{"topic": "a"}, {"topic": "a b"}]}"#.to_owned(), "/topics/1/topic"),
        (JSON, r#"{"topic": []}"#.to_owned(), "/topic"),
        (JSON, "{".to_owned(), "JSON"),
    ] {
        import(&scene.client, kind, &file).await?.expect_refusal(word)?;
    }
    import(&scene.client, "text/plain", "").await?.expect_problem(415, "application/toml")?;
    ensure!(names(&scene.client, "").await?.is_empty(), "nothing came in");
    Ok(())
}

#[tokio::test]
async fn events_of_topics_that_nobody_announced_are_refused_where_that_is_set() -> Result<()> {
    let scene = Scene::with(Setup::default().set("ingest.unknown_topics=refuse")).await?;
    let event = json!({ "event": "a", "data": 1 });
    let refused = scene.client.post("/v1/events", &event).await?.expect_problem(422, "/event")?;
    ensure!(refused.body["code"] == "unknown_topic", "{}", refused.body);
    scene.client.post("/v1/topics", &json!({ "topic": "a" })).await?.expect(StatusCode::CREATED)?;
    scene.client.send("a", &json!(1)).await?;
    Ok(())
}

#[tokio::test]
async fn the_file_of_topics_is_imported_at_each_start_and_a_wrong_one_stops_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("topics.toml");
    fs::write(&file, example_file()?)?;
    let setup = Setup::default().set(&format!("topics_file={}", file.display()));
    let mut scene = Scene::with(setup).await?;
    ensure!(names(&scene.client, "").await?.len() == 4);
    let rows = audit_rows(&scene.client).await?;

    scene.client.post("/v1/topics", &json!({ "topic": "by-hand" })).await?.expect(StatusCode::CREATED)?;
    scene.gateway.stop().await?;
    scene.gateway.restart().await?;
    ensure!(names(&scene.gateway.client(), "").await?.len() == 5, "what is not in the file stays");
    let with_one_more = json!(rows.as_u64().context("a number")? + 1);
    ensure!(audit_rows(&scene.gateway.client()).await? == with_one_more, "an unchanged file writes nothing");

    scene.gateway.stop().await?;
    fs::write(&file, "[[topics]]\ntopic = \"a\"\n[[topics]]\ntopic = \"a b\"\n")?;
    let log = scene.gateway.refuses_to_start().await?;
    ensure!(log.contains("topics.toml, at /topics/1/topic: a topic is made of"), "{log}");
    fs::remove_file(&file)?;
    let log = scene.gateway.refuses_to_start().await?;
    ensure!(log.contains("topics_file") && log.contains("cannot be read"), "{log}");
    Ok(())
}
