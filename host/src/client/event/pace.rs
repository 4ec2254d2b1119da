//! How fast events are sent. Pure: the time is an argument.

use std::time::Duration;

use crate::client::duration::Rate;
use crate::model::UnixMs;

/// With a rate, batches are small enough that this many go out in a second.
const BATCHES_PER_SECOND: u32 = 10;

/// So many events in a second, counted from the beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    rate: Option<Rate>,
    began: UnixMs,
}

impl Pace {
    pub(super) const fn new(rate: Option<Rate>, began: UnixMs) -> Self {
        Self { rate, began }
    }

    /// How many lines a batch may have, if `max` is the most that the caller wants.
    pub(super) fn batch(rate: Option<Rate>, max: usize) -> usize {
        let fair = rate.map(|Rate(rate)| (rate / BATCHES_PER_SECOND).max(1));
        fair.and_then(|fair| usize::try_from(fair).ok()).map_or(max, |fair| fair.min(max))
    }

    /// How long to wait before the next ones, when so many are sent already.
    pub(super) fn wait(&self, sent: u64, now: UnixMs) -> Duration {
        let Some(Rate(rate)) = self.rate else { return Duration::ZERO };
        let due = self.began.after(Duration::from_millis(sent.saturating_mul(1000) / u64::from(rate)));
        due.since(now)
    }

    /// Events in a second so far.
    pub(super) fn reached(&self, sent: u64, now: UnixMs) -> u64 {
        let ms = u64::try_from(now.since(self.began).as_millis()).unwrap_or(u64::MAX).max(1);
        sent.saturating_mul(1000) / ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_holds_from_the_beginning() {
        let pace = Pace::new(Some(Rate(100)), UnixMs(1000));
        assert_eq!(pace.wait(0, UnixMs(1000)), Duration::ZERO);
        assert_eq!(pace.wait(50, UnixMs(1200)), Duration::from_millis(300));
        assert_eq!(pace.wait(50, UnixMs(2000)), Duration::ZERO);
        assert_eq!(Pace::new(None, UnixMs(0)).wait(50, UnixMs(0)), Duration::ZERO);
        assert_eq!(pace.reached(50, UnixMs(1500)), 100);
    }

    #[test]
    fn batches_are_smaller_when_there_is_a_rate() {
        let batch = |rate: Option<u32>| Pace::batch(rate.map(Rate), 500);
        assert_eq!(
            (batch(None), batch(Some(100)), batch(Some(3)), batch(Some(1_000_000))),
            (500, 10, 1, 500)
        );
    }
}
