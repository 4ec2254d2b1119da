//! Rules of the undelivered work of a tenant.

use std::collections::BTreeMap;

use super::fixtures::{
    T0, accept, at, audit, delivered, delivery, dispatched, endpoint, endpoint_id, event_with_id, held_by,
    new_event, nth, pending, retrying, tenant,
};
use crate::model::{DeliveryState, FilteredBy};
use crate::store::{
    Backlog, BacklogFull, BacklogLimit, BacklogLimits, Error, FanOut, FinishedAttempt, NewEvent, Refused,
    Replay, Store,
};

/// Limits two tenants: one by number, one by bytes.
fn limit(store: &dyn Store) {
    let few = BacklogLimit { deliveries: 3, bytes: 0 };
    let narrow = BacklogLimit { deliveries: 0, bytes: 100 };
    let tenants = BTreeMap::from([(tenant("few"), few), (tenant("narrow"), narrow)]);
    store.limit_backlog(BacklogLimits { tenants, ..BacklogLimits::default() });
}

fn of(name: &str) -> NewEvent {
    NewEvent { tenant: tenant(name), ..new_event() }
}

fn counted(store: &dyn Store, name: &str) -> (u64, u64) {
    let Backlog { deliveries, bytes } = store.backlog(&tenant(name));
    (deliveries, bytes)
}

fn is_full(store: &dyn Store, name: &str) -> bool {
    store.backlog_full(&tenant(name)).is_some()
}

pub(crate) async fn what_is_not_over_counts_whatever_it_waits_for(store: &dyn Store) {
    let event = || NewEvent { data: "12345".into(), ..of("acme") };
    let waiting = accept(store, event()).await.key;
    assert_eq!(counted(store, "acme"), (1, 5), "an event that waits for dispatch");
    let dropped = DeliveryState::Filtered { by: FilteredBy::Filter, reason: "no".to_owned() };
    let deliveries = vec![
        pending(endpoint_id(1)),
        pending(endpoint_id(2)),
        delivery(endpoint_id(3), held_by("jq"), Some(at(9))),
        delivery(endpoint_id(4), dropped, None),
    ];
    let fan_out = FanOut { event: waiting, at: T0, deliveries, durable: true };
    store.fan_out(fan_out.clone()).await.unwrap();
    store.fan_out(fan_out).await.unwrap();
    assert_eq!(counted(store, "acme"), (3, 15), "its deliveries instead, but not the one that is over");
    let failed = FinishedAttempt { at: at(1), ..retrying(nth(waiting, 0), 1, at(99)) };
    store.finish_attempt(failed).await.unwrap();
    assert_eq!(counted(store, "acme"), (3, 15), "one that is retried");
    for _ in 0..2 {
        store.finish_attempt(delivered(nth(waiting, 0), 2)).await.unwrap();
        assert_eq!(counted(store, "acme"), (2, 10));
    }
    store.cancel_waiting(endpoint_id(2), at(2), 9).await.unwrap();
    store.cancel_waiting(endpoint_id(3), at(2), 9).await.unwrap();
    assert_eq!(counted(store, "acme"), (0, 0));
    assert_eq!(counted(store, "others"), (0, 0));
}

pub(crate) async fn of_a_tenant_no_more_is_taken_than_its_limit_and_repeats_are_answered(store: &dyn Store) {
    limit(store);
    let known = NewEvent { tenant: tenant("few"), ..event_with_id("order-1") };
    let keyed = || NewEvent { idempotency_key: Some("k".to_owned()), ..of("few") };
    let first = accept(store, known.clone()).await.key;
    accept(store, keyed()).await;
    assert!(!is_full(store, "few"));
    let refused = store.accept(vec![of("few"), of("few")]).await.unwrap_err();
    let Error::BacklogFull { index: 1, full } = refused else { panic!("{refused}") };
    assert!(
        matches!(full, BacklogFull::Work { tenant: Some(of), backlog, .. } if of == tenant("few") && backlog.deliveries == 3)
    );
    assert_eq!(counted(store, "few").0, 2, "all or none");
    accept(store, of("few")).await;
    assert!(is_full(store, "few"));
    assert!(matches!(store.accept(vec![of("few")]).await, Err(Error::BacklogFull { index: 0, .. })));
    for again in [known, keyed()] {
        assert!(store.accept(vec![again]).await.unwrap()[0].duplicate, "a repeat adds nothing");
    }
    accept(store, of("other")).await;
    let fan_out = FanOut { event: first, at: T0, deliveries: Vec::new(), durable: true };
    store.fan_out(fan_out).await.unwrap();
    accept(store, of("few")).await;
    assert!(is_full(store, "few"));

    accept(store, NewEvent { data: "x".repeat(500).into(), ..of("narrow") }).await;
    let refused = store.accept(vec![of("narrow")]).await.unwrap_err();
    assert!(matches!(refused, Error::BacklogFull { .. }), "{refused}: one above the limit is the last");
}

pub(crate) async fn of_all_tenants_no_more_is_taken_than_the_limit_of_all(store: &dyn Store) {
    let all = BacklogLimit { deliveries: 3, bytes: 0 };
    store.limit_backlog(BacklogLimits { all, ..BacklogLimits::default() });
    store.accept(vec![of("a"), of("b"), of("c")]).await.unwrap();
    let refused = store.accept(vec![of("d")]).await.unwrap_err();
    assert!(matches!(refused, Error::BacklogFull { index: 0, full: BacklogFull::Work { tenant: None, .. } }));
}

pub(crate) async fn of_events_that_stand_alone_those_below_the_limit_are_taken(store: &dyn Store) {
    limit(store);
    let answers = store.accept_each(vec![of("few"), of("few"), of("acme"), of("few"), of("few"), of("acme")]);
    let answers = answers.await.unwrap();
    let taken: Vec<_> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(taken, [true, true, true, true, false, true]);
    assert!(
        matches!(&answers[4], Err(Refused::BacklogFull(BacklogFull::Work { tenant: Some(of), .. })) if *of == tenant("few"))
    );
    assert_eq!((counted(store, "few").0, counted(store, "acme").0), (3, 2));
}

pub(crate) async fn what_the_gateway_and_people_ask_for_is_not_refused(store: &dyn Store) {
    limit(store);
    let mut tested = endpoint(1, "https://example.com/1");
    tested.tenant = tenant("few");
    store.create_endpoint(tested.clone(), audit("endpoint.created")).await.unwrap();
    let event = dispatched(store, of("few"), vec![pending(tested.id); 3]).await;
    assert!(is_full(store, "few"));
    let test = NewEvent { test_of: Some(tested.id), ..of("few") };
    store.accept_test(test, audit("endpoint.tested")).await.unwrap();
    store.update_endpoint(tested.clone(), vec![of("few")], audit("endpoint.updated")).await.unwrap();
    let replay = Replay { event, deliveries: vec![pending(tested.id)], at: at(1) };
    store.replay(replay, audit("event.replayed")).await.unwrap();
    assert_eq!(counted(store, "few").0, 6, "but it counts");
}
