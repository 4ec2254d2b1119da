//! A metric for each of some label values that are all known: counting one looks nothing up and takes no lock, and each series
//! is there before it counts.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// The names and values of a series.
type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Metrics of one name. Clones share them.
#[derive(Debug)]
pub struct Labelled<M, const N: usize>(Arc<[(Labels<N>, M)]>);

impl<M, const N: usize> Labelled<M, N> {
    /// One for each of these, in this order.
    #[must_use]
    pub fn new(all: impl IntoIterator<Item = Labels<N>>, make: impl Fn() -> M) -> Self {
        Self(all.into_iter().map(|labels| (labels, make())).collect())
    }

    /// That of the labels at this place.
    ///
    /// # Panics
    /// There are fewer.
    #[must_use]
    pub fn at(&self, place: usize) -> &M {
        &self.0[place].1
    }
}

impl<M> Labelled<M, 1> {
    /// One for each of these words.
    #[must_use]
    pub fn by(label: &'static str, words: &[&'static str], make: impl Fn() -> M) -> Self {
        Self::new(words.iter().map(|word| [(label, *word)]), make)
    }
}

impl<M, const N: usize> Clone for Labelled<M, N> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: EncodeMetric + TypedMetric, const N: usize> EncodeMetric for Labelled<M, N> {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        self.0.iter().try_for_each(|(labels, metric)| metric.encode(encoder.encode_family(labels)?))
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }
}
