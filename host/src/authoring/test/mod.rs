//! `hookway plugin test`: the samples of a plugin, what came out of each, and what that took.
//!
//! ```text
//! manifest, samples/*.json -> Test -> workbench -> Ran -> table, differences, logs | --json | --junit
//!                                                   `---> --update: what came out becomes what is expected
//! ```

mod budget;
mod junit;
mod report;
pub(super) mod samples;
mod update;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;

use self::budget::Budget;
use self::samples::{Place, Test};
use super::figures::many;
use super::inputs::{Given, Which};
use super::{Error, World};
use crate::client::Output;
use crate::plugins::{Capability, Effort, Tried};

/// Enough for a p99, and for a plugin of an interpreter to end within a moment.
const EFFORT: Effort = Effort { calls: 1_000, time: Duration::from_millis(500) };

/// What is tested, and against what.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    budget: Budget,
    /// Write what came out as what is expected, where the two differ; everything else in the files stays as it is.
    #[arg(long)]
    update: bool,
    /// Write the results to this file as JUnit XML, for CI.
    #[arg(long, value_name = "FILE.xml")]
    junit: Option<PathBuf>,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
}

/// All results.
struct Results {
    plugin: String,
    version: String,
    ran: Vec<Ran>,
}

/// A sample that ran.
struct Ran {
    test: Test,
    tried: Tried,
    /// What is wrong, each in a sentence; empty if nothing is.
    problems: Vec<String>,
    /// Whether its file was changed.
    is_updated: bool,
    /// Whether the plugin could have changed the body.
    is_of_transform: bool,
}

/// # Errors
/// A sample came out otherwise, or over its budget.
pub(super) async fn run(args: Args, world: World) -> Result<(), Error> {
    let project = args.which.find()?;
    let piece = project.read()?;
    let mut out = Output::standard(&world.environment, args.json);
    let bench = args.given.open(&piece, &project, world).await?;
    let tests = samples::collect(bench.manifest(), &piece.name, &project)?;
    if tests.is_empty() {
        let none = format!(
            "there are no samples: write `[[samples]]` into {}.toml, or a file into the folder `samples`",
            piece.name
        );
        return Err(Error::refused(&project.component)(none));
    }
    let mut results =
        Results { plugin: piece.name.to_string(), version: bench.version().to_owned(), ran: Vec::new() };
    for test in tests {
        let tried =
            bench.try_sample(&test.sample, EFFORT).await.map_err(Error::refused(&project.component))?;
        let is_of_transform = bench.capabilities().contains(&Capability::Transform);
        results.ran.push(Ran { is_of_transform, ..Ran::new(test, tried, &args.budget, args.update) });
    }
    if args.update {
        update::write(&mut results.ran, &project)?;
    }
    if let Some(file) = &args.junit {
        std::fs::write(file, junit::document(&results)?).map_err(Error::file(file))?;
    }
    report::show(&mut out, &results)?;
    let failed = results.ran.iter().filter(|ran| !ran.passed()).count();
    if failed == 0 {
        return Ok(());
    }
    let all = many(results.ran.len(), "sample");
    Err(Error::Failed(format!(
        "{failed} of {all} failed: correct the plugin, or the sample, which --update does"
    )))
}

impl Ran {
    fn new(test: Test, tried: Tried, budget: &Budget, updates: bool) -> Self {
        let differs = if test.is_open && tried.outcome.failure().is_none() {
            Some("does not say in `expect` what is to come out: write it, or have --update write what came out".to_owned())
        } else {
            tried.problem.clone()
        };
        // What failed is nothing to expect.
        let is_updated = updates && differs.is_some() && tried.outcome.failure().is_none();
        let mut problems: Vec<_> = differs.filter(|_| !is_updated).into_iter().collect();
        problems.extend(budget.exceeded_by(&tried));
        Self { test, tried, problems, is_updated, is_of_transform: false }
    }

    fn passed(&self) -> bool {
        self.problems.is_empty()
    }
}

impl Place {
    /// The file and, of a manifest, which of its samples.
    fn text(&self, plugin: &str) -> String {
        match self {
            Self::Manifest(number) => format!("{plugin}.toml, samples[{number}]"),
            Self::File(path) => path.display().to_string(),
        }
    }
}
