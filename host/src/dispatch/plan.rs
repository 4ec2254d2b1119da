//! What the filter and the plugins said -> what becomes of the delivery. Pure.

use rand::Rng;

use crate::filter;
use crate::model::{
    DeliveryState, FailReason, FilteredBy, HoldReason, Next, PluginRun, RetrySchedule, UnixMs,
};
use crate::plugins::{Blame, Decision, Judgement};
use crate::store::Verdict;

/// An event on which a plugin fails so often, while it works otherwise, is given up: it is poison. By the schedule that takes a
/// quarter of an hour, which is what an ordered endpoint waits for it at most.
const MAX_FAULTS: u16 = 5;

/// How often a delivery was judged before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tried {
    /// This time included.
    pub(super) tries: u16,
    /// How often a plugin failed on it while it worked otherwise.
    pub(super) faults: u16,
}

impl Tried {
    /// Once more, of a delivery in this state.
    pub(super) fn again(state: &DeliveryState, is_due: bool) -> Self {
        let before = state.judged_times().unwrap_or_default();
        Self { tries: before.saturating_add(u16::from(is_due)).max(1), faults: state.faults() }
    }
}

/// The verdict on a delivery that no plugin has a say in.
pub(super) const fn send() -> Verdict {
    Verdict { state: DeliveryState::Pending, due_at: None, plugins: Vec::new(), custom: None, notice: None }
}

/// The verdict on a delivery that the endpoint's filter does not let through.
pub(super) const fn filtered(reason: String) -> Verdict {
    closed(DeliveryState::Filtered { by: FilteredBy::Filter, reason }, Vec::new())
}

/// The verdict on a delivery whose filter could not be read for the `tries`th time. Nobody can say whether the endpoint
/// wants it, so it is neither sent nor dropped.
pub(super) fn unreadable(
    error: &filter::Error,
    tries: u16,
    schedule: &RetrySchedule,
    now: UnixMs,
    rng: &mut impl Rng,
) -> Verdict {
    let message = format!("`/filter{}`: {error}", error.pointer);
    match schedule.after_failure(tries, None, now, rng) {
        Next::At(due_at) => held(HoldReason::FilterUnreadable { message, tries }, due_at, Vec::new()),
        Next::GiveUp => closed(DeliveryState::Failed(FailReason::FilterUnreadable { message }), Vec::new()),
    }
}

/// The verdict on a delivery that its plugins were asked about.
pub(super) fn verdict(
    judgement: Judgement,
    Tried { tries, faults }: Tried,
    schedule: &RetrySchedule,
    now: UnixMs,
    rng: &mut impl Rng,
) -> Verdict {
    let plugins = judgement.runs;
    match judgement.decision {
        Decision::Send(custom) => Verdict { custom, plugins, ..send() },
        Decision::Drop { plugin, reason } => {
            closed(DeliveryState::Filtered { by: FilteredBy::Plugin(plugin), reason }, plugins)
        }
        Decision::Refuse { plugin, message } => {
            closed(DeliveryState::Failed(FailReason::PluginRefused { plugin, message }), plugins)
        }
        Decision::Hold { plugin, message, blame, pause } => {
            let faults = faults.saturating_add(u16::from(blame == Blame::Event));
            // Pauses grow with what is counted.
            let next = match blame {
                Blame::Event if faults >= MAX_FAULTS => Next::GiveUp,
                Blame::Event => schedule.after_failure(faults, None, now, rng),
                Blame::Plugin => schedule.after_pause(tries, pause, now, rng),
            };
            match next {
                Next::At(due_at) => {
                    held(HoldReason::PluginFailed { plugin, message, tries, faults }, due_at, plugins)
                }
                Next::GiveUp => {
                    closed(DeliveryState::Failed(FailReason::PluginFailed { plugin, message }), plugins)
                }
            }
        }
    }
}

const fn held(reason: HoldReason, due_at: UnixMs, plugins: Vec<PluginRun>) -> Verdict {
    Verdict { state: DeliveryState::Held(reason), due_at: Some(due_at), plugins, custom: None, notice: None }
}

const fn closed(state: DeliveryState, plugins: Vec<PluginRun>) -> Verdict {
    Verdict { state, due_at: None, plugins, custom: None, notice: None }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;
    use crate::filter::Filter;

    fn judged(decision: Decision, tries: u16) -> Verdict {
        judged_as(decision, Tried { tries, faults: 0 })
    }

    fn judged_as(decision: Decision, tried: Tried) -> Verdict {
        let schedule = RetrySchedule::new(vec![Duration::from_secs(10)]);
        let judgement = Judgement { decision, runs: Vec::new() };
        verdict(judgement, tried, &schedule, UnixMs(0), &mut StdRng::seed_from_u64(7))
    }

    fn hold() -> Decision {
        hold_for(Blame::Plugin)
    }

    fn hold_for(blame: Blame) -> Decision {
        let (plugin, message) = ("p".parse().unwrap(), "ran past its deadline".to_owned());
        Decision::Hold { plugin, message, blame, pause: Duration::ZERO }
    }

    #[test]
    fn an_event_on_which_a_plugin_fails_is_given_up_after_five_tries_with_growing_pauses() {
        let schedule = RetrySchedule::default();
        let judge = |blame, tried| {
            let judgement = Judgement { decision: hold_for(blame), runs: Vec::new() };
            verdict(judgement, tried, &schedule, UnixMs(0), &mut StdRng::seed_from_u64(7))
        };
        let mut due = UnixMs(0);
        for faults in 0..4 {
            let verdict = judge(Blame::Event, Tried { tries: faults + 1, faults });
            assert_eq!(verdict.state.faults(), faults + 1);
            let next = verdict.due_at.unwrap();
            assert!(next > due, "{next:?} after {due:?}");
            due = next;
        }
        let last = judge(Blame::Event, Tried { tries: 5, faults: 4 });
        assert!(matches!(last.state, DeliveryState::Failed(FailReason::PluginFailed { .. })));
        // What is the plugin's fault costs the event nothing.
        let later = judge(Blame::Plugin, Tried { tries: 17, faults: 4 });
        assert_eq!((later.state.judged_times(), later.state.faults()), (Some(17), 4));
    }

    #[test]
    fn tries_that_nobody_waited_for_use_up_nothing() {
        let mut state = DeliveryState::Pending;
        for (is_due, tries) in [(true, 1), (false, 1), (false, 1), (true, 2), (false, 2)] {
            let tried = Tried::again(&state, is_due);
            assert_eq!(tried, Tried { tries, faults: 0 });
            state = judged_as(hold(), tried).state;
            if tries == 2 {
                return assert!(matches!(state, DeliveryState::Failed(_)), "the schedule is used up");
            }
        }
    }

    #[test]
    fn a_failing_plugin_holds_the_delivery_and_tries_again() {
        let verdict = judged(hold(), 1);
        assert!(matches!(verdict.state, DeliveryState::Held(HoldReason::PluginFailed { tries: 1, .. })));
        assert!(verdict.due_at.is_some_and(|due| (8_000..=12_000).contains(&due.0)));
    }

    #[test]
    fn a_plugin_that_fails_over_the_whole_schedule_fails_the_delivery() {
        assert!(matches!(judged(hold(), 2).state, DeliveryState::Failed(FailReason::PluginFailed { .. })));
    }

    #[test]
    fn a_filter_that_cannot_be_read_holds_the_delivery_and_fails_it_after_the_whole_schedule() {
        let schedule = RetrySchedule::new(vec![Duration::from_secs(10)]);
        let error = Filter::parse(r#"{"data": {"total": {"$near": 1}}}"#).unwrap_err();
        let verdict =
            |tries| unreadable(&error, tries, &schedule, UnixMs(0), &mut StdRng::seed_from_u64(7)).state;
        let DeliveryState::Held(HoldReason::FilterUnreadable { message, tries: 1 }) = verdict(1) else {
            panic!("{:?}", verdict(1))
        };
        assert!(message.starts_with("`/filter/data/total/$near`: `$near` is no operator"), "{message}");
        assert_eq!(verdict(1).judged_times(), Some(1));
        assert!(matches!(verdict(2), DeliveryState::Failed(FailReason::FilterUnreadable { .. })));
    }

    #[test]
    fn a_dropped_delivery_is_never_due() {
        let drop = Decision::Drop { plugin: "p".parse().unwrap(), reason: "too small".to_owned() };
        let verdict = judged(drop, 1);
        assert!(matches!(verdict.state, DeliveryState::Filtered { .. }));
        assert_eq!(verdict.due_at, None);
    }
}
