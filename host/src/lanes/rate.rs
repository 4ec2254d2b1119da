//! How often an endpoint is sent to: a count of the starts in windows that slide. Pure.
//!
//! The limit of an endpoint is never exceeded in any second and nearly reached (at least 95 %) while work waits. Two windows
//! keep it:
//!
//! - [`SECOND`] has at most the limit. It is a little longer than a second, because what counts is when requests *arrive*.
//! - [`PACE`] has at most a tenth of the limit, so that what waited does not start in one burst: a burst slows its own first
//!   requests down, by connections and handshakes, and would arrive together with the next one.
//!
//! Starts of the same millisecond are one entry, so a window has at most as many entries as milliseconds, at any rate.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::UnixMs;

/// A second, and the jitter that is allowed for: a request may take 40 ms longer to arrive than one that starts a second
/// later. It costs 3.8 % of the rate; the rest to 95 % is for timers that fire late.
const SECOND: Duration = Duration::from_millis(1040);
/// A tenth of the limit in less than a tenth of a second: a quarter faster than the limit, to catch up after a stall.
const PACE: Duration = Duration::from_millis(80);
/// The part of the limit that may start within [`PACE`].
const PACE_PART: u32 = 10;

/// The recent starts of one endpoint.
#[derive(Debug)]
pub(super) struct Rate {
    second: Window,
    pace: Window,
}

#[derive(Debug)]
struct Window {
    length: Duration,
    /// Milliseconds with starts, the oldest first, and how many there were.
    starts: VecDeque<(UnixMs, u32)>,
    /// The sum of `starts`.
    count: u32,
}

impl Rate {
    /// Nothing was started yet.
    pub(super) const fn new() -> Self {
        Self { second: Window::new(SECOND), pace: Window::new(PACE) }
    }

    /// The earliest time, from now on, at which the next one may start when there may be `limit` (not 0) in a second. The
    /// limit may be another one at each call.
    pub(super) fn next_start(&mut self, limit: u32, now: UnixMs) -> UnixMs {
        let in_pace = limit.div_ceil(PACE_PART);
        self.second.room_at(limit, now).max(self.pace.room_at(in_pace, now))
    }

    /// One starts now.
    pub(super) fn started(&mut self, now: UnixMs) {
        self.second.add(now);
        self.pace.add(now);
    }
}

impl Window {
    const fn new(length: Duration) -> Self {
        Self { length, starts: VecDeque::new(), count: 0 }
    }

    /// When there is room for one more than `limit - 1`.
    fn room_at(&mut self, limit: u32, now: UnixMs) -> UnixMs {
        while let Some((_, count)) = self.starts.pop_front_if(|(at, _)| at.after(self.length) <= now) {
            self.count -= count;
        }
        let mut left = self.count;
        let mut room_at = now;
        for (at, count) in &self.starts {
            if left < limit {
                break;
            }
            left -= count;
            room_at = at.after(self.length);
        }
        room_at
    }

    fn add(&mut self, now: UnixMs) {
        self.count += 1;
        match self.starts.back_mut() {
            Some((at, count)) if *at == now => *count += 1,
            Some(_) | None => self.starts.push_back((now, 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many start at once at this time.
    fn burst(rate: &mut Rate, limit: u32, now: UnixMs) -> usize {
        std::iter::from_fn(|| (rate.next_start(limit, now) == now).then(|| rate.started(now))).count()
    }

    #[test]
    fn one_a_second_starts_at_once_and_then_waits_a_second_and_the_jitter() {
        let mut rate = Rate::new();
        assert_eq!(rate.next_start(1, UnixMs(5)), UnixMs(5));
        rate.started(UnixMs(5));
        assert_eq!(rate.next_start(1, UnixMs(6)), UnixMs(1045));
        assert_eq!(rate.next_start(1, UnixMs(1045)), UnixMs(1045));
    }

    #[test]
    fn what_waited_does_not_start_in_one_burst() {
        let mut rate = Rate::new();
        assert_eq!(burst(&mut rate, 50, UnixMs(0)), 5);
        assert_eq!(rate.next_start(50, UnixMs(1)), UnixMs(80));
    }

    #[test]
    fn several_may_start_in_one_millisecond() {
        let mut rate = Rate::new();
        assert_eq!(burst(&mut rate, 20_000, UnixMs(7)), 2_000);
        assert_eq!(rate.second.starts.len(), 1);
    }

    #[test]
    fn another_limit_counts_at_once_and_knows_what_was_started_before() {
        let mut rate = Rate::new();
        for now in (0..800).step_by(80) {
            assert_eq!(burst(&mut rate, 50, UnixMs(now)), 5);
        }
        assert_eq!(rate.next_start(50, UnixMs(800)), UnixMs(1040));
        assert_eq!(rate.next_start(100, UnixMs(800)), UnixMs(800), "a higher one");
        assert_eq!(rate.next_start(5, UnixMs(800)), UnixMs(720 + 1040), "a lower one");
    }
}
