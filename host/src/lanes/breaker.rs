//! The breaker of an endpoint: whether its receiver is worth an attempt now. Pure.
//!
//! ```text
//! closed --so many failures in a row, within a window--> open --its time comes--> half-open --success--> closed
//!                                                         ^----------- failure ----------'
//! ```
//!
//! - While it is open nothing starts, and what waits keeps the attempts that it has left. Half-open, one attempt starts, the
//!   *probe*: an attempt like any other of the delivery that waits longest, with its row in the log.
//! - The wait for the next probe doubles with each that fails, so a receiver that is down for days costs little and one that
//!   restarts is found soon.
//! - One success ends a row of failures, and a row needs several: a single slow answer opens nothing.
//! - Once it is open, only its probe is listened to: what was under way says how the receiver was, not how it is.

use std::time::Duration;

use super::Options;
use super::signal::Signal;
use crate::model::{DeliveryId, UnixMs};

/// When a breaker opens and how often it is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// Failures in a row that open it; 0 = none do.
    pub(super) failures: u32,
    /// From the first to the last of them, at most.
    pub(super) window: Duration,
    /// The wait for the first probe.
    pub(super) probe_wait: Duration,
    /// The longest wait for a probe.
    pub(super) probe_wait_max: Duration,
}

/// How the breaker of an endpoint stands, for those who look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Attempts start as they come.
    Closed,
    /// None starts.
    Open {
        /// Since when it is not closed.
        since: UnixMs,
        /// When one may start.
        probe_at: UnixMs,
    },
    /// One may start, or is under way.
    HalfOpen {
        /// Since when it is not closed.
        since: UnixMs,
    },
}

/// The breaker of an endpoint that failed lately. One that did not needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breaker {
    /// Failures in a row that are not enough yet.
    Counting { failures: u32, first: UnixMs },
    /// Not closed.
    Tripped { since: UnixMs, failed_probes: u32, probe: Probe },
}

/// The next attempt of an endpoint whose breaker is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    /// May start at this time.
    At(UnixMs),
    /// Is under way.
    UnderWay(DeliveryId),
}

/// Whether an attempt may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// It may.
    Now,
    /// Not before this time.
    At(UnixMs),
    /// Not before the probe is over.
    AfterProbe,
}

impl Breaker {
    /// That of an endpoint whose last attempt before the start of the gateway failed: the next one is a probe.
    pub(super) const fn suspect(since: UnixMs, now: UnixMs) -> Self {
        Self::Tripped { since, failed_probes: 0, probe: Probe::At(now) }
    }

    /// After what was heard of an attempt that ended; `None` if nothing is left to remember.
    pub(super) fn after(
        before: Option<Self>,
        delivery: DeliveryId,
        signal: Signal,
        now: UnixMs,
        rules: &Rules,
    ) -> Option<Self> {
        match (before, signal) {
            (Some(Self::Tripped { since, failed_probes, probe }), _)
                if probe == Probe::UnderWay(delivery) =>
            {
                match signal {
                    Signal::Up(_) => None,
                    Signal::Down(_) => {
                        Some(Self::tripped(since, failed_probes.saturating_add(1), now, rules))
                    }
                    Signal::Nothing => Some(Self::tripped(since, failed_probes, now, rules)),
                }
            }
            (Some(Self::Tripped { .. }), _) | (_, Signal::Nothing) => before,
            (_, Signal::Up(_)) => None,
            (_, Signal::Down(_)) if rules.failures == 0 => None,
            (_, Signal::Down(_)) => {
                let (failures, first) = match before {
                    Some(Self::Counting { failures, first }) if now.since(first) <= rules.window => {
                        (failures.saturating_add(1), first)
                    }
                    _ => (1, now),
                };
                Some(if failures >= rules.failures {
                    Self::tripped(now, 0, now, rules)
                } else {
                    Self::Counting { failures, first }
                })
            }
        }
    }

    fn tripped(since: UnixMs, failed_probes: u32, now: UnixMs, rules: &Rules) -> Self {
        let factor = 1_u32.checked_shl(failed_probes).unwrap_or(u32::MAX);
        let wait = rules.probe_wait.saturating_mul(factor).min(rules.probe_wait_max);
        Self::Tripped { since, failed_probes, probe: Probe::At(now.after(wait)) }
    }

    /// Whether nothing but a probe may start.
    pub(super) const fn is_tripped(&self) -> bool {
        matches!(self, Self::Tripped { .. })
    }

    /// Whether an attempt may start now.
    pub(super) fn leave(&self, now: UnixMs) -> Leave {
        match self {
            Self::Tripped { probe: Probe::At(at), .. } if *at > now => Leave::At(*at),
            Self::Tripped { probe: Probe::UnderWay(_), .. } => Leave::AfterProbe,
            Self::Tripped { .. } | Self::Counting { .. } => Leave::Now,
        }
    }

    /// An attempt starts, as [`Breaker::leave`] says that it may.
    pub(super) const fn start(&mut self, delivery: DeliveryId) {
        if let Self::Tripped { probe, .. } = self {
            *probe = Probe::UnderWay(delivery);
        }
    }

    /// Somebody wants to know now: the next probe need not wait. The wait after it begins anew if it fails.
    pub(super) const fn probe_now(&mut self, now: UnixMs) {
        if let Self::Tripped { probe: probe @ Probe::At(_), failed_probes, .. } = self {
            *probe = Probe::At(now);
            *failed_probes = 0;
        }
    }

    /// For those who look at it.
    pub(super) fn state(&self, now: UnixMs) -> BreakerState {
        match *self {
            Self::Counting { .. } => BreakerState::Closed,
            Self::Tripped { since, probe: Probe::At(probe_at), .. } if probe_at > now => {
                BreakerState::Open { since, probe_at }
            }
            Self::Tripped { since, .. } => BreakerState::HalfOpen { since },
        }
    }
}

impl Rules {
    pub(super) const fn of(options: &Options) -> Self {
        Self {
            failures: options.breaker_failures,
            window: options.breaker_window,
            probe_wait: options.probe_wait,
            probe_wait_max: options.probe_wait_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EventKey;

    const RULES: Rules = Rules {
        failures: 3,
        window: Duration::from_secs(60),
        probe_wait: Duration::from_secs(1),
        probe_wait_max: Duration::from_secs(10),
    };
    const DOWN: Signal = Signal::Down(Duration::from_secs(15));
    const UP: Signal = Signal::Up(Duration::from_millis(1));

    fn delivery(n: u128) -> DeliveryId {
        DeliveryId { event: EventKey::from_u128(n), ordinal: 0 }
    }

    fn after(before: Option<Breaker>, signal: Signal, now: u64) -> Option<Breaker> {
        Breaker::after(before, delivery(9), signal, UnixMs(now), &RULES)
    }

    fn failures(times: impl IntoIterator<Item = u64>) -> Option<Breaker> {
        times.into_iter().fold(None, |breaker, at| after(breaker, DOWN, at))
    }

    fn state(breaker: Option<Breaker>, now: u64) -> BreakerState {
        breaker.map_or(BreakerState::Closed, |breaker| breaker.state(UnixMs(now)))
    }

    /// What comes of a probe that starts now.
    fn probed(breaker: Option<Breaker>, signal: Signal, now: u64) -> Option<Breaker> {
        let mut breaker = breaker.unwrap();
        assert_eq!(breaker.leave(UnixMs(now)), Leave::Now);
        breaker.start(delivery(1));
        assert_eq!(breaker.leave(UnixMs(now)), Leave::AfterProbe);
        Breaker::after(Some(breaker), delivery(1), signal, UnixMs(now), &RULES)
    }

    #[test]
    fn opens_after_so_many_failures_in_a_row_and_not_before() {
        assert_eq!(state(failures([0, 1]), 2), BreakerState::Closed);
        let open = failures([0, 1, 2]);
        assert_eq!(state(open, 2), BreakerState::Open { since: UnixMs(2), probe_at: UnixMs(1_002) });
        assert_eq!(open.unwrap().leave(UnixMs(1_001)), Leave::At(UnixMs(1_002)));
        assert_eq!(state(open, 1_002), BreakerState::HalfOpen { since: UnixMs(2) });
    }

    #[test]
    fn a_success_between_them_or_a_long_time_makes_them_no_row() {
        assert_eq!(after(failures([0, 1]), UP, 2), None);
        let late = failures([0, 1, 60_001]);
        assert_eq!(late, Some(Breaker::Counting { failures: 1, first: UnixMs(60_001) }));
        assert_eq!(after(failures([0, 1]), Signal::Nothing, 2), failures([0, 1]));
    }

    #[test]
    fn a_probe_that_succeeds_closes_and_one_that_fails_doubles_the_wait_up_to_the_longest() {
        let mut breaker = failures([0, 0, 0]);
        assert_eq!(probed(breaker, UP, 1_000), None);
        let (mut now, mut waits) = (1_000, Vec::new());
        for _ in 0..6 {
            breaker = probed(breaker, DOWN, now);
            let BreakerState::Open { since, probe_at } = state(breaker, now) else { panic!("{breaker:?}") };
            assert_eq!(since, UnixMs(0));
            waits.push(probe_at.0 - now);
            now = probe_at.0;
        }
        assert_eq!(waits, [2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
    }

    #[test]
    fn what_was_under_way_when_it_opened_changes_nothing() {
        let open = failures([0, 1, 2]);
        assert_eq!(after(open, UP, 3), open);
        assert_eq!(after(open, DOWN, 3), open);
    }

    #[test]
    fn a_probe_of_which_nothing_was_sent_is_repeated_after_the_same_wait() {
        let breaker = probed(failures([0, 0, 0]), Signal::Nothing, 1_000);
        assert_eq!(state(breaker, 1_000), BreakerState::Open { since: UnixMs(0), probe_at: UnixMs(2_000) });
    }

    #[test]
    fn whoever_wants_to_know_now_does_not_wait_and_does_not_start_a_second_probe() {
        let mut breaker = failures([0, 1, 2]).unwrap();
        breaker.probe_now(UnixMs(5));
        assert_eq!(breaker.leave(UnixMs(5)), Leave::Now);
        breaker.start(delivery(1));
        breaker.probe_now(UnixMs(6));
        assert_eq!(breaker.leave(UnixMs(6)), Leave::AfterProbe);
    }

    #[test]
    fn after_a_start_the_first_attempt_of_one_that_failed_is_a_probe() {
        let suspect = Breaker::suspect(UnixMs(1), UnixMs(50));
        assert_eq!(suspect.state(UnixMs(50)), BreakerState::HalfOpen { since: UnixMs(1) });
        assert_eq!(probed(Some(suspect), UP, 50), None);
    }

    #[test]
    fn none_opens_where_no_number_of_failures_is_set() {
        let rules = Rules { failures: 0, ..RULES };
        let down = |before, _| Breaker::after(before, delivery(1), DOWN, UnixMs(1), &rules);
        assert_eq!((0..100).fold(None, down), None);
    }
}
