//! `hookway event send`: files, pipes, lines that are refused.

use std::fs;

use anyhow::{Context, Result};
use hookway_tests::command::Hookway;
use hookway_tests::events;
use hookway_tests::gateway::Gateway;
use hookway_tests::receiver::{Answer, Receiver};
use serde_json::{Value, json};

/// Recorded events, with one line that is no event.
fn with_a_bad_line(at: usize) -> Result<(String, usize)> {
    let mut lines: Vec<_> = events::load(&events::recorded())?.iter().map(Value::to_string).collect();
    lines.insert(at - 1, r#"{"event": "not a topic", "data": 1}"#.to_owned());
    Ok((lines.join("\n"), lines.len()))
}

#[tokio::test]
async fn everything_before_a_bad_line_is_sent_and_nothing_after_it() -> Result<()> {
    let gateway = Gateway::start().await?;
    let hookway = Hookway::of(&gateway);
    let (events, lines) = with_a_bad_line(173)?;
    let file = gateway.home().join("events.ndjson");
    fs::write(&file, events)?;
    let file = file.to_str().context("a path of text")?;
    let ran = hookway.run(&["event", "send", file, "--batch", "100", "--json"]).await?;
    let ran = ran.ends(1, "line 173: ")?.ends(1, "(at /event)")?.ends(1, "--from-line 173")?;
    let sent = ran.rows()?;
    assert_eq!(sent.len(), 172);
    for event in [&sent[0], &sent[171]] {
        let id = event["event_id"].as_str().context("an id")?;
        hookway.ok(&["event", "get", id]).await?;
    }
    let rest = ["event", "send", file, "--from-line", "173", "--keep-going", "--json"];
    let ran = hookway.run(&rest).await?.ends(1, "1 lines were refused")?.ends(1, "line 173: ")?;
    assert_eq!(ran.rows()?.len(), lines - 173);
    Ok(())
}

#[tokio::test]
async fn one_json_may_stand_on_many_lines() -> Result<()> {
    let gateway = Gateway::start().await?;
    let hookway = Hookway::of(&gateway);
    let event = "{\n  \"event\": \"a/b\",\n  \"event_id\": \"order-42\",\n  \"data\": {\"n\": 1.10}\n}\n";
    hookway.run_with(&["event", "send", "-"], event).await?.expect(0)?.says("order-42\n")?;
    hookway.run_with(&["event", "send", "-"], event).await?.expect(0)?.says("order-42 was there already")?;
    hookway.ok(&["event", "get", "order-42"]).await?.says("\"n\": 1.10")?;
    hookway.run_with(&["event", "send", "-"], &event.replace("1.10", "2")).await?.ends(5, "other content")?;
    hookway.run_with(&["event", "send", "-"], "nonsense").await?.ends(1, "line 1: ")?;
    hookway.run(&["event", "send", "/nonexistent"]).await?.ends(1, "cannot read this file")?;
    Ok(())
}

#[tokio::test]
async fn a_gateway_that_goes_away_ends_it_with_the_line_to_go_on_from() -> Result<()> {
    let receiver = Receiver::start().await?;
    let taken = json!({ "accepted": 2, "duplicates": 1, "events": [{}, {}] }).to_string();
    let unavailable =
        json!({ "status": 503, "detail": "the storage is not available now", "code": "x" }).to_string();
    let answers = [Answer::status(202).body(taken), Answer::status(503).body(unavailable)];
    receiver.script("/v1/events", answers);
    let hookway = Hookway::default().set("HOOKWAY_ADDRESS", &receiver.url(""));
    let ran = hookway.run_with(&["event", "send", "-", "--batch", "2"], "{}\n{}\n\n{}\n{}\n").await?;
    let ran = ran.ends(1, "--from-line 4")?.ends(1, "not available")?;
    ran.says("sent 2 events, 1 of them known already")?;
    assert_eq!(receiver.requests("/v1/events").len(), 2);
    assert_eq!(receiver.requests("/v1/events")[0].header("content-type"), "application/x-ndjson");
    Ok(())
}
