//! All rounds of all scenarios, their medians, and what people and programs get to see of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use comfy_table::{CellAlignment, Table};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use crate::growth::{self, Reload, Start};
use crate::latency::{self, Latency, Percentiles};
use crate::round::{self, Sample};
use crate::scenario::{self, Scenario, Target};
use crate::{chart, compare};

/// A quick run has a tenth of the events.
const QUICK: usize = 10;
/// Events of the latency at a quarter of the highest rate.
const PACED: usize = 20_000;
/// Events that are stored, or wait, in the long part.
const MANY: usize = 1_000_000;
/// Events a second while a plugin is replaced.
const RELOAD_RATE: f64 = 2_000.0;
/// What the latency is measured of.
const LATENCY_OF: &str = "end_to_end";

/// How to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Rounds of each scenario; reported is the median
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only the scenario with this key, or those whose keys contain it, and the bare forwarders that they are compared with
    #[arg(long, value_name = "KEY")]
    only: Option<String>,
    /// Also what takes minutes: memory with 100 thousand and a million events stored, a start with a million deliveries that
    /// wait, a plugin that is replaced under load
    #[arg(long)]
    long: bool,
    /// One round with a tenth of the events: to see that it works, not to quote
    #[arg(long)]
    quick: bool,
    /// Writes all of it to a file: `ratios.end_to_end`, `ratios.filter_transform` and the rest are the events a second of a
    /// scenario as a part of those of the bare forwarder; `scenarios.KEY` has every round, with `cpu_us_per_event`, `cpu_us_by_thread.THREAD`, `written_per_event` and
    /// `resident_mb`; `latency` is in milliseconds; with `--long`, `memory_mb.EVENTS`, `start` (seconds) and `reload`
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draws the ratios as a chart (SVG)
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    /// Shows the change of the ratios against the file of an earlier run
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

/// What a run found.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    /// Cores of the machine, which producers and receiver share with the process.
    pub(crate) cores: usize,
    /// Events a second, as a part of those of the bare forwarder with events of the same size; the median of the rounds.
    pub(crate) ratios: BTreeMap<String, f64>,
    /// Every round of every scenario.
    pub(crate) scenarios: BTreeMap<String, Vec<Sample>>,
    /// At a quarter of the highest rate.
    pub(crate) latency: Option<Latency>,
    /// Resident memory with so many events stored and delivered.
    #[serde(default)]
    pub(crate) memory_mb: BTreeMap<usize, f64>,
    /// With deliveries that wait.
    #[serde(default)]
    pub(crate) start: Option<Start>,
    /// Of events with `cel-filter`, which is replaced meanwhile.
    #[serde(default)]
    pub(crate) reload: Option<Reload>,
}

/// Measures, prints, writes.
///
/// # Errors
/// Something is not built or does not come up, an event is lost, or a file cannot be written.
pub(crate) async fn run(options: Options) -> Result<()> {
    let scenarios = chosen(options.only.as_deref())?;
    let results = measure(&options, &scenarios).await?;
    println!("{}", table(&scenarios, &results));
    if let Some(latency) = &results.latency {
        println!("\nat {:.0} events/s, a quarter of the highest rate:\n{}", latency.rate, latencies(latency));
    }
    if options.long {
        println!("\n{}", long_table(&results));
    }
    if let Some(file) = &options.compare {
        println!("\n{}", compare::table(file, &results)?);
    }
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_vec_pretty(&results)?)
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    if let Some(file) = &options.chart {
        chart::draw(file, &scenarios, &results)?;
    }
    Ok(())
}

fn chosen(only: Option<&str>) -> Result<Vec<Scenario>> {
    let all = scenario::all();
    let Some(only) = only else { return Ok(all) };
    let is_exact = all.iter().any(|scenario| scenario.key == only);
    let is_wanted = |key: &str| if is_exact { key == only } else { key.contains(only) };
    let wanted: Vec<_> = all.iter().filter(|scenario| is_wanted(scenario.key)).cloned().collect();
    ensure!(!wanted.is_empty(), "no scenario has `{only}` in its key: {:?}", keys(&all));
    let is_needed = |scenario: &Scenario| {
        wanted.iter().any(|wanted| wanted.key == scenario.key || wanted.bare() == scenario.key)
    };
    Ok(all.iter().filter(|scenario| is_needed(scenario)).cloned().collect())
}

fn keys(scenarios: &[Scenario]) -> Vec<&'static str> {
    scenarios.iter().map(|scenario| scenario.key).collect()
}

async fn measure(options: &Options, scenarios: &[Scenario]) -> Result<Results> {
    let rounds = if options.quick { 1 } else { options.rounds.max(1) };
    let size = |events: usize| if options.quick { events / QUICK } else { events };
    let bar = progress(rounds * scenarios.len());
    let mut results = Results { cores: std::thread::available_parallelism()?.get(), ..Results::default() };
    for _ in 0..rounds {
        for scenario in scenarios {
            bar.set_message(scenario.title);
            let sample = round::run(scenario, size(scenario.events)).await?;
            results.scenarios.entry(scenario.key.to_owned()).or_default().push(sample);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    for scenario in scenarios {
        if let (Some(own), Some(bare)) = (results.rate(scenario.key), results.rate(scenario.bare())) {
            results.ratios.insert(scenario.key.to_owned(), own / bare);
        }
    }
    let measured = scenarios.iter().find(|scenario| scenario.key == LATENCY_OF);
    if let (Some(scenario), Some(rate)) = (measured, results.rate(LATENCY_OF)) {
        results.latency = Some(latency::run(scenario, size(PACED), rate * latency::SHARE).await?);
    }
    if options.long {
        measure_long(&mut results, size).await?;
    }
    Ok(results)
}

async fn measure_long(results: &mut Results, size: impl Fn(usize) -> usize) -> Result<()> {
    let all = scenario::all();
    let find = |key| all.iter().find(|scenario| scenario.key == key).context("the scenario is there");
    let bar = progress(3);
    bar.set_message("memory");
    results.memory_mb = growth::memory(find("end_to_end")?, &[0, size(MANY / 10), size(MANY)]).await?;
    bar.inc(1);
    bar.set_message("start");
    results.start = Some(growth::start(find("end_to_end")?, size(MANY)).await?);
    bar.inc(1);
    bar.set_message("reload");
    results.reload = Some(growth::reload(find("filter")?, size(PACED), RELOAD_RATE).await?);
    bar.finish_and_clear();
    Ok(())
}

fn progress(rounds: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed} {msg}");
    ProgressBar::new(rounds as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

impl Results {
    /// The median of the events a second.
    fn rate(&self, key: &str) -> Option<f64> {
        self.median(key, |sample| sample.events_per_second)
    }

    fn sorted(&self, key: &str, of: impl Fn(&Sample) -> f64) -> Vec<f64> {
        let mut values: Vec<f64> = self.scenarios.get(key).into_iter().flatten().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    fn median(&self, key: &str, of: impl Fn(&Sample) -> f64) -> Option<f64> {
        let values = self.sorted(key, of);
        values.get(values.len() / 2).copied()
    }
}

fn table(scenarios: &[Scenario], results: &Results) -> Table {
    let mut table = Table::new();
    table.set_header([
        "scenario",
        "events/s",
        "lowest - highest",
        "of bare",
        "CPU us/event",
        "of it the writer",
        "written/event",
        "memory",
    ]);
    for scenario in scenarios {
        let rates = results.sorted(scenario.key, |sample| sample.events_per_second);
        let (Some(lowest), Some(highest)) = (rates.first(), rates.last()) else { continue };
        let median = |of: fn(&Sample) -> f64| results.median(scenario.key, of).unwrap_or_default();
        let is_bare = matches!(scenario.target, Target::Bare);
        let ratio = results.ratios.get(scenario.key).copied().unwrap_or_default();
        table.add_row([
            scenario.title.to_owned(),
            format!("{:.0}", median(|sample| sample.events_per_second)),
            format!("{lowest:.0} - {highest:.0}"),
            if is_bare { String::new() } else { format!("{ratio:.2}") },
            format!("{:.0}", median(|sample| sample.cpu_us_per_event)),
            if is_bare { String::new() } else { format!("{:.0}", median(Sample::writer_us)) },
            if is_bare {
                String::new()
            } else {
                format!("{:.1} kB", median(|sample| sample.written_per_event) / 1e3)
            },
            format!("{:.0} MB", median(|sample| sample.resident_mb)),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn long_table(results: &Results) -> Table {
    let mut table = Table::new();
    for (events, mb) in &results.memory_mb {
        table.add_row([format!("memory with {events} events"), format!("{mb:.0} MB")]);
    }
    if let Some(Start { pending, listening, delivering, resident_mb }) = results.start {
        table.add_row([format!("start with {pending} deliveries"), format!("{listening:.2} s")]);
        table.add_row(["first of them delivered after".to_owned(), format!("{delivering:.2} s")]);
        table.add_row(["memory then".to_owned(), format!("{resident_mb:.0} MB")]);
    }
    if let Some(Reload { versions, latency: Latency { rate, arrived: Percentiles { p50, p99, .. }, .. } }) =
        &results.reload
    {
        let title = format!("at its receiver, at {rate:.0} events/s and {versions} versions of a filter");
        table.add_row([title, format!("p50 {p50:.2} ms, p99 {p99:.2} ms")]);
    }
    table
}

fn latencies(latency: &Latency) -> Table {
    let mut table = Table::new();
    table.set_header(["milliseconds until the event is", "p50", "p99", "p99.9"]);
    for (what, Percentiles { p50, p99, p999 }) in
        [("answered", latency.answered), ("at its receiver", latency.arrived)]
    {
        table.add_row([what.to_owned(), format!("{p50:.2}"), format!("{p99:.2}"), format!("{p999:.2}")]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_brings_its_forwarder() {
        assert_eq!(keys(&chosen(Some("end_to_end_8k")).unwrap()), ["bare_8k", "end_to_end_8k"]);
        assert!(chosen(Some("nothing")).unwrap_err().to_string().contains("fan_out_10"));
        assert_eq!(chosen(None).unwrap().len(), scenario::all().len());
    }
}
