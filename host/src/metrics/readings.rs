//! What is looked up when somebody reads: it costs nothing until then.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Takes the numbers of those who are asked. Names and help are as in [`super::Metrics::register`].
#[derive(Debug)]
pub struct Readings<'a>(DescriptorEncoder<'a>);

/// Somebody who is asked.
pub(super) struct Asked<F>(pub(super) F);

impl Readings<'_> {
    /// A number that rises and falls.
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// The same for each of these values of a label.
    ///
    /// # Errors
    /// They cannot be written down.
    pub fn gauges(
        &mut self,
        (name, label): (&str, &'static str),
        help: &str,
        values: &[(&'static str, f64)],
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        values
            .iter()
            .try_for_each(|(word, value)| metric.encode_family(&[(label, *word)])?.encode_gauge(value))
    }

    /// A number that only rises.
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn counter(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, f64>(&value, None)
    }
}

impl<F> fmt::Debug for Asked<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Asked").finish_non_exhaustive()
    }
}

impl<F: Fn(&mut Readings<'_>) -> fmt::Result + Send + Sync + 'static> Collector for Asked<F> {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        (self.0)(&mut Readings(encoder))
    }
}
