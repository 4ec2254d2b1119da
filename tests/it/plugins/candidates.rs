//! Candidates in the running gateway: shadow, canary, promote and discard, under load and over restarts.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hookway_tests::client::{Answer, Client};
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{guest, plugin};
use hookway_tests::patience::eventually;
use hookway_tests::receiver::Received;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::load::{Load, all_arrive, none_twice};
use crate::scene::{Scene, run_of};

const CANDIDATE: &str = "/v1/plugins/tagger/candidate";

async fn try_on(client: &Client, name: &str, query: &str) -> Result<Answer> {
    let bytes = Bytes::from(fs::read(guest(name)?)?);
    let path = format!("{CANDIDATE}{query}");
    client.call(Method::PUT, &path, &[("content-type", "application/wasm")], Some(bytes)).await
}

async fn tagging() -> Result<Scene> {
    let scene = Scene::with(Setup::default().plugin("tagger", guest("switchable-v1")?)).await?;
    scene.client.plugin_active("tagger").await?;
    scene.endpoint("/a", json!({ "plugins": [{ "plugin": "tagger" }] })).await?;
    Ok(scene)
}

async fn shown(client: &Client) -> Result<Value> {
    Ok(client.get(CANDIDATE).await?.expect(StatusCode::OK)?.body)
}

fn version(one: &Received) -> Value {
    one.json().map(|body| body["v"].clone()).unwrap_or_default()
}

/// The ids of the events that the candidate decided.
fn decided(requests: &[Received]) -> BTreeSet<String> {
    requests.iter().filter(|one| version(one) == 2).map(|one| one.id().to_owned()).collect()
}

#[tokio::test]
async fn a_shadow_shows_what_would_differ_and_changes_nothing() -> Result<()> {
    let scene = tagging().await?;
    scene.client.get(CANDIDATE).await?.expect_problem(404, "no candidate")?;
    let set = try_on(&scene.client, "switchable-v2", "?mode=shadow").await?.expect(StatusCode::OK)?.body;
    ensure!(set["mode"] == "shadow" && set["state"] == "running" && set["percent"].is_null(), "{set}");
    for number in 0..10 {
        scene.client.send("a", &json!({ "n": number })).await?;
    }
    let received = scene.receiver.wait_for("/a", 10).await?;
    ensure!(received.iter().all(|one| version(one) == 1), "the live version decided");
    let compared = || async {
        let now = shown(&scene.client).await?;
        Ok((now["counts"]["different"] == 10).then_some(now))
    };
    let now = eventually("ten comparisons", compared).await?;
    let example = &now["examples"][0];
    ensure!(example["comparison"]["body"]["changes"][0]["pointer"] == "/v", "{example}");
    ensure!(example["tenant"] == "default" && example["event_id"].is_string(), "{example}");
    ensure!(now["usage"]["calls"] == 10 && now["live_version"] != now["version"], "{now}");
    let plugin = scene.client.plugin_active("tagger").await?;
    ensure!(
        plugin["usage"]["calls"] == 10,
        "those of the candidate are not those of the live version: {plugin}"
    );
    let metrics = scene.client.get("/metrics").await?.body.to_string();
    ensure!(metrics.contains("hookway_plugin_candidate_deliveries_total"), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn wrong_words_are_refused_and_only_administrators_see_candidates() -> Result<()> {
    let scene = tagging().await?;
    for (query, word) in [
        ("?mode=shadow&percent=10", "shadow"),
        ("?mode=canary", "percent"),
        ("?percent=0", "1 to 100"),
        ("?percent=101", "1 to 100"),
        ("?share=10", "share"),
    ] {
        try_on(&scene.client, "switchable-v2", query).await?.expect_problem(400, word)?;
    }
    let live = try_on(&scene.client, "switchable-v1", "").await?.expect_problem(409, "is live")?;
    ensure!(live.body["code"] == "not_a_candidate", "{live:?}");
    scene.client.patch(CANDIDATE, &json!({ "percent": 5 })).await?.expect_problem(404, "no candidate")?;
    try_on(&scene.client, "switchable-v2", "?percent=10").await?.expect(StatusCode::OK)?;
    scene.client.patch(CANDIDATE, &json!({ "percent": 500 })).await?.expect_refusal("percent")?;
    let key = scene.client.post("/v1/keys", &json!({ "scope": "tenant:default" })).await?;
    let tenant = scene.client.with_key(key.expect(StatusCode::CREATED)?.body["key"].as_str());
    tenant.get(CANDIDATE).await?.expect_problem(403, "admin")?;
    try_on(&tenant, "switchable-v2", "").await?.expect_problem(403, "admin")?;
    let shown = tenant.get("/v1/plugins/tagger").await?.expect(StatusCode::OK)?.body;
    ensure!(!shown.to_string().contains("candidate"), "{shown}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_takes_its_share_and_promote_and_discard_under_load_lose_and_double_nothing() -> Result<()> {
    let mut scene = tagging().await?;
    let load = Load::start(&scene.client, 8);
    load.reached(100).await?;
    let set = try_on(&scene.client, "switchable-v2", "?percent=30").await?.expect(StatusCode::OK)?.body;
    let two = |requests: &[Received]| decided(requests).len() >= 100;
    scene.receiver.wait_until("/a", "the candidate decides", two).await?;
    scene.client.delete(CANDIDATE).await?.expect(StatusCode::NO_CONTENT)?;
    load.reached(load.count() + 200).await?;
    try_on(&scene.client, "switchable-v2", "?percent=10").await?.expect(StatusCode::OK)?;
    load.reached(load.count() + 200).await?;
    let promote = format!("{CANDIDATE}/promote");
    let promoted = scene.client.post(&promote, &json!({})).await?.expect(StatusCode::OK)?.body;
    ensure!(promoted["version"] == set["version"], "{promoted}");
    load.reached(load.count() + 200).await?;
    let accepted = load.finish().await?;
    let requests = all_arrive(&scene.receiver, "/a", &accepted).await?;
    ensure!(requests.iter().all(|one| version(one) == 1 || version(one) == 2), "an event skipped the plugin");
    none_twice(&requests)?;
    let last =
        scene.client.get("/v1/deliveries?limit=1").await?.expect(StatusCode::OK)?.body["data"][0].clone();
    ensure!(run_of(&last, "tagger")["version"] == set["version"], "{last}");
    let versions = scene.client.get("/v1/plugins/tagger/versions").await?.expect(StatusCode::OK)?.body;
    ensure!(versions["data"][0]["origin"] == "promote" && versions["data"][0]["live"] == true, "{versions}");
    scene.gateway.kill().await?;
    scene.gateway.restart().await?;
    ensure!(scene.client.plugin_active("tagger").await?["version"] == set["version"]);
    scene.client.get(CANDIDATE).await?.expect_problem(404, "no candidate")?;
    Ok(())
}

/// The same events are decided by the candidate again when they are replayed, also after `kill -9`.
#[tokio::test]
async fn the_share_of_a_canary_is_the_same_when_events_are_repeated_and_after_a_restart() -> Result<()> {
    let mut scene = tagging().await?;
    try_on(&scene.client, "switchable-v2", "?percent=30").await?.expect(StatusCode::OK)?;
    let mut events = Vec::new();
    for number in 0..60 {
        let event = json!({ "event": "a", "event_id": format!("order-{number}"), "data": { "n": number } });
        events.push(scene.client.send_event(&event).await?);
    }
    let first = decided(&scene.receiver.wait_for("/a", 60).await?);
    ensure!((5..40).contains(&first.len()), "{} of 60", first.len());
    scene.gateway.kill().await?;
    scene.gateway.restart().await?;
    scene.client.plugin_active("tagger").await?;
    let back = || async { Ok((shown(&scene.client).await?["usage"].is_object()).then_some(())) };
    eventually("the candidate is tried on", back).await?;
    for event in &events {
        let path = format!("/v1/events/{event}/replay");
        scene.client.post(&path, &json!({})).await?.expect(StatusCode::ACCEPTED)?;
    }
    let all = scene.receiver.wait_for("/a", 120).await?;
    let again = decided(all.get(60..).context("the replayed events")?);
    ensure!(again == first, "{again:?} instead of {first:?}");
    Ok(())
}

#[tokio::test]
async fn a_canary_that_traps_costs_no_delivery_and_ends_by_itself() -> Result<()> {
    let scene = tagging().await?;
    try_on(&scene.client, "trap", "?percent=100").await?.expect(StatusCode::OK)?;
    for number in 0..20 {
        scene.client.send("a", &json!({ "n": number, "poison": true })).await?;
    }
    let received = scene.receiver.wait_for("/a", 20).await?;
    ensure!(received.iter().all(|one| version(one) == 1), "the live version decided each");
    let ended = || async {
        let now = shown(&scene.client).await?;
        Ok((now["state"] == "ended").then_some(now))
    };
    let now = eventually("the candidate ends", ended).await?;
    ensure!(now["reason"].as_str().is_some_and(|reason| reason.contains("unreachable")), "{now}");
    ensure!(now["counts"]["failed"].as_u64().is_some_and(|failed| failed >= 5), "{now}");
    let audit =
        scene.client.get("/v1/audit?action=plugin.candidate_ended").await?.expect(StatusCode::OK)?.body;
    ensure!(audit["data"][0]["actor"]["kind"] == "gateway", "{audit}");
    Ok(())
}

/// The live version filters, the candidate filters and transforms: what its filter said goes with it when its transform fails.
#[tokio::test]
async fn a_canary_that_fails_in_its_transform_leaves_the_whole_event_to_the_live_version() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("tagger", plugin("cel-filter")?)).await?;
    scene.client.plugin_active("tagger").await?;
    let endpoint = scene.endpoint_with("/a", "tagger", json!({ "expr": "data.n == 2" })).await?;
    try_on(&scene.client, "half-good", "?percent=100").await?.expect(StatusCode::OK)?;
    let dropped = scene.client.send("a", &json!({ "n": 1, "poison": true })).await?;
    let delivery = scene.client.delivery_in(&dropped, &endpoint.id, &["filtered"]).await?;
    ensure!(delivery["plugins"].as_array().map(Vec::len) == Some(3), "filter, transform, filter: {delivery}");
    scene.client.send("a", &json!({ "n": 2, "poison": true })).await?;
    scene.client.send("a", &json!({ "n": 1 })).await?;
    let received = scene.receiver.wait_for("/a", 2).await?;
    let tags: Vec<_> = received.iter().map(version).collect();
    ensure!(tags.contains(&json!(null)) && tags.contains(&json!(3)), "{tags:?}");
    let now = shown(&scene.client).await?;
    ensure!(now["counts"]["failed"] == 2 && now["counts"]["decided"] == 1, "{now}");
    Ok(())
}
