//! `cargo xtask soak reload | kill | failpoints | power-loss | corruption | simulate`: runs of minutes that show what a short one does not.

use std::hash::{BuildHasher as _, RandomState};

use anyhow::{Result, ensure};
use hookway_tests::soak::failpoints::{Step, dies_at};
use hookway_tests::{events, soak};

use crate::bench::{Rest, under_load};
use crate::long_tests::{self, Repeatable};
use crate::plugins::build_guests;
use crate::progress::Progress;
use crate::tools::{cargo, ensure_wasm_target, step};

/// The arguments of `cargo xtask soak`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Replaces a plugin 1,000 times under 2,000 events/s (`--reloads 100 --rate 500` for less): nothing is lost or doubled,
    /// memory and open files are flat
    Reload(Rest),
    /// Kills the gateway 200 times with SIGKILL while it is under load: nothing that was accepted is lost, and each POST that comes again
    /// is explained
    Kill(KillArguments),
    /// Has the process die at each step of the flow 100 times: the next one goes on as promised
    Failpoints {
        /// How often at each step
        #[arg(long, default_value_t = 100)]
        times: usize,
    },
    /// Opens 5,000 images of what a power loss may leave of a store under work: nothing that was answered is lost
    PowerLoss(Repeatable),
    /// Opens 500 stores that were changed on the disk: refused with a sentence or right, never wrong
    Corruption(Repeatable),
    /// Runs the whole gateway 1,000 times in virtual time, with receivers, disks, clocks and owners that do their worst: each run has the
    /// next seed, and its history follows from that
    Simulate(Repeatable),
}

#[derive(Debug, clap::Args)]
pub(crate) struct KillArguments {
    /// How often it is killed
    #[arg(long, default_value_t = 200)]
    kills: usize,
    /// How many events are accepted at least
    #[arg(long, default_value_t = 50_000)]
    events: usize,
    /// How many producers post at the same time
    #[arg(long, default_value_t = 16)]
    producers: usize,
    /// Repeats a run: the same events, answers and moments
    #[arg(long)]
    seed: Option<u64>,
    /// The control: events count as accepted before the gateway has written them, so some must be lost
    #[arg(long)]
    control: bool,
}

/// Builds what it needs and runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.what {
        What::PowerLoss(repeatable) => return long_tests::run("store::redb::tests::power_loss", repeatable),
        What::Corruption(repeatable) => return long_tests::run("store::redb::tests::corrupted", repeatable),
        What::Simulate(repeatable) => return long_tests::run("app::simulation", repeatable),
        What::Reload(_) | What::Kill(_) | What::Failpoints { .. } => {}
    }
    ensure_wasm_target()?;
    build_guests()?;
    match &arguments.what {
        What::PowerLoss(_) | What::Corruption(_) | What::Simulate(_) => Ok(()),
        What::Reload(rest) => under_load(&["soak"], rest),
        What::Kill(arguments) => kill(arguments),
        What::Failpoints { times } => failpoints(*times),
    }
}

/// With the development build: it is not measured, and finds more (overflows, assertions).
fn kill(arguments: &KillArguments) -> Result<()> {
    cargo(&["build", "-p", "hookway"])?;
    let KillArguments { kills, events, producers, seed, control } = *arguments;
    let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(kills));
    step(&format!("{kills} kills and {events} events, with the seed {seed}; `--seed {seed}` repeats it"));
    let options = soak::Options { seed, kills, events, producers, early: control };
    let mut progress = Progress::begin("kills", kills);
    let mut advanced = 0;
    let tell = |killed: usize, _: usize| {
        (advanced..killed).for_each(|_| progress.advance());
        advanced = killed;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(soak::kill(&options, &events::recorded(), tell))?;
    drop(progress);
    println!("{report}");
    if control {
        ensure!(!report.is_clean(), "the control lost nothing: this run would not notice a loss");
        println!("the control loses, as it must");
        return Ok(());
    }
    ensure!(report.is_clean(), "see above; `cargo xtask soak kill --seed {seed}` repeats it");
    Ok(())
}

fn failpoints(times: usize) -> Result<()> {
    cargo(&["build", "-p", "hookway"])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut progress = Progress::begin("deaths", times * Step::ALL.len());
    for _ in 0..times {
        for step in Step::ALL {
            runtime.block_on(dies_at(step))?;
            progress.advance();
        }
    }
    drop(progress);
    println!("{times} deaths at each of {} steps: each next process went on as promised", Step::ALL.len());
    Ok(())
}
