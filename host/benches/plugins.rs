//! What a plugin call costs: `cargo bench -p hookway --bench plugins [-- --json FILE]`.
//!
//! Loads the components that `target/wasm32-wasip2/plugin` has, and judges events of several sizes through the public
//! interface. Three costs for each: `fresh` makes an instance for the call, `reused` calls an instance that is
//! there with an event that was looked into before, `first look` the same with an event that nobody looked into yet.
#![expect(clippy::print_stdout, reason = "the table is the product")]

mod times;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookway::clock::Clock;
use hookway::json::Subject;
use hookway::model::{
    Binding, Endpoint, EndpointId, EnvelopeCache, Event, EventKey, TenantId, Topic, UnixMs,
};
use hookway::plugins::{
    Capability, Compiler, Decision, Means, Options, Places, PluginSet, PluginStatus, Plugins,
};
use hookway::shutdown::Shutdown;
use serde::Serialize;
use tokio::time::Instant;

use self::times::{Times, percentiles, write_json};

/// Enough for a stable p99, little enough for a run of a minute.
const REUSED_CALLS: usize = 5_000;
const FRESH_CALLS: usize = 500;
const WARM_UP: usize = 50;

/// One line of the table; times in microseconds.
#[derive(Debug, Serialize)]
struct Row {
    plugin: String,
    event_bytes: usize,
    fresh: Times,
    reused: Times,
    first_look: Times,
}

/// The same plugins twice: with instances for one call, and for many.
struct Bench {
    fresh: Plugins,
    reused: Plugins,
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rows = runtime.block_on(run())?;
    write_json(&rows)
}

async fn run() -> Result<Vec<Row>, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let dir = tempfile::tempdir()?;
    let files = components(&root.join("target/wasm32-wasip2/plugin"));
    for file in &files {
        let name = file.file_name().ok_or("a component without a name")?;
        std::fs::copy(file, dir.path().join(name))?;
    }
    if files.is_empty() {
        println!("no components: run `cargo xtask plugins` first");
        return Ok(Vec::new());
    }
    let shutdown = Shutdown::new();
    let start = async |reuse| {
        let options = Options { reuse, ..Options::default() };
        let places = Places {
            plugins: dir.path().to_owned(),
            cache: None,
            compiler: Compiler::InProcess,
            means: Means::default(),
        };
        Plugins::start(places, options, Clock::system(), &shutdown).await
    };
    let started = Instant::now();
    let bench = Bench { fresh: start(1).await?, reused: start(1_000).await? };
    println!("{} components compiled twice in {:.1} s", files.len(), started.elapsed().as_secs_f64());
    let events = events(&root);
    println!(
        "{:<20} {:>8}  {:>21}  {:>21}  {:>21}",
        "plugin", "bytes", "fresh us", "reused us", "first look us"
    );
    println!(
        "{:<20} {:>8}  {:>10} {:>10}  {:>10} {:>10}  {:>10} {:>10}",
        "", "", "p50", "p99", "p50", "p99", "p50", "p99"
    );
    let mut rows = Vec::new();
    for status in bench.reused.list() {
        for event in &events {
            let Some(row) = bench.measure(&status, event).await else { break };
            println!(
                "{:<20} {:>8}  {:>10.1} {:>10.1}  {:>10.2} {:>10.2}  {:>10.2} {:>10.2}",
                row.plugin,
                row.event_bytes,
                row.fresh.p50,
                row.fresh.p99,
                row.reused.p50,
                row.reused.p99,
                row.first_look.p50,
                row.first_look.p99,
            );
            let is_matcher = row.event_bytes == 0;
            rows.push(row);
            // Its answers do not depend on the event, and all but the first come from the cache.
            if is_matcher {
                break;
            }
        }
    }
    shutdown.request();
    Ok(rows)
}

impl Bench {
    async fn measure(&self, status: &PluginStatus, event: &Event) -> Option<Row> {
        let plugin = status.name.as_str();
        if status.capabilities.is_empty() {
            let reason = status.rejected.as_ref().map(|it| it.reason.as_str()).unwrap_or_default();
            println!("{plugin}: {reason}");
            return None;
        }
        let (fresh, reused) = (self.fresh.snapshot(), self.reused.snapshot());
        if status.capabilities == [Capability::TopicMatcher] {
            let fresh = matching(&fresh, status, FRESH_CALLS).await;
            let reused = matching(&reused, status, REUSED_CALLS).await;
            return Some(Row {
                plugin: plugin.to_owned(),
                event_bytes: 0,
                fresh,
                reused,
                first_look: reused,
            });
        }
        let endpoint = endpoint(status);
        let known = Subject::new(Arc::new(copy(event)));
        let fresh = judging(&fresh, &endpoint, FRESH_CALLS, || known.clone()).await?;
        let warm = judging(&reused, &endpoint, REUSED_CALLS, || known.clone()).await?;
        let first_look =
            judging(&reused, &endpoint, REUSED_CALLS, || Subject::new(Arc::new(copy(event)))).await?;
        Some(Row {
            plugin: plugin.to_owned(),
            event_bytes: event.data.len(),
            fresh,
            reused: warm,
            first_look,
        })
    }
}

/// None, and why on a line, if the plugin cannot judge the event.
async fn judging(
    set: &PluginSet,
    endpoint: &Arc<Endpoint>,
    calls: usize,
    subject: impl Fn() -> Subject,
) -> Option<Times> {
    let mut times = Vec::with_capacity(calls);
    for call in 0..calls + WARM_UP {
        let subject = subject();
        let started = Instant::now();
        let judgement = set.judge(&subject, endpoint, &[]).await;
        let took = started.elapsed();
        match judgement.decision {
            Decision::Send(_) | Decision::Drop { .. } if call >= WARM_UP => times.push(took),
            Decision::Send(_) | Decision::Drop { .. } => {}
            Decision::Hold { plugin, message, .. } | Decision::Refuse { plugin, message } => {
                println!("{plugin}: {message}");
                return None;
            }
        }
    }
    Some(percentiles(times))
}

/// Every topic is new, so that no answer comes from the cache.
async fn matching(set: &PluginSet, status: &PluginStatus, calls: usize) -> Times {
    let patterns = ["issues/+".to_owned(), "pull_request/#".to_owned()];
    let mut times = Vec::with_capacity(calls);
    for call in 0..calls {
        let Ok(topic) = format!("pull_request/n{call}-of-{calls}").parse::<Topic>() else { continue };
        let event = Event { topic, ..event("{}".to_owned()) };
        let started = Instant::now();
        let answer = set.topic_matches(&status.name, &patterns, &event).await;
        times.push(started.elapsed());
        if let Err(error) = answer {
            println!("{}: {error}", status.name);
            break;
        }
    }
    percentiles(times)
}

/// What ships, and the guests of the tests that are made for measuring.
fn components(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = ["cel_filter", "jq_transform", "mqtt_topics", "redact", "cloudevents"]
        .iter()
        .map(|name| dir.join(format!("{name}.wasm")))
        .chain([dir.join("examples/one_field.wasm")])
        .filter(|file| file.is_file())
        .collect();
    let examples = std::fs::read_dir(dir.join("examples")).into_iter().flatten().flatten();
    let is_bench =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("bench_"));
    files.extend(examples.map(|entry| entry.path()).filter(is_bench));
    files.retain(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    files
}

fn config(plugin: &str) -> &'static str {
    match plugin {
        "cel_filter" => r#"{"expr": "event.topic == \"issues/opened\" && data.repository.private == false"}"#,
        "jq_transform" => {
            r#"{"program": "{event, id: .event_id, action: .data.action, by: .data.sender.login}"}"#
        }
        "redact" => r#"{"mask": ["/data/sender/login"], "drop": ["/data/installation"]}"#,
        _ => "{}",
    }
}

fn endpoint(status: &PluginStatus) -> Arc<Endpoint> {
    let binding = Binding {
        plugin: status.name.clone(),
        config: Some(config(status.name.as_str()).into()),
        topics: Vec::new(),
        on_failure: None,
    };
    Arc::new(Endpoint {
        plugins: vec![binding],
        ..Endpoint::new(
            EndpointId::new(UnixMs(1), 1),
            TenantId::default(),
            "https://example.com/hook".parse().expect("a valid URL"),
            UnixMs(1),
        )
    })
}

/// About 1 kB, 8 kB and 64 kB: real GitHub events where the data is at hand, grown to 64 kB by a list that no
/// plugin looks at.
fn events(root: &Path) -> Vec<Event> {
    let lines =
        std::fs::read_to_string(root.join("../../shared/data/github-events.ndjson")).unwrap_or_default();
    let mut real: Vec<String> = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .map(|line| line["data"].to_string())
        .filter(|data| data.contains("\"sender\""))
        .collect();
    real.sort_by_key(String::len);
    let nearest = |size: usize| real.iter().min_by_key(|data| data.len().abs_diff(size)).cloned();
    let [small, middle] = [1_000, 8_000].map(|size| nearest(size).unwrap_or_else(|| synthetic(size)));
    let large = grown(&middle, 64_000);
    [small, middle, large].map(event).into()
}

fn synthetic(size: usize) -> String {
    let start = r#"{"action":"opened","sender":{"login":"octocat"},"repository":{"private":false}}"#;
    grown(start, size)
}

fn grown(object: &str, size: usize) -> String {
    let item = r#"{"id":123456,"name":"padding","tags":["a","b"]}"#;
    let items = vec![item; size.saturating_sub(object.len()) / (item.len() + 1)].join(",");
    format!(r#"{},"padding":[{items}]}}"#, &object[..object.len() - 1])
}

fn event(data: String) -> Event {
    Event {
        key: EventKey::new(UnixMs(1), 1),
        id: "evt_bench".parse().expect("a valid id"),
        tenant: TenantId::default(),
        topic: "issues/opened".parse().expect("a valid topic"),
        timestamp: jiff::Timestamp::UNIX_EPOCH,
        accepted_at: UnixMs(1),
        data: data.into(),
        test_of: None,
        envelope: EnvelopeCache::default(),
    }
}

fn copy(event: &Event) -> Event {
    Event {
        key: event.key,
        id: event.id.clone(),
        tenant: event.tenant.clone(),
        topic: event.topic.clone(),
        timestamp: event.timestamp,
        accepted_at: event.accepted_at,
        data: event.data.clone(),
        test_of: None,
        envelope: EnvelopeCache::default(),
    }
}
