//! Receivers that answer with far too much, far too slowly or with nonsense: an attempt ends in its time, in little memory.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::receiver::{Conversation, RawReceiver};
use serde_json::{Value, json};

use crate::scene::Scene;

/// The time for an attempt, and what it may take longer.
const TIMEOUT: Duration = Duration::from_secs(2);
const LONGER: Duration = Duration::from_secs(1);
/// Attempts at the same time.
const ATTEMPTS: usize = 16;
/// What one of them may cost.
const MEMORY_KIB: u64 = 1024;
/// What is kept of an answer.
const KEPT: usize = 16 * 1024;

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// What a receiver does with each request.
#[derive(Debug, Clone, Copy)]
enum Hostility {
    EndlessBody,
    EndlessWithoutLength,
    GzipBomb,
    Drip,
    Continues,
    LargeHeader,
    ManyHeaders,
    EndlessHeader,
    EndlessChunkExtension,
    EndlessTrailers,
    Silence,
}

impl Hostility {
    const ALL: [Self; 11] = [
        Self::EndlessBody,
        Self::EndlessWithoutLength,
        Self::GzipBomb,
        Self::Drip,
        Self::Continues,
        Self::LargeHeader,
        Self::ManyHeaders,
        Self::EndlessHeader,
        Self::EndlessChunkExtension,
        Self::EndlessTrailers,
        Self::Silence,
    ];

    async fn show(self, mut other: Conversation) {
        match self {
            Self::EndlessBody => {
                other.write(CHUNKED).await;
                other.flood(format!("4000\r\n{}\r\n", "x".repeat(0x4000))).await;
            }
            Self::EndlessWithoutLength => {
                other.write("HTTP/1.1 500 Oops\r\n\r\n").await;
                other.flood(vec![b'x'; 0x4000]).await;
            }
            Self::GzipBomb => {
                // 600 KiB that say that they are 600 MiB of zeros: nobody unpacks them to find out.
                let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 614400\r\n\r\n\x1f";
                other.write([head.as_bytes(), b"\x8b\x08\0\0\0\0\0\x02\x03"].concat()).await;
                other.flood(vec![0; 0x4000]).await;
            }
            Self::Drip => {
                other.write("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await;
                while other.write("x").await {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Self::Continues => other.flood("HTTP/1.1 100 Continue\r\n\r\n".repeat(100)).await,
            Self::LargeHeader => {
                other.write(format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(600 * 1024))).await;
                other.closed().await;
            }
            Self::ManyHeaders => {
                other.write(format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(10_000))).await;
                other.closed().await;
            }
            Self::EndlessHeader => {
                other.write("HTTP/1.1 200 OK\r\nx: ").await;
                other.flood(vec![b'y'; 0x4000]).await;
            }
            Self::EndlessChunkExtension => {
                other.write(format!("{CHUNKED}1;x=")).await;
                other.flood(vec![b'y'; 0x4000]).await;
            }
            Self::EndlessTrailers => {
                other.write(format!("{CHUNKED}0\r\n")).await;
                other.flood("x: y\r\n".repeat(1000)).await;
            }
            Self::Silence => other.closed().await,
        }
    }

    /// The class of the failure; `None` where what was read is an answer.
    const fn class(self) -> Option<&'static str> {
        match self {
            Self::EndlessBody | Self::EndlessWithoutLength | Self::GzipBomb => None,
            Self::Drip => Some("body_timeout"),
            Self::Continues | Self::Silence => Some("response_timeout"),
            Self::LargeHeader
            | Self::ManyHeaders
            | Self::EndlessHeader
            | Self::EndlessChunkExtension
            | Self::EndlessTrailers => Some("protocol"),
        }
    }
}

async fn scene() -> Result<Scene> {
    let timeout = format!("deliver.timeout={}s", TIMEOUT.as_secs());
    Scene::with(Setup::default().set(&timeout).set("deliver.retry=[]").set("lanes.breaker_failures=0")).await
}

/// The only attempts of the deliveries of all these events.
async fn attempts(scene: &Scene, endpoint: &str, events: &[String]) -> Result<Vec<Value>> {
    let mut attempts = Vec::new();
    for event in events {
        let delivery = scene.client.delivery_in(event, endpoint, &["delivered", "failed"]).await?;
        let record = scene.client.delivery(delivery["id"].as_str().context("an id")?).await?;
        let log = record["attempt_log"].as_array().context("an attempt log")?;
        ensure!(log.len() == 1, "{record}");
        attempts.push(log[0].clone());
    }
    Ok(attempts)
}

fn check(hostility: Hostility, attempt: &Value) -> Result<()> {
    let took = Duration::from_millis(attempt["duration_ms"].as_u64().context("a duration")?);
    ensure!(took <= TIMEOUT + LONGER, "{hostility:?} took {took:?}");
    let class = attempt["error"]["class"].as_str();
    ensure!(class == hostility.class(), "{hostility:?}: {attempt}");
    if class.is_none() {
        let body = attempt["response"]["body"].as_str().context("a body")?;
        let is_text = attempt["response"]["body_encoding"] == "text";
        let length = if is_text { body.len() } else { body.trim_end_matches('=').len() * 3 / 4 };
        ensure!(length == KEPT && attempt["response"]["truncated"] == true, "{hostility:?} kept {length}");
    }
    Ok(())
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_ends_in_its_time_and_in_little_memory_whatever_the_receiver_does() -> Result<()> {
    let scene = scene().await?;
    // What the process needs anyway is there before anything is measured.
    scene.endpoint("/warm", json!({ "topics": ["warm"] })).await?;
    for n in 0..200 {
        scene.client.send("warm", &json!(n)).await?;
    }
    scene.receiver.wait_for("/warm", 200).await?;
    for hostility in Hostility::ALL {
        let receiver = RawReceiver::start(move |other| hostility.show(other)).await?;
        let topic = format!("{hostility:?}");
        let target = json!({ "url": receiver.url("/"), "topics": [topic] });
        let endpoint = scene.endpoint("/", target).await?.id;
        let attacked = async {
            let mut events = Vec::new();
            for n in 0..ATTEMPTS {
                events.push(scene.client.send(&topic, &json!(n)).await?);
            }
            let made = attempts(&scene, &endpoint, &events).await?;
            receiver.until("every connection is closed", |counts| counts.ended == ATTEMPTS).await?;
            Ok(made)
        };
        let (growth, made) = scene.gateway.growth_kib(attacked).await?;
        for attempt in &made {
            check(hostility, attempt)?;
        }
        let limit = ATTEMPTS as u64 * MEMORY_KIB;
        ensure!(growth <= limit, "{hostility:?} cost {growth} KiB for {ATTEMPTS} attempts, not {limit}");
        let posts = receiver.until("all came", |counts| counts.posts >= ATTEMPTS).await?.posts;
        ensure!(posts == ATTEMPTS, "{hostility:?}: {posts} POSTs for {ATTEMPTS} attempts");
    }
    Ok(())
}
