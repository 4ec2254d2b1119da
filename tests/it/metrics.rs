//! What the gateway counts of its stages: each is provoked and read as Prometheus reads it.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::patience::eventually;
use hookway_tests::receiver::Answer;
use hookway_tests::workspace;
use http::StatusCode;
use serde_json::{Value, json};

use crate::scene::Scene;

/// What is read at one time.
struct Reading(String);

impl Reading {
    async fn of(scene: &Scene) -> Result<Self> {
        let answer = scene.client.get("/metrics").await?.expect(StatusCode::OK)?;
        Ok(Self(answer.body.as_str().map(str::to_owned).context("metrics are text")?))
    }

    /// The value of this series: `name` or `name{label="value"}`.
    fn get(&self, series: &str) -> Result<f64> {
        let value = self.0.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.with_context(|| format!("no {series}: {}", self.0))?.parse().context("a number")
    }

    fn is(&self, series: &str, expected: f64) -> Result<()> {
        let value = self.get(series)?;
        ensure!((value - expected).abs() < f64::EPSILON, "{series} is {value} and not {expected}");
        Ok(())
    }

    fn is_above(&self, series: &str, least: f64) -> Result<()> {
        let value = self.get(series)?;
        ensure!(value > least, "{series} is {value} and not above {least}");
        Ok(())
    }

    /// Reads again and again until this series has at least this value.
    async fn when(scene: &Scene, series: &str, least: f64) -> Result<Self> {
        eventually(&format!("{series} is {least}"), || async {
            let reading = Self::of(scene).await?;
            Ok((reading.get(series)? >= least).then_some(reading))
        })
        .await
    }
}

#[tokio::test]
async fn an_event_is_counted_at_every_stage_that_it_passes() -> Result<()> {
    let scene = Scene::with(Setup::default().set(r#"deliver.retry=["1s", "1h"]"#)).await?;
    scene.receiver.script("/b", [Answer::status(500)]);
    scene.endpoint("/a", json!({})).await?;
    scene.endpoint("/b", json!({ "topics": ["b"] })).await?;
    let event = json!({ "event": "a", "event_id": "one", "data": [1] });
    for _ in 0..2 {
        scene.client.send_event(&event).await?;
    }
    scene.client.send("b", &json!("two")).await?;
    let reading = Reading::when(&scene, r#"hookway_attempts_total{result="5xx"}"#, 2.0).await?;
    reading.is(r#"hookway_ingest_events_total{result="accepted"}"#, 2.0)?;
    reading.is(r#"hookway_ingest_events_total{result="duplicate"}"#, 1.0)?;
    reading.is("hookway_ingest_event_bytes_total", 8.0)?;
    reading.is(r#"hookway_http_requests_total{route="events",status="2xx"}"#, 3.0)?;
    reading.is(r#"hookway_http_request_seconds_count{route="events"}"#, 3.0)?;
    reading.is_above(r#"hookway_http_requests_total{route="api",status="2xx"}"#, 1.0)?;
    reading.is_above(r#"hookway_http_requests_total{route="health",status="2xx"}"#, -1.0)?;
    reading.is_above("hookway_http_connections_total", 0.0)?;
    reading.is_above("hookway_http_open_connections", 0.0)?;

    reading.is("hookway_store_writable", 1.0)?;
    reading.is_above("hookway_store_waiting_commands", -1.0)?;
    for kind in ["log_append", "commit"] {
        reading.is_above(&format!("hookway_store_{kind}_seconds_count"), 0.0)?;
        reading.is_above(&format!("hookway_store_{kind}_seconds_sum"), 0.0)?;
        // An event that comes beside something that is committed at once needs no log.
        reading.is_above(&format!("hookway_store_{kind}_commands_sum"), 0.0)?;
    }
    reading.is_above("hookway_store_commit_bytes_sum", 8.0)?;
    reading.is_above("hookway_store_log_append_bytes_total", 8.0)?;
    for file in ["tables", "log"] {
        reading.is_above(&format!(r#"hookway_store_file_bytes{{file="{file}"}}"#), 4096.0)?;
    }
    let free = reading.get("hookway_store_disk_free_bytes")?;
    reading.is_above("hookway_store_disk_size_bytes", free)?;

    reading.is("hookway_dispatch_seconds_count", 2.0)?;
    reading.is("hookway_dispatch_waiting_events", 0.0)?;
    reading.is("hookway_dispatch_oldest_event_seconds", 0.0)?;
    reading.is("hookway_backlog_deliveries", 1.0).context("that of /b is tried again")?;
    reading.is("hookway_backlog_bytes", 5.0)?;
    reading.is_above("hookway_lane_loads_total", 0.0).context("the retry was in the store")?;

    reading.is(r#"hookway_attempts_total{result="2xx"}"#, 2.0)?;
    reading.is(r#"hookway_attempts_total{result="connect"}"#, 0.0)?;
    reading.is(r#"hookway_attempt_seconds_count{success="true"}"#, 2.0)?;
    reading.is(r#"hookway_attempt_seconds_count{success="false"}"#, 2.0)?;
    reading.is("hookway_first_attempt_delay_seconds_count", 3.0)?;
    reading.is(r#"hookway_deliveries_total{state="delivered"}"#, 2.0)?;
    reading.is(r#"hookway_deliveries_total{state="failed"}"#, 0.0)?;
    reading.is_above("hookway_receiver_connections_opened_total", 0.0)?;
    let idle = reading.get("hookway_receiver_idle_connections")?;
    reading.is_above("hookway_receiver_connections", idle - 1.0)?;

    reading.is_above("process_cpu_seconds_total", 0.0)?;
    reading.is_above("process_start_time_seconds", 1.7e9)?;
    reading.is_above("process_resident_memory_bytes", 1e6)?;
    reading.is_above("process_open_fds", 3.0)?;
    ensure!(!reading.0.contains("default"), "no label names a tenant");
    Ok(())
}

#[tokio::test]
async fn what_a_producer_is_refused_is_counted_by_reason() -> Result<()> {
    let scene = Scene::with(Setup::default().set("ingest.tenant_backlog_deliveries=1")).await?;
    let events = "/v1/events";
    let good = json!({ "event": "a", "data": 1 });
    scene.client.with_key(None).post(events, &good).await?.expect_problem(401, "key")?;
    scene
        .client
        .post(events, &json!({ "event": "a b", "data": 1 }))
        .await?
        .expect(StatusCode::UNPROCESSABLE_ENTITY)?;
    scene.receiver.script("/a", [Answer::status(500)]);
    scene.endpoint("/a", json!({})).await?;
    scene.client.send_event(&good).await?;
    scene.client.post(events, &good).await?.expect_problem(429, "deliveries")?;
    let reading = Reading::of(&scene).await?;
    for reason in ["unauthorized", "invalid", "backlog"] {
        reading.is(&format!(r#"hookway_ingest_refusals_total{{reason="{reason}"}}"#), 1.0)?;
    }
    reading.is(r#"hookway_ingest_refusals_total{reason="conflict"}"#, 0.0)?;
    reading.is(r#"hookway_http_requests_total{route="events",status="4xx"}"#, 3.0)
}

#[tokio::test]
async fn lanes_are_counted_by_what_they_wait_for() -> Result<()> {
    let setup = Setup::default()
        .set("lanes.breaker_failures=2")
        .set("lanes.probe_wait=1h")
        .set("lanes.probe_wait_max=1h")
        .set("lanes.max_in_flight_per_endpoint=1")
        .set(r#"deliver.retry=["1s", "1h"]"#);
    let scene = Scene::with(setup).await?;
    scene.receiver.script("/down", [Answer::status(503)]);
    scene.receiver.script("/slow", [Answer::status(200).after(Duration::from_secs(3600))]);
    scene.endpoint("/down", json!({ "topics": ["down"] })).await?;
    scene.endpoint("/slow", json!({ "topics": ["slow"] })).await?;
    let inactive = scene.endpoint("/inactive", json!({ "topics": ["inactive"] })).await?;
    let path = format!("/v1/endpoints/{}/deactivate", inactive.id);
    scene.client.post(&path, &Value::Null).await?.expect(StatusCode::OK)?;
    // Nobody listens at its port any more.
    let gone = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let nobody = json!({ "url": format!("http://{gone}/"), "topics": ["nobody"] });
    scene.client.create_endpoint(&nobody).await?;
    for topic in ["down", "down", "slow", "slow", "nobody"] {
        scene.client.send(topic, &json!(1)).await?;
    }
    let open = r#"hookway_lane_breakers{state="open"}"#;
    Reading::when(&scene, open, 1.0).await?;
    Reading::when(&scene, r#"hookway_attempts_total{result="connect"}"#, 1.0).await?;
    let reading = Reading::when(&scene, "hookway_lane_deliveries", 1.0).await?;
    reading.is_above("hookway_attempts_in_flight", 0.0)?;
    reading.is_above("hookway_lane_delivery_bytes", 0.0)?;
    reading.is_above("hookway_lane_breakers_opened_total", 0.0)?;
    reading.is("hookway_lane_breakers_closed_total", 0.0)?;
    reading.is_above(r#"hookway_lanes{state="running"}"#, 0.0)?;
    reading.is(r#"hookway_lanes{state="paused"}"#, 1.0)?;
    reading.is_above(r#"hookway_attempts_total{result="5xx"}"#, 1.0)
}

#[tokio::test]
async fn the_page_has_every_metric_and_no_other() -> Result<()> {
    let scene = Scene::start().await?;
    let reading = Reading::of(&scene).await?;
    let kinds = reading.0.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let kinds: BTreeSet<_> = kinds.collect();
    let page = fs::read_to_string(workspace().join("docs/metrics.md"))?;
    let listed = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let listed: BTreeSet<_> = listed.collect();
    assert_eq!(listed, kinds);
    Ok(())
}
