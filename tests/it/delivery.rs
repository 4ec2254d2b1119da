//! Deliveries out: signed, exact, retried, never redirected.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookway_tests::events::ORDER_CREATED;
use hookway_tests::gateway::Setup;
use hookway_tests::patience::eventually;
use hookway_tests::receiver::Answer;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::scene::Scene;

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn an_event_arrives_signed_with_the_exact_bytes_of_the_payload_example() -> Result<()> {
    let scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let posted = scene.client.call(Method::POST, "/v1/events", &[JSON], Some(ORDER_CREATED.into())).await?;
    posted.expect(StatusCode::ACCEPTED)?;
    let request = scene.receiver.wait_for("/a", 1).await?.remove(0);
    assert_eq!(request.body, ORDER_CREATED);
    Webhook::new(&endpoint.secret)?.verify(&request.body, &request.headers)?;
    assert_eq!(request.method, Method::POST);
    assert_eq!(request.id(), "evt_a1b2c3d4");
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("hookway-topic"), "orders/created");
    assert_eq!(request.header("hookway-attempt"), "1");
    ensure!(
        request.header("user-agent").to_lowercase().contains("hookway"),
        "the user agent names the sender"
    );
    let delivery = scene.client.delivery_in("evt_a1b2c3d4", &endpoint.id, &["delivered"]).await?;
    assert_eq!(delivery["id"], request.header("hookway-delivery-id"));
    let delivery = scene.client.delivery(request.header("hookway-delivery-id")).await?;
    assert_eq!(delivery["request_body"], ORDER_CREATED);
    assert_eq!(delivery["attempt_log"][0]["status"], 200);
    Ok(())
}

#[tokio::test]
async fn the_bytes_of_data_are_never_rewritten() -> Result<()> {
    let scene = Scene::start().await?;
    scene.endpoint("/a", json!({})).await?;
    let data = r#"{ "z":1, "a" : 123456789012345678901234567890.10, "é":"\u00e9\/", "a":2 }"#;
    let event = format!(r#"{{"data":{data},"event":"a/b"}}"#);
    scene
        .client
        .call(Method::POST, "/v1/events", &[JSON], Some(event.into()))
        .await?
        .expect(StatusCode::ACCEPTED)?;
    let request = scene.receiver.wait_for("/a", 1).await?.remove(0);
    let body = String::from_utf8(request.body.to_vec())?;
    ensure!(body.ends_with(&format!(r#""data":{data}}}"#)), "{body}");
    Ok(())
}

#[tokio::test]
async fn a_secret_of_the_owner_signs() -> Result<()> {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({ "secret": secret })).await?;
    assert_eq!(endpoint.secret, secret);
    scene.client.send("a", &json!(1)).await?;
    let request = scene.receiver.wait_for("/a", 1).await?.remove(0);
    Webhook::new(secret)?.verify(&request.body, &request.headers)?;
    let shown = scene.client.get(&format!("/v1/endpoints/{}", endpoint.id)).await?.expect(StatusCode::OK)?;
    ensure!(!shown.body.to_string().contains("MfKQ9r8GKYqr"), "a secret is shown once: {}", shown.body);
    Ok(())
}

#[tokio::test]
async fn a_failed_attempt_is_repeated_with_the_same_id_and_the_same_bytes() -> Result<()> {
    let scene = Scene::start().await?;
    scene.receiver.script("/a", [Answer::status(500).body("oops"), Answer::Reset, Answer::status(204)]);
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let id = scene.client.send("a", &json!({ "n": 1 })).await?;
    let requests = scene.receiver.wait_for("/a", 3).await?;
    for (number, request) in requests.iter().enumerate() {
        assert_eq!((request.id(), &request.body), (id.as_str(), &requests[0].body));
        assert_eq!(request.header("hookway-attempt"), (number + 1).to_string());
        Webhook::new(&endpoint.secret)?.verify(&request.body, &request.headers)?;
    }
    let delivery = scene.client.delivery_in(&id, &endpoint.id, &["delivered"]).await?;
    assert_eq!((&delivery["attempts"], &delivery["last_status"]), (&json!(3), &json!(204)));
    let log = scene.client.delivery(delivery["id"].as_str().context("an id")?).await?["attempt_log"].clone();
    assert_eq!((&log[0]["status"], &log[0]["response"]["body"]), (&json!(500), &json!("oops")));
    ensure!(log[1]["error"]["message"].is_string(), "a reset is an error with a sentence: {log}");
    assert_eq!(log[2]["status"], 204);
    Ok(())
}

#[tokio::test]
async fn a_503_waits_at_least_its_retry_after() -> Result<()> {
    let scene = Scene::start().await?;
    scene.receiver.script("/a", [Answer::status(503).header("retry-after", "2"), Answer::status(200)]);
    scene.endpoint("/a", json!({})).await?;
    scene.client.send("a", &json!(1)).await?;
    let requests = scene.receiver.wait_for("/a", 2).await?;
    let waited = requests[1].at.duration_since(requests[0].at);
    ensure!(waited >= Duration::from_secs(2), "only {waited:?} passed");
    Ok(())
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_never_followed() -> Result<()> {
    let setup = Setup::default().set(r#"deliver.retry=["10ms"]"#);
    let scene = Scene::with(setup).await?;
    for (path, status) in [("/301", 301), ("/302", 302), ("/307", 307), ("/308", 308)] {
        let away = Answer::status(status).header("location", &scene.receiver.url("/elsewhere"));
        scene.receiver.script(path, [away]);
        let endpoint = scene.endpoint(path, json!({ "topics": [format!("to{path}")] })).await?;
        let id = scene.client.send(&format!("to{path}"), &json!(1)).await?;
        let delivery = scene.client.delivery_in(&id, &endpoint.id, &["failed"]).await?;
        assert_eq!((&delivery["last_status"], &delivery["attempts"]), (&json!(status), &json!(2)));
        ensure!(delivery["reason"].is_string(), "a failure has a reason: {delivery}");
    }
    ensure!(scene.receiver.requests("/elsewhere").is_empty(), "a redirect was followed");
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_hangs_does_not_slow_another() -> Result<()> {
    let scene = Scene::start().await?;
    scene.receiver.script("/hangs", [Answer::Hang]);
    let hanging = scene.endpoint("/hangs", json!({})).await?;
    scene.endpoint("/works", json!({})).await?;
    for n in 0..200 {
        scene.client.send("a", &json!(n)).await?;
    }
    scene.receiver.wait_for("/works", 200).await?;
    let delivered = scene.client.deliveries(&format!("endpoint={}&status=delivered", hanging.id)).await?;
    ensure!(delivered.is_empty(), "nothing that hangs is delivered: {delivered:?}");
    Ok(())
}

#[tokio::test]
async fn a_deleted_endpoint_gets_nothing_more_and_what_waited_is_cancelled() -> Result<()> {
    let scene = Scene::with(Setup::default().set(r#"deliver.retry=["1h"]"#)).await?;
    scene.receiver.script("/a", [Answer::status(500)]);
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let id = scene.client.send("a", &json!(1)).await?;
    scene.client.delivery_in(&id, &endpoint.id, &["retrying"]).await?;
    let path = format!("/v1/endpoints/{}", endpoint.id);
    scene.client.delete(&path).await?.expect(StatusCode::NO_CONTENT)?;
    scene.client.delivery_in(&id, &endpoint.id, &["cancelled"]).await?;
    scene.client.get(&path).await?.expect_problem(404, "")?;
    let after = scene.client.send("a", &json!(2)).await?;
    let event = scene.client.event(&after).await?;
    assert_eq!(event["deliveries"], json!([]));
    assert_eq!(scene.receiver.requests("/a").len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_event_goes_to_the_endpoints_whose_patterns_accept_its_topic() -> Result<()> {
    let scene = Scene::start().await?;
    for (path, topics) in [("/exact", "orders/created"), ("/star", "orders/*"), ("/any", "**/created")] {
        scene.endpoint(path, json!({ "topics": [topics, "last"] })).await?;
    }
    for topic in ["orders/created", "orders/updated", "a/b/created", "orders", "last"] {
        scene.client.send(topic, &json!(null)).await?;
    }
    let expected = [
        ("/exact", vec!["last", "orders/created"]),
        ("/star", vec!["last", "orders/created", "orders/updated"]),
        ("/any", vec!["a/b/created", "last", "orders/created"]),
    ];
    for (path, expected) in expected {
        let has_last = |requests: &[hookway_tests::receiver::Received]| requests.len() >= expected.len();
        let requests = scene.receiver.wait_until(path, "its topics", has_last).await?;
        let mut topics: Vec<_> = requests.iter().map(|request| request.header("hookway-topic")).collect();
        topics.sort_unstable();
        assert_eq!(topics, expected, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn the_log_is_paged_without_gaps() -> Result<()> {
    let scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    for n in 0..7 {
        scene.client.send("a", &json!(n)).await?;
    }
    eventually("all seven are in the log", || async {
        let delivered = scene.client.deliveries("status=delivered").await?;
        Ok((delivered.len() == 7).then_some(()))
    })
    .await?;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/deliveries?endpoint={}&limit=3{cursor}", endpoint.id);
        let page = scene.client.get(&path).await?.expect(StatusCode::OK)?.body;
        let ids = page["data"].as_array().context("a list")?.iter().map(|one| one["id"].clone());
        seen.extend(ids.filter_map(|id: Value| id.as_str().map(str::to_owned)));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 7);
    ensure!(seen.windows(2).all(|two| two[0] > two[1]), "newest first, none twice: {seen:?}");
    Ok(())
}
