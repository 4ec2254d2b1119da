//! When a failed delivery is tried again.
//!
//! The waits grow, each with up to 20 % of jitter either way so that the deliveries of an outage do not come back
//! at one instant. `Retry-After` of a 429 or 503 is obeyed, never cut short, and lengthened by at most 20 %.

use std::time::Duration;

use rand::{Rng, RngExt as _};
use serde::{Deserialize, Serialize};

use super::UnixMs;

/// 5 s to 8 h, then every 8 h: 18 attempts over a little more than 3 days, as Standard Webhooks recommends
/// ("multi-day").
const DEFAULT_WAITS_SECS: [u64; 17] = [
    5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 28_800, 28_800, 28_800, 28_800, 28_800, 28_800,
    28_800, 28_800,
];
const JITTER: f64 = 0.2;
/// A receiver may ask for a pause, not for the end of deliveries.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// The waits between attempts: the first is between attempt 1 and attempt 2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetrySchedule(Vec<Duration>);

/// What comes after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another one, not before this time.
    At(UnixMs),
    /// None: the schedule is used up.
    GiveUp,
}

impl RetrySchedule {
    /// A schedule with these waits.
    #[must_use]
    pub const fn new(waits: Vec<Duration>) -> Self {
        Self(waits)
    }

    /// Its waits.
    #[must_use]
    pub fn waits(&self) -> &[Duration] {
        &self.0
    }

    /// What comes after `attempts` attempts, the last of which failed at `now` and asked for `retry_after`.
    pub fn after_failure(
        &self,
        attempts: u16,
        retry_after: Option<Duration>,
        now: UnixMs,
        rng: &mut impl Rng,
    ) -> Next {
        let Some(wait) = usize::from(attempts).checked_sub(1).and_then(|n| self.0.get(n)) else {
            return Next::GiveUp;
        };
        Next::At(now.after(match retry_after {
            Some(asked) => lengthened(asked.min(MAX_RETRY_AFTER), rng),
            None => wait.mul_f64(rng.random_range(1.0 - JITTER..=1.0 + JITTER)),
        }))
    }

    /// What comes after `attempts` attempts, the last of which failed at `now`, where nothing can come of another before
    /// `pause` is over.
    pub fn after_pause(&self, attempts: u16, pause: Duration, now: UnixMs, rng: &mut impl Rng) -> Next {
        match self.after_failure(attempts, None, now, rng) {
            // A clock of whole milliseconds must not come too early.
            Next::At(at) if !pause.is_zero() => {
                Next::At(at.max(now.after(lengthened(pause, rng) + Duration::from_millis(2))))
            }
            next @ (Next::At(_) | Next::GiveUp) => next,
        }
    }
}

/// Never cut short.
fn lengthened(wait: Duration, rng: &mut impl Rng) -> Duration {
    wait.mul_f64(rng.random_range(1.0..=1.0 + JITTER))
}

impl Default for RetrySchedule {
    fn default() -> Self {
        Self(DEFAULT_WAITS_SECS.map(Duration::from_secs).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_pause_is_waited_for_and_uses_up_the_schedule_like_any_other_failure() {
        let schedule = RetrySchedule::new(vec![Duration::from_secs(10)]);
        let mut rng = StdRng::seed_from_u64(1);
        let mut next =
            |attempts, pause| schedule.after_pause(attempts, Duration::from_secs(pause), UnixMs(0), &mut rng);
        for _ in 0..1_000 {
            assert!(matches!(next(1, 60), Next::At(at) if at > UnixMs(60_000) && at <= UnixMs(72_002)));
            assert!(matches!(next(1, 1), Next::At(at) if at >= UnixMs(8_000) && at <= UnixMs(12_000)));
            assert!(matches!(next(1, 0), Next::At(at) if at >= UnixMs(8_000)));
        }
        assert_eq!(next(2, 60), Next::GiveUp);
    }

    #[test]
    fn the_default_schedule_spans_three_days_and_then_gives_up() {
        let schedule = RetrySchedule::default();
        let span: Duration = schedule.0.iter().sum();
        assert!(span >= Duration::from_hours(72), "{span:?}");
        let mut rng = StdRng::seed_from_u64(1);
        assert!(matches!(schedule.after_failure(17, None, UnixMs(0), &mut rng), Next::At(_)));
        assert_eq!(schedule.after_failure(18, None, UnixMs(0), &mut rng), Next::GiveUp);
    }

    proptest! {
        /// Jitter can take a fifth of the 73 hours, and takes hardly anything of their sum: the waits are spread by themselves.
        #[test]
        fn all_attempts_of_a_delivery_span_three_days(seed: u64) {
            let (schedule, mut rng) = (RetrySchedule::default(), StdRng::seed_from_u64(seed));
            let mut now = UnixMs(0);
            for attempts in 1.. {
                match schedule.after_failure(attempts, None, now, &mut rng) {
                    Next::At(at) => {
                        prop_assert!(at > now);
                        now = at;
                    }
                    Next::GiveUp => break,
                }
            }
            let nominal: Duration = schedule.0.iter().sum();
            let span = now.since(UnixMs(0));
            prop_assert!(span >= nominal.mul_f64(0.8) && span <= nominal.mul_f64(1.2), "{span:?}");
        }

        #[test]
        fn waits_stay_within_a_fifth_of_the_schedule(seed: u64, attempt in 1_u16..=17) {
            let mut rng = StdRng::seed_from_u64(seed);
            let Next::At(at) = RetrySchedule::default().after_failure(attempt, None, UnixMs(0), &mut rng) else {
                panic!("gave up after attempt {attempt}");
            };
            let nominal = DEFAULT_WAITS_SECS[usize::from(attempt) - 1] * 1000;
            prop_assert!(at.0 >= nominal * 8 / 10 && at.0 <= nominal * 12 / 10);
        }

        #[test]
        fn retry_after_is_never_cut_short_below_a_day(seed: u64, secs in 0_u64..200_000) {
            let mut rng = StdRng::seed_from_u64(seed);
            let asked = Duration::from_secs(secs);
            let Next::At(at) = RetrySchedule::default().after_failure(1, Some(asked), UnixMs(0), &mut rng) else {
                panic!("gave up after attempt 1");
            };
            let obeyed = secs.min(86_400) * 1000;
            prop_assert!(at.0 >= obeyed && at.0 <= obeyed * 12 / 10 + 1);
        }
    }
}
