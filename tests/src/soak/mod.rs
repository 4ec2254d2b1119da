//! `kill -9` again and again while events flow: what was answered with `202` arrives, with its own bytes, and nothing is sent again that
//! no kill explains.
//!
//! Producers post recorded events and repeat what got no answer, as producers do. There are four endpoints: one takes all there is, one
//! has a plugin that changes the body, one fails now and then, one is ordered. After the last kill all is worked off, and the books
//! ([`ledger`]) and the log of the gateway are held against each other.
//!
//! Everything that is chosen, events, answers and when to kill, follows from a seed; when the machine does what does not.

pub mod failpoints;
mod ledger;
mod producers;
mod receiver;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::time::Instant;

use self::ledger::{Books, Verdict};
use self::producers::{Payloads, Producers};
use self::receiver::SoakReceiver;
use crate::gateway::{Gateway, Setup};
use crate::guests;

/// The plugin of the endpoint `/tagged`.
const PLUGIN: &str = "tagger";
/// Retries come soon and do not end: a delivery that is given up is none that was lost.
const RETRIES: [&str; 60] = ["100ms"; 60];
/// When nothing has arrived for so long, nothing more will.
const QUIET: Duration = Duration::from_secs(20);
/// Of what went wrong, and of what the gateway says of it.
const SHOWN: usize = 20;
/// How often it is looked what is missing.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long and how hard.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides everything that is chosen.
    pub seed: u64,
    /// How often the gateway is killed.
    pub kills: usize,
    /// How many events are accepted at least.
    pub events: usize,
    /// How many producers post at the same time.
    pub producers: usize,
    /// The control, which must lose: an event counts as accepted once it is sent, before the gateway has written it.
    pub early: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// That of the options.
    pub seed: u64,
    /// How often the gateway was killed.
    pub kills: usize,
    /// Events that were accepted.
    pub accepted: usize,
    /// Events of which the first POST got no answer and that turned out to be stored: repeated by their producer, and stored once.
    pub deduplicated: usize,
    /// What the books say.
    pub verdict: Verdict,
    /// The longest time from the start of the process to its first answer.
    pub slowest_start: Duration,
    /// What the gateway's log says of errors and panics.
    pub complaints: Vec<String>,
}

/// Kills, restarts, and judges. `tell` hears how many kills and accepted events there were after each kill.
///
/// # Errors
/// The gateway does not come back, or its log and the books differ. What was lost is in the report.
pub async fn kill(options: &Options, recorded: &Path, mut tell: impl FnMut(usize, usize)) -> Result<Report> {
    let mut rng = StdRng::seed_from_u64(options.seed);
    let payloads = Arc::new(Payloads::load(recorded, options.seed)?);
    let books = Arc::new(Books::default());
    let receiver = SoakReceiver::start(Arc::clone(&books), Arc::clone(&payloads), options.seed).await?;
    let setup = Setup::default()
        .set("log.level=warn")
        .set("lanes.breaker_failures=0")
        .set("deliver.timeout=30s")
        .set(&format!("deliver.retry={RETRIES:?}"))
        .plugin(PLUGIN, guests::guest("switchable-v1")?)
        .quiet();
    let mut gateway = setup.start().await?;
    let endpoints = create_endpoints(&gateway, &receiver, &payloads).await?;
    let producers = Producers::start(&gateway, Arc::clone(&payloads), options);
    let between = options.events / options.kills.max(1);
    let mut slowest_start = Duration::ZERO;
    for kill in 1..=options.kills {
        let more = rng.random_range(0..=2 * between);
        producers.reached(producers.accepted() + more).await?;
        gateway.kill().await?;
        // Whatever the dead process has sent has arrived by then, and counts as its own.
        receiver.next_run().await?;
        let begun = Instant::now();
        gateway.restart().await?;
        slowest_start = slowest_start.max(begun.elapsed());
        tell(kill, producers.accepted());
    }
    producers.reached(options.events).await?;
    let (accepted, deduplicated) = producers.finish().await?;
    tell(options.kills, accepted.len());
    let expected = payloads.expected(&accepted);
    settle(&books, &expected).await;
    let verdict = books.judge(&expected, |event| payloads.producer(event));
    if !options.early {
        compare_with_log(&gateway, &endpoints, &books).await?;
    }
    let (seed, kills, accepted) = (options.seed, options.kills, accepted.len());
    gateway.stop().await?;
    let complaints = gateway.complaints();
    Ok(Report { seed, kills, accepted, deduplicated, verdict, slowest_start, complaints })
}

/// The paths of the receiver, each with its endpoint.
async fn create_endpoints(
    gateway: &Gateway,
    receiver: &SoakReceiver,
    payloads: &Payloads,
) -> Result<BTreeMap<&'static str, String>> {
    let mut endpoints = BTreeMap::new();
    for path in receiver::PATHS {
        let mut endpoint = json!({ "url": receiver.url(path), "topics": ["**"] });
        match path {
            "/tagged" => endpoint["plugins"] = json!([{ "plugin": PLUGIN }]),
            "/fifo" => {
                endpoint["topics"] = payloads.ordered_topics().into();
                endpoint["ordering"] = "fifo".into();
            }
            _ => {}
        }
        endpoints.insert(path, gateway.client().create_endpoint(&endpoint).await?.id);
    }
    Ok(endpoints)
}

/// Waits until all has arrived, or nothing more does.
async fn settle(books: &Books, expected: &BTreeSet<ledger::Key>) {
    let (mut seen, mut since) = (books.arrivals(), Instant::now());
    while since.elapsed() < QUIET && books.is_missing_any(expected) {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = books.arrivals();
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
    }
}

/// Each delivery of the log is over, and has as many attempts as the last one that arrived says.
async fn compare_with_log(
    gateway: &Gateway,
    endpoints: &BTreeMap<&'static str, String>,
    books: &Books,
) -> Result<()> {
    let client = gateway.client();
    for (path, endpoint) in endpoints {
        // The end of the last attempts is recorded some milliseconds after they arrived.
        crate::patience::eventually(&format!("all deliveries to {path} are over"), || async {
            let mut open = 0;
            for state in ["pending", "retrying"] {
                let page = client.get(&format!("/v1/deliveries?endpoint={endpoint}&status={state}")).await?;
                open += page.body["data"].as_array().map_or(1, Vec::len);
            }
            Ok((open == 0).then_some(()))
        })
        .await?;
        for row in client.deliveries(&format!("endpoint={endpoint}")).await? {
            let id = row["event_id"].as_str().context("a delivery names its event")?;
            let last = books.last_attempt(path, id);
            ensure!(
                row["status"] == "delivered" && last.map(Value::from).as_ref() == Some(&row["attempts"]),
                "the log says of {id} to {path}: {row}; the last attempt that arrived there was {last:?}"
            );
        }
    }
    Ok(())
}

impl Report {
    /// Whether nothing was lost, nothing came that should not have, and the gateway saw nothing wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.verdict.lost.is_empty() && self.verdict.wrong.is_empty() && self.complaints.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, kills, accepted, deduplicated, verdict, slowest_start, complaints } = self;
        let Verdict { deliveries, arrivals, repeated, lost, wrong } = verdict;
        writeln!(
            f,
            "seed {seed}: {kills} kills, {accepted} events accepted, {deliveries} deliveries, {arrivals} POSTs"
        )?;
        writeln!(
            f,
            "{} lost, {} with other bytes, out of order or sent again without a kill",
            lost.len(),
            wrong.len()
        )?;
        writeln!(
            f,
            "{repeated} POSTs came again: each time the process was killed before its end was recorded"
        )?;
        writeln!(
            f,
            "{deduplicated} events were posted again because their answer was lost, and stored once"
        )?;
        write!(f, "the slowest start took {} ms", slowest_start.as_millis())?;
        for what in lost.iter().chain(wrong).take(SHOWN).chain(complaints.iter().take(SHOWN)) {
            write!(f, "\n  {what}")?;
        }
        Ok(())
    }
}
