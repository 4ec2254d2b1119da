//! The plugins as metrics: made of the live set when somebody reads, so a version that is gone is gone from here, too.

use std::fmt;
use std::sync::Arc;

use super::registry::{Entry, PluginSet, Registry};
use super::stats::Stats;
use super::version::Version;
use crate::metrics::{Collector, DescriptorEncoder, EncodeMetric as _, Histogram, MetricType};
use crate::model::{Percent, PluginName};

/// The live set, to be asked.
pub(super) struct Exposition(pub(super) Arc<Registry>);

type Labels<'a, const N: usize> = [(&'static str, &'a str); N];

impl fmt::Debug for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Exposition").finish_non_exhaustive()
    }
}

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let set = self.0.snapshot();
        calls(&set, &mut encoder)?;
        let (name, help) = ("plugin_call_seconds", "How long calls of plugins took, waiting included");
        histograms(&set, &mut encoder, name, help, |stats| &stats.durations)?;
        let (name, help) = (
            "plugin_queue_seconds",
            "How long calls of plugins waited for their turn and for a new instance",
        );
        histograms(&set, &mut encoder, name, help, |stats| &stats.waits)?;
        let (name, help) =
            ("plugin_memory_peak_bytes", "The most linear memory that one instance of the plugin had");
        gauges(&set, &mut encoder, name, help, |version| Some(version.stats.memory_peak() as f64))?;
        let (name, help) = ("plugin_instances", "Instances of the plugin, idle ones included");
        gauges(&set, &mut encoder, name, help, |version| Some(version.stats.instances() as f64))?;
        let (name, help) =
            ("plugin_open_breakers", "Uses of the plugin, by tenant and configuration, that are stopped");
        gauges(&set, &mut encoder, name, help, |version| Some(version.breakers.open().len() as f64))?;
        let (name, help) = (
            "plugin_compile_seconds",
            "How long the live version took to compile; none if it was in the cache",
        );
        gauges(&set, &mut encoder, name, help, |version| Some(version.compiled_in?.as_secs_f64()))?;
        candidates(&set, &mut encoder)?;
        reloads(&set, &mut encoder)
    }
}

/// The live versions.
fn live(set: &PluginSet) -> impl Iterator<Item = (&PluginName, &Arc<Version>)> {
    set.entries.iter().filter_map(|(plugin, entry)| Some((plugin, entry.active.as_ref()?)))
}

fn of<'a>(plugin: &'a PluginName, version: &'a Version) -> Labels<'a, 2> {
    [("plugin", plugin.as_str()), ("version", &version.hash)]
}

fn calls(set: &PluginSet, encoder: &mut DescriptorEncoder) -> fmt::Result {
    let help = "Calls of the live version by what came of them";
    let mut metric = encoder.encode_descriptor("plugin_calls", help, None, MetricType::Counter)?;
    for (plugin, version) in live(set) {
        for (outcome, count) in version.stats.calls() {
            let [plugin, version] = of(plugin, version);
            let labels = [plugin, version, ("outcome", outcome.name())];
            metric.encode_family(&labels)?.encode_counter::<Labels<'_, 0>, _, f64>(&count, None)?;
        }
    }
    Ok(())
}

fn histograms(
    set: &PluginSet,
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    of_stats: fn(&Stats) -> &Histogram,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for (plugin, version) in live(set) {
        of_stats(&version.stats).encode(metric.encode_family(&of(plugin, version))?)?;
    }
    Ok(())
}

fn gauges(
    set: &PluginSet,
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    value: fn(&Version) -> Option<f64>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (plugin, version) in live(set) {
        if let Some(value) = value(version) {
            metric.encode_family(&of(plugin, version))?.encode_gauge(&value)?;
        }
    }
    Ok(())
}

fn candidates(set: &PluginSet, encoder: &mut DescriptorEncoder) -> fmt::Result {
    let candidates =
        || set.entries.iter().filter_map(|(plugin, entry)| Some((plugin, entry.candidate.as_ref()?)));
    let help = "Deliveries by what a candidate said of them, as a canary or in shadow";
    let name = "plugin_candidate_deliveries";
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (plugin, candidate) in candidates() {
        for (result, count) in candidate.tally.counts().words() {
            let [plugin, version] = of(plugin, &candidate.version);
            let labels = [plugin, version, ("result", result)];
            metric.encode_family(&labels)?.encode_counter::<Labels<'_, 0>, _, f64>(&count, None)?;
        }
    }
    let help =
        "Of a hundred events, those that a candidate decides; 0 in shadow, and once it failed too often";
    let mut metric = encoder.encode_descriptor("plugin_candidate_percent", help, None, MetricType::Gauge)?;
    for (plugin, candidate) in candidates() {
        let share = candidate.percent.filter(|_| candidate.is_running()).map_or(0, Percent::get);
        metric.encode_family(&of(plugin, &candidate.version))?.encode_gauge(&f64::from(share))?;
    }
    Ok(())
}

fn reloads(set: &PluginSet, encoder: &mut DescriptorEncoder) -> fmt::Result {
    let help = "Files of plugins by what became of them";
    let mut metric = encoder.encode_descriptor("plugin_reloads", help, None, MetricType::Counter)?;
    for (plugin, Entry { reloads, .. }) in &set.entries {
        for (result, count) in
            [("live", reloads.live), ("rejected", reloads.rejected), ("rolled_back", reloads.rolled_back)]
        {
            let labels = [("plugin", plugin.as_str()), ("result", result)];
            metric.encode_family(&labels)?.encode_counter::<Labels<'_, 0>, _, f64>(&count, None)?;
        }
    }
    Ok(())
}
