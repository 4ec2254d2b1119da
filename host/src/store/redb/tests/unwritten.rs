//! Deliveries that are made and end in one transaction: written once, and the same for whoever asks as if they had waited.

use std::sync::Arc;

use bytes::Bytes;
use redb::{ReadableDatabase as _, ReadableTableMetadata as _};

use super::*;
use crate::model::{AttemptOutcome, CustomRequest};
use crate::store::conformance::fixtures::custom_request;
use crate::store::redb::Flush;
use crate::store::redb::schema::{ATTEMPTS, CUSTOM, DELIVERIES, ENDPOINT_LOG, QUEUE};
use crate::store::{Backlog, FinishedAttempt};

/// A store that commits practically never by itself.
fn lingering(disk: &Disk) -> RedbStore {
    let options = Options { linger_ms: 3_600_000, ..OPTIONS };
    RedbStore::with_backends(disk.clone(), Disk::default(), vault(), clock(), &options).unwrap()
}

/// Fans an event out to an endpoint and finishes attempts of it, all in one transaction.
async fn in_one_transaction(
    store: &RedbStore,
    attempts: impl FnOnce(EventKey) -> Vec<FinishedAttempt>,
) -> EventKey {
    let event = accept(store, new_event()).await.key;
    let deliveries = vec![pending(endpoint_id(1))];
    let fanned_out = store.fan_out(FanOut { event, at: T0, deliveries, durable: false });
    let finished: Vec<_> = attempts(event).into_iter().map(|attempt| store.finish_attempt(attempt)).collect();
    // Whoever asks has all before it committed.
    let _committed = store.event(&TenantId::default(), &event.into()).await.unwrap();
    fanned_out.await.unwrap();
    for recorded in finished {
        recorded.await.unwrap();
    }
    event
}

/// How many rows there are of deliveries, of what waits and of what an endpoint got.
fn rows(disk: &Disk) -> [u64; 3] {
    let database = Database::builder().create_with_backend(Disk::holding(disk.after_power_loss())).unwrap();
    let transaction = database.begin_read().unwrap();
    let deliveries = transaction.open_table(DELIVERIES).unwrap().len().unwrap();
    let queue = transaction.open_table(QUEUE).unwrap().len().unwrap();
    let of_endpoint = transaction.open_table(ENDPOINT_LOG).unwrap().len().unwrap();
    [deliveries, queue, of_endpoint]
}

async fn changes(store: &RedbStore) -> Vec<&'static str> {
    let changed = store.changed(DeliveryFilter::default(), 0, 100).await.unwrap();
    changed.rows.iter().map(|(_, row)| row.delivery.state.name()).collect()
}

#[tokio::test]
async fn one_that_ends_at_once_never_waits_and_is_one_change() {
    let disk = Disk::default();
    let store = lingering(&disk);
    let event = in_one_transaction(&store, |event| vec![delivered(nth(event, 0), 1)]).await;
    assert_eq!(rows(&disk), [1, 0, 1]);
    assert_eq!(*store.latest_change().borrow(), 1);
    assert_eq!(changes(&store).await, ["delivered"]);
    let record = store.delivery(nth(event, 0)).await.unwrap().unwrap();
    assert_eq!(record.attempts.len(), 1);
    let counted = store.statistics(StatisticsScope::All, T0).await.unwrap();
    assert_eq!(counted.standing, Standing::default());
    let (_, _, hour) = &counted.windows[0];
    assert_eq!((hour.created, hour.delivered), (1, 1));
    assert_eq!(store.backlog(&TenantId::default()), Backlog::default());
}

#[tokio::test]
async fn one_that_is_tried_again_waits_when_the_transaction_ends_and_each_attempt_is_a_change() {
    let disk = Disk::default();
    let store = lingering(&disk);
    let twice = |event| vec![retrying(nth(event, 0), 1, T0), retrying(nth(event, 0), 2, T0)];
    let event = in_one_transaction(&store, twice).await;
    assert_eq!(rows(&disk), [1, 1, 1]);
    assert_eq!(*store.latest_change().borrow(), 2, "the first attempt is not lost behind the second");
    let due = store.due(endpoint_id(1), T0, 9).await.unwrap();
    assert_eq!((due.jobs.len(), due.jobs[0].attempts), (1, 2));
    assert_eq!(store.delivery(nth(event, 0)).await.unwrap().unwrap().attempts.len(), 2);
    assert_eq!(store.backlog(&TenantId::default()).deliveries, 1);
}

#[tokio::test]
async fn whoever_changes_what_waits_finds_it() {
    let disk = Disk::default();
    let store = lingering(&disk);
    let event = accept(&store, new_event()).await.key;
    let deliveries = vec![pending(endpoint_id(1)); 2];
    let fanned_out = store.fan_out(FanOut { event, at: T0, deliveries, durable: false });
    let cancelled = store.cancel_waiting(endpoint_id(1), T0, 9);
    let late = store.finish_attempt(delivered(nth(event, 0), 1));
    // Whoever asks has all before it committed.
    assert_eq!(changes(&store).await, ["cancelled", "delivered"]);
    fanned_out.await.unwrap();
    assert_eq!(cancelled.await.unwrap(), 2);
    assert!(late.await.unwrap().was_over);
    assert_eq!(rows(&disk), [2, 0, 2]);
}

/// Has what fan-outs and attempts put into the queue done and committed.
async fn committed(store: &RedbStore) {
    store.write(Flush).await.unwrap();
}

#[tokio::test]
async fn pages_are_filled_in_whichever_order_deliveries_are_made_and_end() {
    const EVENTS: usize = 600;
    let store = lingering(&Disk::default());
    let accepted = store.accept(vec![new_event(); EVENTS]).await.unwrap();
    // A step without a common divisor comes to each of them.
    let shuffled = |step: usize| (0..EVENTS).map(move |n| n * step % EVENTS);
    let body = Bytes::from(vec![b'x'; 500]);
    let custom = Arc::new(CustomRequest { body, ..CustomRequest::clone(&custom_request()) });
    for event in shuffled(7).map(|n| accepted[n].event.key) {
        let mut new = pending(endpoint_id(1));
        new.verdict.custom = Some(Arc::clone(&custom));
        drop(store.fan_out(FanOut { event, at: T0, deliveries: vec![new], durable: false }));
    }
    for event in shuffled(11).map(|n| accepted[n].event.key) {
        drop(store.finish_attempt(delivered(nth(event, 0), 1)));
    }
    committed(&store).await;
    let filled = |database: &Database| {
        let transaction = database.begin_read()?;
        let stats = [transaction.open_table(CUSTOM)?.stats()?, transaction.open_table(ATTEMPTS)?.stats()?];
        Ok(stats.map(|stats| (stats.stored_bytes(), stats.leaf_pages() * 4_096)))
    };
    for (stored, pages) in store.shared.with(filled).unwrap() {
        assert!(stored * 100 > pages * 80, "{stored} bytes in pages of {pages}");
    }
}

#[tokio::test]
async fn behind_one_that_takes_long_a_bounded_part_is_kept_and_all_are_there() {
    const DELIVERIES: u16 = 500;
    let disk = Disk::default();
    let store = lingering(&disk);
    let event = accept(&store, new_event()).await.key;
    let deliveries = vec![pending(endpoint_id(1)); usize::from(DELIVERIES)];
    drop(store.fan_out(FanOut { event, at: T0, deliveries, durable: false }));
    for ordinal in (1..DELIVERIES).rev() {
        let mut finished = delivered(nth(event, ordinal), 1);
        let answered = finished.attempt.as_mut().map(|attempt| &mut attempt.outcome);
        if let Some(AttemptOutcome::Answered { body, .. }) = answered {
            *body = vec![b'x'; 16 << 10].into();
        }
        drop(store.finish_attempt(finished));
    }
    committed(&store).await;
    assert_eq!(rows(&disk), [u64::from(DELIVERIES), 1, u64::from(DELIVERIES)]);
    assert_eq!(store.delivery(nth(event, 9)).await.unwrap().unwrap().attempts.len(), 1);
    drop(store.finish_attempt(delivered(nth(event, 0), 1)));
    committed(&store).await;
    assert_eq!(rows(&disk), [u64::from(DELIVERIES), 0, u64::from(DELIVERIES)]);
}
