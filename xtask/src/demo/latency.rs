//! Percentiles.

use std::fmt;
use std::time::Duration;

/// Latencies of one endpoint, sorted.
#[derive(Debug, Default)]
pub(super) struct Latencies(Vec<Duration>);

/// A latency as people read it; `-` when there is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown(Option<Duration>);

impl Latencies {
    /// The smallest latency that `percent` of all do not exceed (nearest rank).
    pub(super) fn percentile(&self, percent: usize) -> Shown {
        let rank = (self.0.len() * percent).div_ceil(100);
        Shown(self.0.get(rank.saturating_sub(1)).copied())
    }
}

impl FromIterator<Duration> for Latencies {
    fn from_iter<I: IntoIterator<Item = Duration>>(all: I) -> Self {
        let mut sorted: Vec<_> = all.into_iter().collect();
        sorted.sort_unstable();
        Self(sorted)
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(latency) => write!(f, "{:.1} ms", latency.as_secs_f64() * 1000.0),
            None => f.write_str("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let hundred: Latencies = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(hundred.percentile(50).to_string(), "50.0 ms");
        assert_eq!(hundred.percentile(99).to_string(), "99.0 ms");
        let one: Latencies = [Duration::from_micros(1250)].into_iter().collect();
        assert_eq!(one.percentile(99).to_string(), "1.2 ms");
        assert_eq!(Latencies::default().percentile(50).to_string(), "-");
    }
}
