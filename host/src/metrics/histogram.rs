//! A histogram that costs two atomic additions: that of the client library takes a lock for each value.
//!
//! Values are whole numbers of a small unit (nanoseconds, bytes, pieces), so that sums are exact; they are shown in the
//! base unit that Prometheus wants (seconds).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

const US: u64 = 1_000;
const MS: u64 = 1_000 * US;
const S: u64 = 1_000 * MS;

/// From 1 us to a minute: a call of a plugin and a POST to a receiver are both on it.
pub static DURATIONS: Scale = Scale {
    bounds: &[
        US,
        2 * US,
        5 * US,
        10 * US,
        20 * US,
        50 * US,
        100 * US,
        200 * US,
        500 * US,
        MS,
        2 * MS,
        5 * MS,
        10 * MS,
        20 * MS,
        50 * MS,
        100 * MS,
        200 * MS,
        500 * MS,
        S,
        2 * S,
        5 * S,
        10 * S,
        30 * S,
        60 * S,
    ],
    per_unit: 1e9,
};

/// How many at a time: up to those of the largest transaction.
pub static COUNTS: Scale = Scale {
    bounds: &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384],
    per_unit: 1.0,
};

/// Bytes, to 64 MiB.
pub static SIZES: Scale = Scale {
    bounds: &[256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20],
    per_unit: 1.0,
};

/// Where the buckets of a histogram end.
#[derive(Debug)]
pub struct Scale {
    /// The greatest value of each bucket, rising. One more is for all that is greater.
    pub bounds: &'static [u64],
    /// How many of these make one of the unit that is shown.
    pub per_unit: f64,
}

/// Counts values by their size. Clones share the counts.
#[derive(Debug, Clone)]
pub struct Histogram(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    scale: &'static Scale,
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(scale: &'static Scale) -> Self {
        let buckets = (0..=scale.bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Counts { scale, buckets, sum: AtomicU64::new(0) }))
    }

    /// Counts a value.
    pub fn observe(&self, value: u64) {
        let Counts { scale, buckets, sum } = &*self.0;
        let bucket = scale.bounds.partition_point(|&bound| bound < value);
        buckets[bucket].fetch_add(1, Ordering::Relaxed);
        // What did not have to wait adds nothing.
        if value > 0 {
            sum.fetch_add(value, Ordering::Relaxed);
        }
    }

    /// Counts a time, on a scale of nanoseconds.
    pub fn observe_duration(&self, took: Duration) {
        self.observe(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts anew.
    pub fn reset(&self) {
        self.0.buckets.iter().chain([&self.0.sum]).for_each(|count| count.store(0, Ordering::Relaxed));
    }

    /// The value that this share of all values does not exceed, between the bounds of its bucket as far as the share goes;
    /// `None` when there are no values.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let counts = self.counts();
        let total: u64 = counts.iter().sum();
        if total == 0 {
            return None;
        }
        let wanted = share.clamp(0.0, 1.0) * total as f64;
        let bounds = self.0.scale.bounds;
        let mut below = 0.0;
        for (bucket, &count) in counts.iter().enumerate() {
            if count > 0 && below + count as f64 >= wanted {
                let start = bucket.checked_sub(1).map_or(0, |before| bounds[before]);
                // Nobody knows how far the last bucket reaches.
                let Some(&end) = bounds.get(bucket) else { return Some(start) };
                let within = (wanted - below) / count as f64;
                return Some(start + ((end - start) as f64 * within) as u64);
            }
            below += count as f64;
        }
        bounds.last().copied()
    }

    /// The same of a scale of nanoseconds.
    #[must_use]
    pub fn quantile_duration(&self, share: f64) -> Option<Duration> {
        self.quantile(share).map(Duration::from_nanos)
    }

    fn counts(&self) -> Vec<u64> {
        self.0.buckets.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let (counts, scale) = (self.counts(), self.0.scale);
        let bounds = scale.bounds.iter().map(|&bound| bound as f64 / scale.per_unit).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
        let sum = self.0.sum.load(Ordering::Relaxed) as f64 / scale.per_unit;
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    #[test]
    fn a_value_counts_in_the_bucket_whose_bound_it_does_not_exceed() {
        let times = Histogram::new(&DURATIONS);
        for took in [at(0), at(1), Duration::from_nanos(1_001), at(2), Duration::from_hours(1)] {
            times.observe_duration(took);
        }
        let counts = times.counts();
        assert_eq!((counts[0], counts[1], counts[DURATIONS.bounds.len()]), (2, 2, 1));
    }

    #[test]
    fn a_quantile_lies_in_the_bucket_of_its_value() {
        let times = Histogram::new(&DURATIONS);
        assert_eq!(times.quantile_duration(0.5), None);
        for _ in 0..99 {
            times.observe_duration(at(3));
        }
        times.observe_duration(at(900));
        let quantile = |share| times.quantile_duration(share).unwrap();
        assert!(quantile(0.5) > at(2) && quantile(0.5) <= at(5), "{:?}", quantile(0.5));
        assert!(quantile(0.99) <= at(5), "{:?}", quantile(0.99));
        assert!(quantile(1.0) > at(500) && quantile(1.0) <= at(1_000), "{:?}", quantile(1.0));
        times.observe_duration(Duration::from_hours(1));
        assert_eq!(quantile(1.0), Duration::from_mins(1), "beyond the last bound");
    }
}
