//! How fast a backtest is: `cargo xtask bench backtest [--json FILE] [--events N]`.
//!
//! Fills a store with 100,000 events through its verbs, runs a gateway on it in this process, and has it compare two versions of a
//! filter in Rust over all of them, over HTTP. One candidate is the live version itself; the other says otherwise of one event in a
//! hundred, and each of these must be told once: the benchmark fails if one is missing or comes twice. Meanwhile a producer posts
//! events one after the other, with and without a backtest beside it.
#![expect(clippy::print_stdout, reason = "the table is the product")]

mod gateway;
mod times;

use std::collections::HashSet;
use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use hookway::app::App;
use hookway::clock::Clock;
use hookway::config::Settings;
use hookway::model::{Actor, AuditEntry, Binding, DeliveryState, Endpoint, EndpointId, TenantId, UnixMs};
use hookway::plugins::Compiler;
use hookway::shutdown::Shutdown;
use hookway::store::redb::{Options, RedbStore};
use hookway::store::{FanOut, FinishedAttempt, NewDelivery, NewEvent, Store, Verdict};
use hookway::vault::{KeyRing, Vault};
use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::Instant;
use ureq::Agent;

use self::times::{Times, argument, percentiles, write_json};

type Fallible<T> = Result<T, Box<dyn Error>>;

const EVENTS: usize = 100_000;
/// Events of a transaction while the log is written.
const BATCH: usize = 1_000;
/// Of so many events the candidate says otherwise of one.
const ONE_OF: usize = 100;
const ROUNDS: usize = 3;
const TOPIC: &str = "repository/pushed";
/// What the producer is watched for without a backtest.
const ALONE: Duration = Duration::from_secs(3);
/// The filter: reads one field, and delivers unless it is `true`.
const LIVE: &str = "../target/guests/one-field.wasm";
/// The same, and fails where `poison` is `true`.
const CANDIDATE: &str = "../target/guests/trap.wasm";

/// One line of the table.
#[derive(Debug, Serialize)]
struct Row {
    candidate: &'static str,
    events: u64,
    differences: u64,
    seconds: f64,
    events_per_second: f64,
    /// What the producer waits for an answer, in microseconds.
    post: Times,
}

/// The gateway that is asked.
#[derive(Clone)]
struct Asked {
    agent: Agent,
    base: String,
    key: String,
}

fn main() -> Fallible<()> {
    let events = argument("--events")?.map_or(Ok(EVENTS), |text| text.parse())?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (live, candidate) = (std::fs::read(root.join(LIVE))?, std::fs::read(root.join(CANDIDATE))?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let home = tempfile::tempdir()?;
    let clock = Clock::system();
    let path = home.path().join("store.redb");
    let store = RedbStore::open(&path, Vault::new(KeyRing::random()), clock, &Options::default())?;
    let store: Arc<dyn Store> = Arc::new(store);
    let began = Instant::now();
    runtime.block_on(fill(&*store, clock.now(), events))?;
    println!("{events} events written in {:.0?}", began.elapsed());
    let plugins = home.path().join("plugins");
    std::fs::create_dir_all(&plugins)?;
    std::fs::write(plugins.join("filter.wasm"), &live)?;
    let asked = runtime.block_on(serve(home.path(), store, clock))?;
    let mut rows = vec![asked.alone()?];
    for _ in 0..ROUNDS {
        rows.push(asked.compare(("the same", &live), (events, 0))?);
        rows.push(asked.compare(("another", &candidate), (events, events.div_ceil(ONE_OF)))?);
    }
    println!(
        "{:<10} {:>8} {:>12} {:>8} {:>9} {:>12} {:>12}",
        "candidate", "events", "differences", "seconds", "events/s", "post p50 us", "post p99 us"
    );
    for Row { candidate, events, differences, seconds, events_per_second, post } in &rows {
        println!(
            "{candidate:<10} {events:>8} {differences:>12} {seconds:>8.2} {events_per_second:>9.0} {:>12.0} {:>12.0}",
            post.p50, post.p99
        );
    }
    write_json(&rows)
}

/// One endpoint uses the filter, and every event was delivered to it.
async fn fill(store: &dyn Store, now: UnixMs, events: usize) -> Fallible<()> {
    let id = EndpointId::new(UnixMs(1), 1);
    let url = "http://127.0.0.1:9/".parse()?;
    let binding = Binding { plugin: "filter".parse()?, config: None, topics: Vec::new(), on_failure: None };
    let topics = hookway::model::Subscription::Patterns(vec![TOPIC.parse()?]);
    let blank = Endpoint::new(id, TenantId::default(), url, now);
    let endpoint = Endpoint { plugins: vec![binding], subscription: topics, ..blank };
    store.create_endpoint(endpoint, AuditEntry::new(now, Actor::Gateway, "endpoint.created", 1)).await?;
    for batch in 0..events.div_ceil(BATCH) {
        let numbers = batch * BATCH..events.min((batch + 1) * BATCH);
        let new = numbers.map(|n| event(n, now)).collect::<Fallible<Vec<_>>>()?;
        let accepted = store.accept(new).await?;
        let mut calls = Vec::with_capacity(BATCH);
        for accepted in &accepted {
            let verdict = Verdict {
                state: DeliveryState::Pending,
                due_at: None,
                plugins: Vec::new(),
                custom: None,
                notice: None,
            };
            let deliveries = vec![NewDelivery { endpoint: id, line: None, verdict }];
            calls.push(store.fan_out(FanOut {
                event: accepted.event.key,
                at: now,
                deliveries,
                durable: true,
            }));
        }
        for call in calls {
            call.await?;
        }
        let mut calls = Vec::with_capacity(BATCH);
        for accepted in &accepted {
            let delivery = hookway::model::DeliveryId { event: accepted.event.key, ordinal: 0 };
            let state = DeliveryState::Delivered;
            calls.push(store.finish_attempt(FinishedAttempt {
                delivery,
                attempt: None,
                state,
                due_at: None,
                at: now,
                notice: None,
            }));
        }
        for call in calls {
            call.await?;
        }
    }
    Ok(())
}

/// As large as the events of a repository that is pushed to, without the long texts.
fn event(n: usize, at: UnixMs) -> Fallible<NewEvent> {
    let (is_poison, filler) = (n.is_multiple_of(ONE_OF), "x".repeat(800));
    let data = format!(
        r#"{{"repository": {{"private": false, "name": "r{n}"}}, "poison": {is_poison}, "note": "{filler}"}}"#
    );
    Ok(NewEvent {
        id: Some(format!("push-{n}").parse()?),
        idempotency_key: None,
        tenant: TenantId::default(),
        topic: TOPIC.parse()?,
        timestamp: None,
        received_at: at,
        data: Bytes::from(data),
        test_of: None,
        trace: None,
    })
}

async fn serve(home: &Path, store: Arc<dyn Store>, clock: Clock) -> Fallible<Asked> {
    let mut settings = Settings { data_dir: home.to_owned(), ..Settings::default() };
    settings.deliver.allow_http = true;
    let (stop, http) = (Shutdown::new(), settings.http.clone());
    let app = App::start(settings, store, Compiler::InProcess, clock, stop.clone()).await?;
    let key = app.admin_key().ok_or("a new store has a new key")?.reveal();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    tokio::spawn(gateway::serve(app, listener, http, stop));
    Ok(Asked { agent: Agent::new_with_defaults(), base, key })
}

impl Asked {
    /// The producer without a backtest beside it.
    fn alone(&self) -> Fallible<Row> {
        let (_, post) = self.beside(|| {
            thread::sleep(ALONE);
            Ok(())
        })?;
        Ok(Row { candidate: "none", events: 0, differences: 0, seconds: 0.0, events_per_second: 0.0, post })
    }

    /// From the request to the last line of the answer.
    fn compare(
        &self,
        (candidate, component): (&'static str, &[u8]),
        (events, expected): (usize, usize),
    ) -> Fallible<Row> {
        let (took, post) = self.beside(|| self.backtest(component, events, expected))?;
        Ok(Row {
            candidate,
            events: events as u64,
            differences: expected as u64,
            seconds: took.as_secs_f64(),
            events_per_second: events as f64 / took.as_secs_f64(),
            post,
        })
    }

    fn backtest(&self, component: &[u8], events: usize, expected: usize) -> Fallible<Duration> {
        let path = format!("/v1/plugins/filter/backtest?limit={events}&topic={TOPIC}");
        let began = Instant::now();
        let answer = self.post(&path, "application/wasm", component)?;
        let (mut told, mut summary) = (HashSet::new(), Value::Null);
        for line in BufReader::new(answer.into_body().into_reader()).lines() {
            let line: Value = serde_json::from_str(&line?)?;
            match line["type"].as_str() {
                Some("difference") => {
                    let is_new = told.insert(line["event_id"].to_string());
                    assert!(is_new, "a difference is told twice: {line}");
                }
                Some("summary") => summary = line,
                _ => {}
            }
        }
        let took = began.elapsed();
        assert_eq!(told.len(), expected, "every difference is told: {summary}");
        assert_eq!(summary["events"].as_u64(), Some(events as u64), "{summary}");
        Ok(took)
    }

    /// Does something while a producer posts events, and tells how long it waits for each answer.
    fn beside<T>(&self, work: impl FnOnce() -> Fallible<T>) -> Fallible<(T, Times)> {
        let stop = Arc::new(AtomicBool::new(false));
        let (producer, stopped) = (self.clone(), Arc::clone(&stop));
        let posting = thread::spawn(move || {
            let mut times = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let began = Instant::now();
                let posted =
                    producer.post("/v1/events", "application/json", br#"{"event":"other","data":1}"#);
                posted.expect("an event is taken");
                times.push(began.elapsed());
            }
            times
        });
        let done = work();
        stop.store(true, Ordering::Relaxed);
        let times = posting.join().map_err(|_| "the producer was refused")?;
        Ok((done?, percentiles(times)))
    }

    fn post(&self, path: &str, media: &str, body: &[u8]) -> Fallible<ureq::http::Response<ureq::Body>> {
        let request = self.agent.post(format!("{}{path}", self.base));
        let request = request.header("authorization", format!("Bearer {}", self.key));
        Ok(request.header("content-type", media).send(body)?)
    }
}
