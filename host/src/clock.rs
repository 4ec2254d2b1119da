//! The one source of time.
//!
//! [`Clock::now`] is derived from tokio's monotonic clock, so a step of the system clock neither fires a backlog nor
//! stalls one, and a test with paused time controls it. A gateway that starts goes on from the time of what it has
//! ([`Clock::not_before`]), so neither does a clock that was set back meanwhile. [`Clock::wall`] follows the system clock and is only for
//! timestamps that leave the machine: a signature whose time is off by 300 s is refused by its receiver.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::model::UnixMs;

/// Tells the time. Cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started_at: UnixMs,
    started: Instant,
    wall: fn() -> Option<UnixMs>,
    /// The wall clock as finely as the machine tells it, if this is the machine's.
    exact: fn() -> Option<Duration>,
}

impl Clock {
    /// The clock of the machine.
    #[must_use]
    pub fn system() -> Self {
        let wall = || Some(in_ms(system_time()));
        let exact = || Some(system_time());
        Self { started_at: in_ms(system_time()), started: Instant::now(), wall, exact }
    }

    /// A clock that shows `at` now and goes on with tokio's time.
    #[must_use]
    pub fn starting_at(at: UnixMs) -> Self {
        Self { started_at: at, started: Instant::now(), wall: || None, exact: || None }
    }

    /// The same with another wall clock.
    #[cfg(test)]
    pub(crate) fn with_wall(at: UnixMs, wall: fn() -> Option<UnixMs>) -> Self {
        Self { wall, ..Self::starting_at(at) }
    }

    /// The same, but its [`Clock::now`] is at least `at` now, and goes on from there.
    #[must_use]
    pub fn not_before(self, at: UnixMs) -> Self {
        Self { started_at: self.started_at.after(at.since(self.now())), ..self }
    }

    /// The time for deciding what is due. Never goes back, never jumps.
    #[must_use]
    pub fn now(&self) -> UnixMs {
        self.started_at.after(self.started.elapsed())
    }

    /// The time for others to read. May jump.
    #[must_use]
    pub fn wall(&self) -> UnixMs {
        (self.wall)().unwrap_or_else(|| self.now())
    }

    /// The same since 1970, as finely as it is known.
    #[must_use]
    pub fn wall_exact(&self) -> Duration {
        (self.exact)().unwrap_or_else(|| Duration::from_millis(self.wall().0))
    }

    /// Returns once [`Clock::now`] has reached `at`.
    pub async fn sleep_until(&self, at: UnixMs) {
        tokio::time::sleep(at.since(self.now())).await;
    }

    /// The point on tokio's clock that is `wait` from now, for timeouts.
    #[must_use]
    pub fn deadline(&self, wait: Duration) -> Instant {
        Instant::now() + wait
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
fn system_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn in_ms(since_1970: Duration) -> UnixMs {
    UnixMs(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn follows_paused_time() {
        let clock = Clock::starting_at(UnixMs(1_000));
        clock.sleep_until(UnixMs(61_000)).await;
        assert_eq!(clock.now(), UnixMs(61_000));
        assert_eq!(clock.wall(), UnixMs(61_000));
        assert_eq!(clock.wall_exact(), Duration::from_secs(61));
    }

    #[tokio::test(start_paused = true)]
    async fn goes_on_from_a_time_that_was_before_it() {
        let clock = Clock::with_wall(UnixMs(1_000), || Some(UnixMs(7)));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(clock.not_before(UnixMs(1_999)).now(), UnixMs(2_000), "it is later already");
        let later = clock.not_before(UnixMs(90_000));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((later.now(), later.wall()), (UnixMs(91_000), UnixMs(7)));
    }
}
