//! When the next attempt comes: by the schedule, as the receiver asked, and while a receiver is down, now and then.

use std::time::Duration;

use super::super::script::{Order, Plan};
use super::super::world::{Changed, Posted, Resend};
use super::store::says_down;
use super::{Case, ensure};
use crate::lanes::Options;
use crate::model::RetrySchedule;

/// The clock of the gateway has milliseconds, and a wait ends within one.
const ROUNDING_MS: u64 = 2;
/// How long it takes until a lane knows of a change that was asked for.
const TOLD_MS: u64 = 1_000;
const LONGEST_ASKED: Duration = Duration::from_hours(24);
/// For turns, limits and probes, once all receivers are well.
const SLACK: Duration = Duration::from_mins(30);

pub(super) fn no_attempt_comes_early(case: &Case<'_>) -> Result<(), String> {
    for delivery in &case.outcome.deliveries {
        let (event, ordinal) = (delivery.event.as_str(), delivery.id.ordinal);
        if case.was_resent(event, ordinal, delivery.endpoint) {
            continue;
        }
        let plan = &case.script.setup.endpoints[delivery.endpoint];
        let posts = case.posts(event, ordinal);
        for (before, after) in posts.iter().zip(posts.iter().skip(1)) {
            // One whose record was lost is made again at once.
            if after.number <= before.number || before.outcome.status() == Some(410) {
                continue;
            }
            let Some(ended) = before.ended else { continue };
            let released = case.history.changes.iter().any(|change| {
                change.endpoint == delivery.endpoint
                    && matches!(change.what, Changed::Activated)
                    && change.asked <= after.began.at
                    && change.done.is_none_or(|done| done + TOLD_MS >= ended.at)
            });
            let waited = shown(case, after.life, after.began.at) - shown(case, before.life, ended.at);
            // A date means something else once the clock is set.
            if case.history.clock_was_set && before.outcome.status() == Some(503) {
                continue;
            }
            let least = least_wait(plan, before);
            let is_early = waited + i64::try_from(ROUNDING_MS).unwrap_or_default()
                < i64::try_from(least.as_millis()).unwrap_or_default();
            ensure(released || !is_early, || {
                format!(
                    "{event}/{ordinal} to e{}: attempt {} came {waited} ms after the end of attempt {}, {least:?} at least",
                    delivery.endpoint, after.number, before.number
                )
            })?;
        }
    }
    Ok(())
}

/// Once all receivers are well, whatever waits is sent when its schedule says so. By the clocks of the gateways: one that goes on from
/// where the one before was last known to be has what waits wait for the time in between once more.
pub(super) fn no_attempt_comes_late(case: &Case<'_>) -> Result<(), String> {
    let (Some(well), Some(last)) = (case.history.well_since, case.history.lives.len().checked_sub(1)) else {
        return Ok(());
    };
    let slack = i64::try_from(SLACK.as_millis()).unwrap_or_default();
    let most_ahead = case.history.lives.iter().map(|life| life.clock_is_ahead_ms).max().unwrap_or_default();
    for delivery in &case.outcome.deliveries {
        let plan = &case.script.setup.endpoints[delivery.endpoint];
        let (event, ordinal) = (delivery.event.as_str(), delivery.id.ordinal);
        let is_moved = case.was_resent(event, ordinal, delivery.endpoint) || plan.order != Order::None;
        let asked = case.history.events.iter().find(|asked| asked.data == delivery.data);
        let Some(accepted) = asked.and_then(|asked| asked.accepted_at).filter(|_| !is_moved) else {
            continue;
        };
        let mut due = i64::try_from(well.max(accepted)).unwrap_or_default() + most_ahead;
        for post in case.posts(event, ordinal) {
            let began = shown(case, post.life, post.began.at);
            ensure(post.life < last || post.began.at < well || began <= due + slack, || {
                let late = began - due;
                format!(
                    "{event}/{ordinal} to e{}: attempt {} came {late} ms late",
                    delivery.endpoint, post.number
                )
            })?;
            let ended = post.ended.map_or(began, |ended| shown(case, post.life, ended.at));
            due = due.max(ended + i64::try_from(longest_wait(plan, post).as_millis()).unwrap_or_default());
        }
    }
    Ok(())
}

/// What the clock of the gateway showed.
fn shown(case: &Case<'_>, life: usize, at: u64) -> i64 {
    i64::try_from(at).unwrap_or_default() + case.history.lives[life].clock_is_ahead_ms
}

fn least_wait(plan: &Plan, failed: &Posted) -> Duration {
    match failed.asks_for {
        Some(asked) => asked.min(LONGEST_ASKED),
        None => scheduled(plan, failed).mul_f64(0.8),
    }
}

fn longest_wait(plan: &Plan, failed: &Posted) -> Duration {
    scheduled(plan, failed).max(failed.asks_for.unwrap_or_default().min(LONGEST_ASKED)).mul_f64(1.2)
}

fn scheduled(plan: &Plan, failed: &Posted) -> Duration {
    let nth = usize::from(failed.number) - 1;
    let default = RetrySchedule::default();
    let scheduled = match &plan.retry {
        Some(own) => own.get(nth).copied().map(Duration::from_secs),
        None => default.waits().get(nth).copied(),
    };
    scheduled.unwrap_or_default()
}

/// The breaker as the pages describe it, beside the one of the gateway.
#[derive(Default)]
struct Breaker {
    failures: u32,
    first_at: u64,
    /// How many probes failed, and before when there is no other.
    open: Option<(u32, u64)>,
    opened: u64,
}

pub(super) fn down_receivers_are_only_probed(case: &Case<'_>) -> Result<(), String> {
    for life in 0..case.history.lives.len() {
        for endpoint in 0..case.script.setup.endpoints.len() {
            let posts = case.history.posts.iter();
            let posts: Vec<_> = posts.filter(|post| post.life == life && post.endpoint == endpoint).collect();
            check_breaker(case, endpoint, &posts)?;
        }
    }
    Ok(())
}

fn check_breaker(case: &Case<'_>, endpoint: usize, posts: &[&Posted]) -> Result<(), String> {
    let mut moments: Vec<(usize, bool, &Posted)> = Vec::new();
    for post in posts {
        moments.push((post.began.order, true, post));
        moments.extend(post.ended.map(|ended| (ended.order, false, *post)));
    }
    moments.sort_by_key(|(order, ..)| *order);
    let mut breaker = Breaker::default();
    let mut probe: Option<&Posted> = None;
    for (_, begins, post) in moments {
        let Some((failed, not_before)) = breaker.open else {
            if !begins {
                breaker.hear(post);
            }
            continue;
        };
        let at = post.began.at;
        if begins && at <= breaker.opened {
            // It was on its way to the wire already.
            continue;
        }
        if begins {
            let is_wanted = is_wanted_now(case, endpoint, breaker.opened, at);
            let may_begin = is_wanted || at + ROUNDING_MS >= not_before;
            ensure(may_begin && probe.is_none(), || {
                format!(
                    "e{endpoint} is down and got {}/{} at {at} ms, not before {not_before} ms",
                    post.event, post.ordinal
                )
            })?;
            if is_wanted {
                breaker.open = Some((0, not_before));
            }
            probe = Some(post);
        } else if probe.is_some_and(|probe| probe.began == post.began) {
            probe = None;
            breaker.open = says_down(&post.outcome).then(|| {
                let options = Options::default();
                let factor = 1_u32.checked_shl(failed + 1).unwrap_or(u32::MAX);
                let wait = options.probe_wait.saturating_mul(factor).min(options.probe_wait_max);
                let ended = post.ended.map_or(post.began.at, |ended| ended.at);
                // Whoever wants to know now has the waits begin anew.
                let is_wanted = is_wanted_now(case, endpoint, breaker.opened, ended);
                let wait = if is_wanted { options.probe_wait } else { wait };
                (
                    if is_wanted { 0 } else { failed + 1 },
                    ended + u64::try_from(wait.as_millis()).unwrap_or_default(),
                )
            });
            if breaker.open.is_none() {
                breaker = Breaker::default();
            }
        }
    }
    Ok(())
}

/// Whether somebody changed the endpoint, tests it or has something sent again, lately or since it is down.
fn is_wanted_now(case: &Case<'_>, endpoint: usize, since: u64, at: u64) -> bool {
    let changed = case.history.changes.iter().any(|change| {
        change.endpoint == endpoint
            && change.asked <= at
            && change.done.is_none_or(|done| done + TOLD_MS >= since)
    });
    changed
        || case.history.resends.iter().any(|resent| {
            let is_it = match resent.what {
                Resend::Retry { endpoint: to, .. } | Resend::Recovery { endpoint: to } => to == endpoint,
                Resend::Replay { .. } | Resend::Cancel { .. } => false,
            };
            is_it && resent.asked <= at && resent.asked + TOLD_MS >= since
        })
}

impl Breaker {
    /// An attempt ended while the receiver was taken to be up.
    fn hear(&mut self, post: &Posted) {
        let options = Options::default();
        let at = post.ended.map_or(post.began.at, |ended| ended.at);
        if !says_down(&post.outcome) {
            self.failures = 0;
            return;
        }
        let window = u64::try_from(options.breaker_window.as_millis()).unwrap_or_default();
        if self.failures == 0 || at.saturating_sub(self.first_at) > window {
            (self.failures, self.first_at) = (0, at);
        }
        self.failures += 1;
        if self.failures >= options.breaker_failures {
            let wait = u64::try_from(options.probe_wait.as_millis()).unwrap_or_default();
            self.open = Some((0, at + wait));
            self.opened = at;
        }
    }
}
