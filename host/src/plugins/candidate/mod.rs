//! A candidate: a version beside the live one, tried on live events before it goes live.
//!
//! ```text
//! shadow:  live version decides -> delivery        canary:  event in the share? -> candidate decides -> delivery
//!            \-> queue -> candidate -> compared               it fails? -> live version decides
//! ```
//!
//! - In *shadow* it decides nothing: it is asked after the delivery was decided, what it keeps is forgotten, and when it is too slow
//!   comparisons are left out, not deliveries.
//! - As a *canary* it decides a share of the events, the same ones whenever they are judged, and the live version wherever it fails.
//! - One that fails on event after event, where the live version does not, is tried no more and says why.
//! - Where there is no candidate, all of this costs an event one look at a flag.

mod canary;
mod keeping;
mod shadow;
mod tally;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

pub(super) use self::canary::InTrial;
pub use self::keeping::CandidateStatus;
pub(super) use self::shadow::{Shadows, Work, run};
use self::tally::Tally;
pub use self::tally::{Counts, Example};
use super::breaker::{Admission, Breaker, Change, Outcome};
use super::error::CallError;
use super::version::Version;
use crate::model::{CandidateEnd, Event, EventId, EventKey, Percent, PluginCandidate, PluginName, UnixMs};

/// A version that is tried.
pub(super) struct Candidate {
    pub(super) version: Arc<Version>,
    /// How many of a hundred events it decides; none in shadow.
    pub(super) percent: Option<Percent>,
    pub(super) tally: Arc<Tally>,
    trouble: Trouble,
    ended: OnceLock<CandidateEnd>,
}

/// Its own breaker. It never closes again: who opened it is tried no more.
struct Trouble {
    /// Whether anything failed lately, so that answers need not take the lock.
    is_there: AtomicBool,
    breaker: Mutex<Breaker>,
}

impl Candidate {
    /// As the row says; what was counted in the same mode before goes on.
    pub(super) fn new(version: Arc<Version>, row: &PluginCandidate, tally: Option<Arc<Tally>>) -> Self {
        let ended = row.ended.clone().map_or_else(OnceLock::new, OnceLock::from);
        let breaker = Mutex::new(Breaker::new(Instant::now()));
        let trouble = Trouble { is_there: AtomicBool::new(false), breaker };
        Self { version, percent: row.percent, tally: tally.unwrap_or_default(), trouble, ended }
    }

    /// Whether it is tried.
    pub(super) fn is_running(&self) -> bool {
        self.ended.get().is_none()
    }

    /// Whether it decides this event.
    pub(super) fn decides(&self, event: &Event) -> bool {
        let share = self.percent.map_or(0, Percent::get);
        share > 0 && self.is_running() && place(&self.version.plugin, &event.id) < u64::from(share)
    }

    /// Whether it is compared.
    pub(super) fn is_shadow(&self) -> bool {
        self.percent.is_none() && self.is_running()
    }

    /// It did something that it must not do with an event that the live version can judge. True if that was once too often: it is
    /// tried no more.
    pub(super) fn failed(&self, event: EventKey, error: &CallError, at: UnixMs) -> bool {
        self.trouble.is_there.store(true, Ordering::Relaxed);
        let mut breaker = self.trouble.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        let change = breaker.report(Admission::Call, Outcome::Failed(event), Instant::now());
        drop(breaker);
        if change != Some(Change::Opened) {
            return false;
        }
        let reason = format!(
            "it failed on several events that the live version can judge, the last time like this: {error}"
        );
        self.ended.set(CandidateEnd { at, reason }).is_ok()
    }

    /// It has an answer.
    pub(super) fn answered(&self) {
        if self.trouble.is_there.load(Ordering::Relaxed) {
            let mut breaker = self.trouble.breaker.lock().unwrap_or_else(PoisonError::into_inner);
            breaker.report(Admission::Call, Outcome::Good, Instant::now());
            self.trouble.is_there.store(!breaker.is_forgotten(), Ordering::Relaxed);
        }
    }

    /// Why it is tried no more.
    pub(super) fn ended(&self) -> Option<&CandidateEnd> {
        self.ended.get()
    }
}

/// Where an event stands among a hundred, for this plugin: always the same, and another for another plugin, so that canaries do not
/// all fall on the same events. A larger share has all events of a smaller one.
fn place(plugin: &PluginName, event: &EventId) -> u64 {
    let digest = Sha256::new().chain_update(plugin.as_str()).chain_update([0]).chain_update(event.as_str());
    let digest: [u8; 32] = digest.finalize().into();
    let first = digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    first % 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_events_is_about_as_large_as_it_says_and_always_the_same() {
        let [one, other] = ["p", "q"].map(|name| name.parse().unwrap());
        let ids: Vec<EventId> = (0..10_000).map(|n| format!("evt_{n}").parse().unwrap()).collect();
        let chosen = |plugin: &PluginName, share: u64| -> Vec<&EventId> {
            ids.iter().filter(|id| place(plugin, id) < share).collect()
        };
        let ten = chosen(&one, 10);
        assert!((900..1100).contains(&ten.len()), "{}", ten.len());
        assert_eq!(ten, chosen(&one, 10));
        assert_eq!(chosen(&one, 100).len(), ids.len());
        let twenty = chosen(&one, 20);
        assert!(ten.iter().all(|id| twenty.contains(id)), "a larger share has all of a smaller one");
        let both = chosen(&other, 10).iter().filter(|id| ten.contains(id)).count();
        assert!(both < 200, "{both} events are in the share of both plugins");
    }

    /// Others may count on which events are chosen, from one start to the next and from one version to the next.
    #[test]
    fn places_never_change() {
        let places =
            ["evt_1", "evt_2", "order-42"].map(|id| place(&"p".parse().unwrap(), &id.parse().unwrap()));
        assert_eq!(places, PLACES);
    }

    const PLACES: [u64; 3] = [19, 84, 92];
}
