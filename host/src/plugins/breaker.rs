//! A circuit breaker: stops calling what fails all the time. Pure: time is given.
//!
//! ```text
//! closed --5 different events failed, with nothing good between or half of the calls--> open
//! open --a pause passed--> half open: one call, the probe --it failed--> open, for twice as long
//!                                                         --it went well--> closed
//! ```
//!
//! One event may fail as often as it likes: it is the event then, and not the plugin. So what is counted is different events.
//! And an event that failed is a poor probe, as it would keep the others waiting: it is let through a pause later than they are.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::EventKey;

/// As many different events have to fail before it is the plugin's fault.
pub(super) const DIFFERENT_EVENTS: usize = 5;
/// Calls are counted for so long from the first failure on; then the count begins anew.
const WINDOW: Duration = Duration::from_secs(10);
/// Where failures and answers mix, it takes so many calls to tell a share.
const SHARE_OF_CALLS: u32 = 20;
/// The pause before the first probe. Each probe that fails doubles it.
const PAUSE: Duration = Duration::from_secs(5);
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// A probe that never reported, because its caller was dropped, keeps others out no longer than this.
const PROBE_LOST: Duration = Duration::from_secs(10);

/// The breaker of one thing that is called.
#[derive(Debug)]
pub(super) struct Breaker(State);

#[derive(Debug)]
enum State {
    Closed(Count),
    Open {
        pause: Duration,
        until: Instant,
    },
    /// A probe is under way, since `began`.
    HalfOpen {
        pause: Duration,
        began: Instant,
    },
}

/// What was seen since the first failure.
#[derive(Debug)]
struct Count {
    began: Instant,
    calls: u32,
    failures: u32,
    /// The events of failures, each once, no more than needed.
    failed: Vec<EventKey>,
    /// The same since the last answer.
    failed_in_a_row: Vec<EventKey>,
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may.
    Call,
    /// It may, and what comes of it decides.
    Probe,
    /// It may not, for so long at least.
    Refused(Duration),
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The plugin works.
    Good,
    /// It failed on this event.
    Failed(EventKey),
    /// Nothing can be said of the plugin: it was not asked, or said that it would rather be asked later.
    Unknown,
}

/// A change that others want to know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It is open from now on.
    Opened,
    /// The probe failed: it is open for longer.
    StaysOpen,
    /// It is closed again.
    Closed,
}

impl Breaker {
    /// Closed.
    pub(super) fn new(now: Instant) -> Self {
        Self(State::Closed(Count::new(now)))
    }

    /// Whether a call may be made now, for an event on which one failed or another. Whoever may make one has to report what
    /// came of it.
    pub(super) fn admit(&mut self, has_failed: bool, now: Instant) -> Admission {
        let wait = |pause: Duration| if has_failed { pause } else { Duration::ZERO };
        match self.0 {
            State::Closed(_) => Admission::Call,
            State::Open { until, pause } if now < until + wait(pause) => {
                Admission::Refused(until + wait(pause) - now)
            }
            State::HalfOpen { began, .. } if now < began + PROBE_LOST => Admission::Refused(PAUSE),
            State::Open { pause, .. } | State::HalfOpen { pause, .. } => {
                self.0 = State::HalfOpen { pause, began: now };
                Admission::Probe
            }
        }
    }

    /// What came of a call that was admitted like this. Calls from before it opened say nothing about now.
    pub(super) fn report(&mut self, admission: Admission, outcome: Outcome, now: Instant) -> Option<Change> {
        match (&mut self.0, admission) {
            (State::Closed(count), Admission::Call) => {
                count.add(outcome, now);
                count.is_too_much().then(|| {
                    self.0 = State::Open { pause: PAUSE, until: now + PAUSE };
                    Change::Opened
                })
            }
            (&mut State::HalfOpen { pause, .. }, Admission::Probe) => match outcome {
                Outcome::Good => {
                    self.0 = State::Closed(Count::new(now));
                    Some(Change::Closed)
                }
                Outcome::Failed(_) => {
                    let pause = (pause * 2).min(MAX_PAUSE);
                    self.0 = State::Open { pause, until: now + pause };
                    Some(Change::StaysOpen)
                }
                Outcome::Unknown => {
                    self.0 = State::Open { pause, until: now };
                    None
                }
            },
            _ => None,
        }
    }

    /// Whether it is open, a probe or none.
    pub(super) const fn is_open(&self) -> bool {
        !matches!(self.0, State::Closed(_))
    }

    /// Whether there is nothing left to remember.
    pub(super) fn is_forgotten(&self) -> bool {
        match &self.0 {
            State::Closed(count) => count.failures == 0 && count.failed_in_a_row.is_empty(),
            State::Open { .. } | State::HalfOpen { .. } => false,
        }
    }
}

impl Count {
    const fn new(began: Instant) -> Self {
        Self { began, calls: 0, failures: 0, failed: Vec::new(), failed_in_a_row: Vec::new() }
    }

    fn add(&mut self, outcome: Outcome, now: Instant) {
        if now >= self.began + WINDOW {
            let failed_in_a_row = std::mem::take(&mut self.failed_in_a_row);
            *self = Self { failed_in_a_row, ..Self::new(now) };
        }
        match outcome {
            Outcome::Unknown => return,
            Outcome::Good => self.failed_in_a_row.clear(),
            Outcome::Failed(event) => {
                self.failures += 1;
                remember(&mut self.failed, event);
                remember(&mut self.failed_in_a_row, event);
            }
        }
        self.calls += 1;
    }

    fn is_too_much(&self) -> bool {
        let is_share = self.calls >= SHARE_OF_CALLS && self.failures * 2 >= self.calls;
        self.failed_in_a_row.len() >= DIFFERENT_EVENTS || is_share && self.failed.len() >= DIFFERENT_EVENTS
    }
}

fn remember(events: &mut Vec<EventKey>, event: EventKey) {
    if events.len() < DIFFERENT_EVENTS && !events.contains(&event) {
        events.push(event);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::UnixMs;

    fn event(number: u64) -> EventKey {
        EventKey::new(UnixMs(number), 1)
    }

    fn failed(number: u64) -> Outcome {
        Outcome::Failed(event(number))
    }

    /// One that is open after failures of five events.
    fn open(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(now);
        for number in 1..5 {
            assert_eq!(breaker.report(Admission::Call, failed(number), now), None);
        }
        assert_eq!(breaker.report(Admission::Call, failed(5), now), Some(Change::Opened));
        breaker
    }

    #[test]
    fn five_different_events_in_a_row_open_it_and_one_event_never_does() {
        let now = Instant::now();
        let mut breaker = open(now);
        assert_eq!(breaker.admit(false, now), Admission::Refused(PAUSE));
        let mut poisoned = Breaker::new(now);
        for _ in 0..1_000 {
            assert_eq!(poisoned.report(Admission::Call, failed(1), now), None);
        }
        assert_eq!(poisoned.admit(false, now), Admission::Call);
    }

    #[test]
    fn failures_in_a_row_count_however_far_apart_they_are_and_an_answer_ends_the_row() {
        let start = Instant::now();
        let hour = |number: u64| start + Duration::from_hours(number);
        let mut breaker = Breaker::new(start);
        for number in 1..5 {
            assert_eq!(breaker.report(Admission::Call, failed(number), hour(number)), None);
        }
        assert!(!breaker.is_forgotten());
        assert_eq!(breaker.report(Admission::Call, Outcome::Good, hour(5)), None);
        assert!(breaker.is_forgotten());
        for number in 6..10 {
            assert_eq!(breaker.report(Admission::Call, failed(number), hour(number)), None);
        }
        assert_eq!(breaker.report(Admission::Call, failed(10), hour(10)), Some(Change::Opened));
    }

    #[test]
    fn half_of_the_calls_open_it_and_fewer_do_not() {
        let now = Instant::now();
        let changes = |every: u64| {
            let mut breaker = Breaker::new(now);
            let outcome =
                |number: u64| if number.is_multiple_of(every) { failed(number) } else { Outcome::Good };
            (1..=100).filter_map(|number| breaker.report(Admission::Call, outcome(number), now)).count()
        };
        assert_eq!((changes(2), changes(3)), (1, 0));
    }

    #[test]
    fn a_probe_goes_after_the_pause_alone_and_decides() {
        let now = Instant::now();
        let mut breaker = open(now);
        let later = now + PAUSE;
        assert_eq!(breaker.admit(false, later), Admission::Probe);
        assert!(matches!(breaker.admit(false, later), Admission::Refused(_)), "one at a time");
        // A call from before it opened ends now.
        assert_eq!(breaker.report(Admission::Call, Outcome::Good, later), None);
        assert_eq!(breaker.report(Admission::Probe, failed(9), later), Some(Change::StaysOpen));
        assert_eq!(breaker.admit(false, later + PAUSE), Admission::Refused(PAUSE), "twice the pause");
        let again = later + 2 * PAUSE;
        assert_eq!(breaker.admit(false, again), Admission::Probe);
        assert!(breaker.is_open());
        assert_eq!(breaker.report(Admission::Probe, Outcome::Good, again), Some(Change::Closed));
        assert_eq!((breaker.admit(false, again), breaker.is_open()), (Admission::Call, false));
    }

    #[test]
    fn an_event_that_failed_waits_a_pause_longer_so_that_others_are_probes_first() {
        let now = Instant::now();
        let mut breaker = open(now);
        let later = now + PAUSE;
        assert_eq!(breaker.admit(true, now), Admission::Refused(2 * PAUSE));
        assert_eq!(breaker.admit(true, later), Admission::Refused(PAUSE));
        assert_eq!(breaker.admit(false, later), Admission::Probe);
        let mut alone = open(now);
        assert_eq!(alone.admit(true, later + PAUSE), Admission::Probe, "nobody else came");
    }

    #[test]
    fn pauses_grow_to_a_minute() {
        let mut now = Instant::now();
        let mut breaker = open(now);
        for seconds in [5, 10, 20, 40, 60, 60] {
            let pause = Duration::from_secs(seconds);
            assert_eq!(breaker.admit(false, now), Admission::Refused(pause));
            now += pause;
            assert_eq!(breaker.admit(false, now), Admission::Probe);
            breaker.report(Admission::Probe, failed(1), now);
        }
    }

    #[test]
    fn a_probe_that_says_nothing_is_followed_by_another() {
        let now = Instant::now();
        let mut breaker = open(now);
        let later = now + PAUSE;
        assert_eq!(breaker.admit(false, later), Admission::Probe);
        assert_eq!(breaker.report(Admission::Probe, Outcome::Unknown, later), None);
        assert_eq!(breaker.admit(false, later), Admission::Probe);
        assert_eq!(
            breaker.admit(false, later + PROBE_LOST),
            Admission::Probe,
            "the one before never reported"
        );
    }

    proptest! {
        #[test]
        fn whatever_happens_it_is_never_stuck(steps in proptest::collection::vec((0_u64..8, 0_u64..3, 0_u64..20_000), 1..200)) {
            let mut now = Instant::now();
            let mut breaker = Breaker::new(now);
            for (number, outcome, ms) in steps {
                now += Duration::from_millis(ms);
                let admission = breaker.admit(false, now);
                if !matches!(admission, Admission::Refused(_)) {
                    let outcome = [Outcome::Good, failed(number), Outcome::Unknown][outcome as usize];
                    breaker.report(admission, outcome, now);
                }
            }
            now += MAX_PAUSE + PROBE_LOST;
            let admission = breaker.admit(false, now);
            prop_assert!(!matches!(admission, Admission::Refused(_)));
            breaker.report(admission, Outcome::Good, now);
            prop_assert_eq!(breaker.admit(false, now), Admission::Call);
        }
    }
}
