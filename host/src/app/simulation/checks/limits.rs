//! How many at a time, how many in a second, and whether at all.

use super::super::script::Limits;
use super::super::world::{Change, Changed, Posted, Resend};
use super::{Case, UNRECORDED_MS, ensure};

const SECOND_MS: u64 = 1_000;

pub(super) fn limits_are_kept(case: &Case<'_>) -> Result<(), String> {
    let setup = &case.script.setup;
    for (life, _) in case.history.lives.iter().enumerate() {
        let posts: Vec<_> = case.history.posts.iter().filter(|post| post.life == life).collect();
        for (n, post) in posts.iter().enumerate() {
            let under_way = |other: &&&Posted| other.ended.is_none_or(|ended| ended.order > post.began.order);
            let all = posts[..n].iter().filter(under_way).count() + 1;
            ensure(all <= setup.max_in_flight, || format!("{all} were under way at {} ms", post.began.at))?;
            let to_same = || posts[..n].iter().filter(|other| other.endpoint == post.endpoint);
            let to_it = to_same().filter(under_way).count() + 1;
            ensure(to_it <= setup.max_in_flight_per_endpoint, || {
                format!("{to_it} were under way to e{} at {} ms", post.endpoint, post.began.at)
            })?;
            let now = post.began.at;
            let burst = most(case, post.endpoint, (now, now), |limits| limits.burst);
            ensure(burst.is_none_or(|burst| to_it <= burst), || {
                format!("{to_it} of {burst:?} were under way to e{} at {now} ms", post.endpoint)
            })?;
            let since = now.saturating_sub(SECOND_MS - 1);
            let in_a_second = to_same().filter(|other| other.began.at >= since).count() + 1;
            let rate = most(case, post.endpoint, (since, now), |limits| limits.rate);
            ensure(rate.is_none_or(|rate| in_a_second <= rate), || {
                format!("{in_a_second} of {rate:?} began to e{} in the second until {now} ms", post.endpoint)
            })?;
        }
    }
    Ok(())
}

/// An event is taken while there is less work than may be, and may be wanted by all endpoints of its tenant. What people have sent
/// again is not held against the limit; a recovery may be of anything.
pub(super) fn work_is_bounded(case: &Case<'_>) -> Result<(), String> {
    let setup = &case.script.setup;
    let resends = &case.history.resends;
    if setup.backlog == 0 || resends.iter().any(|resent| matches!(resent.what, Resend::Recovery { .. })) {
        return Ok(());
    }
    for (tenant, most) in &case.history.most_work {
        let endpoints = setup.endpoints.iter().filter(|plan| plan.tenant == *tenant).count().max(1) as u64;
        let resent = resends.len() as u64 * endpoints;
        ensure(*most <= setup.backlog * endpoints + resent, || {
            format!("{tenant} has {most} deliveries that wait, and may have {}", setup.backlog)
        })?;
    }
    Ok(())
}

/// The highest of the limits that may have held in this time; `None` if there may have been none.
fn most(case: &Case<'_>, endpoint: usize, (from, to): (u64, u64), of: fn(Limits) -> u32) -> Option<usize> {
    let limits = |change: &&Change| match change.what {
        Changed::Created(limits) | Changed::Limits(limits) => Some(limits),
        Changed::Deactivated | Changed::Activated | Changed::Deleted => None,
    };
    let of_it = || case.history.changes.iter().filter(|change| change.endpoint == endpoint);
    let mut most = 0;
    for (n, change) in of_it().enumerate() {
        let Some(limits) = limits(&change) else { continue };
        let later = of_it().skip(n + 1).filter(|later| matches!(later.what, Changed::Limits(_)));
        // Changes that cross may be done in another order than asked.
        let replaced = later
            .filter(|later| later.life > change.life || change.done.is_some_and(|done| done < later.asked));
        let replaced = replaced.filter_map(|later| later.done).min();
        if change.asked <= to && replaced.is_none_or(|at| at >= from) {
            let limit = of(limits);
            if limit == 0 {
                return None;
            }
            most = most.max(limit);
        }
    }
    usize::try_from(most).ok().filter(|most| *most > 0)
}

pub(super) fn inactive_endpoints_get_nothing(case: &Case<'_>) -> Result<(), String> {
    for change in &case.history.changes {
        let is_end = matches!(change.what, Changed::Deactivated | Changed::Deleted);
        let Some(done) = change.done.filter(|_| is_end) else { continue };
        let until = activated_after(case, change.endpoint, change.asked);
        let late = case.history.posts.iter().find(|post| {
            post.endpoint == change.endpoint
                && post.began.at > done
                && until.is_none_or(|until| post.began.at < until)
        });
        ensure(late.is_none(), || {
            format!("e{} is {:?} since {done} ms and got {late:?}", change.endpoint, change.what)
        })?;
    }
    for gone in case.history.posts.iter().filter(|post| post.outcome.status() == Some(410)) {
        let Some(ended) = gone.ended.filter(|ended| !case.may_be_forgotten(gone.life, ended.at)) else {
            continue;
        };
        let until = activated_after(case, gone.endpoint, gone.began.at);
        let late = case.history.posts.iter().find(|post| {
            post.endpoint == gone.endpoint
                && post.began.at > ended.at + UNRECORDED_MS
                && until.is_none_or(|until| post.began.at < until)
        });
        ensure(late.is_none(), || {
            format!("e{} was gone at {} ms and got {late:?}", gone.endpoint, ended.at)
        })?;
    }
    Ok(())
}

/// When somebody activated an endpoint, or may have, that was asked to stop at this time.
fn activated_after(case: &Case<'_>, endpoint: usize, at: u64) -> Option<u64> {
    let of_it = case.history.changes.iter().filter(|change| change.endpoint == endpoint);
    let activated = of_it.filter(|change| change.what == Changed::Activated);
    activated.filter(|change| change.done.is_none_or(|done| done >= at)).map(|change| change.asked).min()
}
