//! What a person has sent again, or not sent at all: one delivery, one event.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use hookway_tests::client::Answer as Said;
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{guest, install};
use hookway_tests::receiver::Answer;
use http::StatusCode;
use serde_json::{Value, json};

use crate::scene::Scene;

/// One retry, soon: the second failure is the end.
const SHORT: &str = r#"deliver.retry=["10ms"]"#;

async fn act(scene: &Scene, delivery: &Value, verb: &str) -> Result<Said> {
    scene.client.post(&format!("/v1/deliveries/{}/{verb}", text(delivery, "id")?), &json!({})).await
}

async fn retry(scene: &Scene, delivery: &Value) -> Result<Value> {
    Ok(act(scene, delivery, "retry").await?.expect(StatusCode::ACCEPTED)?.body)
}

async fn replay(scene: &Scene, event: &str, body: &Value) -> Result<Said> {
    scene.client.post(&format!("/v1/events/{event}/replay"), body).await
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value[name].as_str().with_context(|| format!("no text `{name}`: {value}"))
}

async fn audit(scene: &Scene, action: &str) -> Result<Vec<Value>> {
    let page = scene.client.get(&format!("/v1/audit?action={action}")).await?.expect(StatusCode::OK)?.body;
    Ok(page["data"].as_array().cloned().unwrap_or_default())
}

#[tokio::test]
async fn a_delivery_is_sent_again_as_often_as_somebody_asks_with_the_same_id_and_bytes() -> Result<()> {
    let scene = Scene::with(Setup::default().set(SHORT)).await?;
    scene.receiver.script("/a", [500, 500, 500, 500, 200].map(Answer::status));
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let id = scene.client.send("orders/created", &json!({ "n": 1 })).await?;
    let failed = scene.client.delivery_in(&id, &endpoint.id, &["failed"]).await?;
    assert_eq!(failed["attempts"], 2);
    let again = retry(&scene, &failed).await?;
    assert_eq!((&again["id"], &again["status"]), (&failed["id"], &json!("retrying")));
    // The schedule begins anew: it fails after two more attempts, not after one.
    scene.receiver.wait_for("/a", 4).await?;
    let failed = scene.client.delivery_in(&id, &endpoint.id, &["failed"]).await?;
    assert_eq!(failed["attempts"], 4);
    retry(&scene, &failed).await?;
    let delivered = scene.client.delivery_in(&id, &endpoint.id, &["delivered"]).await?;
    for more in 6..9 {
        retry(&scene, &delivered).await?;
        scene.receiver.wait_for("/a", more).await?;
        scene.client.delivery_in(&id, &endpoint.id, &["delivered"]).await?;
    }
    let requests = scene.receiver.requests("/a");
    for (number, request) in (1..).zip(&requests) {
        assert_eq!((request.id(), &request.body), (id.as_str(), &requests[0].body));
        assert_eq!(request.header("hookway-attempt"), number.to_string());
    }
    let record = scene.client.delivery(text(&delivered, "id")?).await?;
    let rows = record["attempt_log"].as_array().map(Vec::len);
    assert_eq!(rows, Some(requests.len()), "one row for each POST");
    let rows = audit(&scene, "delivery.retried").await?;
    assert_eq!(rows.len(), 5);
    assert_eq!(rows[4]["changes"], json!({ "status": { "old": "failed", "new": "retrying" } }));
    assert_eq!((&rows[4]["target"], &rows[4]["tenant"]), (&failed["id"], &json!("default")));
    Ok(())
}

#[tokio::test]
async fn one_that_waits_is_due_now_and_one_under_way_is_left_alone() -> Result<()> {
    let scene = Scene::with(Setup::default().set(r#"deliver.retry=["1h"]"#)).await?;
    scene.receiver.script("/a", [Answer::status(500), Answer::Hang]);
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let id = scene.client.send("a", &json!(1)).await?;
    let waits = scene.client.delivery_in(&id, &endpoint.id, &["retrying"]).await?;
    retry(&scene, &waits).await?;
    scene.receiver.wait_for("/a", 2).await?;
    act(&scene, &waits, "retry").await?.expect_problem(409, "under way")?;
    assert_eq!(audit(&scene, "delivery.retried").await?.len(), 1, "what was refused was not done");

    // Cancelled while it is under way: the attempt ends, is recorded, and nothing comes after it.
    let cancelled = act(&scene, &waits, "cancel").await?.expect(StatusCode::OK)?.body;
    assert_eq!(cancelled["status"], "cancelled");
    act(&scene, &waits, "cancel").await?.expect_problem(409, "over")?;
    Ok(())
}

#[tokio::test]
async fn an_attempt_under_way_that_arrives_delivers_what_was_cancelled() -> Result<()> {
    let scene = Scene::start().await?;
    scene.receiver.script("/a", [Answer::status(200).after(std::time::Duration::from_millis(300))]);
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let id = scene.client.send("a", &json!(1)).await?;
    scene.receiver.wait_for("/a", 1).await?;
    let pending = scene.client.delivery_in(&id, &endpoint.id, &["pending"]).await?;
    act(&scene, &pending, "cancel").await?.expect(StatusCode::OK)?;
    let delivered = scene.client.delivery_in(&id, &endpoint.id, &["delivered"]).await?;
    let record = scene.client.delivery(text(&delivered, "id")?).await?;
    assert_eq!(record["attempt_log"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn what_is_held_is_cancelled_and_sent_after_all() -> Result<()> {
    let scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let path = format!("/v1/endpoints/{}", endpoint.id);
    scene.client.post(&format!("{path}/deactivate"), &json!({})).await?.expect(StatusCode::OK)?;
    let [kept, dropped] =
        [scene.client.send("a", &json!(1)).await?, scene.client.send("a", &json!(2)).await?];
    let held = scene.client.delivery_in(&dropped, &endpoint.id, &["held"]).await?;
    act(&scene, &held, "cancel").await?.expect(StatusCode::OK)?;
    let waits = scene.client.delivery_in(&kept, &endpoint.id, &["held"]).await?;
    let still = retry(&scene, &waits).await?;
    ensure!(still["status"] == "held" && text(&still, "reason")?.contains("inactive"), "{still}");
    scene.client.post(&format!("{path}/activate"), &json!({})).await?.expect(StatusCode::OK)?;
    scene.client.delivery_in(&kept, &endpoint.id, &["delivered"]).await?;
    assert_eq!(scene.receiver.requests("/a").len(), 1);
    retry(&scene, &held).await?;
    scene.client.delivery_in(&dropped, &endpoint.id, &["delivered"]).await?;
    let rows = audit(&scene, "delivery.cancelled").await?;
    assert_eq!(rows.len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_a_plugin_held_is_judged_again_before_it_is_sent() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("tagger", guest("switchable-v1")?)).await?;
    let endpoint = scene.endpoint("/a", json!({ "plugins": [{ "plugin": "tagger" }] })).await?;
    let plugins = scene.gateway.plugins_dir();
    std::fs::remove_file(plugins.join("tagger.wasm"))?;
    let is_gone = |status: &Value| status["state"] != "active";
    hookway_tests::patience::eventually("tagger is gone", || async {
        Ok(is_gone(&scene.client.get("/v1/plugins/tagger").await?.body).then_some(()))
    })
    .await?;
    let [first, second] =
        [scene.client.send("a", &json!(1)).await?, scene.client.send("a", &json!(2)).await?];
    let held = scene.client.delivery_in(&first, &endpoint.id, &["held"]).await?;
    let still = retry(&scene, &held).await?;
    ensure!(still["status"] == "held" && text(&still, "reason")?.contains("tagger"), "{still}");
    // Cancelled before anybody judged it: judged when it is sent after all, not sent as it came.
    let cancelled = scene.client.delivery_in(&second, &endpoint.id, &["held"]).await?;
    act(&scene, &cancelled, "cancel").await?.expect(StatusCode::OK)?;
    retry(&scene, &cancelled).await?;
    scene.client.delivery_in(&second, &endpoint.id, &["held"]).await?;
    assert_eq!(scene.receiver.requests("/a").len(), 0);
    install(&guest("switchable-v2")?, &plugins, "tagger")?;
    for id in [&first, &second] {
        scene.client.delivery_in(id, &endpoint.id, &["delivered"]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_sent_again_says_why() -> Result<()> {
    let scene = Scene::start().await?;
    let large = json!({ "filter": { "data": { "total": { "$gte": 100 } } } });
    let endpoint = scene.endpoint("/a", large).await?;
    let small = scene.client.send("a", &json!({ "total": 1 })).await?;
    let filtered = scene.client.delivery_in(&small, &endpoint.id, &["filtered"]).await?;
    act(&scene, &filtered, "retry").await?.expect_problem(409, "filter does not let it through")?;
    act(&scene, &filtered, "cancel").await?.expect_problem(409, "filtered")?;
    let sent = scene.client.send("a", &json!({ "total": 100 })).await?;
    let delivered = scene.client.delivery_in(&sent, &endpoint.id, &["delivered"]).await?;
    scene.client.delete(&format!("/v1/endpoints/{}", endpoint.id)).await?.expect(StatusCode::NO_CONTENT)?;
    act(&scene, &delivered, "retry").await?.expect_problem(409, "deleted")?;
    for id in ["dlv_x", "dlv_01JDB6ZK3V8M2Q4R5S6T7V8W9X_0", "%00"] {
        for verb in ["retry", "cancel"] {
            let said = scene.client.post(&format!("/v1/deliveries/{id}/{verb}"), &json!({})).await?;
            said.expect_problem(404, "no delivery")?;
        }
    }
    assert!(audit(&scene, "delivery.retried").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_cancelled_delivery_gives_its_line_free() -> Result<()> {
    let scene = Scene::with(Setup::default().set(r#"deliver.retry=["1h"]"#)).await?;
    scene.receiver.script("/a", [Answer::status(500), Answer::status(200)]);
    let endpoint = scene.endpoint("/a", json!({ "ordering": "fifo" })).await?;
    let first = scene.client.send("a", &json!(1)).await?;
    let blocks = scene.client.delivery_in(&first, &endpoint.id, &["retrying"]).await?;
    let second = scene.client.send("a", &json!(2)).await?;
    scene.client.delivery_in(&second, &endpoint.id, &["pending"]).await?;
    act(&scene, &blocks, "cancel").await?.expect(StatusCode::OK)?;
    scene.client.delivery_in(&second, &endpoint.id, &["delivered"]).await?;
    retry(&scene, &blocks).await?;
    scene.client.delivery_in(&first, &endpoint.id, &["delivered"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_replay_goes_by_the_endpoints_of_now() -> Result<()> {
    let scene = Scene::start().await?;
    let old = scene.endpoint("/old", json!({ "topics": ["orders/*"] })).await?;
    let id = scene.client.send("orders/created", &json!({ "total": 5 })).await?;
    scene.client.delivery_in(&id, &old.id, &["delivered"]).await?;
    let new = scene.endpoint("/new", json!({ "topics": ["orders/created"] })).await?;
    let other = scene.endpoint("/other", json!({ "topics": ["stock/*"] })).await?;
    let filter = json!({ "filter": { "data": { "total": { "$gte": 100 } } } });
    scene.client.patch(&format!("/v1/endpoints/{}", old.id), &filter).await?.expect(StatusCode::OK)?;
    let answer = replay(&scene, &id, &json!({})).await?.expect(StatusCode::ACCEPTED)?;
    let link = answer.headers["location"].to_str()?;
    scene.client.get(link).await?.expect(StatusCode::OK)?;
    let deliveries = answer.body["deliveries"].as_array().context("deliveries")?;
    let by_endpoint: HashMap<_, _> =
        deliveries.iter().map(|one| (text(one, "endpoint_id").unwrap_or(""), one)).collect();
    assert_eq!(by_endpoint.len(), 2);
    assert_eq!(by_endpoint[old.id.as_str()]["status"], "filtered");
    let sent = by_endpoint[new.id.as_str()];
    ensure!(
        text(sent, "id")?.ends_with("_1") || text(sent, "id")?.ends_with("_2"),
        "the next ordinals: {sent}"
    );
    let requests = scene.receiver.wait_for("/new", 1).await?;
    assert_eq!((requests[0].id(), requests[0].header("hookway-attempt")), (id.as_str(), "1"));
    assert_eq!(requests[0].body, scene.receiver.requests("/old")[0].body);

    // To some endpoints only, as often as somebody likes.
    let some = json!({ "endpoints": [new.id, other.id] });
    let answer = replay(&scene, &id, &some).await?.expect(StatusCode::ACCEPTED)?.body;
    assert_eq!(answer["not_matched"], json!([other.id]));
    scene.receiver.wait_for("/new", 2).await?;
    assert_eq!(scene.client.event(&id).await?["deliveries"].as_array().map(Vec::len), Some(4));
    let rows = audit(&scene, "event.replayed").await?;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["changes"]["deliveries"]["new"], 1);
    assert_eq!(scene.receiver.requests("/old").len() + scene.receiver.requests("/other").len(), 1);

    for (body, word) in [
        (json!({ "endpoints": [] }), "/endpoints"),
        (json!({ "endpoints": [new.id, "ep_x"] }), "/endpoints/1"),
        (json!({ "endpoints": "all" }), "/endpoints"),
        (json!({ "endpoint": new.id }), "/endpoint"),
    ] {
        replay(&scene, &id, &body).await?.expect_problem(422, word)?;
    }
    replay(&scene, "evt_x", &json!({})).await?.expect_problem(404, "no event")?;
    assert_eq!(audit(&scene, "event.replayed").await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn what_was_replayed_survives_a_kill_once() -> Result<()> {
    let mut scene = Scene::start().await?;
    scene.receiver.script("/a", [Answer::status(200), Answer::Hang]);
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let id = scene.client.send("a", &json!(1)).await?;
    scene.client.delivery_in(&id, &endpoint.id, &["delivered"]).await?;
    replay(&scene, &id, &json!({})).await?.expect(StatusCode::ACCEPTED)?;
    scene.gateway.kill().await?;
    scene.receiver.script("/a", [Answer::status(200)]);
    scene.gateway.restart().await?;
    let delivered = |event: &Value| {
        let all = event["deliveries"].as_array().cloned().unwrap_or_default();
        (all.len() == 2 && all.iter().all(|one| one["status"] == "delivered")).then_some(())
    };
    hookway_tests::patience::eventually("both are delivered", || async {
        Ok(delivered(&scene.client.event(&id).await?))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn what_belongs_to_another_tenant_is_not_found() -> Result<()> {
    let scene = Scene::start().await?;
    let theirs = scene.endpoint("/theirs", json!({ "tenant": "theirs" })).await?;
    let event = json!({ "event": "a", "data": 1, "tenant": "theirs", "event_id": "e-1" });
    scene.client.send_event(&event).await?;
    let delivery = scene.client.delivery_in("e-1", &theirs.id, &["delivered"]).await?;
    let key = scene.client.post("/v1/keys", &json!({ "scope": "tenant:mine" })).await?;
    let mine = scene.client.with_key(key.expect(StatusCode::CREATED)?.body["key"].as_str());
    let id = text(&delivery, "id")?;
    for path in [
        format!("/v1/deliveries/{id}/retry"),
        format!("/v1/deliveries/{id}/cancel"),
        "/v1/events/e-1/replay".to_owned(),
        "/v1/events/e-1/replay?tenant=theirs".to_owned(),
        format!("/v1/endpoints/{}/recover", theirs.id),
    ] {
        mine.post(&path, &json!({})).await?.expect_problem(404, "")?;
    }
    assert_eq!(scene.receiver.requests("/theirs").len(), 1);
    Ok(())
}
