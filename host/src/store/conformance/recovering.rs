//! Recoveries: what they find, and what each step of one does.

use std::collections::BTreeSet;
use std::time::Duration;

use super::fixtures::{
    T0, accept, at, audit, delivered, delivery, endpoint, endpoint_id, new_event, nth, pending, retrying,
    state, tenant,
};
use crate::model::{
    DeliveryId, DeliveryState, EventKey, FailReason, FilteredBy, Recovery, RecoveryId, RecoveryState,
    TenantId, UnixMs, Wanted,
};
use crate::store::{
    Candidate, Candidates, Error, FanOut, FinishedAttempt, NewDelivery, NewEvent, Reached, RecoveryFilter,
    RecoveryStep, Resume, Retry, Store,
};

fn recovery(n: u128, wanted: &[Wanted]) -> Recovery {
    Recovery {
        id: RecoveryId::new(at(100), n),
        endpoint: endpoint_id(1),
        tenant: TenantId::default(),
        since: T0,
        until: at(60),
        wanted: wanted.iter().copied().collect(),
        created_at: at(100),
        state: RecoveryState::Running,
        ended_at: None,
        place: Recovery::start(T0),
        scanned: 0,
        resent: 0,
    }
}

async fn with_endpoint(store: &dyn Store) {
    store.create_endpoint(endpoint(1, "https://example.com/1"), audit("endpoint.created")).await.unwrap();
}

/// An event of this second with these deliveries.
async fn event_at(store: &dyn Store, second: u64, deliveries: Vec<NewDelivery>) -> EventKey {
    let new = NewEvent { received_at: T0.after(Duration::from_secs(second)), ..new_event() };
    let event = accept(store, new).await.key;
    store.fan_out(FanOut { event, at: T0, deliveries, durable: true }).await.unwrap();
    event
}

async fn failed_at(store: &dyn Store, second: u64) -> DeliveryId {
    let event = event_at(store, second, vec![pending(endpoint_id(1)), pending(endpoint_id(2))]).await;
    let state = DeliveryState::Failed(FailReason::Exhausted);
    for ordinal in 0..2 {
        let end =
            FinishedAttempt { state: state.clone(), due_at: None, ..retrying(nth(event, ordinal), 1, at(9)) };
        store.finish_attempt(end).await.unwrap();
    }
    nth(event, 0)
}

fn ids(found: &Candidates) -> Vec<DeliveryId> {
    let id = |candidate: &Candidate| match candidate {
        Candidate::Delivery(delivery, event) => {
            assert_eq!(event.key, delivery.id.event);
            Some(delivery.id)
        }
        Candidate::Missed(_) => None,
    };
    found.found.iter().filter_map(id).collect()
}

fn missed(found: &Candidates) -> Vec<EventKey> {
    let key = |candidate: &Candidate| match candidate {
        Candidate::Missed(event) => Some(event.key),
        Candidate::Delivery(..) => None,
    };
    found.found.iter().filter_map(key).collect()
}

fn step(recovery: &Recovery, to: DeliveryId, retries: &[DeliveryId], now: UnixMs) -> RecoveryStep {
    let expected = DeliveryState::Failed(FailReason::Exhausted);
    let retry = |id: &DeliveryId| Retry {
        delivery: *id,
        expected: expected.clone(),
        resume: Resume::AsItWas,
        at: now,
    };
    let retries = retries.iter().map(retry).collect();
    let (id, from) = (recovery.id, recovery.place);
    RecoveryStep { id, from, to, retries, missed: Vec::new(), scanned: 3, end: None, at: now }
}

pub(crate) async fn a_recovery_is_read_back_and_listed_newest_first(store: &dyn Store) {
    with_endpoint(store).await;
    let mut all = Vec::new();
    for n in 1..4 {
        let recovery = recovery(n, &[Wanted::Failed, Wanted::Missed]);
        store.create_recovery(recovery.clone(), audit("recovery.created")).await.unwrap();
        assert_eq!(store.recovery(recovery.id).await.unwrap(), Some(recovery.clone()));
        let ended = store.cancel_recovery(recovery.id, at(200), audit("recovery.cancelled")).await.unwrap();
        assert_eq!((ended.state, ended.ended_at), (RecoveryState::Cancelled, Some(at(200))));
        all.insert(0, ended);
    }
    let list = async |filter, before, limit| store.recoveries(filter, before, limit).await.unwrap();
    let page = list(RecoveryFilter::default(), None, 2).await;
    assert_eq!((&page.rows[..], page.next), (&all[..2], Some(all[1].id)));
    let page = list(RecoveryFilter::default(), page.next, 2).await;
    assert_eq!((&page.rows[..], page.next), (&all[2..], None));
    let filters = [
        RecoveryFilter { tenant: Some(tenant("acme")), ..RecoveryFilter::default() },
        RecoveryFilter { endpoint: Some(endpoint_id(2)), ..RecoveryFilter::default() },
        RecoveryFilter { state: Some(RecoveryState::Running), ..RecoveryFilter::default() },
    ];
    for filter in filters {
        assert!(list(filter, None, 9).await.rows.is_empty());
    }
    assert_eq!(store.recovery(RecoveryId::new(T0, 7)).await.unwrap(), None);
}

pub(crate) async fn an_endpoint_has_one_recovery_that_runs(store: &dyn Store) {
    let first = recovery(1, &[Wanted::Failed]);
    let refused = store.create_recovery(first.clone(), audit("recovery.created")).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound), "{refused}");
    with_endpoint(store).await;
    store.create_recovery(first.clone(), audit("recovery.created")).await.unwrap();
    let second = recovery(2, &[Wanted::Failed]);
    let refused = store.create_recovery(second.clone(), audit("recovery.created")).await.unwrap_err();
    assert!(matches!(refused, Error::RecoveryRuns(id) if id == first.id), "{refused}");
    store.cancel_recovery(first.id, at(1), audit("recovery.cancelled")).await.unwrap();
    let refused = store.cancel_recovery(first.id, at(1), audit("recovery.cancelled")).await.unwrap_err();
    assert!(matches!(refused, Error::RecoveryEnded("cancelled")), "{refused}");
    store.create_recovery(second, audit("recovery.created")).await.unwrap();
}

pub(crate) async fn candidates_are_what_is_wanted_in_the_range_in_the_order_of_acceptance(store: &dyn Store) {
    let early = failed_at(store, 0).await;
    let first = failed_at(store, 10).await;
    let waits = event_at(store, 11, vec![pending(endpoint_id(1))]).await;
    let sent = event_at(store, 12, vec![pending(endpoint_id(1))]).await;
    store.finish_attempt(delivered(nth(sent, 0), 1)).await.unwrap();
    let by = FilteredBy::Filter;
    let dropped = DeliveryState::Filtered { by, reason: "no".to_owned() };
    let filtered = event_at(store, 13, vec![delivery(endpoint_id(1), dropped, None)]).await;
    let second = failed_at(store, 20).await;
    let late = failed_at(store, 30).await;
    let look = async |wanted: &[Wanted], place: Option<DeliveryId>, limit| {
        let asked = Recovery { since: at(10), until: at(30), ..recovery(1, wanted) };
        let place = place.unwrap_or_else(|| Recovery::start(at(10)));
        store.candidates(Recovery { place, ..asked }, limit).await.unwrap()
    };
    let found = look(&[Wanted::Failed], None, 9).await;
    assert_eq!((ids(&found), found.reached, found.scanned), (vec![first, second], Reached::End, 5));
    for id in [early, late, nth(waits, 0)] {
        assert!(!ids(&found).contains(&id));
    }
    let found = look(&[Wanted::Delivered, Wanted::Filtered], None, 9).await;
    assert_eq!(ids(&found), [nth(sent, 0), nth(filtered, 0)]);

    let found = look(&[Wanted::Failed], None, 1).await;
    let Reached::Place(place) = found.reached else { panic!("{found:?}") };
    assert_eq!(ids(&found), [first]);
    let found = look(&[Wanted::Failed], Some(place), 1).await;
    assert_eq!(ids(&found), [second]);
    let found = look(&[Wanted::Failed], Some(Recovery::start(at(30))), 9).await;
    assert_eq!((found.found.len(), found.reached), (0, Reached::End));
}

pub(crate) async fn missed_events_are_those_of_the_tenant_without_a_delivery(store: &dyn Store) {
    let before = event_at(store, 1, Vec::new()).await;
    let others = NewEvent { tenant: tenant("acme"), received_at: at(2), ..new_event() };
    let others = accept(store, others).await.key;
    store.fan_out(FanOut { event: others, at: T0, deliveries: Vec::new(), durable: true }).await.unwrap();
    let failed = failed_at(store, 3).await;
    let to_another = event_at(store, 4, vec![pending(endpoint_id(2))]).await;
    let test = NewEvent { test_of: Some(endpoint_id(2)), received_at: at(5), ..new_event() };
    let test = accept(store, test).await.key;
    store.fan_out(FanOut { event: test, at: T0, deliveries: Vec::new(), durable: true }).await.unwrap();
    let look = async |wanted: &[Wanted], limit| store.candidates(recovery(1, wanted), limit).await.unwrap();
    let found = look(&[Wanted::Missed], 9).await;
    assert_eq!((missed(&found), ids(&found)), (vec![before, to_another], Vec::new()));
    assert_eq!((found.reached, found.scanned), (Reached::End, 4), "those of others do not count");
    let both = look(&[Wanted::Missed, Wanted::Failed], 9).await;
    assert_eq!((missed(&both), ids(&both)), (vec![before, to_another], vec![failed]));
    let part = look(&[Wanted::Missed], 1).await;
    assert!(matches!(part.reached, Reached::Place(place) if place.event > before), "{part:?}");

    // What becomes of an event that is not dispatched is not known yet.
    let open = accept(store, NewEvent { received_at: at(6), ..new_event() }).await.key;
    let found = look(&[Wanted::Missed], 9).await;
    assert_eq!(found.reached, Reached::Undispatched(nth(open, 0)));
    assert_eq!(missed(&found), [before, to_another]);
}

pub(crate) async fn a_step_does_its_part_once_and_moves_the_place(store: &dyn Store) {
    with_endpoint(store).await;
    let (first, second) = (failed_at(store, 1).await, failed_at(store, 2).await);
    let unseen = event_at(store, 3, Vec::new()).await;
    let begun = recovery(1, &[Wanted::Failed, Wanted::Missed]);
    store.create_recovery(begun.clone(), audit("recovery.created")).await.unwrap();
    let to = nth(unseen, 1);
    let both = RecoveryStep {
        missed: vec![(unseen, pending(endpoint_id(1))), (first.event, pending(endpoint_id(1)))],
        ..step(&begun, to, &[first], at(70))
    };
    let after = store.advance_recovery(both.clone()).await.unwrap();
    assert_eq!((after.place, after.scanned, after.resent, after.state), (to, 3, 2, RecoveryState::Running));
    assert_eq!(state(store, first).await, DeliveryState::Retrying);
    let due = store.due(endpoint_id(1), at(70), 9).await.unwrap();
    let due: Vec<_> = due.jobs.iter().map(|job| job.delivery).collect();
    assert_eq!(due, [first, nth(unseen, 0)], "what has a delivery was not missed");

    assert_eq!(store.advance_recovery(both).await.unwrap(), after, "it stands elsewhere by now");
    let end = Some(RecoveryState::Done);
    let last = RecoveryStep { end, ..step(&after, to, &[second, first], at(80)) };
    let done = store.advance_recovery(last).await.unwrap();
    assert_eq!((done.state, done.ended_at, done.resent), (RecoveryState::Done, Some(at(80)), 3));
    let unknown = RecoveryStep { id: RecoveryId::new(T0, 7), ..step(&done, to, &[], at(80)) };
    assert!(matches!(store.advance_recovery(unknown).await.unwrap_err(), Error::NotFound));
}

pub(crate) async fn a_recovery_that_ended_does_nothing_more(store: &dyn Store) {
    with_endpoint(store).await;
    let failed = failed_at(store, 1).await;
    let begun = recovery(1, &[Wanted::Failed]);
    store.create_recovery(begun.clone(), audit("recovery.created")).await.unwrap();
    let ended = store.cancel_recovery(begun.id, at(65), audit("recovery.cancelled")).await.unwrap();
    let after = store.advance_recovery(step(&begun, nth(failed.event, 1), &[failed], at(70))).await.unwrap();
    assert_eq!(after, ended);
    assert_eq!(state(store, failed).await, DeliveryState::Failed(FailReason::Exhausted));
    assert_eq!(BTreeSet::from([Wanted::Failed]), after.wanted);
}
