//! What the gateway counts of itself, for Prometheus and whatever else reads its text.
//!
//! - There is no global registry: each stage gets [`Metrics`] and registers its own when it starts.
//! - Whoever counts keeps a handle, so counting is an atomic addition and never looks anything up.
//! - Labels are few and bounded: no event, no endpoint and no tenant is ever one. What is gone leaves the exposition: what
//!   comes and goes is a [`Collector`], which is asked for what there is when somebody reads.

mod histogram;
mod labelled;
mod process;
mod readings;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

pub use prometheus_client::collector::Collector;
pub use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric};
use prometheus_client::encoding::{prometheus_text, text};
pub use prometheus_client::metrics::MetricType;
pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::family::Family;
pub use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

pub use self::histogram::{COUNTS, DURATIONS, Histogram, SIZES, Scale};
pub use self::labelled::Labelled;
use self::process::Process;
use self::readings::Asked;
pub use self::readings::Readings;
use crate::model::UnixMs;

/// What every name begins with but those of the process.
const PREFIX: &str = "hookway";

/// All that is counted. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<RwLock<Registry>>);

/// How metrics are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The text of Prometheus, which everything reads.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Metrics {
    /// Adds a metric. Its name goes without `hookway_`, and that of a counter without `_total`; `help` is a sentence without
    /// its full stop.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry(|registry| registry.sub_registry_with_prefix(PREFIX).register(name, help, metric));
    }

    /// Adds what is asked when somebody reads.
    pub fn collect(&self, collector: impl Collector) {
        self.registry(|registry| {
            registry.sub_registry_with_prefix(PREFIX).register_collector(Box::new(collector));
        });
    }

    /// The same for what is no more than numbers.
    pub fn ask(&self, read: impl Fn(&mut Readings<'_>) -> fmt::Result + Send + Sync + 'static) {
        self.collect(Asked(read));
    }

    /// Adds what there is to say of this process, when the wall clock shows `now`.
    pub fn ask_process(&self, now: UnixMs) {
        let process = Process::at(now);
        let read = move |readings: &mut Readings<'_>| process.read(readings);
        self.registry(|registry| registry.register_collector(Box::new(Asked(read))));
    }

    /// Everything as it is now.
    #[must_use]
    pub fn to_text(&self, format: Format) -> String {
        let registry = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        let written: fmt::Result = match format {
            Format::Prometheus => prometheus_text::encode(&mut out, &registry),
            Format::OpenMetrics => text::encode(&mut out, &registry),
        };
        written.expect("writing to a string never fails");
        out
    }

    fn registry(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Format {
    /// What a client asks for with this `Accept`.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_registered_is_written_in_both_formats() {
        let metrics = Metrics::default();
        let (counter, times) = (Counter::<u64>::default(), Histogram::new(&DURATIONS));
        metrics.register("things", "Things so far", counter.clone());
        metrics.register("thing_seconds", "How long a thing took", times.clone());
        counter.inc_by(3);
        times.observe_duration(Duration::from_micros(1));
        times.observe_duration(Duration::from_secs(100));
        let text = metrics.to_text(Format::Prometheus);
        for line in [
            "# TYPE hookway_things_total counter",
            "hookway_things_total 3",
            "hookway_thing_seconds_bucket{le=\"1e-06\"} 1",
            "hookway_thing_seconds_bucket{le=\"+Inf\"} 2",
            "hookway_thing_seconds_count 2",
        ] {
            assert!(text.lines().any(|one| one == line), "no {line}: {text}");
        }
        let text = metrics.to_text(Format::OpenMetrics);
        assert!(text.contains("hookway_things_total 3\n") && text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn series_of_known_labels_are_there_before_they_count() {
        let metrics = Metrics::default();
        let by = Labelled::by("kind", &["good", "bad"], Counter::<u64>::default);
        metrics.register("things", "Things by kind", by.clone());
        metrics.ask(|readings| readings.gauges(("places", "of"), "Places", &[("here", 2.0), ("there", 0.5)]));
        metrics.ask(|readings| readings.counter("steps", "Steps so far", 3.0));
        by.at(1).inc();
        for format in [Format::Prometheus, Format::OpenMetrics] {
            let text = metrics.to_text(format);
            for line in [
                "hookway_things_total{kind=\"good\"} 0",
                "hookway_things_total{kind=\"bad\"} 1",
                "hookway_places{of=\"here\"} 2.0",
                "hookway_places{of=\"there\"} 0.5",
                "hookway_steps_total 3.0",
            ] {
                assert!(text.lines().any(|one| one == line), "no {line}: {text}");
            }
        }
    }

    #[test]
    fn the_process_is_told_by_the_names_that_all_use() {
        let metrics = Metrics::default();
        metrics.ask_process(UnixMs(1_800_000_000_000));
        let text = metrics.to_text(Format::Prometheus);
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("no {name}: {text}")).parse::<f64>().unwrap()
        };
        assert!(value("process_cpu_seconds_total") > 0.0);
        assert!((1.7e9..1.8e9 + 1.0).contains(&value("process_start_time_seconds")));
        if cfg!(target_os = "linux") {
            assert!(value("process_open_fds") >= 3.0);
            assert!(value("process_resident_memory_bytes") > 1e6);
            assert!(value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"));
            assert!(value("process_threads") >= 1.0);
        }
    }

    #[test]
    fn a_client_gets_the_format_that_it_asks_for() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
        for other in ["", "*/*", "text/plain", "text/html"] {
            assert_eq!(Format::accepted(other), Format::Prometheus, "{other}");
        }
    }
}
