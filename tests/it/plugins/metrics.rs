//! What the gateway counts of its plugins, as Prometheus reads it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{install_bytes, plugin};
use hookway_tests::patience::eventually;
use http::StatusCode;
use serde_json::{Value, json};

use crate::scene::Scene;

async fn metrics(scene: &Scene) -> Result<String> {
    let answer = scene.client.get("/metrics").await?.expect(StatusCode::OK)?;
    answer.body.as_str().map(str::to_owned).context("metrics are text")
}

/// The value of the first series of this name whose labels have all of these.
fn value(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let is_it = |line: &&str| line.starts_with(name) && labels.iter().all(|label| line.contains(label));
    text.lines().find(is_it)?.rsplit_once(' ')?.1.parse().ok()
}

/// The same component in other bytes: with an empty custom section, `x`, at its end.
fn other_bytes(component: &Path) -> Result<Vec<u8>> {
    Ok([&fs::read(component)?[..], &[0, 2, 1, b'x']].concat())
}

#[tokio::test]
async fn calls_are_counted_by_what_came_of_them_and_a_replaced_version_leaves_the_text() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("judge", plugin("cel-filter")?)).await?;
    scene.endpoint_with("/a", "judge", json!({ "expr": "data == 1" })).await?;
    let first = scene.client.plugin_active("judge").await?["version"].clone();
    for number in [1, 1, 2] {
        scene.client.send("a", &json!(number)).await?;
    }
    scene.receiver.wait_for("/a", 2).await?;
    let text = eventually("three calls are counted", || async {
        let text = metrics(&scene).await?;
        Ok((value(&text, "hookway_plugin_call_seconds_count", &[]) == Some(3.0)).then_some(text))
    })
    .await?;
    let version = format!("version=\"{}\"", first.as_str().context("a version")?);
    let of_it = ["plugin=\"judge\"", version.as_str()];
    let calls = |outcome| value(&text, "hookway_plugin_calls_total", &[of_it[0], of_it[1], outcome]);
    assert_eq!(calls("outcome=\"passed\""), Some(2.0), "{text}");
    assert_eq!(calls("outcome=\"dropped\""), Some(1.0));
    assert_eq!(calls("outcome=\"trap\""), Some(0.0), "a series is there before it counts");
    ensure!(text.contains("hookway_plugin_call_seconds_bucket") && text.contains("le=\"1e-06\""), "{text}");
    ensure!(value(&text, "hookway_plugin_memory_peak_bytes", &of_it) > Some(65_535.0), "{text}");
    ensure!(value(&text, "hookway_plugin_instances", &of_it) >= Some(1.0), "{text}");
    ensure!(value(&text, "hookway_plugin_compile_seconds", &of_it) > Some(0.0), "{text}");
    ensure!(!text.contains("default"), "no label names a tenant: {text}");

    install_bytes(&other_bytes(&plugin("cel-filter")?)?, &scene.gateway.plugins_dir(), "judge")?;
    let is_next = |status: &Value| status["version"] != first;
    scene.client.plugin_when("judge", "the next version", is_next).await?;
    let text = metrics(&scene).await?;
    ensure!(!text.contains(&version), "the version that was replaced is gone: {text}");
    let reloads = value(&text, "hookway_plugin_reloads_total", &["plugin=\"judge\"", "result=\"live\""]);
    assert_eq!(reloads, Some(2.0), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_listener_of_its_own_serves_metrics_without_a_key() -> Result<()> {
    let setup = Setup::default().set("metrics.listen=127.0.0.1:0");
    let scene = Scene::with(setup).await?;
    scene.client.with_key(None).get("/metrics").await?.expect_problem(401, "key")?;
    let url = scene.gateway.metrics().context("it says where")?;
    let text = reqwest::get(url).await?.error_for_status()?.text().await?;
    ensure!(text.contains("# TYPE hookway_plugin_calls_total counter"), "{text}");
    let other = reqwest::get(url.replace("/metrics", "/v1/endpoints")).await?;
    assert_eq!(other.status().as_u16(), 404);
    Ok(())
}
