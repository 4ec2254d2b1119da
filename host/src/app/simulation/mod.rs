//! The whole gateway in virtual time: what it does follows from a seed alone, and thousands of runs take minutes.
//!
//! A [`script`] of a few dozen steps is worked out from the seed: producers post, receivers answer, hang, break off and ask for
//! time, owners change, stop and delete endpoints, people retry, cancel, replay and recover, the wall clock is set a day forth or
//! back, a disk fails, and the process is killed, loses its power or is stopped. Above the seams (HTTP requests, [`Store`],
//! [`Transport`], [`Clock`], [`Chance`]) the stages are the real ones. At the end all receivers are well, and the [`checks`] hold
//! what was seen from outside against what the store has.
//!
//! - One thread, paused time. The store's writer is a thread of its own and works only while the run waits for it
//!   ([`RedbStore::in_steps`]); reads run where they are asked for.
//! - The same seed makes the same history, to the millisecond. Ids differ: nothing is decided by them.
//! - A run that breaks a rule is cut down ([`shrink`]) and printed with its seed.
//! - Each rule has a [`Sabotage`] that it must notice.
//!
//! [`RedbStore::in_steps`]: crate::store::redb::RedbStore::in_steps
//! [`Sabotage`]: sabotage::Sabotage

mod checks;
mod clocks;
mod gateway;
mod outcome;
mod receiver;
mod run;
mod sabotage;
mod script;
mod shrink;
mod waiting;
mod world;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use self::checks::{RULES, Violation, check};
use self::gateway::{Fixture, Gateway, Machine};
use self::run::{Ran, run};
use self::sabotage::Sabotage;
use self::script::Script;
use self::world::World;

/// Runs in each test of everything: some seconds.
const RUNS: u64 = 30;
/// Seeds that are run twice.
const REPEATED: u64 = 8;
/// Seeds within which sabotage is noticed.
const SABOTAGED: usize = 60;
/// Lines of the history that are shown of a failure.
const SHOWN: usize = 400;

/// A run that broke a rule.
#[derive(Debug, Clone)]
struct Failure {
    script: Script,
    violation: Violation,
    lines: String,
    steps: usize,
}

/// What a run was good for.
#[derive(Debug, Clone, Copy, Default)]
struct Summary {
    accepted: usize,
    posts: usize,
    lives: usize,
    reads: u64,
}

impl Summary {
    fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.posts += other.posts;
        self.lives += other.lives;
        self.reads += other.reads;
    }
}

fn try_run(script: &Script, fixture: &Fixture, sabotage: Option<Sabotage>) -> Result<Summary, Box<Failure>> {
    let Ran { world, outcome, steps } = run(script, fixture, sabotage);
    let history = world.history();
    let checked = match &outcome {
        Ok(outcome) => check(script, &history, outcome),
        Err(what) => Err(Violation { rule: "everything comes to rest", what: what.clone() }),
    };
    let summary = Summary {
        accepted: history.events.iter().filter(|event| event.accepted.is_some()).count(),
        posts: history.posts.len(),
        lives: history.lives.len(),
        reads: history.reads,
    };
    checked
        .map(|()| summary)
        .map_err(|violation| Box::new(Failure::new(script, violation, history.lines, steps)))
}

/// Runs these seeds; panics with the first that breaks a rule.
fn run_all(seeds: impl Iterator<Item = u64>, mut tell: impl FnMut(u64, &Summary)) {
    let fixture = Fixture::new();
    for seed in seeds {
        match try_run(&Script::of_seed(seed), &fixture, None) {
            Ok(summary) => tell(seed, &summary),
            Err(failure) => panic!("{}", shrink::shrink(failure, &fixture, None)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { script, violation, lines, steps } = self;
        writeln!(f, "seed {}: \"{}\" does not hold: {}", script.seed, violation.rule, violation.what)?;
        writeln!(f, "again: cargo xtask soak simulate --count 1 --seed {}", script.seed)?;
        writeln!(f, "{:#?}\n{steps} steps were taken of:", script.setup)?;
        for (n, step) in script.steps.iter().enumerate() {
            writeln!(f, "{n:>3}. after {:?}: {:?}", step.after, step.action)?;
        }
        let count = lines.lines().count();
        writeln!(f, "the last of {count} things that happened (life, time, what):")?;
        lines.lines().skip(count.saturating_sub(SHOWN)).try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[test]
fn whatever_happens_the_rules_hold() {
    let mut total = Summary::default();
    run_all(0..RUNS, |_, summary| total.add(summary));
    // It would hold of a gateway that does nothing.
    assert!(total.accepted > 200 && total.posts > 400 && total.lives > 10, "{total:?}");
}

#[test]
fn a_seed_says_all_that_happens() {
    let fixture = Fixture::new();
    for seed in 1_000..1_000 + REPEATED {
        let script = Script::of_seed(seed);
        let fingerprints = [(); 2].map(|()| run(&script, &fixture, None).world.fingerprint());
        assert_eq!(fingerprints[0], fingerprints[1], "seed {seed}");
    }
}

#[test]
#[ignore = "takes minutes"]
fn each_rule_notices_when_it_is_broken() {
    let fixture = Fixture::new();
    let sabotages = [
        (Sabotage::DisksLie, &["nothing accepted is lost", "everything comes to rest"][..]),
        (Sabotage::SendsTwice, &["the log has what was sent"]),
        (Sabotage::SendsNothing, &["the log has what was sent"]),
        (Sabotage::ChangesBody, &["every attempt sends the same bytes, signed now"]),
        (Sabotage::IgnoresLimits, &["limits are never exceeded"]),
        (Sabotage::IgnoresBacklog, &["undelivered work is bounded"]),
        (Sabotage::IgnoresOrder, &["lines are in order"]),
        (Sabotage::RetriesAtOnce, &["no attempt comes early"]),
        (Sabotage::HasNoBreakers, &["a receiver that is down is only probed"]),
        (Sabotage::IgnoresOwners, &["an inactive endpoint gets nothing"]),
        (Sabotage::TellsNobody, &["operations are told of each delivery that is given up"]),
        (Sabotage::DeliversLate, &["no attempt comes late"]),
        (Sabotage::ReadsOnAndOn, &["the store is read for a reason"]),
        (Sabotage::LeavesTask, &["nothing is left at the end"]),
        (Sabotage::LosesDelivery, &["nothing accepted is lost"]),
        (Sabotage::LeavesDeliveryOpen, &["each delivery ends in one state"]),
        (Sabotage::Miscounts, &["statistics are those of the log"]),
    ];
    for (rule, _) in RULES {
        assert!(sabotages.iter().any(|(_, rules)| rules.contains(rule)), "nobody breaks \"{rule}\"");
    }
    for (sabotage, rules) in sabotages {
        // A limit that is not set cannot be ignored.
        let is_fit = |script: &Script| sabotage != Sabotage::IgnoresBacklog || script.setup.backlog > 0;
        let seeds = (0..).map(Script::of_seed).filter(is_fit).take(SABOTAGED);
        let noticed = seeds.filter_map(|script| try_run(&script, &fixture, Some(sabotage)).err()).next();
        let noticed = noticed.unwrap_or_else(|| panic!("nobody noticed that a gateway {sabotage:?}"));
        let rule = noticed.violation.rule;
        assert!(rules.contains(&rule), "{sabotage:?} broke \"{rule}\": {}", noticed.violation.what);
    }
}

/// `HOOKWAY_SOAK_COUNT` runs from the seed `HOOKWAY_SOAK_SEED` on.
#[test]
#[ignore = "takes as long as it is told"]
fn soak() {
    let (seed, runs) = (number("HOOKWAY_SOAK_SEED", 0), number("HOOKWAY_SOAK_COUNT", 1_000));
    let started = Instant::now();
    let mut total = Summary::default();
    run_all(seed..seed.saturating_add(runs), |at, summary| {
        total.add(summary);
        if (at - seed + 1) % 100 == 0 || at + 1 == seed.saturating_add(runs) {
            let Summary { accepted, posts, lives, reads } = total;
            println!(
                "{} runs in {:?}: {accepted} events, {posts} requests, {lives} starts, {reads} reads; seed {at} was the last",
                at - seed + 1,
                started.elapsed()
            );
        }
    });
}

#[expect(clippy::disallowed_methods, reason = "how cargo passes something on to a test")]
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}
