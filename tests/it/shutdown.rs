//! SIGTERM: drains within its time, exits with 0, loses nothing, doubles nothing. A second signal stops at once.
//!
//! That it does not wait for what hangs is seen by limits of an hour: the patience of a test is shorter.

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::{Gateway, Setup};
use hookway_tests::patience::eventually;
use hookway_tests::receiver::{Answer, Received};
use http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::load::{Load, all_arrive, none_twice};
use crate::scene::Scene;

/// A stop that ends well before an attempt, which takes 30 s at most.
fn hasty() -> Setup {
    Setup::default().set("shutdown.timeout=4s").set("deliver.timeout=30s")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_exits_with_0_and_loses_nothing() -> Result<()> {
    let mut scene = Scene::start().await?;
    scene.endpoint("/a", json!({})).await?;
    let load = Load::start(&scene.client, 16);
    load.reached(300).await?;
    scene.gateway.stop().await?;
    let accepted = load.finish().await?;
    scene.gateway.restart().await?;
    let requests = all_arrive(&scene.receiver, "/a", &accepted).await?;
    none_twice(&requests)
}

#[tokio::test]
async fn a_gateway_without_work_ends_at_once() -> Result<()> {
    let mut gateway = Setup::default().set("shutdown.timeout=1h").start().await?;
    gateway.stop().await?;
    gateway.restart().await?;
    gateway.stop().await
}

#[tokio::test]
async fn an_attempt_whose_receiver_hangs_is_put_back_and_not_used_up() -> Result<()> {
    let mut scene = Scene::with(hasty()).await?;
    scene.receiver.script("/a", [Answer::Hang, Answer::status(200)]);
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let id = scene.client.send("a", &json!(1)).await?;
    scene.receiver.wait_for("/a", 1).await?;
    scene.gateway.stop().await?;
    scene.gateway.restart().await?;
    let requests = scene.receiver.wait_for("/a", 2).await?;
    let attempts: Vec<_> = requests.iter().map(|request| request.header("hookway-attempt")).collect();
    assert_eq!(attempts, ["1", "1"]);
    assert_eq!(requests[0].body, requests[1].body);
    let delivered = scene.client.delivery_in(&id, &endpoint.id, &["delivered"]).await?;
    assert_eq!(delivered["attempts"], 1);
    Ok(())
}

#[tokio::test]
async fn clients_that_stall_are_cut_off() -> Result<()> {
    let hour = hasty().set("http.body_timeout=1h").set("http.header_timeout=1h").set("http.write_timeout=1h");
    let mut scene = Scene::with(hour).await?;
    let key = scene.gateway.key();
    let half = format!(
        "POST /v1/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         content-length: 1000\r\n\r\n{{\"event\": "
    );
    let mut stalled = Vec::new();
    for text in ["", "POST /v1/ev", &half] {
        let mut stream = TcpStream::connect(scene.gateway.address()).await?;
        stream.write_all(text.as_bytes()).await?;
        stalled.push(stream);
    }
    // An answer on a later connection: the others were accepted.
    scene.client.get("/readyz").await?.expect(StatusCode::OK)?;
    scene.gateway.stop().await?;
    for mut stream in stalled {
        let mut rest = Vec::new();
        // Closed or reset, as the system likes.
        let _ = stream.read_to_end(&mut rest).await;
        ensure!(!String::from_utf8_lossy(&rest).contains(" 202 "), "{rest:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_second_signal_stops_at_once_and_loses_nothing() -> Result<()> {
    let mut scene = Scene::with(hasty().set("shutdown.timeout=1h")).await?;
    scene.receiver.script("/a", [Answer::Hang, Answer::status(200)]);
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let id = scene.client.send("a", &json!(1)).await?;
    scene.receiver.wait_for("/a", 1).await?;
    scene.gateway.terminate()?;
    let address = scene.gateway.address();
    eventually("the first signal is heard", || async { Ok(TcpStream::connect(address).await.err()) }).await?;
    scene.gateway.terminate()?;
    let status = scene.gateway.ended().await?;
    ensure!(status.code() == Some(1), "it ended with {status}");
    scene.gateway.restart().await?;
    let requests = scene.receiver.wait_for("/a", 2).await?;
    ensure!(requests.iter().map(Received::id).all(|again| again == id));
    scene.client = scene.gateway.client();
    scene.client.delivery_in(&id, &endpoint.id, &["delivered"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_stop_is_announced_before_it_begins_for_as_long_as_one_likes() -> Result<()> {
    let setup = Setup::default().set("shutdown.timeout=2h").set("shutdown.delay=1h");
    let mut scene = Scene::with(setup).await?;
    scene.endpoint("/a", json!({})).await?;
    scene.gateway.terminate()?;
    let answer = eventually("it is not ready", || async {
        let answer = scene.client.get("/readyz").await?;
        Ok((answer.status != StatusCode::OK).then_some(answer))
    });
    let problem = answer.await?.expect_problem(503, "is stopping")?.body;
    let checks = problem["checks"].as_array().context("checks")?;
    let failing: Vec<_> = checks.iter().filter(|check| check["ok"] == false).collect();
    ensure!(failing.len() == 1 && failing[0]["name"] == "stop", "{problem}");
    let id = scene.client.send("a", &json!(1)).await?;
    assert_eq!(scene.receiver.wait_for("/a", 1).await?[0].id(), id, "it works until then");
    scene.gateway.terminate()?;
    ensure!(scene.gateway.ended().await?.code() == Some(1), "the second signal counts in that time, too");
    Ok(())
}

#[tokio::test]
async fn settings_that_do_not_exist_or_fit_are_refused_by_name() -> Result<()> {
    for (setting, about) in [("deliver.no_such=1", "no_such"), ("shutdown.delay=30s", "shutdown.timeout")] {
        let Err(error) = Setup::default().set(setting).start().await else {
            anyhow::bail!("it started with {setting}");
        };
        let text = format!("{error:#}");
        ensure!(text.contains(about), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_gateway_that_is_starting_says_so() -> Result<()> {
    let mut gateway = Gateway::start().await?;
    let client = gateway.client();
    gateway.stop().await?;
    // A start reads this file, and reading a pipe waits for somebody who writes.
    let pipe = gateway.home().join("topics.toml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status()?;
    ensure!(made.success(), "mkfifo: {made}");
    let setup = Setup::default().set(&format!("topics_file={}", pipe.display()));
    let meanwhile = async {
        let early = eventually("it listens", || async { Ok(client.get("/readyz").await.ok()) }).await?;
        let problem = early.expect_problem(503, "is starting")?.body;
        ensure!(problem["checks"][0]["name"] == "start" && problem["checks"][0]["ok"] == false, "{problem}");
        client.get("/healthz").await?.expect(StatusCode::OK)?;
        let refused = client.post("/v1/events", &json!({ "event": "a", "data": 1 })).await?;
        let refused = refused.expect_problem(503, "is starting")?;
        ensure!(refused.headers.contains_key("retry-after"));
        let writing = tokio::task::spawn_blocking(move || std::fs::write(pipe, "topics = []"));
        Ok(writing.await??)
    };
    let (started, asked) = tokio::join!(gateway.restart_with(setup), meanwhile);
    asked?;
    started?;
    let ready = client.get("/readyz").await?.expect(StatusCode::OK)?.body;
    let checks = ready["checks"].as_array().context("checks")?;
    let named: Vec<_> = checks.iter().map(|check| (&check["name"], &check["ok"])).collect();
    assert_eq!(json!(named), json!([["start", true], ["stop", true], ["store", true], ["disk", true]]));
    Ok(())
}
