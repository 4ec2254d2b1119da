//! Power losses: images of both disks at any moment of a workload, opened by the code that opens a store, and held against what was
//! promised by then.
//!
//! Each run prints its seed when it fails. `cargo xtask soak power-loss` makes thousands of images; `--seed` repeats a run.

use std::panic::AssertUnwindSafe;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use redb::Database;

use super::workload::{Promises, Workload, disagreements_of, live, open};
use crate::model::{EventKey, TenantId};
use crate::store::conformance::fixtures::{T0, delivered, endpoint_id, new_event, nth, pending};
use crate::store::redb::faults::{Disk, History, Operation};
use crate::store::redb::images::{self, Moments, derived};
use crate::store::redb::open::guarded;
use crate::store::redb::{Flush, RedbStore};
use crate::store::{EventRecord, FanOut, NewEvent, Retention as _, Retire, Store as _, SweepPlace};

/// Crashes in a row while one store is opened.
const MOST_CRASHES: usize = 3;

/// A workload that has run.
struct Run {
    moments: Moments,
    promises: Promises,
    /// Events that it removed.
    removed: usize,
}

/// What came of images.
#[derive(Debug, Default)]
struct Outcome {
    images: usize,
    crashed_again: usize,
    lived_on: usize,
    unopenable: Vec<String>,
    broken: Vec<String>,
}

impl Outcome {
    /// How many images were not as they should be.
    fn failures(&self) -> usize {
        self.unopenable.len() + self.broken.len()
    }

    fn assert_whole(&self, seed: u64) {
        let failures: Vec<_> = self.unopenable.iter().chain(&self.broken).take(5).collect();
        assert_eq!(self.failures(), 0, "seed {seed}: {failures:#?}");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A database as it is created: a file gets its name when it is whole.
fn empty() -> Vec<u8> {
    let disk = Disk::default();
    Database::builder().create_with_backend(disk.clone()).unwrap().close().unwrap();
    disk.after_kill()
}

fn run(seed: u64, steps: usize) -> Run {
    let begun_with = vec![empty(), Vec::new()];
    let (disks, history) = images::disks(&begun_with);
    let (removed, promises) = runtime().block_on(async {
        let mut workload = Workload::begin(disks, history.clone(), seed).unwrap();
        workload.go_on(steps).await.unwrap();
        (workload.removed(), workload.stop())
    });
    Run { moments: Moments::new(begun_with, &history), promises, removed }
}

impl Run {
    /// Makes images at these moments, which rise, and opens them. `acked_earlier`: how much earlier the answers are taken to
    /// have come than they did.
    fn lose_power(&mut self, at: &[usize], seed: u64, acked_earlier: usize) -> Outcome {
        let mut outcome = Outcome::default();
        for (part, moment) in (0..).zip(at) {
            self.moments.go_to(*moment);
            let seed = derived(seed, part);
            let image = self.moments.image(seed);
            outcome.images += 1;
            let before = outcome.failures();
            self.survive(image, moment + acked_earlier, seed, &mut outcome);
            if outcome.failures() > before {
                let place = format!("image {part}, moment {moment}");
                let last = outcome.broken.last_mut().or(outcome.unopenable.last_mut());
                last.into_iter().for_each(|text| *text = format!("{place}: {text}"));
            }
        }
        outcome
    }

    fn survive(&self, mut image: Vec<Vec<u8>>, promised: usize, seed: u64, outcome: &mut Outcome) {
        let mut random = StdRng::seed_from_u64(seed);
        for crash in 0.. {
            let (disks, history) = images::disks(&image);
            let store = match guarded(Path::new("the disks"), AssertUnwindSafe(|| open(&disks))) {
                Ok(store) => store,
                Err(error) => return outcome.unopenable.push(format!("{error}: {error:?}")),
            };
            let opened = history.len();
            if crash < MOST_CRASHES && random.random_bool(0.4) {
                drop(store);
                outcome.crashed_again += usize::from(crash == 0);
                let mut moments = Moments::new(image, &history);
                moments.go_to(random.random_range(0..=opened));
                image = moments.image(derived(seed, crash as u64 + 1));
                continue;
            }
            let broken = self.promises.broken(&store, promised);
            if broken.is_empty() && random.random_bool(0.2) {
                outcome.lived_on += 1;
                let (data, key) = runtime().block_on(live(&store));
                let left: Vec<_> = disks.iter().map(|disk| disk.after_power_loss()).collect();
                let reopened = open(&images::disks(&left).0).unwrap();
                let found = runtime().block_on(reopened.event(&TenantId::default(), &key.into())).unwrap();
                assert_eq!(found.map(|record| record.event.data.clone()), Some(data), "seed {seed}");
            }
            if !broken.is_empty() {
                outcome.broken.push(broken.join("; "));
            }
            return;
        }
    }
}

/// So many moments of a run, by their order.
fn some_moments(run: &Run, count: usize, seed: u64) -> Vec<usize> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut moments: Vec<_> = (0..count).map(|_| random.random_range(0..=run.moments.len())).collect();
    moments.sort_unstable();
    moments
}

#[test]
fn whatever_a_power_loss_leaves_nothing_that_was_promised_is_lost() {
    let seed = rand::random();
    let mut run = run(seed, 60);
    let moments = some_moments(&run, 150, seed);
    let outcome = run.lose_power(&moments, seed, 0);
    outcome.assert_whole(seed);
    assert!(outcome.crashed_again > 20 && outcome.lived_on > 5, "{outcome:?}");
}

/// The moment after every single write and sync.
#[test]
fn at_whatever_moment_power_is_lost_nothing_is_lost() {
    let seed = rand::random();
    let mut run = run(seed, 12);
    let all: Vec<_> = (0..=run.moments.len()).collect();
    run.lose_power(&all, seed, 0).assert_whole(seed);
}

/// Events of the store that is removed from, and the deliveries of each.
const EVENTS: usize = 40;
const DELIVERIES: u16 = 30;

/// Whether something of an event is not over, or is not to be removed.
const fn stays(at: usize) -> bool {
    at.is_multiple_of(5) || at == EVENTS - 1
}

/// Fills whole blocks with events, of which every fifth has a delivery that waits; returns their keys.
async fn fill(store: &RedbStore) -> Vec<EventKey> {
    let events = vec![new_event(); EVENTS];
    let keys: Vec<_> = store.accept(events).await.unwrap().into_iter().map(|one| one.event.key).collect();
    let mut over = Vec::new();
    for (at, key) in keys.iter().enumerate() {
        let deliveries = (0..DELIVERIES).map(|n| pending(endpoint_id(u128::from(n) % 3))).collect();
        store.fan_out(FanOut { event: *key, at: T0, deliveries, durable: true }).await.unwrap();
        let waiting = u16::from(at.is_multiple_of(5));
        over.extend((waiting..DELIVERIES).map(|n| store.finish_attempt(delivered(nth(*key, n), 1))));
    }
    store.write(Flush).await.unwrap();
    for one in over {
        one.await.unwrap();
    }
    keys
}

/// Removes what is over of all but the last, and sweeps what that leaves; returns how many events went.
async fn remove(store: &RedbStore, keys: &[EventKey]) -> u64 {
    let (mut from, mut removed) = (Some(EventKey::from_u128(0)), 0);
    while let Some(place) = from {
        let part = Retire { from: place, before: keys[EVENTS - 1], cut: true, overhead: None };
        let retired = store.retire(part);
        store.write(Flush).await.unwrap();
        let retired = retired.await.unwrap();
        removed += retired.events;
        from = retired.next;
    }
    let swept = store.sweep(SweepPlace::default(), EventKey::from_u128(u128::MAX), 10_000);
    store.write(Flush).await.unwrap();
    swept.await.unwrap();
    removed
}

/// Whole blocks are removed, swept and folded, and power is lost after every single write and sync of it: an event is there with
/// all that belongs to it, or gone with all of it, and what is not over stays.
#[test]
fn at_whatever_moment_of_a_removal_power_is_lost_each_event_is_whole_or_gone() {
    let seed = rand::random();
    let begun_with = vec![empty(), Vec::new()];
    let (disks, history) = images::disks(&begun_with);
    let (keys, begun) = runtime().block_on(async {
        let store = open(&disks).unwrap();
        let keys = fill(&store).await;
        let begun = history.len();
        let goes = (0..EVENTS).filter(|at| !stays(*at)).count();
        assert_eq!(remove(&store, &keys).await, goes as u64);
        (keys, begun)
    });
    let mut moments = Moments::new(begun_with, &history);
    let (mut gone_in_some, mut there_in_some) = (false, false);
    for moment in begun..=moments.len() {
        moments.go_to(moment);
        let image = moments.image(derived(seed, moment as u64));
        let place = format!("seed {seed}, moment {moment}");
        let store = open(&images::disks(&image).0).unwrap_or_else(|error| panic!("{place}: {error:?}"));
        assert_eq!(disagreements_of(&store), Vec::<String>::new(), "{place}");
        for (at, key) in keys.iter().enumerate() {
            let found = runtime().block_on(store.event(&TenantId::default(), &(*key).into())).unwrap();
            assert!(found.is_some() || !stays(at), "{place}: {key} is lost");
            let is_whole = |found: &EventRecord| found.deliveries.len() == usize::from(DELIVERIES);
            assert!(found.as_ref().is_none_or(is_whole), "{place}: {key}");
            gone_in_some |= found.is_none();
            there_in_some |= found.is_some() && !stays(at);
        }
    }
    assert!(gone_in_some && there_in_some, "seed {seed}");
}

/// The control: what finds nothing here finds nothing there.
#[test]
fn disks_whose_syncs_lie_lose_what_was_promised() {
    let seed = rand::random();
    let mut run = run(seed, 40);
    run.moments = run.moments.without_syncs();
    let moments = some_moments(&run, 40, seed);
    let outcome = run.lose_power(&moments, seed, 0);
    assert!(outcome.failures() > 10, "seed {seed}: {outcome:?}");
}

/// The other control: a store that answers one operation before it does.
#[test]
fn a_store_that_answers_before_the_sync_loses_what_it_promised() {
    let seed = rand::random();
    let mut run = run(seed, 20);
    let all: Vec<_> = (0..run.moments.len()).collect();
    let outcome = run.lose_power(&all, seed, 1);
    assert!(outcome.broken.iter().any(|text| text.contains("lost:")), "seed {seed}: {outcome:?}");
    assert_eq!(outcome.unopenable, Vec::<String>::new(), "seed {seed}");
}

#[test]
fn every_answer_comes_after_a_sync_that_followed_the_write_of_its_event() {
    let seed = rand::random();
    let run = run(seed, 150);
    let (answers, too_early) = run.promises.answered_too_early(&run.moments, 0);
    assert!(answers > 100, "seed {seed}: {answers}");
    assert_eq!(too_early, 0, "seed {seed}: of {answers}");
    // The control: had they come one operation earlier, each would have come before its sync.
    let (answers, too_early) = run.promises.answered_too_early(&run.moments, 1);
    assert!(too_early > answers / 2, "seed {seed}: {too_early} of {answers}");
}

/// The same of so many that commits come in between, and whichever of the two ways an event takes.
#[test]
fn ten_thousand_answers_each_come_after_a_sync_that_followed_the_write_of_the_event() {
    const AT_ONCE: usize = 20;
    const ANSWERS: usize = 10_000;
    let begun_with = vec![empty(), Vec::new()];
    let (disks, history) = images::disks(&begun_with);
    let event = |number: usize| NewEvent { data: format!("\"event {number:05}.\"").into(), ..new_event() };
    let acked = runtime().block_on(async {
        let store = open(&disks).unwrap();
        let mut acked = Vec::new();
        for batch in 0..ANSWERS / AT_ONCE {
            let calls: Vec<_> =
                (0..AT_ONCE).map(|n| store.accept(vec![event(batch * AT_ONCE + n)])).collect();
            // In the log, or, now and then, in the tables.
            let flushed = (batch % 10 == 0).then(|| store.write(Flush));
            for call in calls {
                call.await.unwrap();
                acked.push(history.len());
            }
            if let Some(flushed) = flushed {
                flushed.await.unwrap();
            }
        }
        acked
    });
    let safe = synced_events(&history, ANSWERS);
    let too_early =
        |earlier: usize| acked.iter().zip(&safe).filter(|(acked, at)| **at >= **acked - earlier).count();
    assert_eq!((acked.len(), too_early(0)), (ANSWERS, 0));
    assert!(
        too_early(1) > ANSWERS / 50,
        "the control, answers that come one operation earlier: {}",
        too_early(1)
    );
}

/// At which operation each of the events is on stable storage: the first sync of a disk after a write that has it.
fn synced_events(history: &History, count: usize) -> Vec<usize> {
    let mut safe = vec![usize::MAX; count];
    let mut dirty: [Vec<usize>; 2] = Default::default();
    for (at, (disk, operation)) in history.operations().into_iter().enumerate() {
        match operation {
            Operation::Write(_, bytes) => {
                let found = memchr::memmem::find_iter(&bytes, b"\"event ");
                let numbers = found.filter_map(|at| {
                    std::str::from_utf8(bytes.get(at + 7..at + 12)?).ok()?.parse::<usize>().ok()
                });
                dirty[disk].extend(numbers);
            }
            Operation::Sync => dirty[disk].drain(..).for_each(|number| safe[number] = safe[number].min(at)),
            Operation::SetLen(_) => {}
        }
    }
    safe
}

/// What `cargo xtask soak power-loss` runs.
#[test]
#[ignore = "takes minutes"]
fn soak() {
    const IMAGES_OF_A_RUN: usize = 250;
    let images = usize::try_from(super::soak_number("COUNT").unwrap_or(5_000)).unwrap();
    let seed = super::soak_number("SEED").unwrap_or_else(rand::random);
    println!("seed {seed}: repeat with --seed {seed}");
    let (mut sum, mut answers, mut removed) = (Outcome::default(), 0, 0);
    for part in 0.. {
        if sum.images >= images {
            break;
        }
        let seed = derived(seed, part);
        let mut run = run(seed, 120);
        let (all, too_early) = run.promises.answered_too_early(&run.moments, 0);
        answers += all;
        removed += run.removed;
        assert_eq!(too_early, 0, "seed {seed}");
        let moments = some_moments(&run, IMAGES_OF_A_RUN.min(images - sum.images), seed);
        let outcome = run.lose_power(&moments, seed, 0);
        outcome.assert_whole(seed);
        sum.images += outcome.images;
        sum.crashed_again += outcome.crashed_again;
        sum.lived_on += outcome.lived_on;
        println!("{} of {images} images", sum.images);
    }
    println!(
        "{} images ({} crashed again while they were opened, {} lived on), {answers} answers and {removed} removed events: \
         0 lost, 0 wrong bytes, 0 that do not open, 0 answered before a sync",
        sum.images, sum.crashed_again, sum.lived_on
    );
    let mut control = run(seed, 120);
    control.moments = control.moments.without_syncs();
    let moments = some_moments(&control, IMAGES_OF_A_RUN, seed);
    let outcome = control.lose_power(&moments, seed, 0);
    println!(
        "the control, disks whose syncs lie: of {} images {} lost something and {} do not open",
        outcome.images,
        outcome.broken.len(),
        outcome.unopenable.len()
    );
    assert!(outcome.failures() > outcome.images / 4, "seed {seed}: the control finds too little");
}
