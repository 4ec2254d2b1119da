//! A start with a million deliveries that wait, for 100,000 endpoints: `cargo bench -p hookway --bench start [-- --json FILE]
//! [--events N] [--endpoints N]`.
//!
//! The store is written through its verbs. Then a process of its own opens it and runs the gateway, as `hookway serve` does, with
//! this one as the receiver of all endpoints: what is measured is the time until it serves, until the first delivery arrives, how
//! many arrive in the first second, its memory, what a look at the metrics takes meanwhile, and a change of one endpoint afterwards.
#![expect(clippy::print_stdout, reason = "the table is the product")]

mod gateway;
mod times;

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hookway::app::App;
use hookway::clock::Clock;
use hookway::config::Settings;
use hookway::model::{
    Actor, AuditEntry, DeliveryState, Endpoint, EndpointId, HmacKey, Secret, SecretId, SigningKey,
    Subscription, TenantId, UnixMs,
};
use hookway::plugins::Compiler;
use hookway::shutdown::Shutdown;
use hookway::store::redb::RedbStore;
use hookway::store::{FanOut, NewDelivery, NewEvent, Store, Verdict};
use hookway::vault;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::time::Instant;

use self::times::{Times, argument, percentiles, write_json};

type Fallible<T> = Result<T, Box<dyn Error>>;

const EVENTS: usize = 1_000_000;
const ENDPOINTS: usize = 100_000;
const TENANTS: usize = 1_000;
/// Written at once.
const BATCH: usize = 1_000;
/// Endpoints that are changed, and looks at the metrics, to see what these take.
const CALLS: usize = 20;

/// What is measured.
#[derive(Debug, Default, Serialize)]
struct Found {
    events: usize,
    endpoints: usize,
    file_mib: u64,
    /// Seconds from the start of the process.
    store_open: f64,
    served: f64,
    first_delivery: f64,
    /// Deliveries within a second of the first.
    in_first_second: usize,
    /// MB, when it serves, and when all have arrived.
    resident_at_start: f64,
    resident_at_end: f64,
    all_delivered: f64,
    /// Milliseconds of a look at the metrics while all lanes have something to do.
    scrape: Option<Times>,
    /// Milliseconds of a change of one endpoint, with nothing else to do.
    change: Option<Times>,
}

fn main() -> Fallible<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if let Some(home) = argument("--serve")? {
        return runtime.block_on(serve(&settings(Path::new(&home))));
    }
    let events = argument("--events")?.map_or(Ok(EVENTS), |text| text.parse())?;
    let endpoints = argument("--endpoints")?.map_or(Ok(ENDPOINTS), |text| text.parse())?;
    let found = runtime.block_on(measure(events, endpoints))?;
    println!("{found:#?}");
    write_json(&found)
}

/// The same for the process that writes and the one that reads.
fn settings(home: &Path) -> Settings {
    let mut settings = Settings { data_dir: home.to_owned(), ..Settings::default() };
    settings.deliver.allow_http = true;
    settings.deliver.allow_networks.extend("127.0.0.0/8".parse().ok());
    settings
}

fn open(settings: &Settings, clock: Clock) -> Fallible<Arc<RedbStore>> {
    let (vault, _) = vault::load(&settings.secrets, &settings.data_dir)?.save()?;
    let path: PathBuf = settings.data_dir.join("hookway.redb");
    Ok(Arc::new(RedbStore::open(&path, vault, clock, &settings.store)?))
}

/// The process that is measured.
async fn serve(settings: &Settings) -> Fallible<()> {
    let began = Instant::now();
    let clock = Clock::system();
    let store = open(settings, clock)?;
    println!("{}", began.elapsed().as_secs_f64());
    let stop = Shutdown::new();
    let clock = store.clock();
    let app = App::start(settings.clone(), store, Compiler::InProcess, clock, stop.clone()).await?;
    let key = app.admin_key().ok_or("a store without keys gets one")?.reveal();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{} {} {key}", began.elapsed().as_secs_f64(), listener.local_addr()?);
    gateway::serve(app, listener, settings.http.clone(), stop).await;
    Ok(())
}

async fn measure(events: usize, endpoints: usize) -> Fallible<Found> {
    let home = tempfile::tempdir()?;
    let arrived = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(receive(listener, Arc::clone(&arrived)));
    let settings = settings(home.path());
    let clock = Clock::system();
    let store = open(&settings, clock)?;
    fill(&*store, clock.now(), (events, endpoints), port).await?;
    store.close()?;
    drop(store);
    let file_mib = std::fs::metadata(home.path().join("hookway.redb"))?.len() >> 20;
    println!("{events} deliveries for {endpoints} endpoints wait in {file_mib} MiB");
    run(home.path(), Found { events, endpoints, file_mib, ..Found::default() }, &arrived).await
}

/// The receiver of all endpoints: counts and says 204.
async fn receive(listener: TcpListener, arrived: Arc<AtomicUsize>) {
    while let Ok((stream, _)) = listener.accept().await {
        let arrived = Arc::clone(&arrived);
        let count = service_fn(move |request: Request<Incoming>| {
            let arrived = Arc::clone(&arrived);
            async move {
                request.into_body().collect().await?;
                arrived.fetch_add(1, Ordering::Relaxed);
                let answer = Response::builder().status(StatusCode::NO_CONTENT).body(Empty::<Bytes>::new());
                Ok::<_, Box<dyn Error + Send + Sync>>(answer?)
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), count));
    }
}

/// Starts the process and looks on.
async fn run(home: &Path, mut found: Found, arrived: &AtomicUsize) -> Fallible<Found> {
    let began = Instant::now();
    let mut child =
        Command::new(std::env::current_exe()?).arg("--serve").arg(home).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("stdout is piped")?).lines();
    found.store_open = lines.next().ok_or("it ended")??.parse()?;
    let line = lines.next().ok_or("it ended")??;
    let mut words = line.split(' ');
    found.served = words.next().ok_or("a time")?.parse()?;
    let (address, key) = (words.next().ok_or("an address")?, words.next().ok_or("a key")?);
    found.resident_at_start = resident(&child)?;
    let wait = async |count: usize| {
        while arrived.load(Ordering::Relaxed) < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        began.elapsed().as_secs_f64()
    };
    found.first_delivery = wait(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    found.in_first_second = arrived.load(Ordering::Relaxed);
    found.scrape = Some(scrape(address, key)?);
    found.all_delivered = wait(found.events).await;
    found.resident_at_end = resident(&child)?;
    found.change = Some(change(address, key)?);
    child.kill()?;
    child.wait()?;
    Ok(found)
}

/// Looks at the metrics some times, one after another.
fn scrape(address: &str, key: &str) -> Fallible<Times> {
    let agent = ureq::Agent::new_with_defaults();
    timed(|_| {
        let url = format!("http://{address}/metrics");
        agent
            .get(&url)
            .header("authorization", format!("Bearer {key}"))
            .call()?
            .body_mut()
            .read_to_string()?;
        Ok(())
    })
}

/// Changes some endpoints, one after another.
fn change(address: &str, key: &str) -> Fallible<Times> {
    let agent = ureq::Agent::new_with_defaults();
    timed(|n| {
        let url = format!("http://{address}/v1/endpoints/{}", endpoint_id(n));
        agent
            .patch(&url)
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/json")
            .send(format!(r#"{{"description": "{n}"}}"#))?;
        Ok(())
    })
}

/// Milliseconds of something that is done some times, one after another.
fn timed(mut work: impl FnMut(usize) -> Fallible<()>) -> Fallible<Times> {
    let mut times = Vec::new();
    for n in 0..CALLS {
        let began = Instant::now();
        work(n)?;
        times.push(began.elapsed());
    }
    let Times { p50, p99 } = percentiles(times);
    Ok(Times { p50: p50 / 1e3, p99: p99 / 1e3 })
}

/// Resident memory, MB.
fn resident(child: &Child) -> Fallible<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("`status` has VmRSS")?;
    Ok(line.split_ascii_whitespace().next().ok_or("a number")?.parse::<f64>()? * 1024.0 / 1e6)
}

async fn fill(
    store: &dyn Store,
    now: UnixMs,
    (events, endpoints): (usize, usize),
    port: u16,
) -> Fallible<()> {
    let bar = ProgressBar::new((events + endpoints) as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len}, {eta} left")?);
    for first in (0..endpoints).step_by(BATCH) {
        // All are called before the first is awaited, so that they share a few commits.
        let mut calls = Vec::with_capacity(BATCH);
        for n in first..endpoints.min(first + BATCH) {
            let audit = AuditEntry::new(now, Actor::Gateway, "endpoint.created", n);
            calls.push(store.create_endpoint(endpoint(n, now, port)?, audit));
        }
        for call in calls {
            call.await?;
        }
        bar.inc(BATCH as u64);
    }
    for first in (0..events).step_by(BATCH) {
        let new = (first..events.min(first + BATCH)).map(|n| event(n, endpoints, now));
        let accepted = store.accept(new.collect::<Fallible<Vec<_>>>()?).await?;
        let mut calls = Vec::with_capacity(BATCH);
        for (n, accepted) in (first..).zip(&accepted) {
            let state = DeliveryState::Pending;
            let verdict = Verdict { state, due_at: None, plugins: Vec::new(), custom: None, notice: None };
            let deliveries = vec![NewDelivery { endpoint: endpoint_id(n % endpoints), line: None, verdict }];
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
        bar.inc(BATCH as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

fn endpoint_id(n: usize) -> EndpointId {
    EndpointId::new(UnixMs(1), n as u128)
}

fn tenant(n: usize) -> Fallible<TenantId> {
    Ok(format!("tenant-{}", n % TENANTS).parse()?)
}

fn endpoint(n: usize, now: UnixMs, port: u16) -> Fallible<Endpoint> {
    let url = format!("http://127.0.0.1:{port}/{n}").parse()?;
    let secret = Secret {
        id: SecretId::new(now, n as u128),
        key: SigningKey::Hmac(HmacKey::new(vec![7; 32])?),
        created_at: now,
        expires_at: None,
    };
    Ok(Endpoint {
        secrets: vec![secret],
        subscription: Subscription::Patterns(vec![format!("orders/{}", n % 50).parse()?]),
        ..Endpoint::new(endpoint_id(n), tenant(n)?, url, now)
    })
}

fn event(n: usize, endpoints: usize, at: UnixMs) -> Fallible<NewEvent> {
    Ok(NewEvent {
        id: None,
        idempotency_key: None,
        tenant: tenant(n % endpoints)?,
        topic: format!("orders/{}", n % endpoints % 50).parse()?,
        timestamp: None,
        received_at: at,
        data: Bytes::from(format!(r#"{{"order_id": {n}, "note": "{}"}}"#, "x".repeat(460))),
        test_of: None,
        trace: None,
    })
}
