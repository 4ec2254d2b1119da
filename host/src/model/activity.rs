//! Whether an endpoint is sent to: the rules that deactivate one. Pure.
//!
//! An endpoint that fails for long, or whose receiver says that it is gone, is sent nothing more until somebody
//! activates it. What is for it meanwhile waits, and nothing is lost.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AttemptOutcome, UnixMs};

/// RFC 9110, 15.5.11: the receiver is gone for good, and says so.
const GONE: u16 = 410;

/// Whether an endpoint is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// It is.
    #[default]
    Active,
    /// It is not; what is for it waits.
    Inactive {
        /// Since when.
        since: UnixMs,
        /// Why.
        reason: InactiveReason,
    },
}

/// Why an endpoint is inactive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InactiveReason {
    /// Somebody deactivated it.
    Deactivated,
    /// Every attempt failed for too long.
    Failing,
    /// It answered `410 Gone`.
    Gone,
}

/// Whether the receiver of an endpoint works, as far as the gateway acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As far as anyone knows it works.
    Healthy,
    /// It was deactivated because it does not.
    Failed,
}

impl Activity {
    /// Whether it is sent to.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Active)
    }

    /// Whether its receiver works.
    #[must_use]
    pub const fn health(self) -> Health {
        match self {
            Self::Active | Self::Inactive { reason: InactiveReason::Deactivated, .. } => Health::Healthy,
            Self::Inactive { reason: InactiveReason::Failing | InactiveReason::Gone, .. } => Health::Failed,
        }
    }
}

impl InactiveReason {
    /// Why an attempt that ended at `at` deactivates its endpoint, if it does. `gone`: it was answered `410`.
    /// `failing_since`: all attempts have failed since then, this one included.
    #[must_use]
    pub fn of(gone: bool, failing_since: Option<UnixMs>, at: UnixMs, fail_after: Duration) -> Option<Self> {
        if gone {
            return Some(Self::Gone);
        }
        failing_since.filter(|since| at.since(*since) >= fail_after).map(|_| Self::Failing)
    }
}

/// Since when all attempts of an endpoint have failed, after one that ended at `at`.
#[must_use]
pub fn failing_since(before: Option<UnixMs>, success: bool, at: UnixMs) -> Option<UnixMs> {
    if success { None } else { before.or(Some(at)) }
}

/// Whether the receiver says that it is gone for good.
#[must_use]
pub const fn is_gone(outcome: &AttemptOutcome) -> bool {
    matches!(outcome, AttemptOutcome::Answered { status: GONE, .. })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    const FAIL_AFTER: Duration = Duration::from_hours(72);

    #[test]
    fn the_failure_that_completes_three_days_deactivates_and_the_one_before_does_not() {
        let after = |wait| InactiveReason::of(false, Some(UnixMs(7)), UnixMs(7).after(wait), FAIL_AFTER);
        assert_eq!(after(FAIL_AFTER), Some(InactiveReason::Failing));
        assert_eq!(after(FAIL_AFTER - Duration::from_millis(1)), None);
    }

    #[test]
    fn a_410_deactivates_at_once() {
        assert_eq!(InactiveReason::of(true, None, UnixMs(0), FAIL_AFTER), Some(InactiveReason::Gone));
        for (status, gone) in [(200, false), (404, false), (409, false), (410, true), (500, false)] {
            let answer = AttemptOutcome::Answered {
                status,
                headers: Vec::new(),
                body: Bytes::new(),
                truncated: false,
            };
            assert_eq!(is_gone(&answer), gone, "{status}");
        }
    }

    #[test]
    fn only_what_failed_by_itself_is_failed() {
        let inactive = |reason| Activity::Inactive { since: UnixMs(0), reason };
        assert_eq!(Activity::Active.health(), Health::Healthy);
        assert_eq!(inactive(InactiveReason::Deactivated).health(), Health::Healthy);
        assert_eq!(inactive(InactiveReason::Failing).health(), Health::Failed);
        assert_eq!(inactive(InactiveReason::Gone).health(), Health::Failed);
    }

    proptest! {
        /// Attempts as (hours since the one before, success).
        #[test]
        fn an_endpoint_is_deactivated_when_all_attempts_of_three_days_failed_and_only_then(
            attempts in prop::collection::vec((0_u64..40, prop::bool::weighted(0.2)), 1..30),
        ) {
            let mut since = None;
            let mut at = UnixMs(0);
            let mut ended = Vec::new();
            for (hours, success) in attempts {
                at = at.after(Duration::from_hours(hours));
                since = failing_since(since, success, at);
                ended.push((at, success));
                let deactivates = InactiveReason::of(false, since, at, FAIL_AFTER).is_some();
                let failures = ended.iter().rev().take_while(|(_, success)| !success);
                let longest = failures.last().map_or(Duration::ZERO, |(first, _)| at.since(*first));
                prop_assert_eq!(deactivates, longest >= FAIL_AFTER);
            }
        }
    }
}
