//! Producers that post recorded events, one after the other each, and repeat what got no answer.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Options;
use super::ledger::Key;
use super::receiver::PATHS;
use crate::client::Client;
use crate::events;
use crate::gateway::Gateway;
use crate::patience::within;

/// Of so many topics the ordered endpoint gets one.
const ORDERED_SHARE: usize = 5;
/// Until what got no answer is posted again.
const AGAIN: Duration = Duration::from_millis(20);

/// What is posted: recorded events under ids that say who posted them and in which order.
#[derive(Debug)]
pub(super) struct Payloads {
    seed: u64,
    /// Topic and `data`.
    recorded: Vec<(String, String)>,
    ordered: BTreeSet<String>,
}

/// Producers at work.
#[derive(Debug)]
pub(super) struct Producers {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Shared {
    accepted: Mutex<BTreeSet<String>>,
    count: watch::Sender<usize>,
    deduplicated: AtomicUsize,
    stop: watch::Sender<bool>,
}

impl Payloads {
    pub(super) fn load(path: &Path, seed: u64) -> Result<Self> {
        let recorded = events::load(path)?.into_iter().map(|event| {
            let topic = event["event"].as_str().context("an event has a topic")?.to_owned();
            Ok((topic, event["data"].to_string()))
        });
        let recorded = recorded.collect::<Result<Vec<_>>>()?;
        let topics: BTreeSet<_> = recorded.iter().map(|(topic, _)| topic.clone()).collect();
        let ordered = topics.into_iter().step_by(ORDERED_SHARE).collect();
        Ok(Self { seed, recorded, ordered })
    }

    /// The topics that the ordered endpoint gets.
    pub(super) fn ordered_topics(&self) -> Vec<Value> {
        self.ordered.iter().cloned().map(Value::from).collect()
    }

    fn id(&self, producer: usize, number: usize) -> String {
        format!("soak-{}-{producer}-{number}", self.seed)
    }

    /// Which producer posts this event, and its number there.
    pub(super) fn producer(&self, event: &str) -> Option<(usize, usize)> {
        let mut parts = event.strip_prefix(&format!("soak-{}-", self.seed))?.split('-');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }

    fn recorded(&self, producer: usize, number: usize) -> &(String, String) {
        // A step without a common divisor takes each producer through all of them, from another place.
        let seed = usize::try_from(self.seed % 1_000).unwrap_or_default();
        &self.recorded[(seed + producer * 37 + number) % self.recorded.len()]
    }

    /// The body that is posted, which is also what arrives.
    pub(super) fn body(&self, event: &str) -> Option<String> {
        let (producer, number) = self.producer(event)?;
        let (topic, data) = self.recorded(producer, number);
        Some(format!(
            r#"{{"event":"{topic}","event_id":"{event}","timestamp":"2024-03-15T14:30:00Z","data":{data}}}"#
        ))
    }

    /// The deliveries of these events.
    pub(super) fn expected(&self, events: &BTreeSet<String>) -> BTreeSet<Key> {
        let wants = |path: &str, event: &str| {
            path != "/fifo"
                || self.producer(event).is_some_and(|(p, n)| self.ordered.contains(&self.recorded(p, n).0))
        };
        let all = events.iter().flat_map(|event| PATHS.map(|path| (path, event.clone())));
        all.filter(|(path, event)| wants(path, event)).collect()
    }
}

impl Producers {
    pub(super) fn start(gateway: &Gateway, payloads: Arc<Payloads>, options: &Options) -> Self {
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        for producer in 0..options.producers {
            let (client, payloads, shared) = (gateway.client(), Arc::clone(&payloads), Arc::clone(&shared));
            let early = options.early;
            tasks.spawn(async move { shared.produce(&client, &payloads, producer, early).await });
        }
        Self { shared, tasks }
    }

    pub(super) fn accepted(&self) -> usize {
        *self.shared.count.borrow()
    }

    /// Waits until so many events are accepted.
    pub(super) async fn reached(&self, count: usize) -> Result<()> {
        let mut counts = self.shared.count.subscribe();
        while self.accepted() < count {
            within("an event more is accepted", counts.changed()).await?.context("producers count")?;
        }
        Ok(())
    }

    /// Lets each end what it has begun; returns all that was accepted, and how many were posted again and stored once.
    pub(super) async fn finish(mut self) -> Result<(BTreeSet<String>, usize)> {
        self.shared.stop.send_replace(true);
        within("producers stop", async { while self.tasks.join_next().await.is_some() {} }).await?;
        let accepted =
            std::mem::take(&mut *self.shared.accepted.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((accepted, self.shared.deduplicated.load(Ordering::Relaxed)))
    }
}

impl Shared {
    async fn produce(&self, client: &Client, payloads: &Payloads, producer: usize, early: bool) {
        for number in 0.. {
            if *self.stop.borrow() {
                return;
            }
            let id = payloads.id(producer, number);
            let body = Bytes::from(payloads.body(&id).unwrap_or_default());
            let json = [("content-type", "application/json")];
            if early {
                self.note(id);
                // Nobody hears of what becomes of it.
                if client.call(Method::POST, "/v1/events", &json, Some(body)).await.is_err() {
                    tokio::time::sleep(AGAIN).await;
                }
                continue;
            }
            loop {
                let answer = client.call(Method::POST, "/v1/events", &json, Some(body.clone())).await;
                if let Ok(answer) = answer.and_then(|answer| answer.expect(StatusCode::ACCEPTED)) {
                    self.deduplicated
                        .fetch_add(usize::from(answer.body["duplicate"] == true), Ordering::Relaxed);
                    break;
                }
                tokio::time::sleep(AGAIN).await;
            }
            self.note(id);
        }
    }

    fn note(&self, id: String) {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        self.count.send_modify(|count| *count += 1);
    }
}
