//! `POST /v1/preview`: what is shown is what a receiver then gets, and nothing is stored or sent.

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::guests::plugin;
use hookway_tests::receiver::Received;
use http::StatusCode;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::scene::{Scene, run_of};

async fn preview(scene: &Scene, body: &Value) -> Result<Value> {
    Ok(scene.client.post("/v1/preview", body).await?.expect(StatusCode::OK)?.body)
}

/// What the preview says of one endpoint.
fn of<'a>(preview: &'a Value, endpoint: &str) -> Result<&'a Value> {
    let all = preview["data"].as_array().context("a list has `data`")?;
    all.iter().find(|one| one["endpoint_id"] == endpoint).with_context(|| format!("not there: {preview}"))
}

/// Checks that a request is what was shown, but for what the preview says is of its moment.
fn is_as_shown(shown: &Value, request: &Received, of_this_moment: &Value) -> Result<()> {
    let moment = of_this_moment.as_array().context("a list")?;
    let headers = shown["headers"].as_object().context("headers")?;
    let mut sent: Vec<_> = request.headers.keys().map(|name| name.as_str()).collect();
    sent.dedup();
    for name in &sent {
        ensure!(headers.contains_key(*name), "{name} was sent and not shown: {shown}");
    }
    for (name, value) in headers {
        ensure!(sent.contains(&name.as_str()), "{name} was shown and not sent");
        let is_same = value == request.header(name);
        ensure!(is_same || moment.contains(&json!(name)) || value == "[redacted]", "{name}: {value}");
    }
    let body = std::str::from_utf8(&request.body)?;
    ensure!(shown["body"] == body, "shown: {}\nsent: {body}", shown["body"]);
    Ok(())
}

#[tokio::test]
async fn what_is_shown_is_what_the_receiver_gets_byte_for_byte() -> Result<()> {
    let setup = Setup::default()
        .plugin("jq-transform", plugin("jq-transform")?)
        .plugin("cel-filter", plugin("cel-filter")?);
    let scene = Scene::with(setup).await?;
    let plain = scene.endpoint("/plain", json!({ "headers": { "authorization": "s3cret-token" } })).await?;
    let changed = json!({ "plugins": [
        { "plugin": "cel-filter", "config": { "expr": "data.total > 10" } },
        { "plugin": "jq-transform", "config": { "program": "{id: .event_id, sum: .data.total}" } },
    ] });
    let changed = scene.endpoint("/changed", changed).await?;
    let styled =
        json!({ "signature": { "style": "hmac-hex", "header": "X-Hub-Signature-256", "prefix": "sha256=" } });
    let styled = scene.endpoint("/styled", styled).await?;
    let event = json!({ "event": "orders/created", "event_id": "order-1", "timestamp": "2024-03-15T14:30:00Z",
                        "data": { "total": 100, "exact": 1.10 } });
    let before = preview(&scene, &event).await?;
    assert_eq!((&before["stored"], &before["event_id"]), (&json!(false), &json!("order-1")));
    assert_eq!(scene.receiver.requests("/plain").len(), 0, "nothing is sent");
    scene.client.get("/v1/events/order-1").await?.expect_problem(404, "no event")?;
    assert!(scene.client.deliveries("").await?.is_empty(), "nothing is stored");
    let text = before.to_string();
    for secret in ["s3cret-token", &plain.secret, &changed.secret, "whsec_"] {
        ensure!(!text.contains(secret), "{secret} is shown");
    }

    scene.client.send_event(&event).await?;
    for (path, endpoint) in [("/plain", &plain), ("/changed", &changed), ("/styled", &styled)] {
        let request = scene.receiver.wait_for(path, 1).await?.remove(0);
        let shown = of(&before, &endpoint.id)?;
        assert_eq!((&shown["matches"], &shown["status"]), (&json!(true), &json!("pending")));
        is_as_shown(&shown["request"], &request, &before["of_this_moment"])
            .with_context(|| format!("at {path}"))?;
        // The signature that was shown is one: of the moment that was shown with it.
        let headers = shown["request"]["headers"].as_object().context("headers")?;
        let mut signed = http::HeaderMap::new();
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let value = headers[name].as_str().context("a text")?;
            signed.insert(http::HeaderName::from_static(name), value.parse()?);
        }
        let body = shown["request"]["body"].as_str().context("a body")?;
        Webhook::new(&endpoint.secret)?.verify(body.as_bytes(), &signed)?;
    }
    let judged = of(&before, &changed.id)?;
    assert_eq!(run_of(judged, "cel-filter")["outcome"], "passed");
    let run = run_of(judged, "jq-transform");
    ensure!(
        run["outcome"] == "replaced" && run["version"].as_str().is_some_and(|hash| hash.len() == 16),
        "{run}"
    );
    ensure!(run["duration_us"].as_u64().is_some_and(|took| took > 0), "{run}");

    // The same of one that is stored.
    let stored = preview(&scene, &json!({ "event_id": "order-1" })).await?;
    assert_eq!(stored["stored"], true);
    for endpoint in [&plain, &changed] {
        let body = |page: &Value| -> Result<Value> { Ok(of(page, &endpoint.id)?["request"]["body"].clone()) };
        assert_eq!(body(&stored)?, body(&before)?);
    }
    assert_eq!(scene.client.event("order-1").await?["deliveries"].as_array().map(Vec::len), Some(3));
    Ok(())
}

#[tokio::test]
async fn whoever_gets_nothing_is_told_why() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("cel-filter", plugin("cel-filter")?)).await?;
    let elsewhere = scene.endpoint("/elsewhere", json!({ "topics": ["stock/*"] })).await?;
    let filter = json!({ "filter": { "data": { "total": { "$gte": 100 } } } });
    let filtered = scene.endpoint("/filtered", filter).await?;
    let dropped = json!({ "expr": "data.total > 10" });
    let dropped = scene.endpoint_with("/dropped", "cel-filter", dropped).await?;
    let inactive = scene.endpoint("/inactive", json!({})).await?;
    scene.client.post(&format!("/v1/endpoints/{}/deactivate", inactive.id), &json!({})).await?;
    let mute = scene.endpoint("/mute", json!({})).await?;
    let path = format!("/v1/endpoints/{}/secrets", mute.id);
    let secrets = scene.client.get(&path).await?.expect(StatusCode::OK)?.body;
    let secret = secrets["data"][0]["id"].as_str().context("a secret")?;
    scene.client.post(&format!("{path}/{secret}/expire"), &json!({})).await?.expect(StatusCode::OK)?;

    let event = json!({ "event": "orders/created", "data": { "total": 1 } });
    let page = preview(&scene, &event).await?;
    assert_eq!(page["data"].as_array().map(Vec::len), Some(5));
    for (endpoint, matches, status, word) in [
        (&elsewhere, false, "not_matched", "stock/*"),
        (&filtered, true, "filtered", "data.total"),
        (&dropped, true, "filtered", "cel-filter"),
        (&inactive, true, "held", "inactive"),
        (&mute, true, "held", "no active secret"),
    ] {
        let one = of(&page, &endpoint.id)?;
        ensure!(one["matches"] == matches && one["status"] == status, "{one}");
        ensure!(one["reason"].as_str().is_some_and(|reason| reason.contains(word)), "{word}: {one}");
        ensure!(one["request"].is_object() == (endpoint.id == inactive.id), "{one}");
    }
    assert!(of(&page, &filtered.id)?["filter"]["duration_us"].is_u64());
    assert_eq!(run_of(of(&page, &dropped.id)?, "cel-filter")["outcome"], "dropped");

    let mut named = event.clone();
    named["endpoint"] = json!(mute.id);
    let only = preview(&scene, &named).await?;
    assert_eq!(only["data"].as_array().map(Vec::len), Some(1));
    let first = scene.client.post("/v1/preview?limit=2", &event).await?.expect(StatusCode::OK)?.body;
    let next = first["next_cursor"].as_str().context("there are more")?;
    let rest =
        scene.client.post(&format!("/v1/preview?cursor={next}"), &event).await?.expect(StatusCode::OK)?.body;
    let count = |page: &Value| page["data"].as_array().map_or(0, Vec::len);
    assert_eq!((count(&first), count(&rest), &rest["next_cursor"]), (2, 3, &Value::Null));
    Ok(())
}

#[tokio::test]
async fn a_tenant_previews_its_own_and_bad_requests_are_refused() -> Result<()> {
    let scene = Scene::start().await?;
    let mine = scene.endpoint("/mine", json!({ "tenant": "mine" })).await?;
    let theirs = scene.endpoint("/theirs", json!({ "tenant": "theirs" })).await?;
    scene
        .client
        .send_event(&json!({ "event": "a", "data": 1, "tenant": "theirs", "event_id": "e-1" }))
        .await?;
    let key = async |scope: &str| -> Result<_> {
        let made = scene.client.post("/v1/keys", &json!({ "scope": scope })).await?;
        Ok(scene.client.with_key(made.expect(StatusCode::CREATED)?.body["key"].as_str()))
    };
    let client = key("tenant:mine").await?;
    let own =
        client.post("/v1/preview", &json!({ "event": "a", "data": 1 })).await?.expect(StatusCode::OK)?.body;
    assert_eq!((&own["tenant"], &own["data"][0]["endpoint_id"]), (&json!("mine"), &json!(mine.id)));
    assert_eq!(own["data"].as_array().map(Vec::len), Some(1));
    for made_up in ["event_id", "timestamp", "webhook-signature"] {
        ensure!(own["of_this_moment"].as_array().is_some_and(|all| all.contains(&json!(made_up))), "{own}");
    }
    for (body, status, word) in [
        (json!({ "event": "a", "data": 1, "tenant": "theirs" }), 403, "theirs"),
        (json!({ "event_id": "e-1" }), 404, "no event"),
        (json!({ "event": "a", "data": 1, "endpoint": theirs.id }), 422, "/endpoint"),
        (json!({ "event": "a" }), 422, "/data"),
        (json!({}), 422, "/event"),
        (json!({ "event": "a/*", "data": 1 }), 422, "/event"),
        (json!({ "event_id": "e-1", "data": 1 }), 422, "/event"),
        (json!({ "event": "a", "data": 1, "timestamp": "soon" }), 422, "/timestamp"),
        (json!({ "event": "a", "data": 1, "typo": 1 }), 422, "/typo"),
    ] {
        client.post("/v1/preview", &body).await?.expect_problem(status, word)?;
    }
    let producer = key("events:write:mine").await?;
    producer.post("/v1/preview", &json!({ "event": "a", "data": 1 })).await?.expect_problem(403, "tenant")?;
    let large = json!({ "event": "a", "data": "x".repeat(2 << 20) });
    client.post("/v1/preview", &large).await?.expect_problem(413, "at most")?;
    assert_eq!(scene.receiver.requests("/mine").len(), 0);
    Ok(())
}
