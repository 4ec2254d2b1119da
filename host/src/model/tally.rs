//! What is counted about deliveries: how many ended how, how many attempts were made and how long they took.
//!
//! Counts add up: the tally of a day is the sum of those of its hours. They may be negative on the way, where a tally is
//! a difference: a delivery that is sent again is taken out of the hour in which it had ended.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{DeliveryId, DeliveryStatus, UnixMs};

/// Each class of durations is this much longer than the one before. A value is off by at most the half of it.
const GROWTH: f64 = 1.1;

/// Counts of deliveries and attempts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Deliveries that began.
    pub created: i64,
    /// Deliveries that ended so, by the status that they ended with.
    pub delivered: i64,
    /// See `delivered`.
    pub failed: i64,
    /// See `delivered`.
    pub filtered: i64,
    /// See `delivered`.
    pub cancelled: i64,
    /// Attempts that did not succeed; the others are in `latencies` too.
    pub failed_attempts: i64,
    /// How long all attempts took.
    pub latencies: Latencies,
    /// The last attempt that did not succeed.
    pub last_error: Option<LastError>,
}

/// Which attempt failed, and when that was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LastError {
    /// When it ended.
    pub at: UnixMs,
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// Which attempt of it.
    pub attempt: u16,
}

/// Durations, counted in classes that grow by a tenth each: from a microsecond to ten hours in 256 classes, and any
/// percentile of them within 5 %.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latencies(BTreeMap<u8, i64>);

impl Tally {
    /// The deliveries that ended with this status; `None` for one that is no end.
    pub fn ended_mut(&mut self, status: DeliveryStatus) -> Option<&mut i64> {
        match status {
            DeliveryStatus::Delivered => Some(&mut self.delivered),
            DeliveryStatus::Failed => Some(&mut self.failed),
            DeliveryStatus::Filtered => Some(&mut self.filtered),
            DeliveryStatus::Cancelled => Some(&mut self.cancelled),
            DeliveryStatus::Pending | DeliveryStatus::Retrying | DeliveryStatus::Held => None,
        }
    }

    /// Adds what another one counts.
    pub fn add(&mut self, other: &Self) {
        self.created += other.created;
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.filtered += other.filtered;
        self.cancelled += other.cancelled;
        self.failed_attempts += other.failed_attempts;
        for (class, count) in &other.latencies.0 {
            *self.latencies.0.entry(*class).or_default() += count;
        }
        self.last_error = self.last_error.max(other.last_error);
    }

    /// The share of the deliveries that were meant to arrive and ended, and did arrive; `None` if none ended. What was
    /// filtered or cancelled was not meant to.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn delivery_rate(&self) -> Option<f64> {
        let (delivered, failed) = (self.delivered.max(0), self.failed.max(0));
        let ended = delivered + failed;
        (ended > 0).then(|| delivered as f64 / ended as f64)
    }
}

impl Latencies {
    /// Counts one.
    pub fn note(&mut self, took: Duration) {
        *self.0.entry(class_of(took)).or_default() += 1;
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.0.values().sum()
    }

    /// The duration that `percent` of those counted did not exceed, within 5 %; `None` if there are none.
    #[must_use]
    pub fn percentile(&self, percent: u8) -> Option<Duration> {
        let rank = (self.count() * i64::from(percent) + 99) / 100;
        let mut seen = 0;
        let reached = self.0.iter().find(|(_, count)| {
            seen += **count;
            seen >= rank.max(1)
        });
        reached.map(|(class, _)| duration_of(*class))
    }
}

fn class_of(took: Duration) -> u8 {
    let micros = took.as_secs_f64() * 1e6;
    let class = micros.max(1.0).log(GROWTH).round().min(f64::from(u8::MAX));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 255")]
    let class = class as u8;
    class
}

fn duration_of(class: u8) -> Duration {
    Duration::from_secs_f64(GROWTH.powi(i32::from(class)) / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EventKey;

    fn ms(latencies: &Latencies, percent: u8) -> f64 {
        latencies.percentile(percent).unwrap().as_secs_f64() * 1e3
    }

    #[test]
    fn every_duration_is_kept_within_five_percent() {
        let mut took = Duration::from_micros(1);
        while took < Duration::from_secs(3600) {
            let kept = duration_of(class_of(took)).as_secs_f64();
            assert!((kept / took.as_secs_f64() - 1.0).abs() < 0.05, "{took:?} {kept}");
            took = took.mul_f64(1.013) + Duration::from_nanos(1);
        }
        assert_eq!(class_of(Duration::ZERO), 0);
        assert_eq!(class_of(Duration::MAX), 255);
    }

    #[test]
    fn percentiles_are_those_of_what_was_counted() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(50), None);
        for took in 1..=100 {
            latencies.note(Duration::from_millis(took));
        }
        for (percent, expected) in [(50, 50.0), (95, 95.0), (99, 99.0), (100, 100.0)] {
            let found = ms(&latencies, percent);
            assert!((found / expected - 1.0).abs() < 0.06, "p{percent}: {found}");
        }
        assert_eq!(latencies.count(), 100);
    }

    #[test]
    fn tallies_add_up_and_the_latest_error_stays() {
        let error = |at| LastError {
            at: UnixMs(at),
            delivery: DeliveryId { event: EventKey::from_u128(1), ordinal: 0 },
            attempt: 1,
        };
        let mut sum = Tally { delivered: 3, last_error: Some(error(5)), ..Tally::default() };
        sum.latencies.note(Duration::from_millis(3));
        let mut more = Tally { delivered: -1, failed: 2, last_error: Some(error(4)), ..Tally::default() };
        more.latencies.note(Duration::from_millis(3));
        sum.add(&more);
        assert_eq!((sum.delivered, sum.failed, sum.latencies.count()), (2, 2, 2));
        assert_eq!(sum.last_error, Some(error(5)));
        assert_eq!(sum.delivery_rate(), Some(0.5));
        assert_eq!(Tally { filtered: 3, cancelled: 1, ..Tally::default() }.delivery_rate(), None);
    }
}
