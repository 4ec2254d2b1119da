//! The breakers of one version: one for each tenant and configuration.
//!
//! A configuration that does not work, or events that the plugin cannot stand, are one tenant's own. With one breaker for the
//! whole version, that tenant could take the plugin away from all others; so each has its own, as each has its own instances.
//!
//! As long as nothing fails, all of this costs a call one look at a number.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::breaker::{Admission, Breaker, Change, Outcome};
use super::error::CallError;
use crate::clock::Clock;
use crate::model::{EventKey, TenantId, UnixMs};

/// For whom a version is called, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Use {
    pub(super) tenant: TenantId,
    /// The text for `init`, or the patterns of a matcher.
    pub(super) config: Arc<str>,
}

/// All breakers of a version that have something to remember.
#[derive(Debug)]
pub(super) struct Breakers {
    clock: Clock,
    /// How many have.
    troubled: AtomicUsize,
    by_use: Mutex<HashMap<Use, Tracked>>,
}

/// Events that failed and are remembered as such, for each breaker.
const FAILED_KEPT: usize = 64;
/// Events that failed before a probe went well are known as poison for so long: until their tries are over.
const POISON_KNOWN: Duration = Duration::from_mins(30);

#[derive(Debug)]
struct Tracked {
    breaker: Breaker,
    /// The newest events that failed.
    failed: VecDeque<EventKey>,
    /// Those that had failed when a probe went well. It is they and not the plugin, so what they do from then on says nothing of it.
    poison: Poison,
    /// How the last call failed.
    message: String,
    opened_at: UnixMs,
}

#[derive(Debug, Default)]
struct Poison {
    events: VecDeque<EventKey>,
    until: Option<Instant>,
}

/// A breaker that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenBreaker {
    /// For whose calls.
    pub tenant: TenantId,
    /// Since when.
    pub since: UnixMs,
    /// How the last call failed, in a sentence.
    pub message: String,
}

impl Breakers {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, troubled: AtomicUsize::new(0), by_use: Mutex::default() }
    }

    /// Whether the version may be called for this event.
    pub(super) fn admit(
        &self,
        (tenant, config): (&TenantId, &Arc<str>),
        event: EventKey,
        now: Instant,
    ) -> Result<Admission, CallError> {
        if self.troubled.load(Ordering::Relaxed) == 0 {
            return Ok(Admission::Call);
        }
        let using = Use { tenant: tenant.clone(), config: Arc::clone(config) };
        let mut by_use = self.lock();
        let Some(tracked) = by_use.get_mut(&using) else { return Ok(Admission::Call) };
        let has_failed = tracked.failed.contains(&event) || tracked.poison.has(event, now);
        match tracked.breaker.admit(has_failed, now) {
            Admission::Refused(pause) => {
                let last = tracked.message.clone();
                Err(CallError::BreakerOpen { last, pause })
            }
            admission @ (Admission::Call | Admission::Probe) => Ok(admission),
        }
    }

    /// What came of a call for an event that was admitted like this.
    pub(super) fn report(
        &self,
        (tenant, config): (&TenantId, &Arc<str>),
        (event, admission): (EventKey, Admission),
        error: Option<&CallError>,
        now: Instant,
    ) -> Option<Change> {
        let mut outcome = error.map_or(Outcome::Good, |error| outcome_of(error, event));
        let failed = matches!(outcome, Outcome::Failed(_));
        if !failed && self.troubled.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let using = Use { tenant: tenant.clone(), config: Arc::clone(config) };
        let mut by_use = self.lock();
        if failed {
            let tracked = by_use.entry(using.clone()).or_insert_with(|| Tracked::new(now));
            tracked.remember(event);
            tracked.message = error.map(ToString::to_string).unwrap_or_default();
            if admission == Admission::Call && tracked.poison.has(event, now) {
                outcome = Outcome::Unknown;
            }
        }
        let tracked = by_use.get_mut(&using)?;
        let change = tracked.breaker.report(admission, outcome, now);
        match change {
            Some(Change::Opened) => tracked.opened_at = self.clock.now(),
            Some(Change::Closed) => tracked.poison.add(std::mem::take(&mut tracked.failed), now),
            Some(Change::StaysOpen) | None => {}
        }
        if tracked.breaker.is_forgotten() && tracked.poison.is_forgotten(now) {
            by_use.remove(&using);
        }
        self.troubled.store(by_use.len(), Ordering::Relaxed);
        change
    }

    /// What was called so far was a trial.
    pub(super) fn forget_calls(&self) {
        self.lock().clear();
        self.troubled.store(0, Ordering::Relaxed);
    }

    /// Those that are open.
    pub(super) fn open(&self) -> Vec<OpenBreaker> {
        let by_use = self.lock();
        let open = by_use.iter().filter(|(_, tracked)| tracked.breaker.is_open()).map(|(using, tracked)| {
            OpenBreaker {
                tenant: using.tenant.clone(),
                since: tracked.opened_at,
                message: tracked.message.clone(),
            }
        });
        let mut open: Vec<_> = open.collect();
        open.sort_by(|a, b| (a.since, &a.tenant).cmp(&(b.since, &b.tenant)));
        open
    }

    /// Whether one is open.
    pub(super) fn is_any_open(&self) -> bool {
        self.troubled.load(Ordering::Relaxed) > 0
            && self.lock().values().any(|tracked| tracked.breaker.is_open())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Use, Tracked>> {
        self.by_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tracked {
    fn new(now: Instant) -> Self {
        let (breaker, failed, poison) = (Breaker::new(now), VecDeque::new(), Poison::default());
        Self { breaker, failed, poison, message: String::new(), opened_at: UnixMs(0) }
    }

    fn remember(&mut self, event: EventKey) {
        if !self.failed.contains(&event) {
            self.failed.truncate(FAILED_KEPT - 1);
            self.failed.push_front(event);
        }
    }
}

impl Poison {
    fn add(&mut self, failed: VecDeque<EventKey>, now: Instant) {
        if self.is_forgotten(now) {
            self.events.clear();
        }
        self.events.retain(|known| !failed.contains(known));
        for event in failed.into_iter().rev() {
            self.events.push_front(event);
        }
        self.events.truncate(FAILED_KEPT);
        self.until = (!self.events.is_empty()).then(|| now + POISON_KNOWN);
    }

    fn has(&self, event: EventKey, now: Instant) -> bool {
        !self.is_forgotten(now) && self.events.contains(&event)
    }

    fn is_forgotten(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now >= until)
    }
}

/// What an error says of the plugin. The guest's own words are an answer: it works.
fn outcome_of(error: &CallError, event: EventKey) -> Outcome {
    if error.is_answer() {
        Outcome::Good
    } else if error.is_fault() {
        Outcome::Failed(event)
    } else {
        Outcome::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breakers: &Breakers, tenant: &str, config: &str, events: std::ops::Range<u64>) -> Option<Change> {
        let (tenant, config): (TenantId, Arc<str>) = (tenant.parse().unwrap(), config.into());
        let (now, error) = (Instant::now(), CallError::Unreachable(None));
        let fail = |number| {
            let call = (EventKey::new(UnixMs(number), 1), Admission::Call);
            breakers.report((&tenant, &config), call, Some(&error), now)
        };
        events.filter_map(fail).last()
    }

    fn admit(breakers: &Breakers, tenant: &str, config: &str) -> Result<Admission, CallError> {
        let using = (&tenant.parse().unwrap(), &config.into());
        breakers.admit(using, EventKey::new(UnixMs(1_000), 1), Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_tenant_or_configuration_does_concerns_no_other() {
        let breakers = Breakers::new(Clock::starting_at(UnixMs(1_000)));
        assert_eq!(fail(&breakers, "acme", "{}", 0..5), Some(Change::Opened));
        let refused = admit(&breakers, "acme", "{}").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "it is not asked for 5 s, because it failed on several events, the last time like this: it hit \
             `unreachable` (a panic or abort)"
        );
        assert_eq!(admit(&breakers, "acme", "[]"), Ok(Admission::Call));
        assert_eq!(admit(&breakers, "other", "{}"), Ok(Admission::Call));
        tokio::time::advance(Duration::from_secs(7)).await;
        let open = breakers.open();
        assert_eq!((open.len(), open[0].tenant.as_str(), open[0].since), (1, "acme", UnixMs(1_000)));
        assert!(breakers.is_any_open());
        assert_eq!(admit(&breakers, "acme", "{}"), Ok(Admission::Probe));
    }

    #[tokio::test(start_paused = true)]
    async fn what_went_well_again_for_a_while_is_forgotten() {
        let breakers = Breakers::new(Clock::starting_at(UnixMs(1_000)));
        fail(&breakers, "acme", "{}", 0..4);
        let (tenant, config): (TenantId, Arc<str>) = ("acme".parse().unwrap(), "{}".into());
        for _ in 0..2 {
            let call = (EventKey::new(UnixMs(9), 1), Admission::Call);
            breakers.report((&tenant, &config), call, None, Instant::now());
            tokio::time::advance(Duration::from_secs(20)).await;
        }
        breakers.report(
            (&tenant, &config),
            (EventKey::new(UnixMs(9), 1), Admission::Call),
            None,
            Instant::now(),
        );
        assert_eq!(breakers.troubled.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_had_failed_when_a_probe_went_well_opens_it_no_more() {
        let breakers = Breakers::new(Clock::starting_at(UnixMs(1_000)));
        assert_eq!(fail(&breakers, "acme", "{}", 0..5), Some(Change::Opened));
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(admit(&breakers, "acme", "{}"), Ok(Admission::Probe));
        let (tenant, config): (TenantId, Arc<str>) = ("acme".parse().unwrap(), "{}".into());
        let probe = (EventKey::new(UnixMs(1_000), 1), Admission::Probe);
        assert_eq!(breakers.report((&tenant, &config), probe, None, Instant::now()), Some(Change::Closed));
        assert_eq!(fail(&breakers, "acme", "{}", 0..5), None, "it is these events");
        assert_eq!(admit(&breakers, "acme", "{}"), Ok(Admission::Call));
        assert_eq!(fail(&breakers, "acme", "{}", 5..10), Some(Change::Opened), "others fail, too");
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(admit(&breakers, "acme", "{}"), Ok(Admission::Probe));
        breakers.report((&tenant, &config), probe, None, Instant::now());
        tokio::time::advance(POISON_KNOWN).await;
        assert_eq!(
            fail(&breakers, "acme", "{}", 0..5),
            Some(Change::Opened),
            "what was long ago is forgotten"
        );
    }

    #[test]
    fn only_what_the_guest_did_wrong_counts() {
        let event = EventKey::new(UnixMs(1), 1);
        let of = |error| outcome_of(&error, event);
        assert_eq!(of(CallError::Deadline(Duration::ZERO)), Outcome::Failed(event));
        assert_eq!(of(CallError::Init(String::new())), Outcome::Failed(event));
        assert_eq!(of(CallError::Invalid(String::new())), Outcome::Good);
        assert_eq!(of(CallError::Retry(String::new())), Outcome::Good);
        assert_eq!(of(CallError::Busy(Duration::ZERO)), Outcome::Unknown);
    }
}
