//! Cuts the script of a run that breaks a rule down to what it takes to break it.

use super::checks::Violation;
use super::gateway::Fixture;
use super::sabotage::Sabotage;
use super::script::Script;
use super::{Failure, try_run};

/// Runs that are spent on it.
const MOST_RUNS: usize = 150;

/// A script with fewer steps that breaks the same rule, and how.
pub(super) fn shrink(failure: Box<Failure>, fixture: &Fixture, sabotage: Option<Sabotage>) -> Box<Failure> {
    let mut best = failure;
    let mut runs = 0;
    let mut chunk = best.script.steps.len() / 2;
    while chunk > 0 && runs < MOST_RUNS {
        let mut at = 0;
        while at < best.script.steps.len() && runs < MOST_RUNS {
            let mut script = best.script.clone();
            script.steps.drain(at..(at + chunk).min(script.steps.len()));
            runs += 1;
            match try_run(&script, fixture, sabotage) {
                Err(smaller) if smaller.violation.rule == best.violation.rule => best = smaller,
                Ok(_) | Err(_) => at += chunk,
            }
        }
        chunk /= 2;
    }
    best
}

impl Failure {
    pub(super) fn new(script: &Script, violation: Violation, lines: String, steps: usize) -> Self {
        Self { script: script.clone(), violation, lines, steps }
    }
}
