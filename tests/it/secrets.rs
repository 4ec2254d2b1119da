//! Signing secrets over the API: shown once, rotated without a gap, expired at once, waited for.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookway_tests::client::{Client, Endpoint};
use hookway_tests::receiver::Received;
use http::StatusCode;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::scene::Scene;

/// Events of each phase of a rotation: more than are under way at the same time.
const PHASE: usize = 100;

fn path(endpoint: &Endpoint) -> String {
    format!("/v1/endpoints/{}/secrets", endpoint.id)
}

async fn secrets(client: &Client, endpoint: &Endpoint) -> Result<Vec<Value>> {
    let mut body = client.get(&path(endpoint)).await?.expect(StatusCode::OK)?.body;
    Ok(std::mem::take(body["data"].as_array_mut().context("a list has `data`")?))
}

/// Adds a secret; its id and value.
async fn add(client: &Client, endpoint: &Endpoint, body: &Value) -> Result<(String, String)> {
    let body = client.post(&path(endpoint), body).await?.expect(StatusCode::CREATED)?.body;
    let text = |name: &str| body[name].as_str().map(str::to_owned).context("a secret has an id and a value");
    Ok((text("id")?, text("value")?))
}

async fn expire(client: &Client, endpoint: &Endpoint, id: &str) -> Result<Value> {
    let answer = client.post(&format!("{}/{id}/expire", path(endpoint)), &json!({})).await?;
    Ok(answer.expect(StatusCode::OK)?.body)
}

fn verifies(secret: &str, request: &Received) -> Result<bool> {
    Ok(Webhook::new(secret)?.verify(&request.body, &request.headers).is_ok())
}

fn signatures(request: &Received) -> usize {
    request.header("webhook-signature").split(' ').count()
}

#[tokio::test]
async fn the_value_of_a_secret_is_shown_once_and_in_no_later_answer() -> Result<()> {
    let scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({ "secret_expires_at": "2099-01-31T12:00:00Z" })).await?;
    let given = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let (made_id, made) = add(&scene.client, &endpoint, &json!({})).await?;
    let (_, same) = add(&scene.client, &endpoint, &json!({ "value": given })).await?;
    assert_eq!(same, given);
    scene.client.patch(&format!("{}/{made_id}", path(&endpoint)), &json!({ "expires_at": null })).await?;
    expire(&scene.client, &endpoint, &made_id).await?;
    let listed = secrets(&scene.client, &endpoint).await?;
    assert_eq!(listed.len(), 3);
    assert_eq!(listed[1]["id"], json!(made_id), "the newest is first");
    assert_eq!(listed[2]["expires_at"], "2099-01-31T12:00:00.000Z");
    let one = format!("/v1/endpoints/{}", endpoint.id);
    for path in [&path(&endpoint), &one, "/v1/endpoints"] {
        let shown = scene.client.get(path).await?.expect(StatusCode::OK)?.body.to_string();
        for value in [&endpoint.secret, &made, given, "whsec_", "\"value\""] {
            ensure!(!shown.contains(value), "{path} shows {value}: {shown}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_rotation_in_mid_stream_leaves_no_request_that_cannot_be_verified() -> Result<()> {
    let scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let old_id = secrets(&scene.client, &endpoint).await?[0]["id"].as_str().context("an id")?.to_owned();
    let send = async || {
        for n in 0..PHASE {
            scene.client.send("a", &json!(n)).await?;
        }
        anyhow::Ok(())
    };
    let rotate = async || {
        let (_, new) = add(&scene.client, &endpoint, &json!({})).await?;
        anyhow::Ok(new)
    };
    let (sent, new) = tokio::join!(send(), rotate());
    let (_, new) = (sent?, new?);
    let in_between = scene.client.send("a", &json!("both")).await?;
    scene.client.delivery_in(&in_between, &endpoint.id, &["delivered"]).await?;
    let (sent, expired) = tokio::join!(send(), expire(&scene.client, &endpoint, &old_id));
    sent?;
    expired?;
    let after = scene.client.send("a", &json!("new only")).await?;
    scene.client.delivery_in(&after, &endpoint.id, &["delivered"]).await?;
    let requests = scene.receiver.wait_for("/a", 2 * PHASE + 2).await?;
    let mut counts = [0; 3];
    for request in &requests {
        let (by_old, by_new) = (verifies(&endpoint.secret, request)?, verifies(&new, request)?);
        ensure!(by_old || by_new, "nobody can verify {}", request.header("webhook-signature"));
        assert_eq!(signatures(request), usize::from(by_old) + usize::from(by_new));
        counts[usize::from(by_new) + usize::from(by_new && !by_old)] += 1;
        if request.id() == in_between {
            ensure!(by_old && by_new, "while both are active, both sign");
            let newest = request.header("webhook-signature").split(' ').next().unwrap_or_default();
            let mut only = request.headers.clone();
            only.insert("webhook-signature", newest.parse()?);
            Webhook::new(&new)?.verify(&request.body, &only).context("the newest secret signs first")?;
        }
        if request.id() == after {
            ensure!(!by_old && by_new, "after it expired, a secret does not sign");
        }
    }
    eprintln!(
        "signed by the old secret: {}, by both: {}, by the new one: {}",
        counts[0], counts[1], counts[2]
    );
    Ok(())
}

#[tokio::test]
async fn a_delivery_without_an_active_secret_is_held_and_goes_out_as_soon_as_there_is_one() -> Result<()> {
    let scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let id = secrets(&scene.client, &endpoint).await?[0]["id"].as_str().context("an id")?.to_owned();
    expire(&scene.client, &endpoint, &id).await?;
    let mut events = Vec::new();
    for n in 0..20 {
        events.push(scene.client.send("a", &json!(n)).await?);
    }
    for event in &events {
        let held = scene.client.delivery_in(event, &endpoint.id, &["held"]).await?;
        let reason = held["reason"].as_str().unwrap_or_default();
        ensure!(reason.contains("secret"), "the reason names what is missing: {held}");
    }
    assert_eq!(scene.receiver.requests("/a").len(), 0, "nothing goes out unsigned");
    let (_, new) = add(&scene.client, &endpoint, &json!({})).await?;
    for request in scene.receiver.wait_for("/a", events.len()).await? {
        ensure!(verifies(&new, &request)? && signatures(&request) == 1);
    }
    for event in &events {
        scene.client.delivery_in(event, &endpoint.id, &["delivered"]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_expiry_that_comes_by_itself_ends_the_signatures_of_a_secret() -> Result<()> {
    let scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let id = secrets(&scene.client, &endpoint).await?[0]["id"].as_str().context("an id")?.to_owned();
    let (_, new) = add(&scene.client, &endpoint, &json!({})).await?;
    let soon = jiff::Timestamp::now() + Duration::from_millis(1500);
    scene
        .client
        .patch(&format!("{}/{id}", path(&endpoint)), &json!({ "expires_at": soon.to_string() }))
        .await?
        .expect(StatusCode::OK)?;
    for n in 0.. {
        let event = scene.client.send("a", &json!(n)).await?;
        scene.client.delivery_in(&event, &endpoint.id, &["delivered"]).await?;
        if jiff::Timestamp::now() > soon {
            break;
        }
    }
    let late = scene.client.send("a", &json!("late")).await?;
    scene.client.delivery_in(&late, &endpoint.id, &["delivered"]).await?;
    let requests = scene.receiver.requests("/a");
    for request in &requests {
        ensure!(verifies(&new, request)?);
        let second: i64 = request.header("webhook-timestamp").parse()?;
        if second < soon.as_second() {
            assert_eq!(signatures(request), 2, "both sign until then");
        } else if second > soon.as_second() {
            assert_eq!(signatures(request), 1, "one signs afterwards");
        }
    }
    assert_eq!(requests.last().map(signatures), Some(1));
    assert_eq!(requests.first().map(signatures), Some(2));
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_done_with_a_secret_is_refused_with_a_sentence() -> Result<()> {
    let scene = Scene::start().await?;
    let client = &scene.client;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let id = secrets(client, &endpoint).await?[0]["id"].as_str().context("an id")?.to_owned();
    let one = format!("{}/{id}", path(&endpoint));
    let past = json!({ "expires_at": "2020-01-01T00:00:00Z" });
    client.post(&path(&endpoint), &past).await?.expect_refusal("expires_at")?;
    client.patch(&one, &past).await?.expect_refusal("expires_at")?;
    client.patch(&one, &json!({})).await?.expect_refusal("expires_at")?;
    client.patch(&one, &json!({ "value": endpoint.secret })).await?.expect_refusal("never changes")?;
    for value in ["whsec_c2hvcnQ=", "secret", "whsec_not base64!"] {
        client.post(&path(&endpoint), &json!({ "value": value })).await?.expect_refusal("value")?;
    }
    let twice = client.post(&path(&endpoint), &json!({ "value": endpoint.secret })).await?;
    twice.expect_refusal("has this secret already")?;
    client.delete(&one).await?.expect_problem(409, "expire it first")?;
    for wrong in [format!("{}/sec_x", path(&endpoint)), "/v1/endpoints/ep_x/secrets/sec_x".to_owned()] {
        client.patch(&wrong, &json!({ "expires_at": null })).await?.expect_problem(404, "no")?;
        client.delete(&wrong).await?.expect_problem(404, "no")?;
    }
    assert_eq!(secrets(client, &endpoint).await?.len(), 1, "a refusal changes nothing");
    let create = scene.described("/b", json!({ "secret_expires_at": "2020-01-01T00:00:00Z" }));
    client.post("/v1/endpoints", &create).await?.expect_refusal("secret_expires_at")?;
    client.with_key(None).get(&path(&endpoint)).await?.expect_problem(401, "Authorization")?;
    Ok(())
}

#[tokio::test]
async fn an_endpoint_has_ten_secrets_and_makes_room_by_deleting_an_expired_one() -> Result<()> {
    let scene = Scene::start().await?;
    let client = &scene.client;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let mut last = String::new();
    for _ in 0..9 {
        (last, _) = add(client, &endpoint, &json!({})).await?;
    }
    client.post(&path(&endpoint), &json!({})).await?.expect_problem(409, "at most 10")?;
    scene.client.send("a", &json!(1)).await?;
    assert_eq!(signatures(&scene.receiver.wait_for("/a", 1).await?[0]), 10);
    expire(client, &endpoint, &last).await?;
    client.delete(&format!("{}/{last}", path(&endpoint))).await?.expect(StatusCode::NO_CONTENT)?;
    add(client, &endpoint, &json!({})).await?;
    Ok(())
}
