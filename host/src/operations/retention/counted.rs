//! What is counted of the store's size, of what is removed, and of backups.

use std::time::Duration;

use super::Options;
use super::gauge::Look;
use crate::metrics::{Counter, Gauge, Metrics};
use crate::store::{Retired, StoreSize};

/// The metrics. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Counted {
    allocated_bytes: Gauge,
    used_bytes: Gauge,
    events: Gauge,
    oldest: Gauge,
    removed_events: Counter,
    removed_bytes: Counter,
    too_much: Gauge,
    lag: Gauge,
    max_bytes: Gauge,
    max_age: Gauge,
    backed_up: Gauge,
}

impl Counted {
    /// Registers them.
    #[must_use]
    pub fn in_metrics(metrics: &Metrics) -> Self {
        let counted = Self::default();
        let gauges = [
            (
                "store_allocated_bytes",
                "Bytes that the file of the tables takes on its disk, without holes",
                &counted.allocated_bytes,
            ),
            (
                "store_used_bytes",
                "Bytes of the file that are in use, about; the rest is written over",
                &counted.used_bytes,
            ),
            ("store_events", "Events in the log", &counted.events),
            (
                "store_oldest_event_timestamp_seconds",
                "When the oldest event of the log was accepted; 0 without one",
                &counted.oldest,
            ),
            (
                "retention_excess_bytes",
                "Bytes of rows that are to be removed as there is no room for them",
                &counted.too_much,
            ),
            (
                "retention_lag_seconds",
                "How much longer than retention.max_age what is over is kept",
                &counted.lag,
            ),
            ("retention_max_bytes", "retention.max_bytes; 0 for any number", &counted.max_bytes),
            ("retention_max_age_seconds", "retention.max_age; 0 for any age", &counted.max_age),
            (
                "backup_last_completed_timestamp_seconds",
                "When the last backup was handed over as a whole; 0 if none ever was",
                &counted.backed_up,
            ),
        ];
        for (name, help, gauge) in gauges {
            metrics.register(name, help, gauge.clone());
        }
        metrics.register(
            "retention_removed_events",
            "Events that were removed",
            counted.removed_events.clone(),
        );
        metrics.register(
            "retention_removed_bytes",
            "Bytes of the rows that were removed",
            counted.removed_bytes.clone(),
        );
        counted
    }

    pub(super) fn look(&self, options: &Options, size: &StoreSize, look: &Look, lag: Duration) {
        let set = |gauge: &Gauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.allocated_bytes, size.file_bytes.unwrap_or(0));
        set(&self.used_bytes, look.used);
        set(&self.events, size.events);
        set(&self.oldest, size.oldest.map_or(0, |oldest| oldest.as_secs()));
        set(&self.too_much, look.too_much);
        set(&self.lag, lag.as_secs());
        set(&self.max_bytes, options.max_bytes);
        set(&self.max_age, options.max_age.as_secs());
        set(&self.backed_up, size.backed_up.map_or(0, |at| at.as_secs()));
    }

    pub(super) fn removed(&self, retired: &Retired) {
        self.removed_events.inc_by(retired.events);
        self.removed_bytes.inc_by(retired.bytes);
    }
}
