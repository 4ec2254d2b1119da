//! What the plugins said -> what becomes of the delivery. Pure.

use rand::Rng;

use crate::model::{
    DeliveryState, FailReason, HoldReason, Next, PluginName, PluginRun, RetrySchedule, UnixMs,
};
use crate::plugins::{Decision, Judgement};
use crate::store::Verdict;

/// The verdict on a delivery that no plugin has a say in.
pub(super) const fn send() -> Verdict {
    Verdict { state: DeliveryState::Pending, due_at: None, plugins: Vec::new(), custom: None }
}

/// The verdict on a delivery that its plugins were asked about for the `tries`th time.
pub(super) fn verdict(
    judgement: Judgement,
    tries: u16,
    schedule: &RetrySchedule,
    now: UnixMs,
    rng: &mut impl Rng,
) -> Verdict {
    let plugins = judgement.runs;
    match judgement.decision {
        Decision::Send(custom) => Verdict { custom, plugins, ..send() },
        Decision::Drop { plugin, reason } => closed(DeliveryState::Filtered { plugin, reason }, plugins),
        Decision::Refuse { plugin, message } => {
            closed(DeliveryState::Failed(FailReason::PluginRefused { plugin, message }), plugins)
        }
        Decision::Hold { plugin, message } => match schedule.after_failure(tries, None, now, rng) {
            Next::At(due_at) => hold(plugin, message, tries, due_at, plugins),
            Next::GiveUp => {
                closed(DeliveryState::Failed(FailReason::PluginFailed { plugin, message }), plugins)
            }
        },
    }
}

fn hold(plugin: PluginName, message: String, tries: u16, due_at: UnixMs, plugins: Vec<PluginRun>) -> Verdict {
    let reason = HoldReason::PluginFailed { plugin, message, tries };
    Verdict { state: DeliveryState::Held(reason), due_at: Some(due_at), plugins, custom: None }
}

const fn closed(state: DeliveryState, plugins: Vec<PluginRun>) -> Verdict {
    Verdict { state, due_at: None, plugins, custom: None }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    fn judged(decision: Decision, tries: u16) -> Verdict {
        let schedule = RetrySchedule::new(vec![Duration::from_secs(10)]);
        let judgement = Judgement { decision, runs: Vec::new() };
        verdict(judgement, tries, &schedule, UnixMs(0), &mut StdRng::seed_from_u64(7))
    }

    fn hold() -> Decision {
        Decision::Hold { plugin: "p".parse().unwrap(), message: "ran past its deadline".to_owned() }
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
    fn a_dropped_delivery_is_never_due() {
        let drop = Decision::Drop { plugin: "p".parse().unwrap(), reason: "too small".to_owned() };
        let verdict = judged(drop, 1);
        assert!(matches!(verdict.state, DeliveryState::Filtered { .. }));
        assert_eq!(verdict.due_at, None);
    }
}
