//! Settings that are read again on SIGHUP: what can change does, what cannot says so, and a mistake changes nothing.

use std::path::Path;

use anyhow::{Result, ensure};
use hookway_tests::client::Client;
use hookway_tests::gateway::{Gateway, Setup};
use hookway_tests::patience::eventually;
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

    let larger = "log.level = \"debug\"\n[ingest]\nmax_event_bytes = 5000\n[lanes]\nlane_buffer = 7\n";
    let log = reload(&gateway, &file, larger, "read again").await?;
    assert_eq!(post(&client, 1_000).await?, StatusCode::ACCEPTED);
    ensure!(log.contains("ingest.max_event_bytes, log.level"), "{log}");
    let log = eventually("the rest is named", || async {
        let log = gateway.log_tail();
        Ok(log.contains("count from the next start on").then_some(log))
    });
    ensure!(log.await?.contains("lanes.lane_buffer"));
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
