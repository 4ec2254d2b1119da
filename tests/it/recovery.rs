//! Recoveries: a range of an endpoint's events sent again by a job that survives, keeps to limits, and stands back.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::patience::eventually;
use hookway_tests::receiver::Answer;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::Scene;

const SINCE: &str = "2001-01-01T00:00:00Z";
const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

/// A gateway whose deliveries fail at the first attempt but one.
async fn scene() -> Result<Scene> {
    // Their receivers fail on purpose, and often.
    Scene::with(Setup::default().set(r#"deliver.retry=["10ms"]"#).set("lanes.breaker_failures=0")).await
}

async fn send_many(scene: &Scene, topic: &str, count: usize) -> Result<()> {
    let line = |n: usize| format!("{}\n", json!({ "event": topic, "data": n }));
    let lines: String = (0..count).map(line).collect();
    let posted = scene.client.call(Method::POST, "/v1/events", &[NDJSON], Some(lines.into())).await?;
    posted.expect(StatusCode::ACCEPTED)?;
    Ok(())
}

/// This many deliveries of an endpoint that failed for good, while its receiver was broken.
async fn failures(scene: &Scene, endpoint: &str, path: &str, count: usize) -> Result<()> {
    scene.receiver.script(path, [Answer::status(500)]);
    send_many(scene, "a", count).await?;
    eventually("all have failed", || async {
        let failed = scene.client.deliveries(&format!("endpoint={endpoint}&status=failed")).await?;
        Ok((failed.len() == count).then_some(()))
    })
    .await
}

async fn recover(scene: &Scene, endpoint: &str, body: Value) -> Result<Value> {
    let mut body = body;
    body["since"] = body["since"].as_str().unwrap_or(SINCE).into();
    let answer = scene.client.post(&format!("/v1/endpoints/{endpoint}/recover"), &body).await?;
    Ok(answer.expect(StatusCode::ACCEPTED)?.body)
}

async fn ended(scene: &Scene, recovery: &Value) -> Result<Value> {
    let path = format!("/v1/recoveries/{}", recovery["id"].as_str().context("an id")?);
    eventually("the recovery has ended", || async {
        let now = scene.client.get(&path).await?.expect(StatusCode::OK)?.body;
        Ok((now["state"] != "running").then_some(now))
    })
    .await
}

async fn all_delivered(scene: &Scene, endpoint: &str, count: usize) -> Result<Vec<Value>> {
    eventually("all are delivered", || async {
        let found = scene.client.deliveries(&format!("endpoint={endpoint}&status=delivered")).await?;
        Ok((found.len() == count).then_some(found))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_is_sent_again_once_and_each_post_has_its_row() -> Result<()> {
    let scene = scene().await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    failures(&scene, &endpoint.id, "/a", 300).await?;
    scene.receiver.script("/a", [Answer::status(200)]);
    let path = format!("/v1/endpoints/{}/recover", endpoint.id);
    let dry = json!({ "since": SINCE, "dry_run": true, "status": ["failed", "delivered", "missed"] });
    let dry = scene.client.post(&path, &dry).await?.expect(StatusCode::OK)?.body;
    assert_eq!(dry["found"], json!({ "failed": 300, "delivered": 0, "missed": 0 }));
    assert_eq!((&dry["complete"], scene.receiver.requests("/a").len()), (&json!(true), 600));

    let started = recover(&scene, &endpoint.id, json!({})).await?;
    assert_eq!((&started["state"], &started["status"]), (&json!("running"), &json!(["failed"])));
    let done = ended(&scene, &started).await?;
    assert_eq!(
        (&done["state"], &done["resent"], &done["scanned"]),
        (&json!("done"), &json!(300), &json!(300))
    );
    let delivered = all_delivered(&scene, &endpoint.id, 300).await?;
    let requests = scene.receiver.requests("/a");
    let mut posts = HashMap::<_, u64>::new();
    requests.iter().for_each(|request| *posts.entry(request.id().to_owned()).or_default() += 1);
    for delivery in &delivered {
        let event = delivery["event_id"].as_str().context("an event")?;
        assert_eq!(Some(posts[event]), delivery["attempts"].as_u64(), "{delivery}");
        assert_eq!(posts[event], 3);
    }
    // What is delivered is not sent again by another one.
    let again = recover(&scene, &endpoint.id, json!({})).await?;
    assert_eq!(ended(&scene, &again).await?["resent"], 0);
    assert_eq!(scene.receiver.requests("/a").len(), requests.len());
    let audit = scene.client.get("/v1/audit?action=recovery.created").await?.expect(StatusCode::OK)?.body;
    assert_eq!(audit["data"].as_array().map(Vec::len), Some(2), "a count is no change");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_goes_on_after_a_kill_and_neither_repeats_nor_forgets() -> Result<()> {
    const FAILED: usize = 120;
    const BURST: usize = 4;
    let mut scene = scene().await?;
    let endpoint = scene.endpoint("/a", json!({ "burst_limit": BURST })).await?;
    failures(&scene, &endpoint.id, "/a", FAILED).await?;
    let before = scene.receiver.requests("/a").len();
    scene.receiver.script("/a", [Answer::status(200).after(Duration::from_millis(20))]);
    let recovery = recover(&scene, &endpoint.id, json!({})).await?;
    let mut resent = 0;
    for kill in 1..=2 {
        scene.receiver.wait_for("/a", before + kill * FAILED / 4).await?;
        scene.gateway.kill().await?;
        scene.gateway.restart().await?;
        let path = format!("/v1/recoveries/{}", recovery["id"].as_str().context("an id")?);
        let now = scene.client.get(&path).await?.expect(StatusCode::OK)?.body;
        let at = now["resent"].as_u64().context("a count")?;
        ensure!(at >= resent && now["state"] == "running", "{now}");
        resent = at;
    }
    let done = ended(&scene, &recovery).await?;
    assert_eq!((&done["state"], &done["resent"]), (&json!("done"), &json!(FAILED)));
    let delivered = all_delivered(&scene, &endpoint.id, FAILED).await?;
    let attempts: u64 = delivered.iter().filter_map(|one| one["attempts"].as_u64()).sum();
    let posts = scene.receiver.requests("/a").len();
    let unrecorded = posts - usize::try_from(attempts)?;
    ensure!(unrecorded <= 2 * BURST, "{unrecorded} more POSTs than were under way at the kills");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fresh_events_pass_a_recovery_and_limits_hold() -> Result<()> {
    const OPEN: Duration = Duration::from_millis(40);
    const BURST: usize = 2;
    let scene = scene().await?;
    let endpoint = scene.endpoint("/a", json!({ "burst_limit": BURST })).await?;
    failures(&scene, &endpoint.id, "/a", 100).await?;
    let before = scene.receiver.requests("/a").len();
    scene.receiver.script("/a", [Answer::status(200).after(OPEN)]);
    let recovery = recover(&scene, &endpoint.id, json!({})).await?;
    for fresh in 0..5 {
        scene.receiver.wait_for("/a", before + 5 * (fresh + 1)).await?;
        let arrived = scene.receiver.requests("/a").len();
        let id = scene.client.send("fresh", &json!(fresh)).await?;
        let what = format!("the fresh event {fresh}");
        let is_there = |requests: &[hookway_tests::receiver::Received]| requests.iter().any(|r| r.id() == id);
        let requests = scene.receiver.wait_until("/a", &what, is_there).await?;
        let place = requests.iter().position(|request| request.id() == id).context("it came")?;
        // Those that came while it was posted, and those that were on their way.
        ensure!(place <= arrived + 10, "{} came before it", place - arrived);
    }
    let done = ended(&scene, &recovery).await?;
    assert_eq!(done["resent"], 100);
    all_delivered(&scene, &endpoint.id, 105).await?;
    let requests = scene.receiver.requests("/a").split_off(before);
    for (first, over) in requests.iter().zip(&requests[BURST..]) {
        ensure!(over.at.duration_since(first.at) >= OPEN, "more than {BURST} were open at the same time");
    }
    Ok(())
}

#[tokio::test]
async fn a_recovery_of_a_rate_limited_endpoint_keeps_to_its_rate() -> Result<()> {
    const RATE: usize = 20;
    let scene = scene().await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    failures(&scene, &endpoint.id, "/a", 50).await?;
    let before = scene.receiver.requests("/a").len();
    scene.receiver.script("/a", [Answer::status(200)]);
    let path = format!("/v1/endpoints/{}", endpoint.id);
    scene.client.patch(&path, &json!({ "rate_limit": RATE })).await?.expect(StatusCode::OK)?;
    recover(&scene, &endpoint.id, json!({})).await?;
    let requests = scene.receiver.wait_for("/a", before + 50).await?.split_off(before);
    for (first, over) in requests.iter().zip(&requests[RATE..]) {
        let took = over.at.duration_since(first.at);
        ensure!(took >= Duration::from_secs(1), "{} requests came within {took:?}", RATE + 1);
    }
    Ok(())
}

#[tokio::test]
async fn missed_events_are_delivered_for_the_first_time_if_the_endpoint_wants_them() -> Result<()> {
    let scene = scene().await?;
    scene.endpoint("/other", json!({ "topics": ["orders/*"] })).await?;
    let wanted = scene.client.send("orders/created", &json!({ "total": 100 })).await?;
    scene.client.send("orders/created", &json!({ "total": 1 })).await?;
    scene.client.send("stock/low", &json!({ "total": 100 })).await?;
    let theirs = json!({ "event": "orders/created", "tenant": "theirs", "data": { "total": 100 } });
    scene.client.send_event(&theirs).await?;
    scene.receiver.wait_for("/other", 2).await?;
    let filter = json!({ "data": { "total": { "$gte": 100 } } });
    let endpoint = scene.endpoint("/a", json!({ "topics": ["orders/*"], "filter": filter })).await?;
    let nothing = recover(&scene, &endpoint.id, json!({ "status": "failed" })).await?;
    assert_eq!(ended(&scene, &nothing).await?["resent"], 0);
    let recovery = recover(&scene, &endpoint.id, json!({ "status": "missed" })).await?;
    let done = ended(&scene, &recovery).await?;
    assert_eq!((&done["resent"], &done["scanned"]), (&json!(1), &json!(3)));
    assert_eq!(scene.receiver.wait_for("/a", 1).await?[0].id(), wanted);
    scene.client.delivery_in(&wanted, &endpoint.id, &["delivered"]).await?;
    assert_eq!(scene.client.deliveries(&format!("endpoint={}&status=filtered", endpoint.id)).await?.len(), 1);
    let again = recover(&scene, &endpoint.id, json!({ "status": ["missed"] })).await?;
    assert_eq!(ended(&scene, &again).await?["resent"], 0, "now it has them");

    // Those that the filter dropped, once it lets more through.
    let path = format!("/v1/endpoints/{}", endpoint.id);
    scene.client.patch(&path, &json!({ "filter": null })).await?.expect(StatusCode::OK)?;
    let filtered = recover(&scene, &endpoint.id, json!({ "status": "filtered" })).await?;
    assert_eq!(ended(&scene, &filtered).await?["resent"], 1);
    scene.receiver.wait_for("/a", 2).await?;
    Ok(())
}

#[tokio::test]
async fn a_recovery_waits_for_an_inactive_endpoint_is_cancelled_and_ends_with_its_endpoint() -> Result<()> {
    let scene = scene().await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    failures(&scene, &endpoint.id, "/a", 3).await?;
    let before = scene.receiver.requests("/a").len();
    scene.receiver.script("/a", [Answer::status(200)]);
    let path = format!("/v1/endpoints/{}", endpoint.id);
    scene.client.post(&format!("{path}/deactivate"), &json!({})).await?.expect(StatusCode::OK)?;
    let waits = recover(&scene, &endpoint.id, json!({})).await?;
    ensure!(waits["waits_for"].as_str().is_some_and(|text| text.contains("inactive")), "{waits}");
    let second = scene.client.post(&format!("{path}/recover"), &json!({ "since": SINCE })).await?;
    second.expect_problem(409, waits["id"].as_str().context("an id")?)?;
    let cancel = format!("/v1/recoveries/{}/cancel", waits["id"].as_str().context("an id")?);
    let cancelled = scene.client.post(&cancel, &json!({})).await?.expect(StatusCode::OK)?.body;
    assert_eq!((&cancelled["state"], &cancelled["resent"]), (&json!("cancelled"), &json!(0)));
    scene.client.post(&cancel, &json!({})).await?.expect_problem(409, "cancelled")?;

    let another = recover(&scene, &endpoint.id, json!({})).await?;
    scene.client.post(&format!("{path}/activate"), &json!({})).await?.expect(StatusCode::OK)?;
    assert_eq!(ended(&scene, &another).await?["resent"], 3);
    assert_eq!(scene.receiver.wait_for("/a", before + 3).await?.len(), before + 3);

    scene.client.post(&format!("{path}/deactivate"), &json!({})).await?.expect(StatusCode::OK)?;
    let orphan = recover(&scene, &endpoint.id, json!({ "status": "delivered" })).await?;
    scene.client.delete(&path).await?.expect(StatusCode::NO_CONTENT)?;
    assert_eq!(ended(&scene, &orphan).await?["state"], "cancelled");
    let all = scene.client.get("/v1/recoveries?limit=2").await?.expect(StatusCode::OK)?.body;
    assert_eq!(all["data"][0]["id"], orphan["id"], "the newest first");
    let next = all["next_cursor"].as_str().context("there is a third")?;
    let rest = scene.client.get(&format!("/v1/recoveries?cursor={next}")).await?.expect(StatusCode::OK)?.body;
    assert_eq!(rest["data"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn hostile_recoveries_are_refused_by_field_and_start_nothing() -> Result<()> {
    let scene = scene().await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let path = format!("/v1/endpoints/{}/recover", endpoint.id);
    for (body, word) in [
        (json!({}), "/since"),
        (json!({ "since": "yesterday" }), "/since"),
        (json!({ "since": "9999-12-30T00:00:00Z" }), "/since"),
        (json!({ "since": SINCE, "until": "2000-01-01T00:00:00Z" }), "/until"),
        (json!({ "since": SINCE, "status": ["pending"] }), "/status"),
        (json!({ "since": SINCE, "status": [] }), "/status"),
        (json!({ "since": SINCE, "dry_run": "yes" }), "/dry_run"),
        (json!({ "since": SINCE, "endpoint": "x" }), "/endpoint"),
    ] {
        scene.client.post(&path, &body).await?.expect_problem(422, word)?;
    }
    scene
        .client
        .post("/v1/endpoints/ep_x/recover", &json!({ "since": SINCE }))
        .await?
        .expect_problem(404, "no endpoint")?;
    for id in ["rec_x", "rec_01JDB6ZK3V8M2Q4R5S6T7V8W9X"] {
        scene.client.get(&format!("/v1/recoveries/{id}")).await?.expect_problem(404, "no recovery")?;
        let cancel = scene.client.post(&format!("/v1/recoveries/{id}/cancel"), &json!({})).await?;
        cancel.expect_problem(404, "no recovery")?;
    }
    for query in ["state=paused", "cursor=x", "endpoint=x", "typo=1", "limit=0"] {
        scene.client.get(&format!("/v1/recoveries?{query}")).await?.expect_refusal("query")?;
    }
    let all = scene.client.get("/v1/recoveries").await?.expect(StatusCode::OK)?.body;
    assert_eq!(all["data"], json!([]));
    // All of time is a range like any other.
    let all_time = json!({ "since": "1970-01-01T00:00:00Z", "until": "9999-12-30T00:00:00Z" });
    let all_time = scene.client.post(&path, &all_time).await?.expect(StatusCode::ACCEPTED)?.body;
    assert_eq!(ended(&scene, &all_time).await?["state"], "done");
    Ok(())
}
