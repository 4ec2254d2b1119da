//! Settings that are read again on SIGHUP: what can change does, what cannot says so, and a mistake changes nothing.

use std::path::Path;

use anyhow::{Result, ensure};
use hookway_tests::client::Client;
use hookway_tests::gateway::{Gateway, Setup};
use hookway_tests::patience::eventually;
use hookway_tests::receiver::Receiver;
use http::StatusCode;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::contract;

async fn post(client: &Client, bytes: usize) -> Result<StatusCode> {
    let event = json!({ "event": "a", "data": "x".repeat(bytes) });
    Ok(client.post("/v1/events", &event).await?.status)
}

/// Writes the file, sends the signal, and waits until the log says this; it said nothing like it before.
async fn reload(gateway: &Gateway, file: &Path, text: &str, says: &str) -> Result<String> {
    ensure!(!gateway.log_tail().contains(says), "it said {says:?} before");
    std::fs::write(file, text)?;
    gateway.hang_up()?;
    eventually(&format!("the log says {says:?}"), || async {
        let log = gateway.log_tail();
        Ok(log.contains(says).then_some(log))
    })
    .await
}

#[tokio::test]
async fn what_can_change_does_what_cannot_says_so_and_a_mistake_changes_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("hookway.toml");
    std::fs::write(&file, "[ingest]\nmax_event_bytes = 200\n")?;
    let gateway = Setup::default().env("HOOKWAY_CONFIG", &file.to_string_lossy()).start().await?;
    let client = gateway.client().with_check(contract::check());
    assert_eq!(post(&client, 1_000).await?, StatusCode::PAYLOAD_TOO_LARGE);

    let larger = "log.level = \"debug\"\n[ingest]\nmax_event_bytes = 5000\n[dispatch]\nmax_in_flight = 7\n";
    let log = reload(&gateway, &file, larger, "read again").await?;
    assert_eq!(post(&client, 1_000).await?, StatusCode::ACCEPTED);
    ensure!(log.contains("ingest.max_event_bytes, log.level"), "{log}");
    let log = eventually("the rest is named", || async {
        let log = gateway.log_tail();
        Ok(log.contains("count from the next start on").then_some(log))
    });
    ensure!(log.await?.contains("dispatch.max_in_flight"));
    // Nobody has to know of a client that talks nonsense but who looks for it.
    TcpStream::connect(gateway.address()).await?.write_all(b"nonsense\r\n\r\n").await?;
    let is_told = async || Ok(gateway.log_tail().contains("DEBUG").then_some(()));
    eventually("it is logged as the new level says", is_told).await?;

    let id = client.send("a", &json!("too old soon")).await?;
    let young = "[ingest]\nmax_event_bytes = 5000\n[retention]\nmax_age = \"1s\"\n";
    let log = reload(&gateway, &file, young, "retention.max_age").await?;
    ensure!(log.contains("read again"), "{log}");
    eventually("what is too old is removed", || async {
        let found = client.get(&format!("/v1/events/{id}")).await?;
        Ok((found.status == StatusCode::NOT_FOUND).then_some(()))
    })
    .await?;

    let wrong = "[ingest]\nmax_event_bytes = \"many\"\nmax_bytes = 3\n";
    let log = reload(&gateway, &file, wrong, "nothing is changed").await?;
    ensure!(log.contains("ingest.max_event_bytes") && log.contains("max_bytes"), "{log}");
    assert_eq!(post(&client, 1_000).await?, StatusCode::ACCEPTED);

    let full = "[ingest]\nmin_free_bytes = 9000000000000000000\nmax_event_bytes = 5000\n";
    reload(&gateway, &file, full, "no events are taken").await?;
    assert_eq!(post(&client, 1_000).await?, StatusCode::SERVICE_UNAVAILABLE);
    Ok(())
}

#[tokio::test]
async fn where_deliveries_may_go_and_how_many_at_once_can_change_and_a_mistake_changes_nothing() -> Result<()>
{
    const OPEN: &str = "[deliver]\nallow_http = true\nallow_networks = [\"127.0.0.0/8\"]\nretry = [\"1h\"]\n";
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("hookway.toml");
    std::fs::write(&file, "")?;
    let setup = Setup::as_it_comes().env("HOOKWAY_CONFIG", &file.to_string_lossy());
    let (gateway, receiver) = (setup.start().await?, Receiver::start().await?);
    let client = gateway.client().with_check(contract::check());
    let endpoint = json!({ "url": receiver.url("/a"), "topics": ["**"] });
    client.post("/v1/endpoints", &endpoint).await?.expect_refusal("allow_http")?;

    reload(&gateway, &file, OPEN, "deliver.allow_http").await?;
    let endpoint = client.create_endpoint(&endpoint).await?;
    client.send("a", &json!(1)).await?;
    receiver.wait_for("/a", 1).await?;

    // A connection to it is open.
    let closed = "[deliver]\nallow_http = true\nretry = [\"1h\"]\n[ingest]\nmax_batch_events = 5\n";
    reload(&gateway, &file, closed, "ingest.max_batch_events").await?;
    let refused = client.send("a", &json!(2)).await?;
    let refused = client.delivery_in(&refused, &endpoint.id, &["retrying"]).await?;
    assert_eq!(receiver.requests("/a").len(), 1);

    let none = format!("{OPEN}[lanes]\nmax_in_flight = 0\n");
    reload(&gateway, &file, &none, "lanes.max_in_flight").await?;
    let id = refused["id"].as_str().unwrap_or_default();
    client.post(&format!("/v1/deliveries/{id}/retry"), &json!({})).await?.expect(StatusCode::ACCEPTED)?;
    let wrong = format!("{OPEN}timeout = \"40s\"\n");
    let log = reload(&gateway, &file, &wrong, "nothing is changed").await?;
    ensure!(log.contains("`deliver.timeout`"), "{log}");
    let due =
        client.delivery_in(refused["event_id"].as_str().unwrap_or_default(), &endpoint.id, &["retrying"]);
    assert_eq!(due.await?["attempts"], refused["attempts"], "an attempt started that had no slot");

    let open = format!("{OPEN}[ingest]\nmax_batch_bytes = 5000000\n");
    reload(&gateway, &file, &open, "ingest.max_batch_bytes").await?;
    receiver.wait_for("/a", 2).await?;
    Ok(())
}
