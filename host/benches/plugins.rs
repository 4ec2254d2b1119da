//! What a plugin call costs: `cargo xtask bench plugins [--json FILE]`.
//!
//! Loads the plugins that ship, the filters of the templates in other languages as far as they are built, and judges events of several sizes through the
//! public interface. Three costs for each: `fresh` makes an instance for the call, `reused` calls an instance that is
//! there with an event that was looked into before, `first look` the same with an event that nobody looked into yet.
//!
//! Everything is measured in rounds that go over all plugins, and the median of the rounds is told: what slows the machine for a while slows
//! one round. At the end, how long 20 plugins take to start from the cache.
#![expect(clippy::print_stdout, reason = "the table is the product")]

mod times;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hookway::clock::Clock;
use hookway::json::Subject;
use hookway::model::{
    Binding, Endpoint, EndpointId, EnvelopeCache, Event, EventKey, TenantId, Topic, UnixMs,
};
use hookway::plugins::{
    Capability, Compiler, Decision, Means, Options, Places, PluginSet, PluginState, PluginStatus, Plugins,
    Unrecorded,
};
use hookway::shutdown::Shutdown;
use serde::Serialize;
use tempfile::TempDir;
use tokio::time::Instant;

use self::times::{Times, percentiles, write_json};

const ROUNDS: usize = 7;
/// Of one round: enough for a p99, little enough for a run of two minutes.
const REUSED_CALLS: usize = 1_000;
const FRESH_CALLS: usize = 100;
const WARM_UP: usize = 50;
/// How many plugins the warm start is measured with.
const PLUGINS: usize = 20;
/// The filters of the templates; each reads one field of an event and drops it.
const TEMPLATES: [&str; 4] = ["c-filter", "go-filter", "js-filter", "python-filter"];

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

/// Where plugins lie, and their machine code.
struct Folders {
    plugins: TempDir,
    cache: TempDir,
    shutdown: Shutdown,
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rows = runtime.block_on(run())?;
    write_json(&rows)
}

async fn run() -> Result<Vec<Row>, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = components(&root);
    if files.is_empty() {
        println!("no components: run `cargo xtask plugins` first");
        return Ok(Vec::new());
    }
    let folders = Folders { plugins: TempDir::new()?, cache: TempDir::new()?, shutdown: Shutdown::new() };
    for file in &files {
        std::fs::copy(
            file,
            folders.plugins.path().join(file.file_name().ok_or("a component without a name")?),
        )?;
    }
    let started = Instant::now();
    let bench = Bench { fresh: folders.start(1).await?, reused: folders.start(1_000).await? };
    println!("{} components compiled in {:.1} s", files.len(), started.elapsed().as_secs_f64());
    let rows = bench.rounds(&events(&root)).await;
    show(&rows);
    let started = folders.warm_start(&files).await?;
    println!("{PLUGINS} plugins, {} of them built, start from the cache in {started:.2} s", files.len());
    folders.shutdown.request();
    Ok(rows)
}

impl Folders {
    async fn start(&self, reuse: u32) -> Result<Plugins, Box<dyn Error>> {
        // Where nothing is to be learnt from a deadline, none is to be met by a machine that does something else.
        let options = Options { reuse, deadline: Duration::from_secs(5), ..Options::default() };
        let places = Places {
            plugins: self.plugins.path().to_owned(),
            cache: Some(self.cache.path().join("code")),
            versions: self.cache.path().join("versions"),
            compiler: Compiler::InProcess,
            means: Means::default(),
            records: Arc::new(Unrecorded),
        };
        let plugins = Plugins::start(places, options, Clock::system(), &self.shutdown).await?;
        // A start does not wait for the large ones for ever.
        while plugins.list().iter().any(|status| status.state() == PluginState::Loading) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(plugins)
    }

    /// Seconds of a start with copies of the plugins, until there are enough of them; the best of some.
    async fn warm_start(&self, files: &[PathBuf]) -> Result<f64, Box<dyn Error>> {
        let names = (files.len()..PLUGINS).map(|number| format!("copy-{number}.wasm"));
        let small = files.iter().filter(|file| file.metadata().is_ok_and(|file| file.len() < 1 << 20));
        for (name, file) in names.zip(small.cycle()) {
            std::fs::copy(file, self.plugins.path().join(name))?;
        }
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let started = Instant::now();
            let plugins = self.start(1_000).await?;
            times.push(started.elapsed().as_secs_f64());
            assert!(plugins.list().len() >= PLUGINS, "all are there");
        }
        Ok(median(times))
    }
}

fn show(rows: &[Row]) {
    println!(
        "{:<20} {:>8}  {:>21}  {:>21}  {:>21}",
        "plugin", "bytes", "fresh us", "reused us", "first look us"
    );
    println!(
        "{:<20} {:>8}  {:>10} {:>10}  {:>10} {:>10}  {:>10} {:>10}",
        "", "", "p50", "p99", "p50", "p99", "p50", "p99"
    );
    for Row { plugin, event_bytes, fresh, reused, first_look } in rows {
        println!(
            "{plugin:<20} {event_bytes:>8}  {:>10.1} {:>10.1}  {:>10.2} {:>10.2}  {:>10.2} {:>10.2}",
            fresh.p50, fresh.p99, reused.p50, reused.p99, first_look.p50, first_look.p99,
        );
    }
}

/// The medians of what the rounds say about one plugin and event.
fn middle(rounds: &[Row]) -> Option<Row> {
    let of = |times: fn(&Row) -> Times| Times {
        p50: median(rounds.iter().map(|row| times(row).p50).collect()),
        p99: median(rounds.iter().map(|row| times(row).p99).collect()),
    };
    let Row { plugin, event_bytes, .. } = rounds.first()?;
    Some(Row {
        plugin: plugin.clone(),
        event_bytes: *event_bytes,
        fresh: of(|row| row.fresh),
        reused: of(|row| row.reused),
        first_look: of(|row| row.first_look),
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

impl Bench {
    async fn rounds(&self, events: &[Event]) -> Vec<Row> {
        let mut rounds: Vec<Vec<Row>> = Vec::new();
        for round in 0..ROUNDS {
            println!("round {} of {ROUNDS}", round + 1);
            let mut line = 0;
            for status in self.reused.list() {
                for event in events {
                    let Some(row) = self.measure(&status, event).await else { break };
                    // A matcher's answers do not depend on the event, and all but the first come from the cache.
                    let is_matcher = row.event_bytes == 0;
                    if round == 0 {
                        rounds.push(Vec::new());
                    }
                    if let Some(rows) = rounds.get_mut(line) {
                        rows.push(row);
                    }
                    line += 1;
                    if is_matcher {
                        break;
                    }
                }
            }
        }
        rounds.iter().filter_map(|rows| middle(rows)).collect()
    }

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

/// What ships, the guest of the tests that reads one field, and filters of the templates.
fn components(root: &Path) -> Vec<PathBuf> {
    let built = root.join("target/wasm32-wasip2/plugin");
    let shipped = [
        "cel_filter",
        "cloudevents",
        "jq_transform",
        "json_patch_plugin",
        "mqtt_topics",
        "redact",
        "examples/one_field",
    ];
    let shipped = shipped.iter().map(|name| built.join(format!("{name}.wasm")));
    let templates = TEMPLATES.iter().map(|name| root.join(format!("target/templates/{name}.wasm")));
    shipped.chain(templates).filter(|file| file.is_file()).collect()
}

fn config(plugin: &str) -> &'static str {
    match plugin {
        "cel_filter" => r#"{"expr": "event.topic == \"issues/opened\" && data.repository.private == false"}"#,
        "jq_transform" => {
            r#"{"program": "{event, id: .event_id, action: .data.action, by: .data.sender.login}"}"#
        }
        "redact" => r#"{"mask": ["/data/sender/login"], "drop": ["/data/installation"]}"#,
        "cloudevents" => {
            r#"{"source": "https://github.com", "type_prefix": "com.github.", "subject": "/sender/login"}"#
        }
        "json_patch_plugin" => {
            r#"{"patch": [{"op": "remove", "path": "/data/installation"}, {"op": "add", "path": "/version", "value": 1}], "on_missing": "skip"}"#
        }
        template if TEMPLATES.contains(&template) => r#"{"minimum": 100}"#,
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
    let lines = std::fs::read_to_string(root.join("../shared/data/github-events.ndjson")).unwrap_or_default();
    if lines.is_empty() {
        println!("the GitHub events are not beside the checkout: measured with events that are made up");
    }
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
        trace: None,
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
        trace: None,
        envelope: EnvelopeCache::default(),
    }
}
