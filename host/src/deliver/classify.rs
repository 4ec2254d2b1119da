//! What an attempt means for its delivery: done, again later, or given up. Pure.
//!
//! Success is 2xx and nothing else; a redirect is a failure. `Retry-After` is obeyed for 429 and 503, the two
//! statuses that mean "not now" (RFC 6585, 4; RFC 9110, 15.6.4).

use std::time::{Duration, UNIX_EPOCH};

use rand::Rng;

use crate::model::{AttemptOutcome, DeliveryState, FailReason, Next, RetrySchedule, UnixMs, is_gone};

/// What becomes of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conclusion {
    /// The state it is in now.
    pub(super) state: DeliveryState,
    /// When the next attempt is due.
    pub(super) due_at: Option<UnixMs>,
}

/// When an attempt ended, on both clocks: due times follow the steady one, dates of a receiver the wall clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: UnixMs,
    pub(super) wall: UnixMs,
}

/// What becomes of a delivery after this many attempts, the last of which ended so.
pub(super) fn conclude(
    outcome: &AttemptOutcome,
    attempts: u16,
    schedule: &RetrySchedule,
    moment: Moment,
    rng: &mut impl Rng,
) -> Conclusion {
    if outcome.is_success() {
        return Conclusion { state: DeliveryState::Delivered, due_at: None };
    }
    if is_gone(outcome) {
        // It deactivates the endpoint, so this one waits with all others, whatever its schedule has left.
        return Conclusion { state: DeliveryState::Retrying, due_at: Some(moment.now) };
    }
    match schedule.after_failure(attempts, retry_after(outcome, moment.wall), moment.now, rng) {
        Next::At(at) => Conclusion { state: DeliveryState::Retrying, due_at: Some(at) },
        Next::GiveUp => Conclusion { state: DeliveryState::Failed(FailReason::Exhausted), due_at: None },
    }
}

/// How long the receiver asks us to wait, told at `wall`. A wait of zero, or a date that has passed, asks for nothing:
/// the schedule applies, or a receiver could have all attempts within a second.
fn retry_after(outcome: &AttemptOutcome, wall: UnixMs) -> Option<Duration> {
    let AttemptOutcome::Answered { status: 429 | 503, headers, .. } = outcome else { return None };
    let value = &headers.iter().find(|header| header.name == "retry-after")?.value;
    parse_retry_after(std::str::from_utf8(value).ok()?.trim(), wall).filter(|wait| !wait.is_zero())
}

/// RFC 9110, 10.2.3: seconds or a date.
fn parse_retry_after(text: &str, wall: UnixMs) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More seconds than fit are still "very long", which the schedule caps.
        return Some(Duration::from_secs(text.parse().unwrap_or(u32::MAX).into()));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let at = UNIX_EPOCH + Duration::from_millis(wall.0);
    Some(date.duration_since(at).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;
    use crate::model::{AttemptError, AttemptErrorClass, Header};

    /// 2024-03-15T14:30:00Z on the wall, an hour less on the steady clock.
    const WALL: UnixMs = UnixMs(1_710_513_000_000);
    const NOW: UnixMs = UnixMs(1_710_509_400_000);

    fn answered(status: u16, retry_after: Option<&str>) -> AttemptOutcome {
        let header = |value: &str| Header { name: "retry-after".into(), value: value.to_owned().into() };
        let headers = retry_after.map(header).into_iter().collect();
        AttemptOutcome::Answered { status, headers, body: Bytes::new(), truncated: false }
    }

    fn after(outcome: &AttemptOutcome, attempts: u16) -> Conclusion {
        let schedule = RetrySchedule::new(vec![Duration::from_secs(10)]);
        let mut rng = StdRng::seed_from_u64(7);
        conclude(outcome, attempts, &schedule, Moment { now: NOW, wall: WALL }, &mut rng)
    }

    /// The wait in seconds, rounded down.
    fn wait(status: u16, retry_after: &str) -> u64 {
        let due_at = after(&answered(status, Some(retry_after)), 1).due_at.unwrap();
        due_at.since(NOW).as_secs()
    }

    proptest! {
        #[test]
        fn seconds_and_dates_ask_for_the_same_wait(seconds in 1_u32..200_000) {
            let at = UNIX_EPOCH + Duration::from_millis(WALL.0) + Duration::from_secs(seconds.into());
            let expected = Some(Duration::from_secs(seconds.into()));
            prop_assert_eq!(parse_retry_after(&seconds.to_string(), WALL), expected);
            prop_assert_eq!(parse_retry_after(&httpdate::fmt_http_date(at), WALL), expected);
        }

        #[test]
        fn whatever_a_receiver_says_the_next_attempt_is_neither_early_nor_more_than_a_day_late(
            status in prop_oneof![Just(429_u16), Just(503), 300_u16..600],
            said in "[0-9]{0,12}|[ -~]{0,40}|(Mon|Fri), [0-9]{2} Mar 20[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT",
        ) {
            let conclusion = after(&answered(status, Some(&said)), 1);
            if let (Some(due_at), true) = (conclusion.due_at, status != 410) {
                let wait = due_at.since(NOW);
                prop_assert!(wait <= Duration::from_secs(86_400).mul_f64(1.2), "{wait:?}");
                let asked = parse_retry_after(said.trim(), WALL).unwrap_or_default();
                prop_assert!(wait >= asked.min(Duration::from_secs(8)).min(Duration::from_hours(24)), "{wait:?}");
            }
        }
    }

    #[test]
    fn only_2xx_is_delivered() {
        for status in [200, 201, 204, 299] {
            assert_eq!(after(&answered(status, None), 1).state, DeliveryState::Delivered, "{status}");
        }
        for status in [101, 300, 301, 302, 303, 307, 308, 304, 400, 404, 410, 429, 500, 503] {
            assert_eq!(after(&answered(status, None), 1).state, DeliveryState::Retrying, "{status}");
        }
    }

    #[test]
    fn a_2xx_without_a_complete_answer_is_a_failure() {
        let error =
            AttemptError { class: AttemptErrorClass::BodyTimeout, message: String::new(), status: Some(200) };
        assert_eq!(after(&AttemptOutcome::Failed(error), 1).state, DeliveryState::Retrying);
    }

    #[test]
    fn the_last_failure_of_the_schedule_is_final() {
        let last = after(&answered(500, None), 2);
        assert_eq!(last, Conclusion { state: DeliveryState::Failed(FailReason::Exhausted), due_at: None });
    }

    #[test]
    fn a_410_is_never_the_last_attempt() {
        for attempts in [1, 2, 99] {
            let waits = Conclusion { state: DeliveryState::Retrying, due_at: Some(NOW) };
            assert_eq!(after(&answered(410, None), attempts), waits);
        }
    }

    #[test]
    fn a_429_waits_at_least_retry_after() {
        for status in [429, 503] {
            assert!((120..=144).contains(&wait(status, "120")));
            assert!((120..=144).contains(&wait(status, "Fri, 15 Mar 2024 14:32:00 GMT")));
            assert!((86_400..=103_680).contains(&wait(status, "99999999999999999999999")));
        }
    }

    #[test]
    fn what_asks_for_nothing_leaves_the_schedule_as_it_is() {
        for text in ["", "0", "-5", "1.5", "soon", "Fri, 15 Mar 2024 14:29:00 GMT", "120, 240"] {
            assert!((8..=12).contains(&wait(429, text)), "{text:?}");
        }
        for status in [500, 502, 504, 302] {
            assert!((8..=12).contains(&wait(status, "120")), "{status}");
        }
    }
}
