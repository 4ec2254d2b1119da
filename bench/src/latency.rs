//! How long an event takes at a quarter of the highest rate: until it is answered, and until it has arrived.
//!
//! Counted from the time at which it was due to be posted, so that a stall counts for every event that it delays.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::round::Stage;
use crate::scenario::Scenario;

/// Of the highest rate.
pub(crate) const SHARE: f64 = 0.25;

/// Milliseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

/// What was found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Latency {
    /// Events a second.
    pub(crate) rate: f64,
    /// Until the producer had its answer.
    pub(crate) answered: Percentiles,
    /// Until the receiver had it.
    pub(crate) arrived: Percentiles,
}

/// Measures at this rate.
///
/// # Errors
/// The process does not come up, or an event is lost.
pub(crate) async fn run(scenario: &Scenario, events: usize, rate: f64) -> Result<Latency> {
    let stage = Stage::start(scenario, events).await?;
    let latency = of(&stage, events, rate).await?;
    stage.stop().await?;
    Ok(latency)
}

/// The same with a process that runs.
///
/// # Errors
/// An event is lost.
pub(crate) async fn of(stage: &Stage, events: usize, rate: f64) -> Result<Latency> {
    let posted = stage.load(events, Some(rate), true).await?;
    let arrivals = stage.arrivals.times()?;
    let answered = posted.iter().map(|post| post.answered - post.due).collect();
    let arrived: Option<Vec<Instant>> =
        posted.iter().map(|post| arrivals.get(post.number).copied()).collect();
    let arrived = arrived.context("every event that was posted has a number")?;
    let arrived =
        posted.iter().zip(arrived).map(|(post, at)| at.saturating_duration_since(post.due)).collect();
    Ok(Latency { rate, answered: percentiles(answered), arrived: percentiles(arrived) })
}

/// Those of these times.
pub(crate) fn percentiles(mut times: Vec<Duration>) -> Percentiles {
    times.sort_unstable();
    let at = |per_mille: usize| {
        let index = (times.len() * per_mille / 1000).min(times.len().saturating_sub(1));
        times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    Percentiles { p50: at(500), p99: at(990), p999: at(999) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let found = percentiles((1..=1000).rev().map(Duration::from_millis).collect());
        assert_eq!((found.p50, found.p99, found.p999), (501.0, 991.0, 1000.0));
        assert_eq!(percentiles(Vec::new()).p99, 0.0);
    }
}
