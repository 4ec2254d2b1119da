//! A time to begin or end a span at.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;

/// A point on the clock of the wall and on the one that never goes back.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    since_1970: Duration,
    at: Instant,
}

impl Moment {
    pub(super) fn now(clock: &Clock) -> Self {
        Self { since_1970: clock.wall_exact(), at: Instant::now() }
    }

    /// This moment, as far after the first one as `at` is: a step of the clock of the wall in between makes no span longer.
    #[must_use]
    pub fn until(self, at: Instant) -> Self {
        Self { since_1970: self.since_1970 + at.saturating_duration_since(self.at), at }
    }

    /// The moment now.
    #[must_use]
    pub fn end(self) -> Self {
        self.until(Instant::now())
    }

    /// The moment so long after this one.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        self.until(self.at + wait)
    }

    /// Nanoseconds since 1970, as OTLP has times.
    pub(super) fn as_nanos(self) -> u64 {
        u64::try_from(self.since_1970.as_nanos()).unwrap_or(u64::MAX)
    }
}
