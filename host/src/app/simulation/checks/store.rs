//! Nothing is lost, all ends, and the log is true.

use super::super::outcome::StoredDelivery;
use super::super::world::{Changed, Resend};
use super::{Case, ensure};
use crate::model::{AttemptOutcome, DeliveryState, TopicPattern};
use crate::store::Standing;

/// Reads that a start, a thing that happens and an hour may cost: what happens is counted, but for what the lanes ask by themselves.
const READS: (u64, u64, u64) = (100, 10, 120);
/// The longest life of what is counted by the week.
const WEEK_MS: u64 = 7 * 24 * 3600 * 1000;

pub(super) fn nothing_accepted_is_lost(case: &Case<'_>) -> Result<(), String> {
    for (n, asked) in case.history.events.iter().enumerate() {
        let Some(accepted) = &asked.accepted else { continue };
        // One without an id of its own is known by what is in it.
        let stored = case.outcome.events.iter().find(|stored| stored.data == asked.data);
        let stored = stored.ok_or_else(|| format!("event {n} ({accepted}) was accepted and is gone"))?;
        ensure(stored.dispatched, || format!("event {n} was never dispatched"))?;
        ensure(asked.own_id.as_ref().is_none_or(|id| *id == stored.name), || {
            format!("event {n} has the id {}", stored.name)
        })?;
        for (endpoint, plan) in case.script.setup.endpoints.iter().enumerate() {
            let pattern: TopicPattern = plan.topics.parse().unwrap();
            if plan.tenant != stored.tenant.as_str() || !pattern.matches(&asked.topic.parse().unwrap()) {
                continue;
            }
            let deliveries = case.outcome.deliveries.iter();
            let found = deliveries
                .filter(|delivery| delivery.event == stored.name && delivery.endpoint == endpoint)
                .collect::<Vec<_>>();
            let was_there = changes(case, endpoint, Changed::Deleted).next().is_none()
                && was_created_before(case, endpoint, asked.asked);
            ensure(!was_there || !found.is_empty(), || format!("event {n} has no delivery to e{endpoint}"))?;
            let replays =
                case.history.resends.iter().filter(
                    |resent| matches!(&resent.what, Resend::Replay { event } if *event == stored.name),
                );
            ensure(found.len() <= 1 + replays.count(), || {
                format!("event {n} has {} deliveries to e{endpoint}", found.len())
            })?;
            let passes = !plan.is_filtered || asked.k <= 2;
            for delivery in found {
                let is_filtered = matches!(delivery.state, DeliveryState::Filtered { .. });
                let may_be_over = delivery.state == DeliveryState::Cancelled;
                ensure(is_filtered != passes || may_be_over, || {
                    format!("event {n} to e{endpoint} is {:?} by its filter", delivery.state)
                })?;
            }
        }
    }
    Ok(())
}

fn changes<'a>(
    case: &'a Case<'_>,
    endpoint: usize,
    what: Changed,
) -> impl Iterator<Item = &'a super::super::world::Change> {
    case.history.changes.iter().filter(move |change| change.endpoint == endpoint && change.what == what)
}

fn was_created_before(case: &Case<'_>, endpoint: usize, at: u64) -> bool {
    case.history.changes.iter().any(|change| {
        change.endpoint == endpoint && matches!(change.what, Changed::Created(_)) && change.asked <= at
    })
}

pub(super) fn each_delivery_ends(case: &Case<'_>) -> Result<(), String> {
    for delivery in &case.outcome.deliveries {
        let name = name(delivery);
        ensure(delivery.state.is_final(), || format!("{name} is still {:?}", delivery.state))?;
        let succeeded = delivery.attempts.iter().filter(|attempt| attempt.outcome.is_success()).count();
        match delivery.state {
            DeliveryState::Delivered => ensure(succeeded > 0, || format!("{name} never arrived"))?,
            DeliveryState::Failed(_) | DeliveryState::Cancelled | DeliveryState::Filtered { .. } => {
                let was_resent = case.was_resent(&delivery.event, delivery.id.ordinal, delivery.endpoint);
                ensure(succeeded == 0 || was_resent, || {
                    format!("{name} arrived, and is {:?}", delivery.state)
                })?;
            }
            DeliveryState::Pending | DeliveryState::Retrying | DeliveryState::Held(_) => {}
        }
    }
    Ok(())
}

pub(super) fn the_log_has_what_was_sent(case: &Case<'_>) -> Result<(), String> {
    for delivery in &case.outcome.deliveries {
        let name = name(delivery);
        let posts = case.posts(&delivery.event, delivery.id.ordinal);
        for (attempt, expected) in delivery.attempts.iter().zip(1..) {
            ensure(attempt.number == expected, || {
                format!("{name} has attempt {} as its {expected}th", attempt.number)
            })?;
        }
        let mut recorded = 0;
        for attempt in &delivery.attempts {
            let same = posts.iter().filter(|post| post.number == attempt.number);
            let last = same.clone().max_by_key(|post| post.began);
            let last = last.ok_or_else(|| format!("{name} attempt {} was never sent", attempt.number))?;
            ensure(last.ended.is_some() && last.outcome == attempt.outcome, || {
                format!("{name} attempt {} is not what came of it: {:?}", attempt.number, last.outcome)
            })?;
            recorded += 1;
            for repeated in same.filter(|post| post.began != last.began) {
                ensure_forgotten(case, repeated, &name)?;
            }
        }
        for post in posts.iter().filter(|post| usize::from(post.number) > recorded) {
            ensure_forgotten(case, post, &name)?;
        }
    }
    for post in &case.history.posts {
        let is_stored = case.outcome.deliveries.iter().any(|delivery| {
            delivery.event == post.event
                && delivery.id.ordinal == post.ordinal
                && delivery.endpoint == post.endpoint
        });
        ensure(is_stored || case.may_be_forgotten(post.life, post.began.at), || {
            format!("{}/{} to e{} was sent and is not in the log", post.event, post.ordinal, post.endpoint)
        })?;
    }
    Ok(())
}

fn ensure_forgotten(case: &Case<'_>, post: &super::Posted, name: &str) -> Result<(), String> {
    let is_forgotten = post.ended.is_none_or(|ended| case.may_be_forgotten(post.life, ended.at));
    ensure(is_forgotten, || {
        format!("{name} attempt {} at {} ms is not in the log", post.number, post.began.at)
    })
}

pub(super) fn bytes_are_the_same(case: &Case<'_>) -> Result<(), String> {
    for (delivery, posts) in &case.posts {
        let same = posts.iter().all(|post| post.body == posts[0].body && post.endpoint == posts[0].endpoint);
        ensure(same, || format!("{delivery} was sent with several bodies"))?;
        let off = posts.iter().map(|post| post.signed_off_by_ms).max().unwrap_or_default();
        ensure(off < 1_000, || format!("{delivery} was signed for a time that is off by {off} ms"))?;
    }
    Ok(())
}

pub(super) fn statistics_are_those_of_the_log(case: &Case<'_>) -> Result<(), String> {
    for count in &case.outcome.counts {
        ensure(count.standing == Standing::default(), || {
            format!("{:?} has {:?} that waits", count.scope, count.standing)
        })?;
    }
    let lasted = case.history.lives.last().and_then(|life| life.ended).unwrap_or_default();
    if case.history.clock_was_set || lasted + 24 * 3600 * 1000 > WEEK_MS {
        return Ok(());
    }
    for count in &case.outcome.counts {
        let of_scope = || case.outcome.deliveries.iter().filter(|delivery| count.has(delivery));
        let in_state = |wanted: &str| of_scope().filter(|delivery| delivery.state.name() == wanted).count();
        let attempts = || of_scope().flat_map(|delivery| &delivery.attempts);
        let failed = attempts().filter(|attempt| !attempt.outcome.is_success()).count();
        let week = &count.week;
        for (what, counted, logged) in [
            ("created", week.created, of_scope().count()),
            ("delivered", week.delivered, in_state("delivered")),
            ("failed", week.failed, in_state("failed")),
            ("filtered", week.filtered, in_state("filtered")),
            ("cancelled", week.cancelled, in_state("cancelled")),
            ("attempts", week.latencies.count(), attempts().count()),
            ("failed attempts", week.failed_attempts, failed),
        ] {
            ensure(i64::try_from(logged) == Ok(counted), || {
                format!(
                    "{:?} counts {counted} {what} at {}, and the log has {logged}",
                    count.scope, case.outcome.now
                )
            })?;
        }
    }
    Ok(())
}

pub(super) fn operations_are_told(case: &Case<'_>) -> Result<(), String> {
    for delivery in case.outcome.deliveries.iter().filter(|delivery| !delivery.is_operational) {
        let is_failed = matches!(delivery.state, DeliveryState::Failed(_));
        let about = format!("{}\"", delivery.id);
        let mut told = case.outcome.events.iter().filter(|event| event.is_operational);
        ensure(!is_failed || told.any(|event| event.data.contains(&about)), || {
            format!("nobody was told that {} was given up", name(delivery))
        })?;
    }
    Ok(())
}

/// Whatever waits for something is told, or looks now and then.
pub(super) fn reads_have_a_reason(case: &Case<'_>) -> Result<(), String> {
    let (lives, things) = (case.history.lives.len() as u64, case.history.clock as u64);
    let hours = case.history.lives.last().and_then(|life| life.ended).unwrap_or_default().div_ceil(3_600_000);
    let (of_life, of_thing, of_hour) = READS;
    let most = of_life * lives + of_thing * things + of_hour * hours;
    let reads = case.history.reads;
    ensure(reads <= most, || {
        format!("it was read {reads} times in {hours} hours, in which {things} things happened")
    })
}

pub(super) fn nothing_is_left(case: &Case<'_>) -> Result<(), String> {
    ensure(case.outcome.audit_is_whole, || "the chain of the audit log is broken".to_owned())?;
    ensure(case.outcome.tasks_left == 0, || format!("{} tasks run on", case.outcome.tasks_left))
}

pub(super) fn name(delivery: &StoredDelivery) -> String {
    format!("{}/{} to e{}", delivery.event, delivery.id.ordinal, delivery.endpoint)
}

/// Whether an attempt said that the receiver is not there, as the pages of the gateway say it.
pub(super) const fn says_down(outcome: &AttemptOutcome) -> bool {
    match outcome {
        AttemptOutcome::Answered { status, .. } => matches!(status, 408 | 429 | 500..),
        AttemptOutcome::Failed(_) => true,
    }
}
