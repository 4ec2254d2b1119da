//! A stream of varied events to five endpoints, and what is known of each event and request.
//!
//! Each event goes to the one endpoint of its topic. What went in is kept, so that what comes out can be compared; the
//! times are kept, so that it is known which secrets must have signed.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use hookway_tests::client::{Client, Endpoint};
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{install, plugin};
use hookway_tests::receiver::{Answer, Received};
use http::{Method, StatusCode};
use jiff::Timestamp;
use rand::RngExt as _;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::payloads::Payloads;
use crate::scene::Scene;

/// As they are, through two plugins, failing at first, and with a secret that changes.
pub(crate) const PATHS: [&str; 5] = ["/plain", "/jq", "/redact", "/flaky", "/rotating"];
/// How many events are posted before their deliveries are waited for.
pub(crate) const ROUND: usize = 250;
const PRODUCERS: usize = 8;
const JSON: (&str, &str) = ("content-type", "application/json");
const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");
/// The first is long enough that the second attempt is in another second, jitter included; nothing uses up all of them.
const RETRY: [&str; 12] = {
    let mut waits = ["100ms"; 12];
    waits[0] = "1500ms";
    waits
};
/// Escapes of the corner cases that are no character.
const HALVES: [&str; 3] = ["\\ud800", "\\udfff", "\\udc00"];
const TIMESTAMPS: &[&str] = &["2024-03-15T14:30:00Z", "1999-12-31T23:59:59.123456789+02:00"];

pub(crate) struct Stream {
    pub(crate) scene: Scene,
    pub(crate) endpoints: HashMap<&'static str, Endpoint>,
    pub(crate) sent: HashMap<String, Sent>,
    pub(crate) payloads: Payloads,
    fixed: Vec<String>,
    counts: HashMap<&'static str, usize>,
    started: (Instant, Timestamp),
}

/// An event that was accepted.
pub(crate) struct Sent {
    pub(crate) path: &'static str,
    pub(crate) data: String,
    /// Before it was posted.
    pub(crate) at: Instant,
}

/// An event to be posted.
struct Draft {
    sent: Sent,
    text: String,
}

impl Stream {
    pub(crate) async fn start(seed: u64) -> Result<Self> {
        // On a busy machine plugins need time to meet their deadline.
        let scene = Scene::with(Setup::default().set("plugins.deadline=5s")).await?;
        for name in ["jq-transform", "redact"] {
            // One after another, so that each has all the time that a start would give to both.
            install(&plugin(name)?, &scene.gateway.plugins_dir(), name)?;
            scene.client.plugin_active(name).await?;
        }
        let mut endpoints = HashMap::new();
        for path in PATHS {
            let mut with = match path {
                "/jq" => uses("jq-transform", json!({ "program": "{id: .event_id, data: .data}" })),
                "/redact" => uses("redact", json!({ "mask": ["/data/secret"], "drop": ["/data/card"] })),
                _ => json!({}),
            };
            with["topics"] = json!([format!("{}/**", &path[1..])]);
            with["retry"] = json!(RETRY);
            endpoints.insert(path, scene.endpoint(path, with).await?);
        }
        let payloads = Payloads::new(seed)?;
        let fixed = payloads.fixed().collect();
        let started = (Instant::now(), Timestamp::now());
        let (sent, counts) = (HashMap::new(), HashMap::new());
        Ok(Self { scene, endpoints, sent, payloads, fixed, counts, started })
    }

    /// Posts a round: singly by some producers, and in a batch. Waits until all of it arrived, except where retries are
    /// under way.
    pub(crate) async fn round(&mut self) -> Result<()> {
        let mut drafts: Vec<_> = (0..ROUND).map(|number| self.draft(number)).collect();
        let batch = drafts.split_off(ROUND / 2);
        let client = &self.scene.client;
        let (single, batch) = tokio::try_join!(post_singly(client, drafts), post_batch(client, batch))?;
        for (id, sent) in single.into_iter().chain(batch) {
            *self.counts.entry(sent.path).or_default() += 1;
            ensure!(self.sent.insert(id.clone(), sent).is_none(), "{id} was given to two events");
        }
        for (path, count) in &self.counts {
            if *path != "/flaky" {
                self.scene.receiver.wait_for(path, *count).await?;
            }
        }
        Ok(())
    }

    /// The next answers of the endpoint that fails: every third is a failure.
    pub(crate) fn fail(&self, failures: usize) {
        let bad = |number| if number % 3 == 0 { Answer::Reset } else { Answer::status(503) };
        let answers =
            (0..failures).flat_map(|number| [bad(number), Answer::status(200), Answer::status(200)]);
        self.scene.receiver.script("/flaky", answers);
    }

    /// All requests, once there are as many as events and failures.
    pub(crate) async fn arrived(&self, failures: usize) -> Result<Vec<Received>> {
        let mut all = Vec::new();
        for path in PATHS {
            let more = if path == "/flaky" { failures } else { 0 };
            let count = self.counts.get(path).copied().unwrap_or_default() + more;
            let mut requests = self.scene.receiver.wait_for(path, count).await?;
            ensure!(requests.len() == count, "{path} got {} requests, not {count}", requests.len());
            all.append(&mut requests);
        }
        Ok(all)
    }

    /// Seconds since 1970.
    pub(crate) fn unix(&self, at: Instant) -> Result<u64> {
        let wall = self.started.1 + at.duration_since(self.started.0);
        Ok(wall.as_second().try_into()?)
    }

    fn draft(&mut self, number: usize) -> Draft {
        let payload = match self.fixed.pop() {
            Some(fixed) => fixed,
            None if number == 0 && self.sent.len().is_multiple_of(4 * ROUND) => self.payloads.large(),
            None => self.payloads.any(),
        };
        // What a program of jq reads has no half of a surrogate pair; all others pass it on unread.
        let is_half = HALVES.iter().any(|half| payload.contains(half));
        let path = if is_half { PATHS[0] } else { PATHS[number % PATHS.len()] };
        let data = match path {
            "/redact" => format!(r#"{{"secret":"hunter2" ,"card":["4111-1111"], "rest": {payload}}}"#),
            _ => payload,
        };
        let topic = self.payloads.one_of(&["a", "B-1/c_2", "x.y"]);
        let mut fields = vec![format!(r#""event":"{}/{topic}""#, &path[1..]), format!("\"data\":\t{data} ")];
        if self.payloads.rng.random_bool(0.5) {
            fields.push(format!(r#""event_id":"{}""#, self.payloads.event_id()));
        }
        if self.payloads.rng.random_bool(0.3) {
            fields.push(format!(r#""timestamp":"{}""#, self.payloads.one_of(TIMESTAMPS)));
        }
        let first = self.payloads.rng.random_range(0..fields.len());
        fields.rotate_left(first);
        let is_single = number < ROUND / 2;
        let space = if is_single { "\n " } else { " " };
        let text = format!("{{{space}{}{space}}}", fields.join(&format!("{space},")));
        Draft { sent: Sent { path, data, at: Instant::now() }, text }
    }
}

fn uses(plugin: &str, config: Value) -> Value {
    json!({ "plugins": [{ "plugin": plugin, "config": config }] })
}

async fn post_singly(client: &Client, drafts: Vec<Draft>) -> Result<Vec<(String, Sent)>> {
    let mut producers = JoinSet::new();
    let mut shares: Vec<Vec<Draft>> = (0..PRODUCERS).map(|_| Vec::new()).collect();
    for (number, draft) in drafts.into_iter().enumerate() {
        shares[number % PRODUCERS].push(draft);
    }
    for share in shares {
        let client = client.clone();
        producers.spawn(async move {
            let mut accepted = Vec::new();
            for Draft { mut sent, text } in share {
                sent.at = Instant::now();
                let answer = client.call(Method::POST, "/v1/events", &[JSON], Some(text.into())).await?;
                accepted.push((id_in(&answer.expect(StatusCode::ACCEPTED)?.body)?, sent));
            }
            anyhow::Ok(accepted)
        });
    }
    let mut all = Vec::new();
    while let Some(accepted) = producers.join_next().await {
        all.append(&mut accepted??);
    }
    Ok(all)
}

async fn post_batch(client: &Client, drafts: Vec<Draft>) -> Result<Vec<(String, Sent)>> {
    let (lines, mut sent): (Vec<_>, Vec<_>) =
        drafts.into_iter().map(|draft| (draft.text, draft.sent)).unzip();
    let at = Instant::now();
    sent.iter_mut().for_each(|sent| sent.at = at);
    let answer = client.call(Method::POST, "/v1/events", &[NDJSON], Some(lines.join("\n").into())).await?;
    let body = answer.expect(StatusCode::ACCEPTED)?.body;
    let ids = body["events"].as_array().context("a batch is answered with its events")?;
    ensure!(ids.len() == sent.len(), "{} events were answered, not {}", ids.len(), sent.len());
    ids.iter().map(id_in).zip(sent).map(|(id, sent)| Ok((id?, sent))).collect()
}

fn id_in(answer: &Value) -> Result<String> {
    Ok(answer["event_id"].as_str().context("an accepted event has an id")?.to_owned())
}
