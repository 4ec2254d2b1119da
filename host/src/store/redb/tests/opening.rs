//! Opening a store: how little of it is read, and that what is found is what was left; and which time it is then.

use std::time::Duration;

use bytes::Bytes;
use redb::{ReadableTable as _, ReadableTableMetadata as _};

use super::*;
use crate::model::Event;
use crate::store::conformance::fixtures::at;
use crate::store::redb::codec::roster::Roster;
use crate::store::redb::schema::Tables;
use crate::store::redb::writer::begin;
use crate::store::redb::{inspect, open, repairing};
use crate::store::{FinishedAttempt, Retention as _, Retire};

const MIB: usize = 1 << 20;
/// With what it takes up in its page a quarter of a MiB.
const PAYLOAD: usize = 200 << 10;
const EVENTS: usize = 320;
/// Accepted in one commit.
const BATCH: usize = 16;
/// What opening may read, whatever there is.
const MOST: usize = 32 * MIB;

type Keys = BTreeSet<EventKey>;

fn opened(disk: &Disk) -> (RedbStore, Disk) {
    let disk = Disk::holding(disk.after_power_loss());
    (on(&disk).unwrap(), disk)
}

/// The database alone, and how much redb reads to open it: where it is built with assertions, all that there is.
fn alone(disk: &Disk) -> (Database, usize) {
    let disk = Disk::holding(disk.after_power_loss());
    let database = open::backend(disk.clone(), &OPTIONS).unwrap();
    (database, disk.bytes_read())
}

async fn accept_all(store: &RedbStore, events: usize, payload: usize) -> Vec<EventKey> {
    let data = Bytes::from(format!("\"{}\"", "x".repeat(payload)));
    let mut keys = Vec::with_capacity(events);
    for first in (0..events).step_by(BATCH) {
        let tenant = |n: usize| ["acme", "globex"][n % 2].parse().unwrap();
        let new = |n| NewEvent { tenant: tenant(n), data: data.clone(), ..new_event() };
        let accepted = store.accept((first..events.min(first + BATCH)).map(new).collect()).await.unwrap();
        keys.extend(accepted.iter().map(|accepted| accepted.event.key));
    }
    keys
}

async fn deliver(store: &RedbStore, keys: impl IntoIterator<Item = EventKey>) {
    let done = keys.into_iter().flat_map(|event| {
        let deliveries = vec![pending(endpoint_id(1))];
        let fanned_out = store.fan_out(FanOut { event, at: T0, deliveries, durable: false });
        let finished = store.finish_attempt(delivered(nth(event, 0), 1));
        [fanned_out, Box::pin(async { finished.await.map(drop) })]
    });
    for done in done.collect::<Vec<_>>() {
        done.await.unwrap();
    }
}

async fn waiting(store: &RedbStore) -> Keys {
    let mut found = Keys::new();
    loop {
        let page: Vec<std::sync::Arc<Event>> =
            store.undispatched(found.last().copied(), 1_000).await.unwrap();
        if page.is_empty() {
            return found;
        }
        found.extend(page.iter().map(|event| event.key));
    }
}

/// What waits of each tenant, as it counts.
fn backlogs(store: &RedbStore) -> [(u64, u64); 2] {
    ["acme", "globex"].map(|tenant| {
        let backlog = store.backlog(&tenant.parse().unwrap());
        (backlog.deliveries, backlog.bytes)
    })
}

fn in_tables<T>(store: &RedbStore, work: impl FnOnce(&mut Tables<'_>) -> T) -> T {
    let worked = store.shared.with(|database| {
        let transaction = begin(database)?;
        let worked = work(&mut Tables::open(&transaction)?);
        transaction.commit()?;
        Ok(worked)
    });
    worked.unwrap()
}

fn rosters(store: &RedbStore) -> u64 {
    in_tables(store, |tables| tables.rosters.len().unwrap())
}

#[tokio::test]
async fn opening_reads_little_of_large_events_whether_they_wait_or_are_over() {
    for over in [0, 1, EVENTS - 1, EVENTS] {
        let disk = Disk::default();
        let store = on(&disk).unwrap();
        let keys = accept_all(&store, EVENTS, PAYLOAD).await;
        // Of those that wait the first is the oldest.
        for part in keys[EVENTS - over..].chunks(BATCH) {
            deliver(&store, part.iter().copied()).await;
        }
        let expected = backlogs(&store);
        drop(store);
        assert!(disk.after_power_loss().len() > 2 * MOST, "there is much more");
        let (database, before) = alone(&disk);
        let (reopened, disk) = opened(&disk);
        let read = disk.bytes_read() - before;
        drop(database);
        assert!(read < MOST, "{} MiB were read where {over} are over", read / MIB);
        assert_eq!(backlogs(&reopened), expected);
        assert_eq!(reopened.undispatched(None, 1).await.unwrap().len(), usize::from(over < EVENTS));
    }
}

/// A store with more events that wait than are read, some of which were dispatched since that was written down; which wait.
async fn far_behind() -> (Disk, RedbStore, Keys) {
    let disk = Disk::default();
    let store = on(&disk).unwrap();
    let mut keys = accept_all(&store, 10_000, 10).await;
    assert!(rosters(&store) >= 2);
    let at_once: Vec<_> =
        [9_000, 5_000, 1].map(|n| keys.remove(n)).into_iter().chain(keys.drain(..500)).collect();
    deliver(&store, at_once).await;
    (disk, store, keys.into_iter().collect())
}

#[tokio::test]
async fn what_waits_is_the_same_after_each_start() {
    let (mut disk, store, keys) = far_behind().await;
    let expected = backlogs(&store);
    drop(store);
    for _ in 0..2 {
        let store;
        (store, disk) = opened(&disk);
        assert_eq!((waiting(&store).await, backlogs(&store)), (keys.clone(), expected));
        let findings = in_tables(&store, |tables| inspect::inspect(tables, &mut |_| {}).unwrap());
        assert_eq!(findings.sentences(), []);
    }
    let (store, _) = opened(&disk);
    deliver(&store, keys).await;
    accept(&store, new_event()).await;
    assert_eq!((waiting(&store).await.len(), rosters(&store)), (1, 0), "they go with what they are about");
}

#[tokio::test]
async fn what_is_lost_of_what_was_written_down_is_found_in_the_events() {
    type Loss = fn(&mut Tables<'_>);
    let losses: [Loss; 3] = [
        |tables| _ = tables.rosters.pop_first().unwrap(),
        |tables| _ = tables.rosters.pop_last().unwrap(),
        |tables| {
            let (first, mut row) = tables
                .rosters
                .first()
                .unwrap()
                .map(|(first, row)| (first.value(), row.value().to_vec()))
                .unwrap();
            *row.last_mut().unwrap() ^= 1;
            tables.rosters.insert(first, row.as_slice()).unwrap();
        },
    ];
    let (disk, store, keys) = far_behind().await;
    let expected = backlogs(&store);
    drop(store);
    for lose in losses {
        let (store, disk) = opened(&disk);
        in_tables(&store, lose);
        drop(store);
        let (store, _) = opened(&disk);
        assert_eq!((waiting(&store).await, backlogs(&store)), (keys.clone(), expected));
    }
}

#[tokio::test]
async fn what_was_written_down_wrongly_is_found_and_made_anew() {
    let (disk, store, keys) = far_behind().await;
    let expected = backlogs(&store);
    in_tables(&store, |tables| {
        let (first, mut roster) = tables
            .rosters
            .last()
            .unwrap()
            .map(|(first, row)| (first.value(), Roster::decode(row.value()).unwrap()))
            .unwrap();
        roster.waiting[0].1.bytes += 1;
        tables.rosters.insert(first, Roster::encode(roster.end, &roster.waiting).as_slice()).unwrap();
        let findings = inspect::inspect(tables, &mut |_| {}).unwrap();
        assert!(findings.has("rosters") && findings.sentences()[0].1, "{:?}", findings.sentences());
        repairing::repair(tables, &findings).unwrap();
        assert_eq!(inspect::inspect(tables, &mut |_| {}).unwrap().sentences(), []);
    });
    drop(store);
    let (store, _) = opened(&disk);
    assert_eq!((waiting(&store).await, backlogs(&store)), (keys, expected));
}

#[tokio::test]
async fn an_event_that_is_written_down_stays_until_nothing_is_written_of_it() {
    let (disk, store, keys) = far_behind().await;
    let (mut retired, mut next) = (0, Some(EventKey::from_u128(0)));
    while let Some(from) = next {
        let all = Retire { from, before: EventKey::from_u128(u128::MAX), cut: true, overhead: None };
        let part = store.retire(all).await.unwrap();
        (retired, next) = (retired + part.events, part.next);
    }
    assert_eq!(retired, 502, "one that is over stays among those that are written down");
    drop(store);
    let (store, _) = opened(&disk);
    assert_eq!(waiting(&store).await, keys, "none waits that is gone");
}

#[tokio::test]
async fn an_event_that_is_gone_holds_up_nothing() {
    let (disk, store, mut keys) = far_behind().await;
    let gone = keys.pop_first().unwrap();
    in_tables(&store, |tables| drop(tables.events.remove(gone.as_u128()).unwrap()));
    drop(store);
    let (store, _) = opened(&disk);
    assert_eq!(waiting(&store).await, keys);
    assert_eq!(store.undispatched(None, 1).await.unwrap()[0].key, *keys.first().unwrap());
}

/// Opens it with a clock that shows this.
fn opened_at(disk: &Disk, now: UnixMs) -> RedbStore {
    let disk = Disk::holding(disk.after_power_loss());
    RedbStore::with_backend(disk, vault(), Clock::starting_at(now), &OPTIONS).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_back_goes_on_from_what_is_stored() {
    let disk = Disk::default();
    let store = on(&disk).unwrap();
    assert_eq!(store.clock().now(), T0, "an empty store says nothing");
    store.create_endpoint(endpoint(1, "https://example.com/1"), audit("endpoint.created")).await.unwrap();
    let day = 24 * 3_600;
    let event =
        dispatched(&store, NewEvent { received_at: at(day), ..new_event() }, vec![pending(endpoint_id(1))])
            .await;
    let failed = retrying(nth(event, 0), 1, at(day + 100));
    store.finish_attempt(FinishedAttempt { at: at(day + 40), ..failed }).await.unwrap();
    drop(store);
    let back = opened_at(&disk, T0);
    assert_eq!(back.clock().now(), at(day + 40), "the attempt was the last");
    assert!(back.due(endpoint_id(1), back.clock().now(), 1).await.unwrap().jobs.is_empty(), "never early");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(back.due(endpoint_id(1), back.clock().now(), 1).await.unwrap().jobs.len(), 1, "and not late");
    assert_eq!(opened_at(&disk, at(2 * day)).clock().now(), at(2 * day), "it went on");
    let off = UnixMs(T0.0 - 40 * 86_400_000);
    assert_eq!(
        opened_at(&disk, off).clock().now(),
        off,
        "no clock is set by so much: what is stored may be damaged"
    );
}
