//! Backtests: what a version that is not live would have made of the events in the log, each difference once, and nothing of it
//! sent, kept or counted.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hookway_tests::client::Answer;
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{guest, plugin};
use hookway_tests::patience::{eventually, within};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::Scene;

const WASM: [(&str, &str); 1] = [("content-type", "application/wasm")];

impl Scene {
    async fn backtest(&self, path: &str, component: &[u8]) -> Result<Answer> {
        let path = format!("/v1/plugins/{path}");
        self.client.call(Method::POST, &path, &WASM, Some(Bytes::copy_from_slice(component))).await
    }

    /// Every line but those of progress.
    async fn lines(&self, path: &str, component: &[u8]) -> Result<Vec<Value>> {
        let answer = self.backtest(path, component).await?.expect(StatusCode::OK)?;
        ensure!(answer.headers["content-type"] == "application/x-ndjson", "{:?}", answer.headers);
        let text = answer.body.as_str().context("several lines")?;
        let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
        Ok(lines.into_iter().filter(|line| line["type"] != "progress").collect())
    }

    async fn usage(&self, plugin: &str) -> Result<Value> {
        let path = format!("/v1/plugins/{plugin}");
        Ok(self.client.get(&path).await?.expect(StatusCode::OK)?.body["usage"]["calls"].clone())
    }
}

/// The differences among them, as event and endpoint.
fn differences(lines: &[Value]) -> Result<Vec<(&str, &str)>> {
    let text = |line: &'_ Value, name: &str| line[name].as_str().is_some();
    let differences = lines.iter().filter(|line| line["type"] == "difference");
    let told = differences.map(|line| {
        ensure!(text(line, "event_id") && text(line, "endpoint_id"), "{line}");
        Ok((line["event_id"].as_str().unwrap_or_default(), line["endpoint_id"].as_str().unwrap_or_default()))
    });
    told.collect()
}

#[tokio::test]
async fn every_difference_is_told_once_and_nothing_follows() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("tag", guest("switchable-v1")?)).await?;
    let uses = json!([{ "plugin": "tag", "topics": ["orders/*"] }]);
    let all = scene.endpoint("/all", json!({ "plugins": uses })).await?.id;
    let filter = json!({ "data": { "n": { "$gte": 200 } } });
    let some = scene.endpoint("/some", json!({ "plugins": uses, "filter": filter })).await?.id;
    scene.endpoint("/elsewhere", json!({ "plugins": uses, "topics": ["stock/*"] })).await?;
    scene.endpoint("/without", json!({})).await?;
    let mut expected = BTreeSet::new();
    for n in 0..300 {
        let id = scene.client.send("orders/created", &json!({ "n": n })).await?;
        expected.insert((id.clone(), all.clone()));
        if n >= 200 {
            expected.insert((id, some.clone()));
        }
    }
    scene.client.send("other", &json!({ "n": 1_000 })).await?;
    scene.receiver.wait_for("/all", 301).await?;
    scene.receiver.wait_for("/without", 301).await?;
    scene.receiver.wait_for("/some", 101).await?;
    let count = async || Ok::<_, anyhow::Error>(scene.client.deliveries("").await?.len());
    eventually("all are judged", || async { Ok((count().await? == 903).then_some(())) }).await?;
    let used = scene.usage("tag").await?;

    let candidate = std::fs::read(guest("switchable-v2")?)?;
    let lines = scene.lines("tag/backtest", &candidate).await?;
    let told = differences(&lines)?;
    assert_eq!(told.len(), expected.len(), "each once");
    let told: BTreeSet<_> =
        told.iter().map(|(event, endpoint)| ((*event).to_owned(), (*endpoint).to_owned())).collect();
    assert_eq!(told, expected);
    let difference = lines.iter().find(|line| line["type"] == "difference").context("there are some")?;
    assert_eq!(difference["body"]["changes"], json!([{ "pointer": "/v", "live": 1, "candidate": 2 }]));
    assert_eq!((&difference["tenant"], &difference["topic"]), (&json!("default"), &json!("orders/created")));
    let summary = lines.last().context("there is a last line")?;
    assert_eq!(summary["type"], "summary", "{summary}");
    assert_eq!((&summary["events"], &summary["more"]), (&json!(301), &json!(false)), "{summary}");
    assert_eq!((&summary["judgements"], &summary["different"]), (&json!(400), &json!(400)), "{summary}");
    for (version, begins) in [("live", &lines[0]["live"]), ("candidate", &lines[0]["candidate"])] {
        ensure!(summary[version]["version"] == *begins && summary[version]["delivered"] == 400, "{summary}");
        ensure!(summary[version]["duration_p50_us"].as_f64().is_some_and(|us| us > 0.0), "{summary}");
    }

    let live = std::fs::read(guest("switchable-v1")?)?;
    let same = scene.lines("tag/backtest", &live).await?;
    ensure!(differences(&same)?.is_empty() && same[1]["same"] == 400, "{same:?}");
    for (query, events, judgements) in [
        ("limit=10", 10, 18),
        ("topic=other", 1, 0),
        ("tenant=acme", 0, 0),
        ("since=2999-01-01T00:00:00Z", 0, 0),
        (&format!("endpoint={some}&topic=orders/created"), 300, 100),
    ] {
        let lines = scene.lines(&format!("tag/backtest?{query}"), &candidate).await?;
        let summary = lines.last().context("there is a last line")?;
        assert_eq!(
            (&summary["events"], &summary["judgements"]),
            (&json!(events), &json!(judgements)),
            "{query}"
        );
    }
    assert_eq!(scene.usage("tag").await?, used, "no call of a backtest counts");
    assert_eq!(count().await?, 903);
    assert_eq!(scene.receiver.requests("/all").len(), 301, "nothing was sent");
    let plugin = scene.client.plugin_active("tag").await?;
    ensure!(plugin["version"] == lines[0]["live"], "the live version stays: {plugin}");
    Ok(())
}

#[tokio::test]
async fn a_failure_is_told_of_every_event_and_opens_no_breaker() -> Result<()> {
    let setup = Setup::default().set("plugins.deadline=5s").plugin("p", guest("one-field")?);
    let scene = Scene::with(setup).await?;
    scene.endpoint_with("/a", "p", json!({})).await?;
    for n in 0..40 {
        scene.client.send("a", &json!({ "poison": n % 2 == 0 })).await?;
    }
    scene.receiver.wait_for("/a", 40).await?;
    let lines = scene.lines("p/backtest", &std::fs::read(guest("trap")?)?).await?;
    let differences: Vec<_> = lines.iter().filter(|line| line["type"] == "difference").collect();
    assert_eq!(differences.len(), 20);
    for difference in differences {
        assert_eq!(difference["live"], json!({ "verdict": "deliver" }));
        let message = difference["candidate"]["message"].as_str().context("it fails")?;
        ensure!(message.contains("it hit `unreachable`"), "{message}");
    }
    let summary = lines.last().context("there is a last line")?;
    assert_eq!((&summary["candidate"]["failed"], &summary["live"]["failed"]), (&json!(20), &json!(0)));
    let plugin = scene.client.plugin_active("p").await?;
    ensure!(plugin["last_error"].is_null() && plugin["open_breakers"] == json!([]), "{plugin}");
    Ok(())
}

#[tokio::test]
async fn what_a_plugin_keeps_is_forgotten_and_its_requests_fail() -> Result<()> {
    let kv = "grants.kv = {}";
    let http = "grants.http = { hosts = [\"127.0.0.1:1\"] }";
    let setup = Setup::default()
        .set("plugins.deadline=5s")
        .set(r#"plugins.grants={kept={kv={}},asks={http={hosts=["127.0.0.1:1"]}}}"#)
        .plugin("kept", guest("kv-user")?)
        .manifest("kept", kv)
        .plugin("asks", guest("http-caller")?)
        .manifest("asks", http);
    let scene = Scene::with(setup).await?;
    let count = json!({ "steps": [{ "op": "increment", "key": "n", "delta": 1 }] });
    scene.endpoint("/kept", json!({ "topics": ["kept"], "plugins": [{ "plugin": "kept" }] })).await?;
    scene.endpoint("/asks", json!({ "topics": ["asks"], "plugins": [{ "plugin": "asks" }] })).await?;
    scene.client.send("kept", &count).await?;
    let first = scene.receiver.wait_for("/kept", 1).await?.remove(0);
    let component = std::fs::read(guest("kv-user")?)?;
    for _ in 0..2 {
        let lines = scene.lines("kept/backtest", &component).await?;
        ensure!(lines[1]["same"] == 1 && lines[1]["live"]["failed"] == 0, "{lines:?}");
    }
    scene.client.send("kept", &count).await?;
    let second = scene.receiver.wait_for("/kept", 2).await?.remove(1);
    let number = |body: &[u8]| -> Result<i64> {
        let body: Value = serde_json::from_slice(body)?;
        let result = &body["results"][0];
        let text = result.as_str().map(str::to_owned).unwrap_or_else(|| result.to_string());
        text.parse().with_context(|| format!("a number: {body}"))
    };
    assert_eq!(number(&second.body)?, number(&first.body)? + 1, "only events count");

    scene.client.send("asks", &json!({ "urls": [scene.receiver.url("/secret")] })).await?;
    scene.receiver.wait_for("/asks", 1).await?;
    let lines = scene.lines("asks/backtest", &std::fs::read(guest("http-caller")?)?).await?;
    ensure!(lines[1]["judgements"] == 1, "{lines:?}");
    ensure!(scene.receiver.requests("/secret").is_empty());
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused_with_a_sentence() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("cel-filter", plugin("cel-filter")?)).await?;
    scene.endpoint_with("/a", "cel-filter", json!({ "expr": "data.total > 10" })).await?;
    let component = std::fs::read(plugin("cel-filter")?)?;
    let refused = async |path: &str, bytes: &[u8], status: u16, word: &str| {
        scene.backtest(path, bytes).await?.expect_problem(status, word).map(drop)
    };
    refused("cel-filter/backtest", b"text", 422, "not WebAssembly").await?;
    refused("cel-filter/backtest", b"", 422, "empty").await?;
    refused("cel-filter/backtest", &std::fs::read(plugin("mqtt-topics")?)?, 422, "no longer exports").await?;
    refused("cel-filter/backtest", &std::fs::read(plugin("redact")?)?, 422, "in use").await?;
    refused("other/backtest", &component, 404, "no plugin of this name").await?;
    refused("cel-filter/backtest?version=0123456789abcdef", &component, 400, "not both").await?;
    refused("cel-filter/backtest?limit=0", &component, 400, "from 1 to 10000000").await?;
    refused("cel-filter/backtest?status=held", &component, 400, "status").await?;
    refused("cel-filter/backtest?endpoint=ep_01JDB6ZK3V8M2Q4R5S6T7V8W9X", &component, 404, "endpoint")
        .await?;
    let other = scene.client.post("/v1/plugins/cel-filter/backtest", &json!({})).await?;
    other.expect_problem(415, "application/wasm")?;
    let made = scene.client.post("/v1/keys", &json!({ "scope": "tenant:acme" })).await?;
    let key = made.expect(StatusCode::CREATED)?.body["key"].as_str().context("a key")?.to_owned();
    let acme = scene.client.with_key(Some(&key));
    let path = "/v1/plugins/cel-filter/backtest";
    acme.call(Method::POST, path, &WASM, Some(component.into())).await?.expect_problem(403, "admin")?;
    Ok(())
}

#[tokio::test]
async fn there_is_one_at_a_time_and_it_ends_with_its_client_or_with_the_gateway() -> Result<()> {
    let setup = Setup::default().set("plugins.deadline=30s").plugin("p", guest("one-field")?);
    let mut scene = Scene::with(setup).await?;
    scene.endpoint_with("/a", "p", json!({})).await?;
    for _ in 0..3 {
        scene.client.send("a", &json!({ "poison": true })).await?;
    }
    scene.receiver.wait_for("/a", 3).await?;
    let spins = Bytes::from(std::fs::read(guest("spin-forever")?)?);
    let path = "/v1/plugins/p/backtest";
    let mut running = scene.client.begin(path, &WASM, spins.clone()).await?;
    within("it says what it compares", running.chunk()).await??.context("the first line")?;
    let good = std::fs::read(guest("one-field")?)?;
    scene.backtest("p/backtest", &good).await?.expect_problem(429, "one at a time")?;
    // Events are judged as if it were not there.
    scene.client.send("a", &json!({ "poison": true })).await?;
    scene.receiver.wait_for("/a", 4).await?;
    drop(running);
    eventually("its place is free", || async {
        let answer = scene.backtest("p/backtest", &good).await?;
        Ok((answer.status == StatusCode::OK).then_some(()))
    })
    .await?;
    let mut running = scene.client.begin(path, &WASM, spins).await?;
    within("it says what it compares", running.chunk()).await??.context("the first line")?;
    scene.gateway.stop().await
}
