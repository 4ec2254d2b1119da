//! The books of a run: every POST that arrived, and what must be so of them at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The path of an endpoint and the id of an event: a delivery.
pub(super) type Key = (&'static str, String);

/// A POST that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival {
    /// The process that sent it, counted from 0.
    pub(super) run: usize,
    /// Its number, as the gateway says.
    pub(super) attempt: u64,
    /// Whether it was answered with 200.
    pub(super) taken: bool,
    /// Whether its body is what it has to be.
    pub(super) is_right: bool,
}

/// All that arrived.
#[derive(Debug, Default)]
pub(super) struct Books(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    deliveries: BTreeMap<Key, (String, Vec<Arrival>)>,
    /// The events of the ordered endpoint, as each came for the first time.
    ordered: Vec<String>,
    arrivals: usize,
    strange: Vec<String>,
}

/// What the books say at the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Deliveries that something arrived of.
    pub deliveries: usize,
    /// POSTs that arrived.
    pub arrivals: usize,
    /// POSTs that came again because a kill took back what was known of them.
    pub repeated: usize,
    /// Deliveries that never arrived, or whose last POST was refused.
    pub lost: Vec<String>,
    /// Other bytes, another order, or a POST that nothing explains.
    pub wrong: Vec<String>,
}

impl Books {
    /// Enters a POST of this delivery.
    pub(super) fn enter(&self, key: Key, delivery: &str, arrival: Arrival) {
        let mut entries = self.entries();
        entries.arrivals += 1;
        if key.0 == "/fifo" && !entries.deliveries.contains_key(&key) {
            entries.ordered.push(key.1.clone());
        }
        let (first, arrivals) =
            entries.deliveries.entry(key.clone()).or_insert_with(|| (delivery.to_owned(), Vec::new()));
        arrivals.push(arrival);
        if first.as_str() != delivery {
            let strange = format!("{key:?} has the deliveries {first} and {delivery}");
            entries.strange.push(strange);
        }
    }

    pub(super) fn arrivals(&self) -> usize {
        self.entries().arrivals
    }

    pub(super) fn is_missing_any(&self, expected: &BTreeSet<Key>) -> bool {
        let entries = self.entries();
        expected.iter().any(|key| !entries.has_arrived(key))
    }

    /// The number of the last attempt that arrived.
    pub(super) fn last_attempt(&self, path: &'static str, event: &str) -> Option<u64> {
        let entries = self.entries();
        entries.deliveries.get(&(path, event.to_owned()))?.1.last().map(|arrival| arrival.attempt)
    }

    /// Whether all that was expected is there and all that is there is explained. Of two events of one producer the one with
    /// the smaller number was accepted first.
    pub(super) fn judge(
        &self,
        expected: &BTreeSet<Key>,
        producer: impl Fn(&str) -> Option<(usize, usize)>,
    ) -> Verdict {
        let entries = self.entries();
        let lost = expected.iter().filter(|key| !entries.has_arrived(key));
        let mut verdict = Verdict {
            deliveries: entries.deliveries.len(),
            arrivals: entries.arrivals,
            repeated: 0,
            lost: lost.map(|(path, event)| format!("{event} did not arrive at {path}")).collect(),
            wrong: entries.strange.clone(),
        };
        for ((path, event), (_, arrivals)) in &entries.deliveries {
            match explain(arrivals) {
                Ok(repeated) => verdict.repeated += repeated,
                Err(why) => verdict.wrong.push(format!("{event} at {path}: {why}: {arrivals:?}")),
            }
        }
        let mut last = BTreeMap::new();
        for event in &entries.ordered {
            let Some((producer, number)) = producer(event) else { continue };
            if let Some(before) = last.insert(producer, number).filter(|before| *before > number) {
                verdict.wrong.push(format!("{event} of producer {producer} came after its number {before}"));
            }
        }
        verdict
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn has_arrived(&self, key: &Key) -> bool {
        self.deliveries.get(key).is_some_and(|(_, arrivals)| arrivals.last().is_some_and(|last| last.taken))
    }
}

/// How many of the POSTs of a delivery came again because of a kill, if that and failures explain all of them.
fn explain(arrivals: &[Arrival]) -> Result<usize, &'static str> {
    let mut repeated = 0;
    for pair in arrivals.windows(2) {
        let (before, next) = (pair[0], pair[1]);
        if next.attempt == before.attempt && next.run > before.run {
            // What came of it was not on stable storage when the process died.
            repeated += 1;
        } else if next.attempt == before.attempt {
            return Err("an attempt came twice from one process");
        } else if next.attempt < before.attempt {
            return Err("an attempt came again after a later one");
        } else if before.taken {
            return Err("it was sent again although it had arrived and that was recorded");
        }
    }
    if arrivals.iter().all(|arrival| arrival.is_right) { Ok(repeated) } else { Err("it has other bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(run: usize, attempt: u64, taken: bool) -> Arrival {
        Arrival { run, attempt, taken, is_right: true }
    }

    #[test]
    fn a_kill_explains_a_repeat_and_nothing_else_does() {
        assert_eq!(explain(&[arrival(0, 1, true)]), Ok(0));
        assert_eq!(explain(&[arrival(0, 1, false), arrival(0, 2, false), arrival(3, 3, true)]), Ok(0));
        assert_eq!(explain(&[arrival(0, 1, true), arrival(1, 1, true)]), Ok(1));
        assert_eq!(explain(&[arrival(0, 1, false), arrival(1, 1, true), arrival(2, 1, true)]), Ok(2));
        for unexplained in [
            [arrival(0, 1, true), arrival(0, 1, true)],
            [arrival(0, 1, true), arrival(1, 2, true)],
            [arrival(0, 2, false), arrival(1, 1, true)],
            [arrival(0, 1, true), Arrival { is_right: false, ..arrival(1, 1, true) }],
        ] {
            assert!(explain(&unexplained).is_err(), "{unexplained:?}");
        }
    }

    #[test]
    fn what_is_missing_or_refused_is_lost_and_a_changed_order_is_wrong() {
        let books = Books::default();
        let key = |path, event: &str| (path, event.to_owned());
        for (event, taken) in [("0-0", true), ("0-2", true), ("0-1", true), ("1-0", false)] {
            books.enter(key("/fifo", event), event, arrival(0, 1, taken));
        }
        books.enter(key("/fifo", "0-0"), "another", arrival(1, 1, true));
        let expected = ["0-0", "1-0", "2-0"].map(|event| key("/fifo", event)).into();
        assert!(books.is_missing_any(&expected));
        let verdict = books.judge(&expected, |event| {
            let (producer, number) = event.split_once('-')?;
            Some((producer.parse().ok()?, number.parse().ok()?))
        });
        assert_eq!((verdict.deliveries, verdict.arrivals, verdict.repeated), (4, 5, 1));
        assert_eq!(verdict.lost, ["1-0 did not arrive at /fifo", "2-0 did not arrive at /fifo"]);
        assert_eq!(verdict.wrong.len(), 2, "{verdict:?}");
        assert_eq!(books.last_attempt("/fifo", "0-0"), Some(1));
    }
}
