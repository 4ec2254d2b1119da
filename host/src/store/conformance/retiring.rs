//! Rules of removal: what goes, what stays, and what is known of it afterwards.

use super::fixtures::{
    T0, accept, at, audit, custom_request, delivered, delivery, dispatched, endpoint, endpoint_id,
    event_with_id, held_by, new_event, nth, pending, retrying, tenant,
};
use crate::model::{
    DeliveryState, DeliveryStatus, EventKey, FilteredBy, Recovery, RecoveryId, RecoveryState, TenantId,
    Wanted,
};
use crate::store::{
    BacklogFull, DeliveryFilter, Error, EventFilter, FanOut, NewDelivery, NewEvent, Replay, Retire, Retired,
    Store, StoreFull, StoreSize, SweepPlace,
};

/// More than one part has.
const MANY: u64 = 1_500;

const END: EventKey = EventKey::from_u128(u128::MAX);

/// Removes what may go below a key, part by part.
async fn retire(store: &dyn Store, before: EventKey) -> Retired {
    let mut all = Retired::default();
    let mut from = EventKey::from_u128(0);
    loop {
        let part = store.retire(Retire { from, before, cut: true, overhead: None }).await.unwrap();
        all.events += part.events;
        all.deliveries += part.deliveries;
        all.bytes += part.bytes;
        all.kept += part.kept;
        match part.next {
            Some(next) => from = next,
            None => return all,
        }
    }
}

/// Of all that was answered.
async fn size(store: &dyn Store) -> StoreSize {
    store.events(EventFilter::default(), None, 1).await.unwrap();
    store.size().await.unwrap()
}

async fn sweep(store: &dyn Store) {
    let mut place = Some(SweepPlace::default());
    while let Some(at) = place {
        place = store.sweep(at, END, 3).await.unwrap();
    }
}

async fn events(store: &dyn Store) -> Vec<EventKey> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.events(EventFilter::default(), cursor, 250).await.unwrap();
        found.extend(page.events.iter().map(|record| record.event.key));
        cursor = page.next;
        if cursor.is_none() {
            found.reverse();
            return found;
        }
    }
}

async fn count(store: &dyn Store, filter: &DeliveryFilter) -> usize {
    let (mut found, mut cursor) = (0, None);
    loop {
        let page = store.deliveries(filter.clone(), cursor, 250).await.unwrap();
        found += page.rows.len();
        cursor = page.next;
        if cursor.is_none() {
            return found;
        }
    }
}

/// An event whose one delivery arrived.
async fn done(store: &dyn Store, new: NewEvent) -> EventKey {
    let event = dispatched(store, new, vec![pending(endpoint_id(1))]).await;
    store.finish_attempt(delivered(nth(event, 0), 1)).await.unwrap();
    event
}

/// Many events whose one delivery arrived, in parts of the log that are sealed, but for the newest.
async fn many(store: &dyn Store) -> Vec<EventKey> {
    let new = (0..MANY).map(|n| NewEvent { received_at: at(n), ..new_event() }).collect();
    let keys: Vec<_> = store.accept(new).await.unwrap().iter().map(|one| one.event.key).collect();
    let mut writes = Vec::new();
    for &event in &keys {
        let deliveries = vec![pending(endpoint_id(1))];
        writes.push(store.fan_out(FanOut { event, at: T0, deliveries, durable: false }));
    }
    for write in writes {
        write.await.unwrap();
    }
    let ends: Vec<_> = keys.iter().map(|key| store.finish_attempt(delivered(nth(*key, 0), 1))).collect();
    for end in ends {
        end.await.unwrap();
    }
    keys
}

pub(crate) async fn what_is_over_goes_with_all_that_belongs_to_it(store: &dyn Store) {
    let transformed = NewDelivery {
        verdict: crate::store::Verdict { custom: Some(custom_request()), ..pending(endpoint_id(2)).verdict },
        ..pending(endpoint_id(2))
    };
    let new = NewEvent { id: Some("order-1".parse().unwrap()), ..new_event() };
    let old = dispatched(store, new, vec![pending(endpoint_id(1)), transformed]).await;
    for ordinal in 0..2 {
        store.finish_attempt(delivered(nth(old, ordinal), 1)).await.unwrap();
    }
    let nobody = dispatched(store, new_event(), Vec::new()).await;
    let dropped = DeliveryState::Filtered { by: FilteredBy::Filter, reason: "small".to_owned() };
    let filtered = dispatched(store, new_event(), vec![delivery(endpoint_id(1), dropped, None)]).await;
    let young = done(store, NewEvent { received_at: at(60), ..new_event() }).await;
    let before = EventKey::first_at(at(60));
    let retired = retire(store, before).await;
    assert_eq!((retired.events, retired.deliveries, retired.kept), (3, 3, 0));
    assert_eq!(events(store).await, [young]);
    assert_eq!(count(store, &DeliveryFilter::default()).await, 1);
    for key in [old, nobody, filtered] {
        assert!(store.delivery(nth(key, 0)).await.unwrap().is_none());
    }
    assert!(store.event(&TenantId::default(), &"order-1".parse().unwrap()).await.unwrap().is_none());
    assert_eq!(retire(store, before).await, Retired::default(), "a second time there is nothing to do");
    let late = store.finish_attempt(delivered(nth(old, 0), 2)).await.unwrap();
    assert_eq!(late.failing_since, None, "what comes late for it changes nothing");
    let changed = store.changed(DeliveryFilter::default(), 0, 100).await.unwrap();
    assert_eq!(changed.rows.len(), 1, "the journal shows what is there");
    let again = Replay { event: old, deliveries: vec![pending(endpoint_id(1))], at: at(61) };
    assert!(matches!(store.replay(again, audit("event.replayed")).await, Err(Error::NotFound)));
}

pub(crate) async fn what_is_not_over_stays_wherever_it_waits(store: &dyn Store) {
    let mut stays = vec![accept(store, new_event()).await.key];
    stays.push(dispatched(store, new_event(), vec![pending(endpoint_id(1))]).await);
    stays.push(
        dispatched(store, new_event(), vec![delivery(endpoint_id(1), held_by("p"), Some(at(5)))]).await,
    );
    let half = dispatched(store, new_event(), vec![pending(endpoint_id(1)), pending(endpoint_id(2))]).await;
    store.finish_attempt(delivered(nth(half, 0), 1)).await.unwrap();
    store.finish_attempt(retrying(nth(half, 1), 1, at(900))).await.unwrap();
    stays.push(half);
    done(store, new_event()).await;
    let retired = retire(store, END).await;
    assert_eq!((retired.events, retired.kept), (1, 4));
    assert_eq!(events(store).await, stays);
    assert_eq!(store.undispatched(None, 10).await.unwrap().len(), 1);
    assert_eq!(store.due(endpoint_id(1), at(10), 10).await.unwrap().jobs.len(), 1);
    store.finish_attempt(delivered(nth(half, 1), 2)).await.unwrap();
    assert_eq!(retire(store, END).await.events, 1, "it goes once it is over");
}

pub(crate) async fn of_a_sealed_part_only_what_is_over_goes_and_lists_stay_right(store: &dyn Store) {
    let keys = many(store).await;
    let stays = [keys[3], keys[700], keys[1_400]];
    for key in stays {
        let retry = Replay { event: key, deliveries: vec![pending(endpoint_id(2))], at: at(9_000) };
        store.replay(retry, audit("event.replayed")).await.unwrap();
    }
    let cut = EventKey::first_at(at(1_000));
    let retired = retire(store, cut).await;
    assert_eq!(retired.events, 998);
    let left: Vec<_> = keys.iter().copied().filter(|key| *key >= cut || stays.contains(key)).collect();
    assert_eq!(events(store).await, left);
    let pending = DeliveryFilter { state: Some(DeliveryStatus::Pending), ..DeliveryFilter::default() };
    assert_eq!(count(store, &pending).await, 3);
    assert_eq!(count(store, &DeliveryFilter::default()).await, left.len() + 3);
    for key in stays {
        store.finish_attempt(delivered(nth(key, 1), 1)).await.unwrap();
    }
    assert_eq!(count(store, &pending).await, 0, "states of what is left are followed");
    assert_eq!(retire(store, END).await.events, left.len() as u64);
    assert_eq!(events(store).await, []);
    let fresh = done(store, NewEvent { received_at: at(9_000), ..new_event() }).await;
    assert_eq!(events(store).await, [fresh]);
}

pub(crate) async fn what_changed_in_the_same_moment_stays(store: &dyn Store) {
    let keys = many(store).await;
    let again = Replay { event: keys[5], deliveries: vec![pending(endpoint_id(2))], at: at(9_000) };
    let replay = store.replay(again, audit("event.replayed"));
    let part = Retire { from: EventKey::from_u128(0), before: END, cut: true, overhead: None };
    let retire = store.retire(part);
    replay.await.unwrap();
    assert_eq!(retire.await.unwrap().kept, 1);
    assert_eq!(store.due(endpoint_id(2), at(9_000), 10).await.unwrap().jobs.len(), 1);
}

pub(crate) async fn what_a_recovery_has_ahead_stays(store: &dyn Store) {
    store.create_endpoint(endpoint(1, "https://example.com/1"), audit("endpoint.created")).await.unwrap();
    let mut keys = Vec::new();
    for second in 0..4 {
        keys.push(done(store, NewEvent { received_at: at(second * 10), ..new_event() }).await);
    }
    let recovery = Recovery {
        id: RecoveryId::new(at(100), 1),
        endpoint: endpoint_id(1),
        tenant: TenantId::default(),
        since: at(10),
        until: at(30),
        wanted: [Wanted::Delivered].into(),
        created_at: at(100),
        state: RecoveryState::Running,
        ended_at: None,
        place: Recovery::start(at(10)),
        scanned: 0,
        resent: 0,
    };
    store.create_recovery(recovery.clone(), audit("recovery.created")).await.unwrap();
    retire(store, END).await;
    assert_eq!(events(store).await, keys[1..3]);
    assert_eq!(store.candidates(recovery.clone(), 10).await.unwrap().found.len(), 2);
    store.cancel_recovery(recovery.id, at(101), audit("recovery.cancelled")).await.unwrap();
    retire(store, END).await;
    assert_eq!(events(store).await, []);
    let again = Recovery { id: RecoveryId::new(at(102), 2), ..recovery };
    store.create_recovery(again.clone(), audit("recovery.created")).await.unwrap();
    assert!(store.candidates(again, 10).await.unwrap().found.is_empty(), "what is gone is no candidate");
}

pub(crate) async fn ids_of_what_is_gone_are_free_and_swept(store: &dyn Store) {
    let keyed = NewEvent { idempotency_key: Some("key-1".to_owned()), ..event_with_id("order-1") };
    let gone = done(store, keyed.clone()).await;
    let stays = done(store, NewEvent { received_at: at(60), ..event_with_id("order-2") }).await;
    retire(store, EventKey::first_at(at(60))).await;
    let again = store.accept(vec![keyed.clone()]).await.unwrap().remove(0);
    assert!(!again.duplicate && again.event.key > gone, "what is not known any more is new");
    let swept = size(store).await.row_bytes;
    sweep(store).await;
    assert_eq!(size(store).await.row_bytes, swept, "both ids are those of the new event");
    assert!(store.accept(vec![keyed]).await.unwrap()[0].duplicate);
    assert!(store.accept(vec![event_with_id("order-2")]).await.unwrap()[0].duplicate);
    store.finish_attempt(delivered(nth(stays, 0), 1)).await.unwrap();
    store
        .fan_out(FanOut { event: again.event.key, at: T0, deliveries: Vec::new(), durable: true })
        .await
        .unwrap();
    retire(store, END).await;
    sweep(store).await;
    accept(store, new_event()).await;
    let size = size(store).await;
    assert_eq!(size.events, 1);
    assert!(size.row_bytes < 200, "{size:?}: only what the event takes");
}

pub(crate) async fn what_undelivered_work_is_counted_of_may_go_before_it_is_stored(store: &dyn Store) {
    let of = |name: &str| NewEvent { tenant: tenant(name), ..new_event() };
    let waits = dispatched(store, of("acme"), vec![pending(endpoint_id(1))]).await;
    done(store, of("acme")).await;
    retire(store, END).await;
    assert_eq!(store.backlog(&tenant("acme")).deliveries, 1);
    store.finish_attempt(delivered(nth(waits, 0), 1)).await.unwrap();
    retire(store, END).await;
    assert_eq!(store.backlog(&tenant("acme")).deliveries, 0);
}

pub(crate) async fn bytes_are_counted_as_rows_come_and_go(store: &dyn Store) {
    let empty = size(store).await;
    assert_eq!((empty.events, empty.oldest, empty.row_bytes), (0, None, 0));
    done(store, NewEvent { data: "x".repeat(1_000).into(), ..new_event() }).await;
    let one = size(store).await;
    assert_eq!((one.events, one.oldest), (1, Some(T0)));
    assert!((1_100..1_500).contains(&one.row_bytes), "{one:?}");
    let retired = retire(store, END).await;
    assert_eq!(retired.bytes, one.row_bytes);
    assert_eq!(size(store).await.row_bytes, 0);
}

pub(crate) async fn when_a_backup_was_handed_over_is_known(store: &dyn Store) {
    assert_eq!(size(store).await.backed_up, None);
    for seconds in [5, 9] {
        store.note_backup(at(seconds)).await.unwrap();
        assert_eq!(size(store).await.backed_up, Some(at(seconds)));
    }
}

pub(crate) async fn a_store_that_is_full_takes_nothing_until_it_has_room(store: &dyn Store) {
    let waits = dispatched(store, event_with_id("order-1"), vec![pending(endpoint_id(1))]).await;
    let full = StoreFull { bytes: 100, limit: 90 };
    store.refuse_events(Some(full));
    assert_eq!(store.backlog_full(&TenantId::default()), Some(BacklogFull::Store(full)));
    let refused = store.accept(vec![new_event()]).await.unwrap_err();
    assert!(refused.to_string().contains("retention.max_bytes"), "{refused}");
    assert!(store.accept(vec![event_with_id("order-1")]).await.unwrap()[0].duplicate);
    store.finish_attempt(delivered(nth(waits, 0), 1)).await.unwrap();
    store.refuse_events(None);
    store.accept(vec![new_event()]).await.unwrap();
}
