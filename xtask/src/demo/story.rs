//! Posting the events and waiting for what becomes of them.

use std::collections::HashMap;

use anyhow::{Context, Result};
use hookway_tests::client::Client;
use hookway_tests::events::ORDER_CREATED;
use hookway_tests::patience::eventually;
use hookway_tests::receiver::Received;
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::endpoints::{EVERYTHING, Shown};
use super::latency::Latencies;
use super::receiver::Inbox;
use crate::progress::Progress;
use crate::tools::step;

/// How many events are on their way to the gateway at the same time: enough to share a commit, few enough to watch.
const PRODUCERS: usize = 8;

/// The ids of the events that were accepted, each with the moment just before its POST.
pub(super) type Posted = HashMap<String, Instant>;

/// What became of all events at one endpoint.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) endpoint: &'static str,
    pub(super) sent: usize,
    pub(super) tally: Tally,
    pub(super) latencies: Latencies,
}

/// Deliveries of one endpoint, counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) matched: usize,
    pub(super) delivered: usize,
    pub(super) filtered: usize,
    pub(super) transformed: usize,
    pub(super) waiting: usize,
}

/// Posts all events and then the order of the payload example.
pub(super) async fn post_all(client: &Client, events: Vec<Value>) -> Result<Posted> {
    step(&format!("posting {} events, then the order of the payload example", events.len()));
    let mut progress = Progress::begin("posted", events.len() + 1);
    let mut posted = Posted::new();
    let mut in_flight = JoinSet::new();
    for event in events {
        if in_flight.len() == PRODUCERS {
            note(&mut in_flight, &mut posted, &mut progress).await?;
        }
        in_flight.spawn(post(client.clone(), event.to_string()));
    }
    while !in_flight.is_empty() {
        note(&mut in_flight, &mut posted, &mut progress).await?;
    }
    in_flight.spawn(post(client.clone(), ORDER_CREATED.to_owned()));
    note(&mut in_flight, &mut posted, &mut progress).await?;
    Ok(posted)
}

async fn note(
    in_flight: &mut JoinSet<Result<(String, Instant)>>,
    posted: &mut Posted,
    progress: &mut Progress,
) -> Result<()> {
    let (id, at) = in_flight.join_next().await.context("an event is in flight")???;
    posted.insert(id, at);
    progress.advance();
    Ok(())
}

async fn post(client: Client, event: String) -> Result<(String, Instant)> {
    let at = Instant::now();
    let json = [("content-type", "application/json")];
    let answer = client.call(Method::POST, "/v1/events", &json, Some(event.into())).await?;
    let answer = answer.expect(StatusCode::ACCEPTED)?;
    let id = answer.body["event_id"].as_str().context("a 202 names the event")?;
    Ok((id.to_owned(), at))
}

/// Waits until every delivery has come to its end, and counts.
pub(super) async fn settle(
    client: &Client,
    inbox: &Inbox,
    endpoints: &[Shown],
    posted: &Posted,
) -> Result<Vec<Row>> {
    step("waiting until every delivery has come to its end");
    let ids: Vec<_> = posted.keys().cloned().collect();
    // All deliveries of an event are created at once, so those of the other endpoints exist as well then.
    inbox.wait_for_events(EVERYTHING, &ids).await?;
    let mut rows = Vec::new();
    for Shown { path, id } in endpoints {
        let tally = settled(client, id).await?;
        let latencies = latencies(posted, &inbox.verified(path)?);
        rows.push(Row { endpoint: path, sent: posted.len(), tally, latencies });
    }
    Ok(rows)
}

async fn settled(client: &Client, endpoint: &str) -> Result<Tally> {
    eventually(&format!("all deliveries of {endpoint} have come to their end"), || async {
        let tally = tally(&client.deliveries(&format!("endpoint={endpoint}")).await?);
        Ok((tally.waiting == 0).then_some(tally))
    })
    .await
}

fn tally(deliveries: &[Value]) -> Tally {
    let mut tally = Tally { matched: deliveries.len(), ..Tally::default() };
    for delivery in deliveries {
        match delivery["status"].as_str().unwrap_or_default() {
            "delivered" => tally.delivered += 1,
            "filtered" => tally.filtered += 1,
            "pending" | "retrying" | "held" => tally.waiting += 1,
            _ => {}
        }
        let runs = delivery["plugins"].as_array().map(Vec::as_slice).unwrap_or_default();
        tally.transformed += usize::from(runs.iter().any(|run| run["outcome"] == "replaced"));
    }
    tally
}

/// From just before the POST of an event to the last byte of its first delivery.
fn latencies(posted: &Posted, arrived: &[Received]) -> Latencies {
    arrived.iter().filter_map(|one| Some(one.at.duration_since(*posted.get(one.id())?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn deliveries_are_counted_by_what_became_of_them() {
        let run = |outcome: &str| json!([{ "plugin": "a", "outcome": outcome }]);
        let deliveries = [
            json!({ "status": "delivered", "plugins": run("replaced") }),
            json!({ "status": "delivered", "plugins": run("unchanged") }),
            json!({ "status": "filtered", "plugins": run("dropped") }),
            json!({ "status": "held", "plugins": run("failed") }),
            json!({ "status": "failed", "plugins": [] }),
        ];
        let expected = Tally { matched: 5, delivered: 2, filtered: 1, transformed: 1, waiting: 1 };
        assert_eq!(tally(&deliveries), expected);
    }
}
