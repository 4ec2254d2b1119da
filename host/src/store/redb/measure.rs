//! What the store can do on this machine: `cargo test -p hookway --release --lib store::redb::measure -- --ignored
//! --nocapture`. Numbers for people; nothing is asserted about them.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use redb::StorageBackend;
use redb::backends::FileBackend;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Options, RedbStore};
use crate::clock::Clock;
use crate::model::UnixMs;
use crate::store::conformance::fixtures::{T0, delivered, endpoint_id, new_event, nth, pending};
use crate::store::{FanOut, NewEvent, Store as _};
use crate::vault::{KeyRing, Vault};

const CALLERS: usize = 64;
const RUN: Duration = Duration::from_secs(10);
/// A commit in two phases.
const SYNCS_PER_COMMIT: u64 = 2;

/// Where a process that is to be killed fills a store.
const FILLED: &str = "HOOKWAY_MEASURE_FILLED";

/// A file that counts how often it is synced.
#[derive(Debug)]
struct Counted {
    file: FileBackend,
    syncs: Arc<AtomicU64>,
}

impl StorageBackend for Counted {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }
}

fn open(path: &Path) -> (Arc<RedbStore>, Arc<AtomicU64>) {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap();
    let syncs = Arc::new(AtomicU64::new(0));
    let backend = Counted { file: FileBackend::new(file).unwrap(), syncs: Arc::clone(&syncs) };
    let store =
        RedbStore::with_backend(backend, Vault::new(KeyRing::random()), Clock::system(), &Options::default())
            .unwrap();
    (Arc::new(store), syncs)
}

fn event(received_at: UnixMs) -> NewEvent {
    NewEvent { received_at, data: Bytes::from(format!("\"{}\"", "x".repeat(500))), ..new_event() }
}

/// Runs `work` from many callers at once and says what came of it per second and per commit.
async fn measure<F>(name: &str, callers: usize, work: impl Fn(Arc<RedbStore>, u128) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let directory = tempfile::tempdir().unwrap();
    let (store, syncs) = open(&directory.path().join("store.redb"));
    let before = syncs.load(Ordering::Relaxed);
    let until = Instant::now() + RUN;
    let mut done = 0_u64;
    let mut waits = Vec::new();
    let mut running = JoinSet::new();
    for _ in 0..callers {
        running.spawn(timed(work(Arc::clone(&store), 0)));
    }
    while let Some(took) = running.join_next().await {
        waits.push(took.unwrap());
        done += 1;
        if Instant::now() < until {
            running.spawn(timed(work(Arc::clone(&store), u128::from(done))));
        }
    }
    let commits = (syncs.load(Ordering::Relaxed) - before) / SYNCS_PER_COMMIT;
    waits.sort_unstable();
    let at = |share: usize| waits[(waits.len() - 1) * share / 100];
    println!(
        "{name}: {} per second, {:.1} per commit, p50 {:?}, p99 {:?}",
        done / RUN.as_secs(),
        done as f64 / commits as f64,
        at(50),
        at(99)
    );
}

async fn timed(work: impl Future<Output = ()>) -> Duration {
    let start = Instant::now();
    work.await;
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute and measures the machine"]
async fn throughput() {
    let clock = Clock::system();
    for callers in [1, CALLERS] {
        let name = format!("accept, {callers} callers");
        measure(&name, callers, move |store, _| async move {
            store.accept(vec![event(clock.now())]).await.unwrap();
        })
        .await;
    }
    for callers in [1, CALLERS, 4 * CALLERS] {
        let name = format!("accept + fan_out + finish_attempt, {callers} callers");
        measure(&name, callers, move |store, n| async move {
            let accepted = store.accept(vec![event(clock.now())]).await.unwrap();
            let event = accepted[0].event.key;
            let deliveries = vec![pending(endpoint_id(n % 100))];
            store.fan_out(FanOut { event, at: T0, deliveries, durable: false }).await.unwrap();
            store.finish_attempt(delivered(nth(event, 0), 1)).await.unwrap();
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute and measures the machine"]
async fn reopening_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let (live, killed) = (directory.path().join("store.redb"), directory.path().join("killed.redb"));
    let (store, _) = open(&live);
    for events in [20_000, 180_000] {
        for _ in 0..events / 1_000 {
            let accepted = store.accept(vec![event(T0); 1_000]).await.unwrap();
            let events = accepted.iter().map(|accepted| accepted.event.key);
            let dispatched = events.map(|event| {
                let deliveries = vec![pending(endpoint_id(event.as_u128() % 100))];
                store.fan_out(FanOut { event, at: T0, deliveries, durable: false })
            });
            for done in dispatched.collect::<Vec<_>>() {
                done.await.unwrap();
            }
        }
        // The file as it lies there while the process has it open is what a kill would leave.
        std::fs::copy(&live, &killed).unwrap();
        // Otherwise the first sync of the store would pay for the copy.
        File::open(&killed).unwrap().sync_all().unwrap();
        let start = Instant::now();
        drop(open(&killed));
        let size = std::fs::metadata(&killed).unwrap().len() >> 20;
        println!("reopened {size} MiB in {:?}", start.elapsed());
    }
}

/// Fills a store with so many GiB until it is killed. Only [`reopening_a_large_store_after_a_kill`] starts it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is started by another"]
#[expect(clippy::disallowed_methods, reason = "a child process that is told what to do")]
async fn fill_until_killed() {
    let Ok(path) = std::env::var(FILLED) else { return };
    let options = Options::default();
    let store =
        RedbStore::open(Path::new(&path), Vault::new(KeyRing::random()), Clock::system(), &options).unwrap();
    let gib = super::tests::soak_number("COUNT").unwrap_or(10);
    if super::tests::soak_number("WAITING").is_some() {
        fill_with_waiting(&store, gib).await;
    } else {
        fill_with_delivered(&store, gib).await;
    }
    println!("filled");
    loop {
        store.accept(vec![event(T0); 10]).await.unwrap();
    }
}

/// Events of a megabyte that nobody dispatches.
async fn fill_with_waiting(store: &RedbStore, gib: u64) {
    let data = Bytes::from(format!("\"{}\"", "x".repeat(1_000_000)));
    for _ in 0..gib * 1_024 / 8 {
        store.accept(vec![NewEvent { data: data.clone(), ..new_event() }; 8]).await.unwrap();
    }
}

async fn fill_with_delivered(store: &RedbStore, gib: u64) {
    let data = Bytes::from(format!("\"{}\"", "x".repeat(8_000)));
    // Some 8.6 kB each.
    for _ in 0..gib * 125_000 / 250 {
        let events = vec![NewEvent { data: data.clone(), ..new_event() }; 250];
        let accepted = store.accept(events).await.unwrap();
        let done = accepted.iter().flat_map(|one| {
            let event = one.event.key;
            let deliveries = vec![pending(endpoint_id(event.as_u128() % 100))];
            let fanned_out = store.fan_out(FanOut { event, at: T0, deliveries, durable: false });
            let finished = store.finish_attempt(delivered(nth(event, 0), 1));
            [fanned_out, Box::pin(async { finished.await.map(drop) })]
        });
        for one in done.collect::<Vec<_>>() {
            one.await.unwrap();
        }
    }
}

/// Item 46 of the checklist: `HOOKWAY_SOAK_COUNT` GiB, 10 without it; of large events that wait for dispatch where `HOOKWAY_SOAK_WAITING`
/// has a number. With `--release`: redb built with assertions reads all of a file to open it.
#[test]
#[ignore = "takes minutes and 10 GiB"]
fn reopening_a_large_store_after_a_kill() {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};
    let directory = tempfile::tempdir_in(".").unwrap();
    let path = directory.path().join("hookway.redb");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--nocapture", "--exact", "store::redb::measure::fill_until_killed"])
        .env(FILLED, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("filled")));
    std::thread::sleep(Duration::from_secs(2));
    child.kill().unwrap();
    child.wait().unwrap();
    let size = std::fs::metadata(&path).unwrap().len() >> 20;
    let start = Instant::now();
    let store =
        RedbStore::open(&path, Vault::new(KeyRing::random()), Clock::system(), &Options::default()).unwrap();
    println!("reopened {size} MiB after a kill in {:?}", start.elapsed());
    store.close().unwrap();
}
