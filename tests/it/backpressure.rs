//! Too much undelivered work: events are refused before anything is stored, and nothing else changes.

use anyhow::{Context, Result, ensure};
use hookway_tests::client::Client;
use hookway_tests::gateway::Setup;
use hookway_tests::patience::eventually;
use hookway_tests::receiver::Answer;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::scene::Scene;

const LIMIT: u64 = 6;

/// A gateway of which each tenant may have so many deliveries, with an endpoint of `acme` whose receiver is down.
async fn full(events: u64) -> Result<Scene> {
    let setup = Setup::default()
        .set(&format!("ingest.tenant_backlog_deliveries={LIMIT}"))
        .set("lanes.probe_wait=200ms")
        .set("lanes.probe_wait_max=200ms")
        .set(&format!("deliver.retry={:?}", ["1s"; 40]));
    let scene = Scene::with(setup).await?;
    scene.receiver.script("/a", [Answer::status(503)]);
    scene.endpoint("/a", json!({ "tenant": "acme" })).await?;
    for n in 0..events {
        scene.client.send_event(&event("acme", n)).await?;
    }
    Ok(scene)
}

fn event(tenant: &str, n: u64) -> Value {
    json!({ "event": "a", "tenant": tenant, "event_id": format!("order-{n}"), "data": n })
}

async fn refused(client: &Client, event: &Value) -> Result<Value> {
    let answer = client.post("/v1/events", event).await?.expect_problem(429, "`acme` has 6 deliveries")?;
    ensure!(answer.headers["retry-after"] == "10", "{:?}", answer.headers);
    ensure!(answer.body["code"] == "backlog_full", "{}", answer.body);
    Ok(answer.body)
}

async fn backlog(client: &Client) -> Result<(Value, Value)> {
    let tenants = client.get("/v1/tenants").await?.expect(StatusCode::OK)?.body;
    let all = tenants["data"].as_array().context("a list")?;
    let acme = all.iter().find(|tenant| tenant["name"] == "acme").context("acme is a tenant")?;
    Ok((acme["backlog_deliveries"].clone(), acme["backlog_bytes"].clone()))
}

#[tokio::test]
async fn at_its_limit_a_tenant_is_refused_others_are_not_and_repeats_are_answered() -> Result<()> {
    let scene = full(LIMIT).await?;
    refused(&scene.client, &event("acme", 99)).await?;
    refused(&scene.client, &json!({ "event": "a", "tenant": "acme", "data": 1 })).await?;
    let repeat = scene.client.post("/v1/events", &event("acme", 0)).await?.expect(StatusCode::ACCEPTED)?;
    ensure!(repeat.body["duplicate"] == true, "{}", repeat.body);
    scene.client.send_event(&event("other", 0)).await?;
    assert_eq!(backlog(&scene.client).await?, (json!(LIMIT), json!(LIMIT)), "one byte each");
    let stored = scene.client.get("/v1/events?tenant=acme").await?.expect(StatusCode::OK)?.body;
    assert_eq!(stored["data"].as_array().map(Vec::len), Some(6), "what was refused is not stored");
    Ok(())
}

#[tokio::test]
async fn of_many_events_all_or_those_that_fit_are_taken() -> Result<()> {
    let scene = full(LIMIT - 2).await?;
    let lines: String = [0, 50, 51, 52].map(|n| format!("{}\n", event("acme", n))).concat();
    let headers = [("content-type", "application/x-ndjson")];
    let call = async |path: &str| {
        scene.client.call(http::Method::POST, path, &headers, Some(lines.clone().into())).await
    };
    let answer = call("/v1/events").await?.expect_problem(429, "may have 6")?;
    assert_eq!((&answer.body["line"], &answer.body["code"]), (&json!(4), &json!("backlog_full")));
    assert_eq!(backlog(&scene.client).await?.0, json!(LIMIT - 2), "none of them is stored");
    let answer = call("/v1/events?partial=true").await?.expect(StatusCode::OK)?;
    let text = answer.body.as_str().context("lines")?;
    let results = text.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>()?;
    let said: Vec<_> = results.iter().map(|result| result["result"].as_str()).collect();
    assert_eq!(said, [Some("duplicate"), Some("accepted"), Some("accepted"), Some("refused")]);
    assert_eq!(results[3]["error"]["code"], "backlog_full");
    Ok(())
}

#[tokio::test]
async fn the_count_is_the_same_after_kill_9_and_falls_as_deliveries_end() -> Result<()> {
    let mut scene = full(LIMIT).await?;
    refused(&scene.client, &event("acme", 99)).await?;
    for _ in 0..3 {
        scene.gateway.kill().await?;
        scene.gateway.restart().await?;
        refused(&scene.client, &event("acme", 99)).await?;
        assert_eq!(backlog(&scene.client).await?, (json!(LIMIT), json!(LIMIT)));
    }
    scene.receiver.script("/a", [Answer::status(200)]);
    eventually("nothing waits", || async {
        Ok((backlog(&scene.client).await? == (json!(0), json!(0))).then_some(()))
    })
    .await?;
    scene.client.send_event(&event("acme", 99)).await.map(drop)
}

#[tokio::test]
async fn ten_times_more_than_may_wait_costs_no_memory() -> Result<()> {
    const FIT: usize = 2_000;
    const PRODUCERS: usize = 50;
    let setup = Setup::default().set(&format!("ingest.backlog_deliveries={FIT}"));
    let scene = Scene::with(setup).await?;
    scene.receiver.script("/a", [Answer::status(503)]);
    scene.endpoint("/a", json!({})).await?;
    let flood = |count: usize| {
        let client = scene.client.clone();
        async move {
            let mut producers = JoinSet::new();
            for _ in 0..PRODUCERS {
                let client = client.clone();
                producers.spawn(async move {
                    let mut taken = 0;
                    for n in 0..count / PRODUCERS {
                        let event = json!({ "event": "a", "data": { "n": n, "text": "x".repeat(2_000) } });
                        let answer = client.post("/v1/events", &event).await?;
                        match answer.status {
                            StatusCode::ACCEPTED => taken += 1,
                            StatusCode::TOO_MANY_REQUESTS => {}
                            _ => anyhow::bail!("{answer:?}"),
                        }
                    }
                    Ok(taken)
                });
            }
            let mut taken = 0;
            while let Some(one) = producers.join_next().await {
                taken += one??;
            }
            Ok(taken)
        }
    };
    let taken: usize = flood(2 * FIT).await?;
    assert_eq!(taken, FIT, "exactly as many as may wait");
    let (growth, taken) = scene.gateway.growth_kib(flood(8 * FIT)).await?;
    assert_eq!(taken, 0);
    ensure!(growth < 8 << 10, "{growth} KiB more for what was refused");
    Ok(())
}
