//! What it costs to ask a log of a million deliveries: `cargo bench -p hookway --bench log [-- --json FILE] [--events N]`.
//!
//! The log is written through the verbs of the store, with all that they index and count. Then a gateway runs on it in this
//! process, and is asked over HTTP, as its users ask: the times are those of whole requests, with key, JSON and connection.
#![expect(clippy::print_stdout, reason = "the table is the product")]

mod gateway;
mod times;

use std::error::Error;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookway::app::App;
use hookway::clock::Clock;
use hookway::config::Settings;
use hookway::model::{
    Activity, Actor, Attempt, AttemptOutcome, AuditEntry, DeliveryId, DeliveryState, Endpoint, EndpointId,
    EventKey, FailReason, FilteredBy, InactiveReason, TenantId, UnixMs,
};
use hookway::plugins::Compiler;
use hookway::shutdown::Shutdown;
use hookway::store::redb::{Options, RedbStore};
use hookway::store::{FanOut, FinishedAttempt, NewDelivery, NewEvent, Store, Verdict};
use hookway::vault::{KeyRing, Vault};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::time::Instant;
use ureq::Agent;

use self::times::{Times, argument, percentiles, write_json};

type Fallible<T> = Result<T, Box<dyn Error>>;

const EVENTS: usize = 500_000;
/// Deliveries of each event.
const DELIVERIES: usize = 2;
const TENANTS: usize = 100;
const ENDPOINTS: usize = 1_000;
/// What waits, waits for these: nothing is sent while the log is asked.
const INACTIVE: usize = 20;
const TOPICS: usize = 20;
/// Events of a request while the log is written.
const BATCH: usize = 1_000;
/// The log reaches so far back.
const SPAN: Duration = Duration::from_secs(7 * 24 * 3600);
const REQUESTS: usize = 200;
const WARM_UP: usize = 5;
const RARE_TOPIC: &str = "rare/topic";
const RARE_TENANT: &str = "rare-tenant";

/// One line of the table; milliseconds.
#[derive(Debug, Serialize)]
struct Row {
    request: String,
    rows: usize,
    times: Times,
}

/// The gateway that is asked.
struct Asked {
    agent: Agent,
    base: String,
    key: String,
}

fn main() -> Fallible<()> {
    let events = argument("--events")?.map_or(Ok(EVENTS), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let home = tempfile::tempdir()?;
    let path = home.path().join("store.redb");
    let clock = Clock::system();
    let store = RedbStore::open(&path, Vault::new(KeyRing::random()), clock, &Options::default())?;
    let store: Arc<dyn Store> = Arc::new(store);
    let began = Instant::now();
    runtime.block_on(fill(&*store, clock.now(), events))?;
    let written = std::fs::metadata(&path)?.len() >> 20;
    println!("{} deliveries, {written} MiB, written in {:.0?}", events * DELIVERIES, began.elapsed());
    let asked = runtime.block_on(serve(home.path(), store, clock))?;
    let rows = asked.measure()?;
    println!("{:<58} {:>5}  {:>8} {:>8}", "request", "rows", "p50 ms", "p99 ms");
    for Row { request, rows, times } in &rows {
        println!("{request:<58} {rows:>5}  {:>8.2} {:>8.2}", times.p50, times.p99);
    }
    write_json(&rows)
}

async fn fill(store: &dyn Store, now: UnixMs, events: usize) -> Fallible<()> {
    for n in 0..ENDPOINTS {
        let audit = AuditEntry::new(now, Actor::Gateway, "endpoint.created", n);
        store.create_endpoint(endpoint(n, now)?, audit).await?;
    }
    let bar = ProgressBar::new(events as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} events, {eta} left")?);
    let begin = now.before(SPAN);
    let step = SPAN / u32::try_from(events)?;
    for batch in 0..events.div_ceil(BATCH) {
        let numbers = batch * BATCH..events.min((batch + 1) * BATCH);
        let at = |n: usize| begin.after(step * u32::try_from(n).unwrap_or(u32::MAX));
        let new = numbers.clone().map(|n| event(n, events, at(n))).collect::<Fallible<Vec<_>>>()?;
        let accepted = store.accept(new).await?;
        // All are called before the first is awaited, so that they share a few commits.
        let mut calls = Vec::with_capacity(BATCH);
        for (n, accepted) in numbers.clone().zip(&accepted) {
            let deliveries =
                (0..DELIVERIES).map(|m| delivery(n * DELIVERIES + m)).collect::<Fallible<_>>()?;
            let event = accepted.event.key;
            calls.push(store.fan_out(FanOut { event, at: at(n), deliveries, durable: true }));
        }
        for call in calls {
            call.await?;
        }
        let mut calls = Vec::with_capacity(BATCH * DELIVERIES);
        for (n, accepted) in numbers.zip(&accepted) {
            for m in 0..DELIVERIES {
                calls.extend(
                    end(n * DELIVERIES + m, events, accepted.event.key, at(n))
                        .map(|end| store.finish_attempt(end)),
                );
            }
        }
        for call in calls {
            call.await?;
        }
        bar.inc(BATCH as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

fn endpoint(n: usize, now: UnixMs) -> Fallible<Endpoint> {
    // Nothing listens there.
    let url = format!("http://127.0.0.1:9/{n}").parse()?;
    let blank = Endpoint::new(endpoint_id(n), tenant(n % TENANTS)?, url, now);
    let inactive = Activity::Inactive { since: now, reason: InactiveReason::Deactivated };
    Ok(if n < INACTIVE { Endpoint { activity: inactive, ..blank } } else { blank })
}

fn endpoint_id(n: usize) -> EndpointId {
    EndpointId::new(UnixMs(1), n as u128)
}

fn tenant(n: usize) -> Fallible<TenantId> {
    Ok(format!("tenant-{n}").parse()?)
}

/// Neighbours belong to different tenants and topics. What is rare lies at the old end of the log.
fn event(n: usize, events: usize, at: UnixMs) -> Fallible<NewEvent> {
    let is_rare = n > events / 100 && n <= events / 100 + 5;
    Ok(NewEvent {
        id: Some(format!("order-{n}").parse()?),
        idempotency_key: None,
        tenant: if is_rare { RARE_TENANT.parse()? } else { tenant(n % TENANTS)? },
        topic: if is_rare { RARE_TOPIC.parse()? } else { format!("orders/{}", n / 7 % TOPICS).parse()? },
        timestamp: None,
        received_at: at,
        data: Bytes::from(format!(r#"{{"order_id": {n}, "note": "{}"}}"#, "x".repeat(460))),
        test_of: None,
        trace: None,
    })
}

/// Mostly to active endpoints: one in fifty waits.
fn delivery(n: usize) -> Fallible<NewDelivery> {
    let state = match n % 100 {
        0 => DeliveryState::Filtered { by: FilteredBy::Filter, reason: "`/total` is 1".to_owned() },
        _ => DeliveryState::Pending,
    };
    let verdict = Verdict { state, due_at: None, plugins: Vec::new(), custom: None, notice: None };
    let endpoint = if waits(n) { n % INACTIVE } else { INACTIVE + n % (ENDPOINTS - INACTIVE) };
    Ok(NewDelivery { endpoint: endpoint_id(endpoint), line: None, verdict })
}

const fn waits(n: usize) -> bool {
    n % 50 == 1
}

/// How a delivery ends: nine of ten arrive. A handful at the old end is cancelled.
fn end(n: usize, events: usize, event: EventKey, at: UnixMs) -> Option<FinishedAttempt> {
    if waits(n) || n.is_multiple_of(100) {
        return None;
    }
    let state = match n % 100 {
        2..7 => DeliveryState::Failed(FailReason::Exhausted),
        _ if n > events / 50 && n < events / 50 + 8 => DeliveryState::Cancelled,
        _ => DeliveryState::Delivered,
    };
    let status = if state == DeliveryState::Delivered { 200 } else { 500 };
    let took = Duration::from_millis(20 + (n * 37 % 400) as u64);
    let outcome =
        AttemptOutcome::Answered { status, headers: Vec::new(), body: "ok".into(), truncated: false };
    let attempt = Attempt { number: 1, started_at: at, took, request_headers: Vec::new(), outcome };
    let delivery = DeliveryId { event, ordinal: u16::try_from(n % DELIVERIES).unwrap_or_default() };
    let at = at.after(took);
    Some(FinishedAttempt { delivery, attempt: Some(attempt), state, due_at: None, at, notice: None })
}

async fn serve(home: &Path, store: Arc<dyn Store>, clock: Clock) -> Fallible<Asked> {
    let mut settings = Settings { data_dir: home.to_owned(), ..Settings::default() };
    settings.deliver.allow_http = true;
    let began = Instant::now();
    let (stop, http) = (Shutdown::new(), settings.http.clone());
    let app = App::start(settings, store, Compiler::InProcess, clock, stop.clone()).await?;
    println!("started in {:.0?}", began.elapsed());
    let key = app.admin_key().ok_or("a new store has a new key")?.reveal();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    tokio::spawn(gateway::serve(app, listener, http, stop));
    Ok(Asked { agent: Agent::new_with_defaults(), base, key })
}

impl Asked {
    fn measure(&self) -> Fallible<Vec<Row>> {
        let endpoint = endpoint_id(ENDPOINTS / 2);
        let inactive = endpoint_id(3);
        let day = Clock::system().now().before(Duration::from_secs(3 * 24 * 3600)).to_string();
        let next = Clock::system().now().before(Duration::from_secs(2 * 24 * 3600)).to_string();
        let old = Clock::system().now().before(SPAN).to_string();
        let paths = [
            "/v1/deliveries".to_owned(),
            "/v1/deliveries?limit=250".to_owned(),
            "/v1/deliveries?status=failed".to_owned(),
            "/v1/deliveries?status=held".to_owned(),
            "/v1/deliveries?status=cancelled".to_owned(),
            "/v1/deliveries?status=retrying".to_owned(),
            "/v1/deliveries?topic=orders/7".to_owned(),
            format!("/v1/deliveries?topic={RARE_TOPIC}"),
            "/v1/deliveries?topic=none/such".to_owned(),
            "/v1/deliveries?tenant=tenant-7".to_owned(),
            format!("/v1/deliveries?tenant={RARE_TENANT}"),
            format!("/v1/deliveries?endpoint={endpoint}"),
            format!("/v1/deliveries?endpoint={inactive}&status=held"),
            format!("/v1/deliveries?endpoint={endpoint}&status=failed"),
            "/v1/deliveries?tenant=tenant-7&topic=orders/7&status=failed".to_owned(),
            "/v1/deliveries?event_id=order-77".to_owned(),
            format!("/v1/deliveries?since={day}&until={next}"),
            format!("/v1/deliveries?until={day}&status=filtered"),
            format!("/v1/deliveries?since={old}&topic={RARE_TOPIC}&status=delivered"),
            "/v1/events?matched=true".to_owned(),
            "/v1/events?matched=false".to_owned(),
            format!("/v1/events?topic={RARE_TOPIC}"),
            "/v1/stats".to_owned(),
            "/v1/stats?tenant=tenant-7".to_owned(),
            "/v1/stats?topic=orders/7".to_owned(),
            "/v1/stats?tenant=tenant-7&topic=orders/7".to_owned(),
            format!("/v1/endpoints/{endpoint}/stats"),
        ];
        let mut rows = paths.iter().map(|path| self.page(path)).collect::<Fallible<Vec<_>>>()?;
        rows.push(self.tail("/v1/deliveries/stream")?);
        rows.push(self.tail("/v1/deliveries/stream?recent=50&status=failed")?);
        Ok(rows)
    }

    fn page(&self, path: &str) -> Fallible<Row> {
        let mut found = 0;
        let times = self.time(
            || {
                let body = self.get(path)?.body_mut().read_to_string()?;
                Ok(Some(body))
            },
            |body| {
                let json: serde_json::Value = serde_json::from_str(&body)?;
                found = json["data"].as_array().map_or(1, Vec::len);
                assert!(
                    json["data"].is_null() || found > 0 || json["next_cursor"].is_null(),
                    "an empty page: {path}"
                );
                Ok(())
            },
        )?;
        Ok(Row { request: path.to_owned(), rows: found, times })
    }

    /// To the first byte of the answer's body.
    fn tail(&self, path: &str) -> Fallible<Row> {
        let times = self.time(
            || {
                let mut byte = [0];
                self.get(path)?.into_body().into_reader().read_exact(&mut byte)?;
                Ok(None)
            },
            |()| Ok(()),
        )?;
        Ok(Row { request: format!("{path}, first byte"), rows: 0, times })
    }

    fn time<T>(
        &self,
        ask: impl Fn() -> Fallible<Option<T>>,
        mut look: impl FnMut(T) -> Fallible<()>,
    ) -> Fallible<Times> {
        let mut times = Vec::with_capacity(REQUESTS);
        for n in 0..WARM_UP + REQUESTS {
            let began = Instant::now();
            let answer = ask()?;
            if n >= WARM_UP {
                times.push(began.elapsed());
            }
            answer.map(&mut look).transpose()?;
        }
        let Times { p50, p99 } = percentiles(times);
        Ok(Times { p50: p50 / 1e3, p99: p99 / 1e3 })
    }

    fn get(&self, path: &str) -> Fallible<ureq::http::Response<ureq::Body>> {
        let url = format!("{}{path}", self.base);
        Ok(self.agent.get(url).header("authorization", format!("Bearer {}", self.key)).call()?)
    }
}
