//! Files that were changed on the disk: what is delivered is what was accepted, or nothing; no panic leaves the store.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use redb::ReadableTable as _;

use std::collections::{HashMap, HashSet};

use super::workload::{LOG, TABLES, Workload};
use super::*;
use crate::model::{FailReason, Line, OrderId, Ordering};
use crate::store::conformance::fixtures::{custom_request, delivery, held_by, verdict};
use crate::store::redb::examine;
use crate::store::redb::faults::History;
use crate::store::redb::schema::Tables;
use crate::store::redb::writer::begin;
use crate::store::{
    DeliveryFilter, DueInOrder, EventFilter, FanOut, Lookout, NewDelivery, StatisticsScope, Verdict,
};

const PAGE: usize = 4096;

/// How a file is changed.
fn corrupt(bytes: &mut Vec<u8>, random: &mut StdRng) -> &'static str {
    if bytes.is_empty() {
        bytes.extend_from_slice(b"something else");
        return "written to";
    }
    let at = random.random_range(0..bytes.len());
    let page = at / PAGE * PAGE;
    let end = (page + PAGE).min(bytes.len());
    match random.random_range(0..6) {
        0 => {
            bytes[at] ^= 1 << random.random_range(0..8);
            "a bit flipped"
        }
        1 => {
            for _ in 0..random.random_range(2..40) {
                let at = random.random_range(0..bytes.len());
                bytes[at] = random.random();
            }
            "bytes changed"
        }
        2 => {
            bytes[page..end].fill(0);
            "a page zeroed"
        }
        3 => {
            bytes.truncate(at);
            "cut off"
        }
        4 => {
            let other = random.random_range(0..bytes.len()) / PAGE * PAGE;
            let length = (end - page).min(bytes.len() - other);
            let copy = bytes[other..other + length].to_vec();
            bytes.copy_within(page..page + length, other);
            bytes[page..page + length].copy_from_slice(&copy);
            "two pages swapped"
        }
        _ => {
            let garbage: Vec<u8> = (0..random.random_range(1..9_000)).map(|_| random.random()).collect();
            bytes.extend(garbage);
            "something appended"
        }
    }
}

/// The files of a store that was killed or closed, with what it was sent.
struct Files {
    files: [Vec<u8>; 2],
    payloads: HashSet<bytes::Bytes>,
}

async fn files(seed: u64, is_closed: bool) -> Files {
    let disks = vec![Disk::default(), Disk::default()];
    let mut workload = Workload::begin(disks.clone(), History::default(), seed).unwrap();
    workload.go_on(60).await.unwrap();
    if is_closed {
        workload.store().close().unwrap();
    } else {
        accept(workload.store(), new_event()).await;
    }
    let mut payloads = workload.stop().into_payloads();
    payloads.insert(new_event().data);
    Files { files: [disks[TABLES].after_kill(), disks[LOG].after_kill()], payloads }
}

/// What came of it.
#[derive(Debug, Default)]
struct Outcome {
    refused: usize,
    opened: usize,
    refused_reads: usize,
    /// In which the doctor finds nothing wrong: what was changed lies in no page that is used.
    examined: usize,
}

/// Opens the files as a gateway does, reads all that could be delivered, and looks at them as the doctor does.
async fn open_and_read(files: &Files, changed: &[Vec<u8>; 2], place: &str, outcome: &mut Outcome) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hookway.redb");
    std::fs::write(&path, &changed[TABLES]).unwrap();
    std::fs::write(path.with_extension("wal"), &changed[LOG]).unwrap();
    let diagnosis = examine(&path, &OPTIONS, &mut |_, _| {});
    assert!(std::fs::read(&path).unwrap() == changed[TABLES], "{place}: the doctor changed it");
    let options = Options { linger_ms: 50, ..OPTIONS };
    let store = match RedbStore::open(&path, vault(), clock(), &options) {
        Ok(store) => store,
        Err(Error::Unusable(sentence)) => {
            assert!(sentence.contains("hookway.redb"), "{place}: {sentence}");
            outcome.refused += 1;
            return;
        }
        Err(other) => panic!("{place}: not a sentence: {other}: {other:?}"),
    };
    outcome.opened += 1;
    let mut undispatched = Vec::new();
    match store.undispatched(None, 10_000).await {
        Ok(events) => undispatched = events,
        Err(_) => outcome.refused_reads += 1,
    }
    let endpoints = (1..=8).map(endpoint_id);
    for endpoint in endpoints {
        match store.due(endpoint, UnixMs(u64::MAX), 10_000).await {
            Ok(due) => undispatched.extend(due.jobs.into_iter().map(|job| job.event)),
            Err(_) => outcome.refused_reads += 1,
        }
    }
    for event in undispatched {
        assert!(files.payloads.contains(&event.data), "{place}: wrong bytes of {}", event.id);
    }
    // Whether or not it can: it says so, and nothing panics in here.
    let _ = store.accept(vec![new_event()]).await;
    let _ = store.close();
    if let Ok(diagnosis) = diagnosis {
        outcome.examined += usize::from(diagnosis.problems.is_empty());
    }
}

async fn check(seed: u64, corruptions: usize) -> Outcome {
    let mut random = StdRng::seed_from_u64(seed);
    let stores = [files(seed, false).await, files(seed ^ 1, true).await];
    let mut outcome = Outcome::default();
    for number in 0..corruptions {
        let files = &stores[number % 2];
        let mut changed = files.files.clone();
        let of = if number % 3 == 2 { LOG } else { TABLES };
        let how = corrupt(&mut changed[of], &mut random);
        let place = format!("seed {seed}, number {number}: {how}, file {of}");
        open_and_read(files, &changed, &place, &mut outcome).await;
    }
    outcome
}

#[tokio::test]
async fn of_files_that_were_changed_nothing_wrong_is_delivered() {
    let seed = rand::random();
    let outcome = check(seed, 60).await;
    assert!(outcome.refused > 0 && outcome.opened > 0, "seed {seed}: {outcome:?}");
}

/// What `cargo xtask soak corruption` runs.
#[tokio::test]
#[ignore = "takes a minute"]
async fn soak() {
    let seed = super::soak_number("SEED").unwrap_or_else(rand::random);
    let corruptions = usize::try_from(super::soak_number("COUNT").unwrap_or(500)).unwrap();
    println!("seed {seed}: repeat with --seed {seed}");
    let outcome = check(seed, corruptions).await;
    println!(
        "{corruptions} changed files: {} refused with a sentence, {} opened ({} reads refused; in {} the doctor finds \
         nothing wrong), 0 wrong payloads, 0 panics",
        outcome.refused, outcome.opened, outcome.refused_reads, outcome.examined
    );
}

fn is_damaged(state: &DeliveryState) -> bool {
    matches!(state, DeliveryState::Failed(FailReason::Damaged { message }) if message.contains("changed on the disk"))
}

/// A store in memory of whose event, and the deliveries of it, rows are not what was written.
async fn damaged(
    change: impl FnOnce(&mut Tables<'_>, EventKey),
    deliveries: Vec<NewDelivery>,
) -> (RedbStore, EventKey) {
    let store = RedbStore::in_memory(clock(), &OPTIONS);
    store.create_endpoint(ordered_endpoint(), audit("endpoint.created")).await.unwrap();
    let event = accept(&store, new_event()).await.key;
    if !deliveries.is_empty() {
        store.fan_out(FanOut { event, at: T0, deliveries, durable: true }).await.unwrap();
    }
    let changed = store.shared.with(|database| {
        let transaction = begin(database)?;
        change(&mut Tables::open(&transaction)?, event);
        Ok(transaction.commit()?)
    });
    changed.unwrap();
    (store, event)
}

fn ordered_endpoint() -> Endpoint {
    Endpoint { ordering: Ordering::Fifo, ..endpoint(2, "https://example.com/2") }
}

/// Changes the last byte of the event.
fn of_event(tables: &mut Tables<'_>, event: EventKey) {
    let mut row = tables.events.get(event.as_u128()).unwrap().unwrap().value().to_vec();
    *row.last_mut().unwrap() ^= 1;
    tables.events.insert(event.as_u128(), row.as_slice()).unwrap();
}

/// Makes the row of its delivery one that nobody can read.
fn of_delivery(tables: &mut Tables<'_>, event: EventKey) {
    tables.deliveries.insert((event.as_u128(), 0), [9, 9].as_slice()).unwrap();
}

/// Makes the row of the request that a transform made another one.
fn of_custom(tables: &mut Tables<'_>, event: EventKey) {
    let mut row = tables.custom.get((event.as_u128(), 0)).unwrap().unwrap().value().to_vec();
    *row.last_mut().unwrap() ^= 1;
    tables.custom.insert((event.as_u128(), 0), row.as_slice()).unwrap();
}

#[tokio::test]
async fn whatever_of_it_was_changed_a_delivery_that_waits_ends_and_those_behind_it_go_on() {
    let shaped = Verdict { custom: Some(custom_request()), ..verdict(DeliveryState::Pending, None) };
    let shaped = || NewDelivery { verdict: shaped.clone(), ..pending(endpoint_id(1)) };
    type Change = fn(&mut Tables<'_>, EventKey);
    let changes: [Change; 3] = [of_event, of_delivery, of_custom];
    for change in changes {
        let (store, event) = damaged(change, vec![shaped()]).await;
        let good = dispatched(&store, new_event(), vec![pending(endpoint_id(1))]).await;
        let due = store.due(endpoint_id(1), T0, 9).await.unwrap();
        assert_eq!(due.jobs.iter().map(|job| job.delivery).collect::<Vec<_>>(), [nth(good, 0)]);
        let row = store.deliveries(DeliveryFilter::default(), None, 9).await.unwrap().rows.swap_remove(1);
        assert_eq!(row.delivery.id, nth(event, 0));
        let DeliveryState::Failed(FailReason::Damaged { .. }) = row.delivery.state else { panic!("{row:?}") };
        assert_eq!(store.backlog(&TenantId::default()).deliveries, 1, "it waits no longer");
        assert_eq!(store.statistics(StatisticsScope::All, T0).await.unwrap().standing.pending, 1);
    }
}

#[tokio::test]
async fn one_that_was_changed_holds_up_neither_its_order_nor_what_plugins_held() {
    let line = Line { order: OrderId::WHOLE, key: 0 };
    type Change = fn(&mut Tables<'_>, EventKey);
    let changes: [Change; 2] = [of_event, of_delivery];
    for change in changes {
        let first = NewDelivery { line: Some(line), ..pending(endpoint_id(2)) };
        let (store, _) = damaged(change, vec![first.clone()]).await;
        let good = dispatched(&store, new_event(), vec![first]).await;
        let lookout =
            || Lookout { order: OrderId::WHOLE, after: None, known: HashMap::new(), passed: HashSet::new() };
        store.index_order(endpoint_id(2), OrderId::WHOLE, None, 9).await.unwrap();
        let mut jobs = Vec::new();
        for _ in 0..2 {
            if let DueInOrder::Due(found) =
                store.due_in_order(endpoint_id(2), lookout(), T0, 9).await.unwrap()
            {
                jobs.extend(found.jobs.into_iter().map(|job| job.delivery));
            }
        }
        assert_eq!(jobs, [nth(good, 0)]);

        let held = || delivery(endpoint_id(1), held_by("p"), Some(T0));
        let (store, event) = damaged(change, vec![held()]).await;
        let good = dispatched(&store, new_event(), vec![held()]).await;
        let holds = store.plugin_holds(T0, None, None, 1).await.unwrap();
        assert_eq!(holds.iter().map(|hold| hold.delivery.id).collect::<Vec<_>>(), [nth(good, 0)]);
        let found = store.deliveries(DeliveryFilter::default(), None, 9).await.unwrap().rows;
        assert!(found.iter().any(|row| row.delivery.id == nth(event, 0) && row.delivery.state.is_final()));
    }
}

#[tokio::test]
async fn an_event_that_was_changed_before_it_was_dispatched_holds_up_no_other() {
    let (store, event) = damaged(of_event, Vec::new()).await;
    let good = accept(&store, new_event()).await.key;
    let waiting = store.undispatched(None, 1).await.unwrap();
    assert_eq!(waiting.iter().map(|event| event.key).collect::<Vec<_>>(), [good]);
    assert!(store.undispatched(Some(good), 9).await.unwrap().is_empty());
    store.fan_out(FanOut { event: good, at: T0, deliveries: Vec::new(), durable: true }).await.unwrap();
    let lost = store.event(&TenantId::default(), &event.into()).await.unwrap_err();
    assert!(lost.to_string().contains("changed on the disk"), "{lost}");
}

/// The control: without checksums, bytes that were changed would be delivered.
#[tokio::test]
async fn what_is_changed_in_a_payload_is_not_delivered_and_all_else_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hookway.redb");
    let store = RedbStore::open(&path, vault(), clock(), &OPTIONS).unwrap();
    let [changed, other] = ["\"a payload to be changed\"", "\"a payload that stays\""];
    for data in [changed, other] {
        let event = NewEvent { data: data.into(), ..new_event() };
        dispatched(&store, event, vec![pending(endpoint_id(u128::from(data == other)))]).await;
    }
    store.close().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let places: Vec<_> = memchr::memmem::find_iter(&bytes, changed.as_bytes()).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| bytes[at + 3] ^= 1);
    std::fs::write(&path, &bytes).unwrap();

    let store = RedbStore::open(&path, vault(), clock(), &OPTIONS).unwrap();
    let none = store.due(endpoint_id(0), T0, 9).await.unwrap();
    assert!(none.jobs.is_empty() && none.next.is_none(), "{none:?}");
    let due = store.due(endpoint_id(1), T0, 9).await.unwrap();
    assert_eq!(due.jobs[0].event.data, other);
    // It is over, everybody sees why, and nothing waits behind it.
    let failed = DeliveryFilter { state: Some(DeliveryStatus::Failed), ..DeliveryFilter::default() };
    let listed = store.deliveries(failed, None, 9).await.unwrap().rows;
    assert_eq!(listed.len(), 1);
    assert!(is_damaged(&listed[0].delivery.state), "{listed:?}");
    assert_eq!(store.backlog(&TenantId::default()).deliveries, 1);
    let events = store.events(EventFilter::default(), None, 9).await.unwrap().events;
    let data: Vec<_> = events.iter().map(|record| record.event.data.clone()).collect();
    assert_eq!(data, [other, ""], "of the one that was changed, nothing that it had");
    let refused = store.delivery(listed[0].delivery.id).await.unwrap_err();
    assert!(matches!(refused, Error::Damaged(_)), "{refused:?}");
    store.close().unwrap();
    let problems = examine(&path, &OPTIONS, &mut |_, _| {}).unwrap().problems;
    let said: Vec<_> = problems.iter().map(|problem| problem.sentence.as_str()).collect();
    assert!(said[0].starts_with("pages of hookway.redb were changed"), "{said:?}");
    assert!(said.iter().any(|said| said.starts_with("1 row of `events` cannot be read")), "{said:?}");
    assert!(problems.iter().any(|problem| !problem.is_repairable));
}
