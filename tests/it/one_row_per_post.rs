//! Every POST on the wire is one row of the log, whatever goes wrong: counted at the receiver and compared.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::patience::eventually;
use hookway_tests::receiver::{Answer, Received, Receiver};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::scene::Scene;

const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");
const DELIVERIES: usize = 10_000;
/// Few enough to be delivered within the patience of a test.
const BATCH: usize = 1_000;
/// Requests for rows of the log at the same time.
const READERS: usize = 16;

/// Attempts of a delivery, by its id: their numbers, and whether the log says that the connection broke.
type Posts = BTreeMap<String, Vec<u64>>;
type Rows = BTreeMap<String, Vec<(u64, bool)>>;

/// Of ten requests four go wrong in some way; of five hundred one gets no answer at all, and one ends its connection.
fn faults() -> impl Iterator<Item = Answer> {
    (0..4 * DELIVERIES).map(|n| match n % 10 {
        _ if n % 500 == 7 => Answer::Hang,
        _ if n % 500 == 11 => Answer::GoAway,
        0 => Answer::Reset,
        3 => Answer::status(500),
        5 => Answer::Half,
        8 => Answer::status(503).header("connection", "close"),
        _ => Answer::status(200),
    })
}

/// Posts all events, batch after batch, each once the one before has come to its end.
async fn deliver_all(scene: &Scene, endpoint: &str) -> Result<()> {
    for batch in 0..DELIVERIES / BATCH {
        let line = |n| format!("{}\n", json!({ "event": "a", "data": { "batch": batch, "n": n } }));
        let lines: String = (0..BATCH).map(line).collect();
        let posted = scene.client.call(Method::POST, "/v1/events", &[NDJSON], Some(lines.into())).await?;
        posted.expect(StatusCode::ACCEPTED)?;
        let path = format!("/v1/endpoints/{endpoint}/stats");
        eventually("all deliveries of a batch are there and have ended", || async {
            let stats = scene.client.get(&path).await?.expect(StatusCode::OK)?.body;
            let (waiting, created) = (&stats["waiting"], &stats["windows"]["1h"]["created"]);
            let are_there = *created == (batch + 1) * BATCH;
            Ok((are_there && waiting["pending"] == 0 && waiting["retrying"] == 0).then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// What came over the wire.
fn on_the_wire(requests: &[Received]) -> Result<Posts> {
    let mut posts = Posts::new();
    for request in requests {
        let number = request.header("hookway-attempt").parse().context("every POST has its number")?;
        posts.entry(request.header("hookway-delivery-id").to_owned()).or_default().push(number);
    }
    Ok(posts)
}

/// What the log says.
async fn in_the_log(scene: &Scene, endpoint: &str) -> Result<Rows> {
    let mut ids: Vec<_> = Vec::new();
    for row in scene.client.deliveries(&format!("endpoint={endpoint}")).await? {
        ids.push(row["id"].as_str().context("a delivery has an id")?.to_owned());
    }
    let mut readers = JoinSet::new();
    for ids in ids.chunks(ids.len().div_ceil(READERS)) {
        let (client, ids) = (scene.client.clone(), ids.to_vec());
        readers.spawn(async move {
            let mut found = Rows::new();
            for id in ids {
                let record = client.delivery(&id).await?;
                let rows = record["attempt_log"].as_array().context("a delivery has its attempts")?;
                found.insert(id, rows.iter().filter_map(row).collect());
            }
            anyhow::Ok(found)
        });
    }
    readers.join_all().await.into_iter().try_fold(Rows::new(), |mut all, some| {
        all.append(&mut some?);
        Ok(all)
    })
}

fn row(row: &Value) -> Option<(u64, bool)> {
    Some((row["number"].as_u64()?, row["error"]["class"] == "protocol"))
}

/// Checks that each POST has its row, and each row its POST, unless the connection broke before the receiver had read it
/// to its end. Returns how often that was.
fn compare(mut wire: Posts, log: &Rows) -> Result<usize> {
    ensure!(log.len() == DELIVERIES, "{} deliveries are in the log", log.len());
    let mut unread = 0;
    for (delivery, rows) in log {
        let mut posts = wire.remove(delivery).unwrap_or_default();
        posts.sort_unstable();
        let whole = || rows.iter().map(|(number, _)| *number);
        ensure!(whole().eq(1..=rows.len() as u64), "{delivery} has the rows {rows:?}");
        for (number, broke) in rows {
            let count = posts.iter().filter(|post| *post == number).count();
            ensure!(
                count == 1 || (count == 0 && *broke),
                "{delivery} {number}: {count} POSTs, rows {rows:?}"
            );
            unread += 1 - count;
        }
        ensure!(posts.len() <= rows.len(), "{delivery}: {posts:?} came over the wire, rows {rows:?}");
    }
    ensure!(wire.is_empty(), "without a row: {wire:?}");
    Ok(unread)
}

async fn one_row_for_each_post(receiver: Receiver) -> Result<(Receiver, usize)> {
    let retry = r#"deliver.retry=["5ms","5ms","5ms","5ms","5ms","5ms","5ms","5ms","5ms","5ms","5ms","5ms"]"#;
    let mut setup = Setup::default().set(retry).set("deliver.timeout=2s").set("lanes.breaker_failures=0");
    if let Some(file) = receiver.ca_file() {
        setup = setup.set(&format!("deliver.ca_file={}", file.display()));
    }
    let scene = Scene { receiver, ..Scene::with(setup).await? };
    scene.receiver.script("/a", faults());
    let endpoint = scene.endpoint("/a", json!({})).await?;
    deliver_all(&scene, &endpoint.id).await?;
    let wire = scene.receiver.requests("/a");
    ensure!(wire.len() > DELIVERIES * 3 / 2, "only {} POSTs: nothing went wrong", wire.len());
    let unread = compare(on_the_wire(&wire)?, &in_the_log(&scene, &endpoint.id).await?)?;
    Ok((scene.receiver, unread))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_deliveries_with_faults_have_one_row_for_each_post() -> Result<()> {
    let (_, unread) = one_row_for_each_post(Receiver::start().await?).await?;
    ensure!(unread == 0, "{unread} rows have no POST, and every POST was read to its end");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_deliveries_over_http_2_with_resets_and_goaway_have_one_row_for_each_post() -> Result<()>
{
    let (receiver, unread) = one_row_for_each_post(Receiver::start_http2().await?).await?;
    ensure!(unread < DELIVERIES / 10, "{unread} rows have no POST");
    let posts = receiver.requests("/a").len();
    let connections = receiver.connections();
    ensure!(connections < posts, "{connections} connections for {posts} POSTs");
    Ok(())
}
