//! Clients that are slow, lie about their requests or send what is to be shown elsewhere: others are served as ever.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookway_tests::client::Answer;
use hookway_tests::gateway::{Gateway, Setup};
use hookway_tests::patience::within;
use hookway_tests::receiver;
use http::{Method, StatusCode};
use rustix::process::{Resource, getrlimit};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::scene::Scene;

const SCRIPT: &str = "<script>alert(1)</script>";

/// Sends these bytes and returns all that comes until the gateway closes.
async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(bytes.as_ref()).await?;
    let mut answer = String::new();
    within("the gateway closes", stream.read_to_string(&mut answer)).await??;
    Ok(answer)
}

/// The head of a `POST /v1/events` with the key, without its end.
fn head(gateway: &Gateway) -> String {
    let key = gateway.key();
    format!("POST /v1/events HTTP/1.1\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n")
}

fn is_safe(answer: &Answer) -> Result<()> {
    let header =
        |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let policy = header("content-security-policy");
    ensure!(header("x-content-type-options") == "nosniff", "{answer:?}");
    ensure!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{answer:?}");
    let kind = header("content-type");
    let is_json = ["application/json", "application/problem+json"].contains(&kind);
    ensure!(is_json || answer.body.is_null(), "{kind}: {answer:?}");
    Ok(())
}

#[tokio::test]
async fn the_text_of_strangers_is_nothing_that_a_browser_would_run() -> Result<()> {
    let scene = Scene::start().await?;
    let shown = receiver::Answer::status(200).header("x-shown", SCRIPT).body(SCRIPT);
    scene.receiver.script("/a", [shown.header("content-type", "text/html")]);
    let with = json!({ "description": SCRIPT, "metadata": { "a": SCRIPT }, "headers": { "x-own": SCRIPT } });
    let endpoint = scene.endpoint("/a", with).await?;
    let event = scene.client.send("a", &json!({ "text": SCRIPT })).await?;
    let delivery = scene.client.delivery_in(&event, &endpoint.id, &["delivered"]).await?;
    let delivery = delivery["id"].as_str().context("an id")?;
    for path in ["/v1/endpoints", "/v1/deliveries", "/v1/audit", "/v1/plugins", "/healthz", "/readyz"] {
        is_safe(&scene.client.get(path).await?.expect(StatusCode::OK)?)?;
    }
    for (path, place) in [
        (format!("/v1/endpoints/{}", endpoint.id), "/description"),
        (format!("/v1/deliveries/{delivery}"), "/attempt_log/0/response/body"),
        (format!("/v1/deliveries/{delivery}"), "/attempt_log/0/response/headers/x-shown"),
        (format!("/v1/events/{event}"), "/data/text"),
    ] {
        let answer = scene.client.get(&path).await?.expect(StatusCode::OK)?;
        is_safe(&answer)?;
        ensure!(answer.body.pointer(place) == Some(&json!(SCRIPT)), "{path}{place}: {}", answer.body);
    }
    // The one page there is loads its own style sheet, and is made of what the gateway says of itself.
    let page = scene.client.with_key(None).get("/docs").await?.expect(StatusCode::OK)?;
    let policy = page.headers["content-security-policy"].to_str()?;
    ensure!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    ensure!(page.headers["x-content-type-options"] == "nosniff", "{:?}", page.headers);
    ensure!(!page.body.as_str().context("a page")?.contains("<script"), "the page has a script");
    let errors = [
        scene.client.get("/v1/<script>").await?,
        scene.client.get("/v1/endpoints/%3Cscript%3E").await?,
        scene.client.get("/v1/endpoints?%3Cscript%3E=1").await?,
        scene.client.post("/v1/events", &json!({ "event": SCRIPT, "data": 1 })).await?,
        scene.client.delete("/v1/events").await?,
        scene.client.with_key(None).get("/v1/events").await?,
    ];
    for answer in &errors {
        ensure!(answer.status.is_client_error(), "{answer:?}");
        is_safe(answer)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_request_that_can_be_read_in_two_ways_stores_nothing() -> Result<()> {
    let scene = Scene::start().await?;
    let (address, head) = (scene.gateway.address(), head(&scene.gateway));
    let event = r#"{"event":"a","data":1}"#;
    let (length, chunk) = (event.len(), format!("{:x}\r\n{event}\r\n0\r\n\r\n", event.len()));
    for request in [
        format!("{head}host: a\r\ncontent-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n{chunk}"),
        format!("{head}host: a\r\ntransfer-encoding: chunked\r\ncontent-length: {length}\r\n\r\n{chunk}"),
        format!("{head}host: a\r\ncontent-length: {length}\r\ncontent-length: {length}\r\n\r\n{event}"),
        format!("{head}host: a\ncontent-length: {length}\r\n\r\n{event}"),
        format!("{head}host: a\r\ncontent-length: {length}\n\n{event}"),
        format!("{head}content-length: {length}\r\n\r\n{event}"),
    ] {
        let answer = exchange(address, &request).await?;
        ensure!(answer.starts_with("HTTP/1.1 400 "), "{request}: {answer}");
        ensure!(answer.contains("connection: close\r\n"), "{request}: {answer}");
    }
    let one = scene.client.send("last", &json!(1)).await?;
    let good = format!("{head}host: a\r\ntransfer-encoding: chunked\r\n\r\n{chunk}");
    let answer = exchange(address, &good).await?;
    ensure!(answer.starts_with("HTTP/1.1 202 ") && answer.contains("connection: close\r\n"), "{answer}");
    ensure!(!answer.contains(&one), "{answer}");
    Ok(())
}

/// So many zeros in a 159th of their bytes: one block with a zero and repetitions of it (RFC 1951, 3.2.6).
fn gzip_of_zeros(count: usize) -> Vec<u8> {
    const REPEATED: usize = 258;
    let mut bits = vec![true, true, false];
    bits.extend([false, false, true, true, false, false, false, false]);
    for _ in 0..count / REPEATED {
        // 258 more of what was one byte ago.
        bits.extend([true, true, false, false, false, true, false, true]);
        bits.extend([false; 5]);
    }
    bits.extend([false; 7]);
    let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3];
    head.into_iter().chain(bits.chunks(8).map(byte)).chain([0; 8]).collect()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_gzip_bomb_is_refused_in_little_memory() -> Result<()> {
    let scene = Scene::start().await?;
    let bomb = gzip_of_zeros(120 * 1024 * 1024);
    ensure!(bomb.len() < 1024 * 1024, "{} bytes would be refused as they are", bomb.len());
    let encoded = [("content-type", "application/json"), ("content-encoding", "gzip")];
    scene.client.call(Method::POST, "/v1/events", &encoded, Some("{}".into())).await?;
    let send = scene.client.call(Method::POST, "/v1/events", &encoded, Some(bomb.into()));
    let (growth, answer) = scene.gateway.growth_kib(send).await?;
    let refused = [StatusCode::UNSUPPORTED_MEDIA_TYPE, StatusCode::PAYLOAD_TOO_LARGE];
    ensure!(refused.contains(&answer.status), "{answer:?}");
    ensure!(growth <= 8 * 1024, "it cost {growth} KiB");
    Ok(())
}

/// As many connections as the checklist asks for, or as this process may have.
fn crowd() -> usize {
    let may_open = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| limit as usize);
    may_open.saturating_sub(300).min(5_000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_slow_clients_are_closed_in_time_and_good_ones_served_meanwhile() -> Result<()> {
    let limit = Duration::from_secs(3);
    let setup = Setup::default().set("http.header_timeout=3s").set("http.body_timeout=3s");
    let scene = Scene::with(setup).await?;
    scene.endpoint("/a", json!({})).await?;
    let head = head(&scene.gateway);
    let beginnings = [
        String::new(),
        "POST /v1/ev".to_owned(),
        format!("{head}host: a\r\nx-half: "),
        format!("{head}host: a\r\ncontent-length: 100\r\n\r\n{{\"event\":"),
        format!("{head}host: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{{\"e"),
    ];
    let (mut slow, begun) = (Vec::new(), tokio::time::Instant::now());
    for n in 0..crowd() {
        let mut stream = TcpStream::connect(scene.gateway.address()).await?;
        stream.write_all(beginnings[n % beginnings.len()].as_bytes()).await?;
        slow.push(stream);
    }
    let good = async {
        for n in 0..100 {
            scene.client.send("a", &json!(n)).await?;
        }
        scene.receiver.wait_for("/a", 100).await
    };
    good.await?;
    for stream in &mut slow {
        let mut answer = Vec::new();
        within("a slow client is closed", stream.read_to_end(&mut answer)).await??;
        let answer = String::from_utf8_lossy(&answer);
        ensure!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    ensure!(begun.elapsed() >= limit, "they were closed before their time");
    scene.client.send("a", &Value::Null).await?;
    scene.receiver.wait_for("/a", 101).await?;
    Ok(())
}
