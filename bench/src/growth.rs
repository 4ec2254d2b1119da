//! What may not grow with what is stored: memory with 100 thousand and with a million events in the store, and the time of
//! a start with a million deliveries that wait. And what a plugin that is replaced under load does to the events.
//!
//! Minutes of load, so these are measured only when they are asked for (`--long`).

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use hookway_tests::guests;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::latency::{self, Latency};
use crate::round::Stage;
use crate::scenario::{Scenario, Target};
use crate::target::Process;

/// Attempts a second while deliveries pile up: hardly any, and the first after a start comes within a second.
const TRICKLE: u32 = 10;
/// Between two versions of the plugin.
const RELOAD_EVERY: Duration = Duration::from_millis(1500);
const RELOADED: &str = "cel-filter";

/// A start with deliveries that wait.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Start {
    /// Deliveries that waited.
    pub(crate) pending: usize,
    /// Seconds from the start of the process until it listens; it had been killed.
    pub(crate) listening: f64,
    /// Seconds from the start of the process until a delivery arrives.
    pub(crate) delivering: f64,
    /// Resident memory then, MB.
    pub(crate) resident_mb: f64,
}

/// Events beside a plugin that is replaced all the time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Reload {
    /// How often it was replaced.
    pub(crate) versions: usize,
    /// Of the events meanwhile.
    pub(crate) latency: Latency,
}

/// Resident memory in MB after so many events were stored and delivered.
///
/// # Errors
/// The process does not come up, or an event is lost.
pub(crate) async fn memory(scenario: &Scenario, steps: &[usize]) -> Result<BTreeMap<usize, f64>> {
    let most = steps.iter().copied().max().unwrap_or_default();
    let stage = Stage::cold(scenario, most).await?;
    let mut found = BTreeMap::new();
    let mut stored = 0;
    for &step in steps {
        stage.post(stored, step - stored, None).await?;
        stored = step;
        stage.arrivals.until(stored).await?;
        found.insert(step, mb(&stage.process)?);
    }
    stage.stop().await?;
    Ok(found)
}

/// Has deliveries pile up, kills the process and starts it again.
///
/// # Errors
/// The process does not come up, or nothing is delivered after the start.
pub(crate) async fn start(scenario: &Scenario, pending: usize) -> Result<Start> {
    let scenario = Scenario { target: Target::slow(TRICKLE), ..scenario.clone() };
    let mut stage = Stage::cold(&scenario, pending).await?;
    stage.post(0, pending, None).await?;
    let arrived = stage.arrivals.count();
    let started = stage.process.restart_after_kill().await?;
    let listening = started.elapsed().as_secs_f64();
    stage.arrivals.until(arrived + TRICKLE as usize).await?;
    let delivering = started.elapsed().as_secs_f64();
    let resident_mb = mb(&stage.process)?;
    stage.stop().await?;
    Ok(Start { pending: pending - arrived, listening, delivering, resident_mb })
}

/// Measures the latency at this rate while a plugin is replaced again and again.
///
/// # Errors
/// The process does not come up, an event is lost, or no version was replaced.
pub(crate) async fn reload(scenario: &Scenario, events: usize, rate: f64) -> Result<Reload> {
    let stage = Stage::start(scenario, events).await?;
    let mut versions = 0;
    let latency = {
        let mut measured = std::pin::pin!(latency::of(&stage, events, rate));
        loop {
            match timeout(RELOAD_EVERY, measured.as_mut()).await {
                Ok(latency) => break latency?,
                Err(_) => {
                    replace(&stage.process, versions)?;
                    versions += 1;
                }
            }
        }
    };
    stage.stop().await?;
    ensure!(versions > 0, "the load was over before a plugin was replaced");
    Ok(Reload { versions, latency })
}

/// Puts another version of the plugin into the directory: the same, with a custom section that says which.
fn replace(process: &Process, version: usize) -> Result<()> {
    let Process::Gateway(gateway) = process else { bail!("the forwarder has no plugins") };
    let mut component = std::fs::read(guests::plugin(RELOADED)?)?;
    // WebAssembly, 2.5.1 of the binary format: a section has an id (0 = custom), a length and here a name and a number.
    component.extend_from_slice(&[0, 6, 1, b'v']);
    component.extend_from_slice(&u32::try_from(version).context("few versions")?.to_le_bytes());
    guests::install_bytes(&component, &gateway.plugins_dir(), RELOADED)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn mb(process: &Process) -> Result<f64> {
    Ok(process.usage()?.resident as f64 / 1e6)
}
