//! What is counted: folded from the journal into rows for stretches of time, read for three windows.
//!
//! - A row counts one scope (an endpoint, a tenant, a topic, ...) in five minutes or in one hour. The former serve the window
//!   of one hour, the latter those of a day and a week, so that no window takes more than some two hundred rows, however long
//!   the log is.
//! - What is not folded yet is read from the journal: at most some thousand changes.
//! - A delivery counts in the stretch in which it ended. If it is sent again, it is taken out of there.

mod standing;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use redb::{ReadTransaction, ReadableTable as _, WriteTransaction};

pub(super) use self::standing::Counted;
use super::changes::{self, Change};
use super::codec::{self, EventRow};
use super::failure::Failure;
use super::rows;
use super::schema::{
    ATTEMPTS, CHANGES, META, META_FOLDED_BELOW, STANDING, STATISTICS, Tables, delivery_id, delivery_key,
};
use crate::model::{Attempt, DeliveryStatus, EndpointId, LastError, Tally, UnixMs};
use crate::store::{FailedAttempt, Standing, Statistics, StatisticsScope, Window};

const HOUR_MS: u64 = 3_600_000;
/// The two kinds of stretches: their number in the key, how long they are, and how long they are kept.
const STRETCHES: [Stretch; 2] = [
    Stretch { kind: 0, length: 300_000, kept: HOUR_MS + 600_000 },
    Stretch { kind: 1, length: HOUR_MS, kept: 7 * 24 * HOUR_MS + 2 * HOUR_MS },
];
/// Rows that are too old and go away with one fold, at most: it is paid for by those who wait for the commit.
const MAX_REMOVED: usize = 4_096;

#[derive(Debug, Clone, Copy)]
struct Stretch {
    kind: u8,
    /// Milliseconds.
    length: u64,
    /// Milliseconds.
    kept: u64,
}

/// Differences of one scope: by kind and beginning of the stretch, and of what stands.
#[derive(Debug, Default)]
struct Differences {
    tallies: BTreeMap<(u8, u64), Tally>,
    standing: [i64; 3],
}

/// What changes have in common that count in the same scopes.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Together {
    tenant: Box<str>,
    topic: Box<str>,
    endpoint: EndpointId,
}

impl Together {
    fn of(change: &Change<'_>) -> Self {
        Self { tenant: change.tenant.into(), topic: change.topic.into(), endpoint: change.endpoint }
    }
}

impl Stretch {
    /// When the stretch begins that this time is in.
    const fn beginning(self, at: UnixMs) -> u64 {
        at.0 - at.0 % self.length
    }
}

impl Window {
    const fn stretch(self) -> Stretch {
        match self {
            Self::Hour => STRETCHES[0],
            Self::Day | Self::Week => STRETCHES[1],
        }
    }
}

impl Differences {
    fn tally(&mut self, at: UnixMs, count: impl Fn(&mut Tally)) {
        for stretch in STRETCHES {
            count(self.tallies.entry((stretch.kind, stretch.beginning(at))).or_default());
        }
    }

    fn apply(&mut self, change: &Change<'_>) {
        let Some(after) = change.after() else { return };
        let before = change.before.and_then(|before| before.status());
        self.stand(before, -1);
        self.stand(Some(after), 1);
        if let Some((status, at)) = before.zip(change.before.and_then(|before| before.finished_at)) {
            self.end(status, at, -1);
        }
        let error = LastError { at: change.at, delivery: change.delivery(), attempt: 0 };
        self.tally(change.at, |tally| {
            tally.created += i64::from(change.before.is_none());
            if let Some(ended) = tally.ended_mut(after) {
                *ended += 1;
            }
            let Some(attempt) = change.attempt else { return };
            tally.latencies.note(Duration::from_micros(attempt.took_us));
            if after != DeliveryStatus::Delivered {
                tally.failed_attempts += 1;
                tally.last_error = tally.last_error.max(Some(LastError { attempt: attempt.number, ..error }));
            }
        });
    }

    fn add(&mut self, others: &Self) {
        for (stretch, tally) in &others.tallies {
            self.tallies.entry(*stretch).or_default().add(tally);
        }
        for (standing, other) in self.standing.iter_mut().zip(others.standing) {
            *standing += other;
        }
    }

    fn end(&mut self, status: DeliveryStatus, at: UnixMs, difference: i64) {
        self.tally(at, |tally| {
            if let Some(ended) = tally.ended_mut(status) {
                *ended += difference;
            }
        });
    }

    fn stand(&mut self, status: Option<DeliveryStatus>, difference: i64) {
        if let Some(place) = status.and_then(place) {
            self.standing[place] += difference;
        }
    }
}

/// The place of a status among those that are no end.
const fn place(status: DeliveryStatus) -> Option<usize> {
    match status {
        DeliveryStatus::Pending => Some(0),
        DeliveryStatus::Retrying => Some(1),
        DeliveryStatus::Held => Some(2),
        DeliveryStatus::Delivered
        | DeliveryStatus::Failed
        | DeliveryStatus::Filtered
        | DeliveryStatus::Cancelled => None,
    }
}

/// The key of a scope: a number for its kind, then its names, of which no tenant has a zero byte.
fn key_of(scope: &StatisticsScope) -> Vec<u8> {
    let (kind, rest) = match scope {
        StatisticsScope::All => (0, Vec::new()),
        StatisticsScope::Tenant(tenant) => (1, tenant.as_str().into()),
        StatisticsScope::Topic(topic) => (2, topic.as_str().into()),
        StatisticsScope::TopicOfTenant(tenant, topic) => (3, of_tenant(tenant.as_str(), topic.as_str())),
        StatisticsScope::Endpoint(endpoint) => (4, endpoint.as_u128().to_be_bytes().to_vec()),
    };
    [vec![kind], rest].concat()
}

fn of_tenant(tenant: &str, topic: &str) -> Vec<u8> {
    [tenant.as_bytes(), &[0], topic.as_bytes()].concat()
}

/// The keys of all scopes that a delivery counts in. They are those of [`key_of`].
fn keys_of(tenant: &str, topic: &str, endpoint: EndpointId) -> [Vec<u8>; 5] {
    let key = |kind: u8, rest: &[u8]| [&[kind], rest].concat();
    [
        key(0, &[]),
        key(1, tenant.as_bytes()),
        key(2, topic.as_bytes()),
        key(3, &of_tenant(tenant, topic)),
        key(4, &endpoint.as_u128().to_be_bytes()),
    ]
}

/// Whether a change counts in a scope.
fn counts_in(change: &Change<'_>, scope: &StatisticsScope) -> bool {
    match scope {
        StatisticsScope::All => true,
        StatisticsScope::Tenant(tenant) => tenant.as_str() == change.tenant,
        StatisticsScope::Topic(topic) => topic.as_str() == change.topic,
        StatisticsScope::TopicOfTenant(tenant, topic) => {
            tenant.as_str() == change.tenant && topic.as_str() == change.topic
        }
        StatisticsScope::Endpoint(endpoint) => *endpoint == change.endpoint,
    }
}

impl Tables<'_> {
    /// Adds all changes from this number on to what is counted.
    pub(super) fn fold(&mut self, from: u64) -> Result<(), Failure> {
        let mut together: HashMap<Together, Differences> = HashMap::new();
        let mut now = UnixMs(0);
        changes::visit(&self.changes, from, |_, change| {
            together.entry(Together::of(change)).or_default().apply(change);
            now = now.max(change.at);
            true
        })?;
        let mut scopes: HashMap<Vec<u8>, Differences> = HashMap::new();
        for (Together { tenant, topic, endpoint }, differences) in together {
            for key in keys_of(&tenant, &topic, endpoint) {
                scopes.entry(key).or_default().add(&differences);
            }
        }
        let mut tallies = BTreeMap::new();
        for (scope, Differences { tallies: of_scope, standing }) in scopes {
            self.add_standing(&scope, standing)?;
            for ((kind, beginning), tally) in of_scope {
                tallies.insert((kind, beginning, scope.clone()), tally);
            }
        }
        for ((kind, beginning, scope), difference) in tallies {
            self.add_tally((kind, beginning, &scope), &difference)?;
        }
        self.remove_old(now)
    }

    fn add_tally(&mut self, key: (u8, u64, &[u8]), difference: &Tally) -> Result<(), Failure> {
        let stored = self.statistics.get(key)?.map(|row| codec::decode::<Tally>("statistics", row.value()));
        let mut sum = stored.transpose()?.unwrap_or_default();
        sum.add(difference);
        self.statistics.insert(key, codec::encode(&sum).as_slice())?;
        Ok(())
    }

    fn add_standing(&mut self, scope: &[u8], [a, b, c]: [i64; 3]) -> Result<(), Failure> {
        if [a, b, c] == [0; 3] {
            return Ok(());
        }
        let (x, y, z) = self.standing.get(scope)?.map_or((0, 0, 0), |row| row.value());
        match (x + a, y + b, z + c) {
            (0, 0, 0) => drop(self.standing.remove(scope)?),
            sum => drop(self.standing.insert(scope, sum)?),
        }
        Ok(())
    }

    fn remove_old(&mut self, now: UnixMs) -> Result<(), Failure> {
        for Stretch { kind, kept, .. } in STRETCHES {
            let none: &[u8] = &[];
            let old = (kind, 0, none)..(kind, now.0.saturating_sub(kept), none);
            for removed in self.statistics.extract_from_if(old, |_, _| true)?.take(MAX_REMOVED) {
                removed?;
            }
        }
        Ok(())
    }
}

/// Counts what stands in a store of a format that did not count.
pub(super) fn begin(transaction: &WriteTransaction) -> Result<(), Failure> {
    let mut tables = Tables::open(transaction)?;
    let mut waiting = Vec::new();
    for row in tables.queue.iter()? {
        let (_, _, event, ordinal) = row?.0.value();
        waiting.push(delivery_id(event, ordinal));
    }
    for row in tables.holds.iter()? {
        let (_, _, event, ordinal) = row?.0.value();
        waiting.push(delivery_id(event, ordinal));
    }
    let mut scopes: HashMap<Vec<u8>, Differences> = HashMap::new();
    for id in waiting {
        let row = rows::indexed_delivery(&tables.deliveries, id)?;
        let Some(event) = tables.events.get(id.event.as_u128())? else { continue };
        let event = EventRow::parse(event.value())?;
        for key in keys_of(event.tenant(), event.topic(), row.endpoint) {
            scopes.entry(key).or_default().stand(Some(row.state.status()), 1);
        }
    }
    scopes.iter().try_for_each(|(scope, counted)| tables.add_standing(scope, counted.standing))
}

/// See [`crate::store::Store::statistics`].
pub(super) fn read(
    transaction: &ReadTransaction,
    scope: &StatisticsScope,
    now: UnixMs,
) -> Result<Statistics, Failure> {
    let key = key_of(scope);
    let recent = recent(transaction, scope)?;
    let stored = transaction.open_table(STATISTICS)?;
    let mut windows = Vec::with_capacity(Window::ALL.len());
    let mut last_error = None;
    for window in Window::ALL {
        let stretch = window.stretch();
        let since = stretch.beginning(now.before(window.length()));
        let mut sum = Tally::default();
        for beginning in (since..=now.0).step_by(usize::try_from(stretch.length).unwrap_or(usize::MAX)) {
            let place = (stretch.kind, beginning, key.as_slice());
            if let Some(row) = stored.get(place)? {
                sum.add(&codec::decode("statistics", row.value())?);
            }
        }
        for ((kind, beginning), tally) in &recent.tallies {
            if *kind == stretch.kind && (since..=now.0).contains(beginning) {
                sum.add(tally);
            }
        }
        last_error = last_error.max(sum.last_error);
        windows.push((window, UnixMs(since), sum));
    }
    let (pending, retrying, held) =
        transaction.open_table(STANDING)?.get(key.as_slice())?.map_or((0, 0, 0), |row| row.value());
    let [more_pending, more_retrying, more_held] = recent.standing;
    Ok(Statistics {
        windows,
        standing: Standing {
            pending: count(pending + more_pending),
            retrying: count(retrying + more_retrying),
            held: count(held + more_held),
        },
        last_error: last_error.map(|error| failed_attempt(transaction, error)).transpose()?.flatten(),
    })
}

/// What is in the journal of a scope and not folded yet.
fn recent(transaction: &ReadTransaction, scope: &StatisticsScope) -> Result<Differences, Failure> {
    let folded_below = transaction.open_table(META)?.get(META_FOLDED_BELOW)?.map(|row| row.value());
    let from = folded_below.and_then(|below| u64::try_from(below).ok()).unwrap_or(1);
    let mut recent = Differences::default();
    changes::visit(&transaction.open_table(CHANGES)?, from, |_, change| {
        if counts_in(change, scope) {
            recent.apply(change);
        }
        true
    })?;
    Ok(recent)
}

fn failed_attempt(transaction: &ReadTransaction, error: LastError) -> Result<Option<FailedAttempt>, Failure> {
    let (event, ordinal) = delivery_key(error.delivery);
    let Some(row) = transaction.open_table(ATTEMPTS)?.get((event, ordinal, error.attempt))? else {
        return Ok(None);
    };
    let attempt: Attempt = codec::decode("attempts", row.value())?;
    Ok(Some(FailedAttempt { at: error.at, delivery: error.delivery, attempt }))
}

fn count(sum: i64) -> u64 {
    u64::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::changes::{Journal, parse};
    use super::super::codec::{DeliveryRow, LastAttempt, event_header};
    use super::*;
    use crate::model::{DeliveryState, EnvelopeCache, Event, EventKey, FailReason, TenantId};
    use crate::store::conformance::fixtures::{T0, at, endpoint_id, nth};

    fn row(state: DeliveryState, at: UnixMs, attempts: u16) -> DeliveryRow {
        let mut row = DeliveryRow {
            endpoint: endpoint_id(1),
            state: DeliveryState::Pending,
            attempts,
            created_at: T0,
            due_at: None,
            finished_at: None,
            plugins: Vec::new(),
            has_custom: false,
            last: Some(LastAttempt { status: Some(500), took: Duration::from_millis(5) }),
            schedule_from: 0,
            entered_at: None,
        };
        row.enter(state, None, at);
        row
    }

    fn header() -> Vec<u8> {
        let event = Event {
            key: EventKey::new(T0, 1),
            id: EventKey::new(T0, 1).into(),
            tenant: TenantId::default(),
            topic: "a/b".parse().unwrap(),
            timestamp: codec::timestamp_of(T0),
            accepted_at: T0,
            data: "1".into(),
            test_of: None,
            trace: None,
            envelope: EnvelopeCache::default(),
        };
        event_header(&event, false, false)
    }

    /// What is counted of a delivery that is stored as these rows, one after the other.
    fn counted(rows: &[DeliveryRow]) -> Differences {
        let header = header();
        let event = EventRow::parse(&header).unwrap();
        let mut journal = Journal::default();
        let befores = std::iter::once(None).chain(rows.iter().map(Some));
        for (before, after) in befores.zip(rows) {
            journal.note(nth(EventKey::new(T0, 1), 0), before, after, &event);
        }
        let mut counted = Differences::default();
        for change in parse(&journal.row()) {
            counted.apply(&change.unwrap());
        }
        counted
    }

    #[test]
    fn a_delivery_that_is_sent_again_counts_where_it_ends_last() {
        let failed = DeliveryState::Failed(FailReason::Exhausted);
        let again = [
            row(failed, at(10), 1),
            row(DeliveryState::Pending, at(4_000), 1),
            row(DeliveryState::Delivered, at(8_000), 2),
        ];
        let ends = |counted: &Differences| -> Vec<_> {
            let hours = counted.tallies.iter().filter(|((kind, _), _)| *kind == 1);
            hours.map(|(_, tally)| (tally.failed, tally.delivered, tally.latencies.count())).collect()
        };
        let once = counted(&again[..1]);
        assert_eq!((ends(&once), once.standing), (vec![(1, 0, 1)], [0; 3]));
        let waits = counted(&again[..2]);
        assert_eq!((ends(&waits), waits.standing), (vec![(0, 0, 1), (0, 0, 0)], [1, 0, 0]));
        let twice = counted(&again);
        assert_eq!((ends(&twice), twice.standing), (vec![(0, 0, 1), (0, 0, 0), (0, 1, 1)], [0; 3]));
    }

    /// If this fails, the change that made it fail needs a new version of the row, and a reader of the old one.
    #[test]
    fn stored_bytes_never_change() {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let header = header();
        let mut journal = Journal::default();
        let (before, after) = (row(DeliveryState::Pending, T0, 1), row(DeliveryState::Delivered, at(1), 2));
        let event = EventRow::parse(&header).unwrap();
        journal.note(nth(EventKey::new(T0, 1), 3), Some(&before), &after, &event);
        assert_eq!(
            hex(&journal.row()),
            "01818080808080808080808080e4a1a1a18e0303818080808080808080808080e4a1a1a18e030764656661756c7403612f6201000002a8a49494e43101028827"
        );
        let mut tally = Tally { created: 1, delivered: 2, failed: -3, ..Tally::default() };
        tally.latencies.note(Duration::from_millis(5));
        tally.last_error = Some(LastError { at: T0, delivery: nth(EventKey::new(T0, 1), 3), attempt: 7 });
        assert_eq!(
            hex(&codec::encode(&tally)),
            "0102040500000001590201c09c9494e431818080808080808080808080e4a1a1a18e030307"
        );
        assert_eq!(codec::decode::<Tally>("statistics", &codec::encode(&tally)).unwrap(), tally);
        let topic = StatisticsScope::TopicOfTenant(TenantId::default(), "a/b".parse().unwrap());
        let keys = [StatisticsScope::All, StatisticsScope::Tenant(TenantId::default()), topic];
        assert_eq!(
            keys.each_ref().map(|scope| hex(&key_of(scope))),
            ["00", "0164656661756c74", "0364656661756c7400612f62"]
        );
        let of_delivery = keys_of("default", "a/b", endpoint_id(1));
        let endpoint = StatisticsScope::Endpoint(endpoint_id(1));
        let topic = StatisticsScope::Topic("a/b".parse().unwrap());
        for scope in keys.iter().chain([&topic, &endpoint]) {
            assert!(of_delivery.contains(&key_of(scope)), "{scope:?}");
        }
    }
}
