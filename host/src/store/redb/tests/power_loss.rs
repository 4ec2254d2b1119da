//! Power losses: images of both disks at any moment of a workload, opened by the code that opens a store, and held against what was
//! promised by then.
//!
//! Each run prints its seed when it fails. `cargo xtask soak power-loss` makes thousands of images; `--seed` repeats a run.

use std::panic::AssertUnwindSafe;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use redb::Database;

use super::workload::{Promises, Workload, live, open};
use crate::model::TenantId;
use crate::store::Store as _;
use crate::store::redb::faults::Disk;
use crate::store::redb::images::{self, Moments, derived};
use crate::store::redb::open::guarded;

/// Crashes in a row while one store is opened.
const MOST_CRASHES: usize = 3;

/// A workload that has run.
struct Run {
    moments: Moments,
    promises: Promises,
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
    let promises = runtime().block_on(async {
        let mut workload = Workload::begin(disks, history.clone(), seed).unwrap();
        workload.go_on(steps).await.unwrap();
        workload.stop()
    });
    Run { moments: Moments::new(begun_with, &history), promises }
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

/// What `cargo xtask soak power-loss` runs.
#[test]
#[ignore = "takes minutes"]
fn soak() {
    const IMAGES_OF_A_RUN: usize = 250;
    let images = usize::try_from(super::soak_number("COUNT").unwrap_or(5_000)).unwrap();
    let seed = super::soak_number("SEED").unwrap_or_else(rand::random);
    println!("seed {seed}: repeat with --seed {seed}");
    let (mut sum, mut answers) = (Outcome::default(), 0);
    for part in 0.. {
        if sum.images >= images {
            break;
        }
        let seed = derived(seed, part);
        let mut run = run(seed, 120);
        let (all, too_early) = run.promises.answered_too_early(&run.moments, 0);
        answers += all;
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
        "{} images ({} crashed again while they were opened, {} lived on) and {answers} answers: \
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
