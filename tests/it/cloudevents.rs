//! CloudEvents in each mode, packed bodies and many events with a result for each, as producers send them.

use std::io::Write as _;

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use hookway_tests::client::Answer;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::Scene;

const MIB: usize = 1 << 20;
/// What a bomb may leave behind: item 30 of the checklist.
const GROWTH_KIB: u64 = 8 * 1024;
const BOMBS: usize = 20;
const GZIP: (&str, &str) = ("content-encoding", "gzip");
const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

/// That of the specification, with the spaces that must survive.
const CLOUD_EVENT: &str = r#"{ "specversion" : "1.0", "type" : "com.github.pull_request.opened",
  "source" : "https://github.com/cloudevents/spec/pull", "subject" : "123", "id" : "A234-1234-1234",
  "time" : "2018-04-05T17:31:00Z", "comexampleextension1" : "value", "comexampleothervalue" : 5,
  "datacontenttype" : "text/xml", "data" : "<much wow=\"xml\"/>" }"#;

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// So many zeros, packed without having them all at once.
fn zeros(mib: usize) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let piece = vec![b'0'; MIB];
    for _ in 0..mib {
        encoder.write_all(&piece)?;
    }
    Ok(encoder.finish()?)
}

async fn post(
    scene: &Scene,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<bytes::Bytes>,
) -> Result<Answer> {
    scene.client.call(Method::POST, path, headers, Some(body.into())).await
}

#[tokio::test]
async fn a_receiver_gets_every_attribute_of_a_cloud_event_in_each_mode() -> Result<()> {
    let scene = Scene::start().await?;
    scene.endpoint("/a", json!({ "topics": ["com.github.**"] })).await?;
    let structured = [("content-type", "application/cloudevents+json; charset=utf-8")];
    let sent = post(&scene, "/v1/events", &structured, CLOUD_EVENT).await?.expect(StatusCode::ACCEPTED)?.body;
    let request = scene.receiver.wait_for("/a", 1).await?.remove(0);
    let body = String::from_utf8(request.body.to_vec())?;
    let head = format!(
        r#"{{"event":"com.github.pull_request.opened","event_id":{},"timestamp":"2018-04-05T17:31:00Z","data":"#,
        sent["event_id"]
    );
    ensure!(body == format!("{head}{CLOUD_EVENT}}}"), "{body}");
    let again =
        post(&scene, "/v1/events", &structured, CLOUD_EVENT).await?.expect(StatusCode::ACCEPTED)?.body;
    ensure!(again == json!({ "event_id": sent["event_id"], "duplicate": true }), "{again}");
    let other = CLOUD_EVENT.replace("\"123\"", "\"124\"");
    post(&scene, "/v1/events", &structured, other).await?.expect_problem(409, "id")?;

    let binary = [
        ("ce-specversion", "1.0"),
        ("ce-type", "com.github.pull_request.closed"),
        ("ce-source", "https://github.com/cloudevents/spec/pull"),
        ("ce-subject", "Euro%20%E2%82%AC"),
        ("ce-id", "A234-1234-1235"),
        ("content-type", "application/json"),
    ];
    post(&scene, "/v1/events", &binary, r#"{"n": 1.00}"#).await?.expect(StatusCode::ACCEPTED)?;
    let request = scene.receiver.wait_for("/a", 2).await?.remove(1);
    let body = String::from_utf8(request.body.to_vec())?;
    ensure!(body.contains(r#""data":{"n": 1.00}"#) && body.contains(r#""subject":"Euro €""#), "{body}");

    let batch = [("content-type", "application/cloudevents-batch+json")];
    let body = format!("[{}]", CLOUD_EVENT.replace("A234-1234-1234", "A234-1234-1236"));
    let answer = post(&scene, "/v1/events", &batch, body).await?.expect(StatusCode::ACCEPTED)?.body;
    ensure!(answer["accepted"] == 1, "{answer}");
    scene.receiver.wait_for("/a", 3).await?;
    let missing = post(&scene, "/v1/events", &binary[1..], "1").await?;
    missing.expect_problem(422, "`ce-specversion`")?;
    Ok(())
}

#[tokio::test]
async fn good_lines_among_bad_ones_arrive_and_each_line_gets_its_result() -> Result<()> {
    let scene = Scene::start().await?;
    scene.endpoint("/a", json!({})).await?;
    let body = "{\"event\":\"a\",\"data\":1,\"event_id\":\"one\"}\n\
                {\"event\":\"a\"}\n\
                not json\n\
                {\"event\":\"a\",\"data\":1,\"event_id\":\"one\"}\n\
                {\"event\":\"a\",\"data\":2,\"event_id\":\"one\"}\n\
                {\"event\":\"a\",\"data\":2,\"event_id\":\"two\"}\n";
    let answer = post(&scene, "/v1/events?partial=true", &[NDJSON], body).await?.expect(StatusCode::OK)?;
    let text = answer.body.as_str().context("many lines are no JSON")?;
    let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let results: Vec<_> = lines.iter().map(|line| line["result"].as_str().unwrap_or_default()).collect();
    ensure!(results == ["accepted", "refused", "refused", "duplicate", "refused", "accepted"], "{text}");
    let statuses: Vec<_> = lines.iter().map(|line| line["error"]["status"].as_u64()).collect();
    ensure!(statuses == [None, Some(422), Some(400), None, Some(409), None], "{text}");
    ensure!(lines.iter().enumerate().all(|(index, line)| line["line"] == index + 1), "{text}");
    let arrived = scene.receiver.wait_for("/a", 2).await?;
    ensure!(arrived.iter().all(|request| ["one", "two"].contains(&request.id())), "{arrived:?}");
    post(&scene, "/v1/events", &[NDJSON], body).await?.expect_problem(422, "data")?;
    post(&scene, "/v1/events?partal=true", &[NDJSON], body).await?.expect_problem(400, "partal")?;
    Ok(())
}

#[tokio::test]
async fn a_packed_body_is_taken_and_a_bomb_is_refused_without_memory() -> Result<()> {
    // Made first: the gateway closes a connection that is silent for as long as this may take.
    let bombs = [zeros(10)?, zeros(200)?];
    let scene = Scene::start().await?;
    scene.endpoint("/a", json!({})).await?;
    let event = gzip(br#"{"event":"a","data":1}"#)?;
    post(&scene, "/v1/events", &[GZIP], event).await?.expect(StatusCode::ACCEPTED)?;
    let lines: String = (0..5000).map(|n| format!("{{\"event\":\"b/c\",\"data\":{n}}}\n")).collect();
    let answer = post(&scene, "/v1/events", &[GZIP, NDJSON], gzip(lines.as_bytes())?).await?;
    ensure!(answer.expect(StatusCode::ACCEPTED)?.body["accepted"] == 5000);
    scene.receiver.wait_for("/a", 5001).await?;

    let before = scene.gateway.resident_kib()?;
    for round in 0..BOMBS {
        let bomb = &bombs[round % bombs.len()];
        post(&scene, "/v1/events", &[GZIP, NDJSON], bomb.clone()).await?.expect_problem(413, "unpacks")?;
    }
    let grown = scene.gateway.resident_kib()?.saturating_sub(before);
    eprintln!("{BOMBS} bombs: resident memory grew by {grown} KiB");
    ensure!(grown <= GROWTH_KIB, "resident memory grew by {grown} KiB");
    Ok(())
}
