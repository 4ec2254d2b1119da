//! Rules of `accept`.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::fixtures::{
    T0, accept, at, audit, endpoint, endpoint_id, event_with_id, new_event, tenant, trace,
};
use crate::model::{EventId, EventKey, TenantId, UnixMs};
use crate::store::{AuditFilter, Error, NewEvent, Refused, Store};

const DATA: &[u8] = b"[1,2]";

pub(crate) async fn an_accepted_event_is_read_back_as_it_came(store: &dyn Store) {
    let sent = NewEvent {
        id: Some("order-1".parse().unwrap()),
        timestamp: Some("2024-03-15T14:30:00.123456789Z".parse().unwrap()),
        tenant: tenant("acme"),
        data: Bytes::from_static(b" {\"a\" :\t1e400}"),
        trace: Some(trace()),
        ..new_event()
    };
    let answer = store.accept(vec![sent.clone(), new_event()]).await.unwrap();
    for accepted in answer {
        assert!(!accepted.duplicate);
        let record = store.event(&accepted.event.tenant, &accepted.event.id).await.unwrap().unwrap();
        assert!(!record.dispatched);
        assert_eq!(format!("{:?}", record.event), format!("{:?}", accepted.event));
    }
    let record = store.event(&sent.tenant, &sent.id.clone().unwrap()).await.unwrap().unwrap();
    assert_eq!(record.event.data, sent.data);
    assert_eq!(Some(record.event.timestamp), sent.timestamp);
    assert_eq!(record.event.trace, sent.trace);
    assert!(store.event(&TenantId::default(), &sent.id.unwrap()).await.unwrap().is_none());
}

pub(crate) async fn keys_rise_even_when_the_clock_goes_back(store: &dyn Store) {
    let times = [at(5), at(5), T0, UnixMs(0), at(9)];
    let events = times.map(|received_at| NewEvent { received_at, ..new_event() });
    let mut keys = Vec::new();
    for event in events.clone() {
        keys.push(accept(store, event).await.key);
    }
    keys.extend(store.accept(events.to_vec()).await.unwrap().iter().map(|accepted| accepted.event.key));
    assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
}

pub(crate) async fn the_same_id_and_content_is_the_first_event_again(store: &dyn Store) {
    let first = accept(store, event_with_id("order-1")).await;
    // Whoever sends it again does so in another span.
    let repeat = NewEvent { received_at: at(9), trace: Some(trace()), ..event_with_id("order-1") };
    let again = store.accept(vec![repeat]).await.unwrap();
    assert!(again[0].duplicate);
    assert_eq!(again[0].event.key, first.key);
    assert_eq!(store.undispatched(None, 10).await.unwrap().len(), 1);
}

pub(crate) async fn an_id_with_other_content_is_refused_and_nothing_of_the_call_is_stored(store: &dyn Store) {
    accept(store, event_with_id("order-1")).await;
    let others = [
        NewEvent { data: DATA.into(), ..event_with_id("order-1") },
        NewEvent { topic: "orders/paid".parse().unwrap(), ..event_with_id("order-1") },
        NewEvent { timestamp: Some(jiff::Timestamp::UNIX_EPOCH), ..event_with_id("order-1") },
    ];
    for other in others {
        let refused = store.accept(vec![event_with_id("order-2"), new_event(), other]).await.unwrap_err();
        assert!(matches!(&refused, Error::IdReused { index: 2, first } if first == "order-1"), "{refused}");
    }
    assert_eq!(store.undispatched(None, 10).await.unwrap().len(), 1);
    assert!(store.event(&TenantId::default(), &"order-2".parse().unwrap()).await.unwrap().is_none());
}

pub(crate) async fn of_events_that_stand_alone_only_the_refused_one_is_missing(store: &dyn Store) {
    let first = accept(store, event_with_id("order-1")).await;
    let other = |id: &str| NewEvent { data: DATA.into(), ..event_with_id(id) };
    let events = vec![
        other("order-1"),
        event_with_id("order-1"),
        event_with_id("order-2"),
        other("order-2"),
        other(&first.key.to_string()),
        new_event(),
    ];
    let answer = store.accept_each(events).await.unwrap();
    let said: Vec<_> = answer
        .iter()
        .map(|one| one.as_ref().map(|accepted| accepted.duplicate).map_err(Clone::clone))
        .collect();
    let reused = |id: &str| Err(Refused::Reused(id.parse().unwrap()));
    assert_eq!(said, [reused("order-1"), Ok(true), Ok(false), reused("order-2"), Ok(false), Ok(false)]);
    let stored = store.undispatched(None, 10).await.unwrap();
    assert_eq!(stored.len(), 4, "the first one and three of the others");
    assert!(store.accept_each(Vec::new()).await.unwrap().is_empty());
}

pub(crate) async fn an_idempotency_key_is_the_first_event_again_or_refused(store: &dyn Store) {
    let keyed = || NewEvent { idempotency_key: Some("k.1 ü".to_owned()), ..new_event() };
    let first = accept(store, keyed()).await;
    let again = store.accept(vec![keyed()]).await.unwrap();
    assert!(again[0].duplicate && again[0].event.key == first.key);
    for other in [
        NewEvent { data: DATA.into(), ..keyed() },
        NewEvent { id: Some("order-1".parse().unwrap()), ..keyed() },
    ] {
        let refused = store.accept(vec![other]).await.unwrap_err();
        assert!(matches!(refused, Error::IdReused { index: 0, .. }), "{refused}");
    }
    // An id and a key with the same text have nothing to do with each other.
    let id = NewEvent { idempotency_key: Some("x".to_owned()), ..event_with_id("y") };
    let swapped = NewEvent { idempotency_key: Some("y".to_owned()), ..event_with_id("x") };
    assert!(store.accept(vec![id, swapped]).await.unwrap().iter().all(|accepted| !accepted.duplicate));
}

pub(crate) async fn a_repeat_within_one_call_is_found(store: &dyn Store) {
    let answer =
        store.accept(vec![event_with_id("a"), event_with_id("b"), event_with_id("a")]).await.unwrap();
    assert_eq!(answer.iter().map(|accepted| accepted.duplicate).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(answer[0].event.key, answer[2].event.key);
    let keyed = |text: &str| NewEvent { idempotency_key: Some(text.to_owned()), ..new_event() };
    let answer = store.accept(vec![keyed("a"), keyed("b"), keyed("a")]).await.unwrap();
    assert_eq!(answer.iter().map(|accepted| accepted.duplicate).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(answer[0].event.key, answer[2].event.key);
    let other = NewEvent { data: DATA.into(), ..event_with_id("c") };
    let refused = store.accept(vec![event_with_id("c"), other]).await.unwrap_err();
    assert!(matches!(refused, Error::IdReused { index: 1, .. }), "{refused}");
    assert_eq!(store.undispatched(None, 10).await.unwrap().len(), 4);
}

pub(crate) async fn ids_of_one_tenant_are_free_for_another(store: &dyn Store) {
    let of = |name: &str, data: &'static [u8]| NewEvent {
        tenant: tenant(name),
        data: data.into(),
        ..event_with_id("order-1")
    };
    let answer = store.accept(vec![of("acme", b"1"), of("umbrella", b"2")]).await.unwrap();
    assert!(answer.iter().all(|accepted| !accepted.duplicate));
    let found = store.event(&tenant("umbrella"), &"order-1".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(found.event.data, b"2".as_slice());
}

pub(crate) async fn parallel_accepts_with_one_key_store_one_event(store: &dyn Store) {
    let call = |n: u64| {
        let event = NewEvent {
            idempotency_key: Some("once".to_owned()),
            received_at: UnixMs(T0.0 + n),
            ..new_event()
        };
        store.accept(vec![event])
    };
    let calls: Vec<_> = (0..100).map(call).collect();
    let mut keys = BTreeSet::new();
    let mut firsts = 0;
    for answer in calls {
        let answer = answer.await.unwrap();
        keys.insert(answer[0].event.key);
        firsts += usize::from(!answer[0].duplicate);
    }
    assert_eq!((keys.len(), firsts), (1, 1));
    assert_eq!(store.undispatched(None, 10).await.unwrap().len(), 1);
}

pub(crate) async fn an_id_that_looks_like_ours_takes_no_other_event(store: &dyn Store) {
    let ours = accept(store, new_event()).await;
    // Someone else's tenant may use the text of our key.
    let foreign = NewEvent { tenant: tenant("acme"), data: DATA.into(), ..event_with_id(ours.id.as_str()) };
    assert_ne!(accept(store, foreign).await.key, ours.key);
    // A clock that went back makes the next keys the successors of the last one. Some of those are taken as ids before
    // their turn comes, and have keys of their own; what is accepted afterwards goes past them.
    let last = accept(store, NewEvent { received_at: at(1_000), ..new_event() }).await.key.as_u128();
    let successor = |n| EventId::from(EventKey::from_u128(last + n));
    let taken = [4, 5, 6].map(successor);
    for id in &taken {
        accept(store, event_with_id(id.as_str())).await;
    }
    let next = accept(store, new_event()).await;
    assert!(!taken.contains(&next.id), "{} was taken", next.id);
    for id in taken.iter().chain([&ours.id, &next.id]) {
        let found = store.event(&TenantId::default(), id).await.unwrap().unwrap();
        assert_eq!(found.event.id, *id);
    }
    assert_eq!(store.undispatched(None, 100).await.unwrap().len(), 7);
}

pub(crate) async fn sending_an_event_under_the_id_we_gave_it_is_a_repeat(store: &dyn Store) {
    let ours = accept(store, new_event()).await;
    let answer = store.accept(vec![event_with_id(ours.id.as_str())]).await.unwrap();
    assert!(answer[0].duplicate && answer[0].event.key == ours.key);
    let other = NewEvent { data: DATA.into(), ..event_with_id(ours.id.as_str()) };
    let refused = store.accept(vec![other]).await.unwrap_err();
    assert!(matches!(refused, Error::IdReused { index: 0, .. }), "{refused}");
}

/// A test of the first endpoint, which is made for it.
async fn test_event(store: &dyn Store) -> NewEvent {
    store.create_endpoint(endpoint(1, "https://example.com/1"), audit("endpoint.created")).await.unwrap();
    NewEvent { test_of: Some(endpoint_id(1)), ..new_event() }
}

pub(crate) async fn a_test_keeps_its_endpoint_and_is_stored_with_its_audit_row(store: &dyn Store) {
    let test = test_event(store).await;
    let event = store.accept_test(test.clone(), audit("endpoint.tested")).await.unwrap();
    assert_eq!((event.test_of, &event.data), (Some(endpoint_id(1)), &test.data));
    let waiting = store.undispatched(None, 10).await.unwrap();
    assert_eq!(format!("{waiting:?}"), format!("{:?}", [&event]));
    let rows = store.audit(AuditFilter::default(), None, 10).await.unwrap().rows;
    let actions: Vec<_> = rows.iter().map(|row| row.entry.action.as_str()).collect();
    assert_eq!(actions, ["endpoint.tested", "endpoint.created"]);
}

pub(crate) async fn a_test_of_an_endpoint_that_is_gone_is_refused_and_leaves_nothing(store: &dyn Store) {
    let test = test_event(store).await;
    store.delete_endpoint(endpoint_id(1), audit("endpoint.deleted")).await.unwrap();
    let refused = store.accept_test(test, audit("endpoint.tested")).await;
    assert!(matches!(refused, Err(Error::NotFound)));
    assert!(store.undispatched(None, 10).await.unwrap().is_empty());
    assert_eq!(store.verify_audit().await.unwrap().rows, 2);
}

pub(crate) async fn a_test_and_an_event_of_a_producer_are_never_the_same(store: &dyn Store) {
    let test = test_event(store).await;
    let ours = store.accept_test(test.clone(), audit("endpoint.tested")).await.unwrap();
    let named = NewEvent { id: Some("order-1".parse().unwrap()), ..test };
    store.accept_test(named, audit("endpoint.tested")).await.unwrap();
    for id in [ours.id.as_str(), "order-1"] {
        let repeat = store.accept(vec![event_with_id(id)]).await;
        assert!(matches!(repeat, Err(Error::IdReused { .. })), "{id}: a producer's event would be lost");
    }
}
