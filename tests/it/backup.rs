//! A backup under load, the loss of everything, and a gateway that goes on from the backup, as an operator does it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use hookway_tests::client::Client;
use hookway_tests::command::Hookway;
use hookway_tests::gateway::Setup;
use hookway_tests::patience::eventually;
use hookway_tests::receiver::Answer;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::scene::Scene;

/// Sends until it is told to stop; returns the ids that were answered.
async fn load(client: Client, mut stop: tokio::sync::watch::Receiver<bool>) -> Result<Vec<String>> {
    let mut sent = Vec::new();
    while !*stop.borrow_and_update() {
        sent.push(client.send("orders/created", &json!({ "n": sent.len() })).await?);
    }
    Ok(sent)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// What of a list the log has, by id.
async fn all(client: &Client, path: &str) -> Result<BTreeMap<String, Value>> {
    let (mut found, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = client.get(&format!("{path}?limit=250{cursor}")).await?.expect(StatusCode::OK)?.body;
        for one in page["data"].as_array().context("a list has `data`")? {
            let id = ["id", "event_id", "name"].iter().find_map(|name| one[*name].as_str());
            found.insert(id.context("an id")?.to_owned(), one.clone());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(found),
        }
    }
}

/// All endpoints, as they are stored: how an endpoint fares is found out anew after a start.
async fn endpoints_of(client: &Client) -> Result<BTreeMap<String, Value>> {
    let mut found = all(client, "/v1/endpoints").await?;
    for endpoint in found.values_mut().filter_map(Value::as_object_mut) {
        endpoint.remove("breaker");
    }
    Ok(found)
}

/// The data directory as it is after the disk was lost and the key was put back.
fn lose_everything(scene: &Scene) -> Result<()> {
    let data = scene.gateway.home().join("data");
    let key = fs::read(data.join("secrets.keys"))?;
    fs::remove_dir_all(&data)?;
    fs::remove_dir_all(scene.gateway.plugins_dir())?;
    fs::create_dir_all(&data)?;
    let file = data.join("secrets.keys");
    fs::write(&file, key)?;
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}

async fn restore(scene: &Scene, backup: &Path, more: &[&str]) -> Result<String> {
    let (data, plugins) = (scene.gateway.home().join("data"), scene.gateway.plugins_dir());
    let args = ["restore", text(backup), "--data-dir", text(&data), "--plugins-dir", text(&plugins)];
    Ok(Hookway::default().ok(&[&args[..], more].concat()).await?.out)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_lost_everything_goes_on_from_a_backup_made_under_load() -> Result<()> {
    let mut scene = Scene::start().await?;
    let good = scene.endpoint("/a", json!({ "description": "kept" })).await?;
    scene.receiver.script("/down", [Answer::status(500)]);
    scene.endpoint("/down", json!({ "retry": ["1h"] })).await?;
    let before = scene.client.send("orders/created", &json!("before")).await?;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut loads = JoinSet::new();
    for _ in 0..4 {
        loads.spawn(load(scene.client.clone(), stopped.clone()));
    }
    let backup = scene.gateway.home().join("one.backup");
    let hookway = Hookway::of(&scene.gateway);
    hookway.ok(&["backup", text(&backup)]).await?.says("whole")?;
    let after = scene.client.send("orders/created", &json!("after")).await?;
    stop.send_replace(true);
    let sent: Vec<String> = loads.join_all().await.into_iter().collect::<Result<Vec<_>>>()?.concat();
    hookway.run(&["backup", text(&backup)]).await?.ends(2, "is there already")?;
    hookway.ok(&["backup", "verify", text(&backup)]).await?.says("whole")?;
    let audit = scene.client.get("/v1/audit?action=backup.created").await?.expect(StatusCode::OK)?.body;
    ensure!(audit["data"].as_array().is_some_and(|rows| rows.len() == 1), "{audit}");
    eventually("all are delivered", || async {
        let arrived = scene.receiver.requests("/a").len();
        Ok((arrived >= sent.len() + 2).then_some(()))
    })
    .await?;
    let events = all(&scene.client, "/v1/events").await?;
    let endpoints = endpoints_of(&scene.client).await?;
    scene.gateway.kill().await?;
    lose_everything(&scene)?;
    restore(&scene, &backup, &[]).await?;
    scene.gateway.restart().await?;

    let restored = all(&scene.client, "/v1/events").await?;
    ensure!(restored.contains_key(&before) && !restored.contains_key(&after));
    ensure!(restored.len() > 1 && restored.len() < events.len(), "{} of {}", restored.len(), events.len());
    for (id, event) in &restored {
        let was = events.get(id).context("nothing is restored that was not there")?;
        for field in ["topic", "tenant", "data", "accepted_at"] {
            ensure!(event[field] == was[field], "{id}: {event} {was}");
        }
    }
    ensure!(endpoints_of(&scene.client).await? == endpoints);
    // What came second time has the id and the bytes that it had.
    eventually("what had not arrived is delivered", || async {
        let pending = scene.client.deliveries(&format!("status=pending&endpoint={}", good.id)).await?;
        Ok(pending.is_empty().then_some(()))
    })
    .await?;
    let mut bodies: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for request in scene.receiver.requests("/a") {
        bodies.entry(request.id().to_owned()).or_default().insert(request.body.to_vec());
    }
    ensure!(bodies.values().all(|same| same.len() == 1));
    ensure!(sent.iter().chain([&before, &after]).all(|id| bodies.contains_key(id)), "each arrived");
    scene.client.send("orders/created", &json!("and on")).await?;
    let intact = scene.client.get("/v1/audit/verify").await?.expect(StatusCode::OK)?.body;
    ensure!(intact["intact"] == true, "{intact}");
    Ok(())
}

#[tokio::test]
async fn a_paused_restore_sends_nothing_until_an_endpoint_is_activated() -> Result<()> {
    let mut scene = Scene::with(Setup::default().set(r#"deliver.retry=["1s","1s","1s"]"#)).await?;
    scene.receiver.script("/a", [Answer::status(500)]);
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let event = scene.client.send("a/b", &json!(1)).await?;
    scene.receiver.wait_for("/a", 1).await?;
    let backup = scene.gateway.home().join("one.backup");
    Hookway::of(&scene.gateway).ok(&["backup", text(&backup)]).await?;
    scene.gateway.kill().await?;
    let (data, plugins) = (scene.gateway.home().join("data"), scene.gateway.plugins_dir());
    let args = ["restore", text(&backup), "--data-dir", text(&data), "--plugins-dir", text(&plugins)];
    Hookway::default().run(&args).await?.ends(1, "--replace")?;
    let said = restore(&scene, &backup, &["--replace", "--paused"]).await?;
    ensure!(said.contains("all endpoints are inactive"), "{said}");
    let asides: Vec<_> = fs::read_dir(&data)?.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    ensure!(asides.iter().any(|name| name.to_string_lossy().starts_with("replaced-")), "{asides:?}");
    scene.receiver.script("/a", [Answer::status(200)]);
    let arrived = scene.receiver.requests("/a").len();
    scene.gateway.restart().await?;
    let held = scene.client.deliveries("status=held").await?;
    ensure!(held.len() == 1, "{held:?}");
    ensure!(scene.receiver.requests("/a").len() == arrived);
    let path = format!("/v1/endpoints/{}/activate", endpoint.id);
    scene.client.post(&path, &json!({})).await?.expect(StatusCode::OK)?;
    scene.client.delivery_in(&event, &endpoint.id, &["delivered"]).await?;
    Ok(())
}

/// More than buffers on the way take.
const LARGE: usize = 48 << 20;

/// A gateway whose backup is asked for by a client that does not read it.
async fn with_a_client_that_does_not_read(setup: Setup) -> Result<(Scene, TcpStream)> {
    let scene = Scene::with(setup).await?;
    fs::write(scene.gateway.plugins_dir().join("large.wasm"), vec![0; LARGE])?;
    let mut client = TcpStream::connect(scene.gateway.address()).await?;
    let key = scene.gateway.key();
    let request = format!(
        "POST /v1/backup HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {key}\r\ncontent-length: 0\r\n\r\n"
    );
    client.write_all(request.as_bytes()).await?;
    eventually("the backup has begun", || async {
        let audit = scene.client.get("/v1/audit?action=backup.created").await?.expect(StatusCode::OK)?.body;
        Ok(audit["data"].as_array().is_some_and(|rows| rows.len() == 1).then_some(()))
    })
    .await?;
    let refused = scene.client.post("/v1/backup", &json!({})).await?.expect_problem(429, "one at a time")?;
    assert_eq!(refused.body["code"], "backup_runs");
    Ok((scene, client))
}

#[tokio::test]
async fn a_client_that_does_not_read_its_backup_does_not_hold_up_a_stop() -> Result<()> {
    // The connection is cut off by then, and the store was closed before: nothing has to be waited for.
    let setup = Setup::default().set("shutdown.timeout=5s");
    let (mut scene, _client) = with_a_client_that_does_not_read(setup).await?;
    scene.gateway.stop().await?;
    scene.gateway.restart().await?;
    scene.client.send("orders/created", &json!("after it")).await?;
    Ok(())
}

#[tokio::test]
async fn a_client_that_does_not_read_its_backup_is_cut_off_and_the_next_one_is_made() -> Result<()> {
    let (scene, _client) =
        with_a_client_that_does_not_read(Setup::default().set("http.write_timeout=1s")).await?;
    let (hookway, file) = (Hookway::of(&scene.gateway), scene.gateway.home().join("one.backup"));
    eventually("another is made", || async {
        let ran = hookway.run(&["backup", text(&file)]).await?;
        Ok((ran.code == 0).then_some(()))
    })
    .await?;
    hookway.ok(&["backup", "verify", text(&file)]).await?.says("whole")?;
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file)?.permissions());
    assert_eq!(mode & 0o777, 0o600, "it is its owner's alone");
    let age = "hookway_backup_last_completed_timestamp_seconds ";
    eventually("the metrics say when that was", || async {
        let metrics = scene.client.get("/metrics").await?.expect(StatusCode::OK)?.body;
        let at = metrics.as_str().and_then(|text| text.lines().find_map(|line| line.strip_prefix(age)));
        Ok(at.filter(|at| *at != "0").map(|_| ()))
    })
    .await
}

#[tokio::test]
async fn what_is_no_whole_backup_is_refused_and_nothing_is_written() -> Result<()> {
    let scene = Scene::start().await?;
    for n in 0..50 {
        scene.client.send("a/b", &json!({ "n": n, "text": "x".repeat(2_000) })).await?;
    }
    let hookway = Hookway::of(&scene.gateway);
    let home = scene.gateway.home();
    let backup = home.join("one.backup");
    hookway.ok(&["backup", text(&backup)]).await?;
    let bytes = fs::read(&backup)?;
    let bad = home.join("bad.backup");
    let mut changed = bytes.clone();
    changed[bytes.len() / 2] ^= 1;
    for (content, word) in [
        (&bytes[..bytes.len() / 2], "cut off"),
        (&bytes[..bytes.len() - 1], "cut off"),
        (&changed[..], "damaged"),
        (b"{}".as_slice(), "not a backup"),
    ] {
        fs::write(&bad, content)?;
        hookway.run(&["backup", "verify", text(&bad)]).await?.ends(7, word)?;
        let data = home.join("restored");
        hookway.run(&["restore", text(&bad), "--data-dir", text(&data)]).await?.ends(1, word)?;
        ensure!(!data.exists());
    }
    let data = home.join("data");
    let in_use = hookway.run(&["restore", text(&backup), "--data-dir", text(&data), "--replace"]).await?;
    in_use.ends(1, "in use by another process")?;
    let nowhere = home.join("two.backup");
    let stranger = hookway.clone().set("HOOKWAY_KEY", "hk_wrong");
    stranger.run(&["backup", text(&nowhere)]).await?.ends(4, "API key")?;
    ensure!(!nowhere.exists() && fs::read_dir(home)?.count() == 5, "no partial file is left");
    Ok(())
}
