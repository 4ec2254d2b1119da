//! One idempotency key, one event: however many producers repeat it at the same time, and whatever happens in between.

use anyhow::{Context, Result, ensure};
use hookway_tests::client::{Answer, Client};
use http::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;

use crate::scene::Scene;

const PRODUCERS: usize = 1000;
const EVENT: &str = r#"{"event":"orders/created","data":{"order":17}}"#;
const OTHER: &str = r#"{"event":"orders/created","data":{"order":18}}"#;

async fn post(client: &Client, body: &'static str) -> Result<Answer> {
    let headers = [("content-type", "application/json"), ("idempotency-key", "order-17")];
    client.call(Method::POST, "/v1/events", &headers, Some(body.into())).await
}

/// The answers of all producers: the id of the event, and how many were told that it is new.
async fn by_all(client: &Client) -> Result<(String, usize)> {
    let mut producers = JoinSet::new();
    for _ in 0..PRODUCERS {
        let client = client.clone();
        producers.spawn(async move { post(&client, EVENT).await?.expect(StatusCode::ACCEPTED) });
    }
    let (mut id, mut new) = (None, 0);
    for answer in producers.join_all().await {
        let body = answer?.body;
        new += usize::from(body["duplicate"] == false);
        let this = body["event_id"].as_str().context("a 202 names the event")?.to_owned();
        ensure!(id.get_or_insert_with(|| this.clone()) == &this, "{this} is another event than {id:?}");
    }
    Ok((id.context("there were producers")?, new))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_producers_with_one_key_make_one_event_also_after_a_restart_and_kill_9() -> Result<()> {
    let mut scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let (first, new) = by_all(&scene.client).await?;
    ensure!(new == 1, "{new} producers were told that the event is new");
    post(&scene.client, OTHER).await?.expect_problem(409, "idempotency")?;

    scene.gateway.stop().await?;
    scene.gateway.restart().await?;
    // Not over connections to the process that is gone.
    scene.client = scene.gateway.client();
    ensure!(by_all(&scene.client).await? == (first.clone(), 0), "it is another event after a restart");
    post(&scene.client, OTHER).await?.expect_problem(409, "idempotency")?;

    scene.gateway.kill().await?;
    scene.gateway.restart().await?;
    // Not over connections to the process that is gone.
    scene.client = scene.gateway.client();
    ensure!(by_all(&scene.client).await? == (first.clone(), 0), "it is another event after kill -9");
    post(&scene.client, OTHER).await?.expect_problem(409, "idempotency")?;

    let last = scene.client.send("last", &json!(1)).await?;
    let arrived = scene
        .receiver
        .wait_until("/a", "the last event", |all| all.iter().any(|request| request.id() == last));
    let ids: Vec<_> = arrived.await?.iter().map(|request| request.id().to_owned()).collect();
    ensure!(ids.iter().filter(|id| **id == first).count() == 1, "{ids:?}");
    scene.client.delivery_in(&last, &endpoint.id, &["delivered"]).await?;
    let log = scene.client.deliveries("").await?;
    ensure!(log.len() == 2, "{} deliveries are in the log", log.len());
    Ok(())
}
