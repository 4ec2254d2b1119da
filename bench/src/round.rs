//! One round of a scenario: start, warm up, load until everything has arrived, stop.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::arrivals::Arrivals;
use crate::payload::Payload;
use crate::producers::{Posted, Work, post_all};
use crate::scenario::Scenario;
use crate::target::Process;

/// Events before the clock starts, as a part of those that count.
const WARM_UP_OF: usize = 10;

/// What a round came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) events: usize,
    pub(crate) seconds: f64,
    pub(crate) events_per_second: f64,
    pub(crate) deliveries_per_second: f64,
    /// Of the process, microseconds for each event.
    pub(crate) cpu_us_per_event: f64,
    /// The same by the name of the threads: `tokio-rt-worker` takes, judges and delivers; `store-writer` writes.
    #[serde(default)]
    pub(crate) cpu_us_by_thread: BTreeMap<String, f64>,
    /// Bytes written to storage for each event.
    pub(crate) written_per_event: f64,
    /// Resident memory at the end, MB.
    pub(crate) resident_mb: f64,
}

impl Sample {
    /// What the thread that writes used of it.
    pub(crate) fn writer_us(&self) -> f64 {
        self.cpu_us_by_thread.get("store-writer").copied().unwrap_or_default()
    }
}

/// A scenario with its process, ready for load.
pub(crate) struct Stage {
    pub(crate) process: Process,
    pub(crate) arrivals: Arrivals,
    payload: Payload,
    warm_up: usize,
}

impl Stage {
    /// Starts everything and warms it up; `events` are to follow.
    pub(crate) async fn start(scenario: &Scenario, events: usize) -> Result<Self> {
        let warm_up = events / WARM_UP_OF;
        let payload = Payload::of_size(scenario.bytes)?;
        let arrivals = Arrivals::start(warm_up + events, scenario.target.copies()).await?;
        let process = Process::start(&scenario.target, arrivals.address()).await?;
        let stage = Self { process, arrivals, payload, warm_up };
        stage.post(0, warm_up, None).await?;
        Ok(stage)
    }

    /// The same without warming up.
    pub(crate) async fn cold(scenario: &Scenario, events: usize) -> Result<Self> {
        let payload = Payload::of_size(scenario.bytes)?;
        let arrivals = Arrivals::start(events, scenario.target.copies()).await?;
        let process = Process::start(&scenario.target, arrivals.address()).await?;
        Ok(Self { process, arrivals, payload, warm_up: 0 })
    }

    /// Posts `events` events, the first of which has the number `first`.
    pub(crate) async fn post(&self, first: usize, events: usize, pace: Option<f64>) -> Result<Vec<Posted>> {
        let (to, path, key) = (self.process.address()?, self.process.path(), self.process.key());
        post_all(Work { to, path, key, payload: self.payload.clone(), events, first, pace }).await
    }

    /// Posts what counts, and waits until all of it has arrived.
    pub(crate) async fn load(
        &self,
        events: usize,
        pace: Option<f64>,
        delivered: bool,
    ) -> Result<Vec<Posted>> {
        let posted = self.post(self.warm_up, events, pace).await?;
        if delivered {
            self.arrivals.all().await?;
        }
        Ok(posted)
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.process.stop().await
    }
}

/// Runs one.
///
/// # Errors
/// The process does not come up, or an event is lost.
pub(crate) async fn run(scenario: &Scenario, events: usize) -> Result<Sample> {
    measure(scenario, events).await.with_context(|| format!("in the scenario `{}`", scenario.key))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
async fn measure(scenario: &Scenario, events: usize) -> Result<Sample> {
    let copies = scenario.target.copies();
    let stage = Stage::start(scenario, events).await?;
    let (before, start) = (stage.process.usage()?, Instant::now());
    stage.load(events, None, copies > 0).await?;
    let (seconds, used) = (start.elapsed().as_secs_f64(), stage.process.usage()?.since(&before));
    stage.stop().await?;
    let each = |total: f64| total / events as f64;
    Ok(Sample {
        events,
        seconds,
        events_per_second: events as f64 / seconds,
        deliveries_per_second: events as f64 * f64::from(copies) / seconds,
        cpu_us_per_event: each(used.cpu.as_secs_f64() * 1e6),
        cpu_us_by_thread: used
            .threads
            .iter()
            .map(|(name, cpu)| (name.clone(), each(cpu.as_secs_f64() * 1e6)))
            .filter(|(_, us)| *us >= 0.05)
            .collect(),
        written_per_event: each(used.written as f64),
        resident_mb: used.resident as f64 / 1e6,
    })
}
