//! Rules of `due`, `waiting_endpoints`, `finish_attempt`, `cancel_waiting`, `release_unsigned` and `release_waiting`.

use std::time::Duration;

use super::fixtures::{
    T0, accept, at, attempt, audit, delivered, delivery, dispatched, endpoint, endpoint_id, held_by,
    new_event, nth, pending, retrying, state,
};
use crate::model::{
    Activity, DeliveryId, DeliveryState, Endpoint, EventKey, FailReason, FilteredBy, HoldReason,
    InactiveReason,
};
use crate::store::{FanOut, FinishedAttempt, NewEvent, Store};

pub(crate) async fn due_gives_the_earliest_first_and_says_when_the_next_is_due(store: &dyn Store) {
    let endpoint = endpoint_id(1);
    let deliveries = vec![pending(endpoint), pending(endpoint), pending(endpoint), pending(endpoint_id(2))];
    let event = dispatched(store, new_event(), deliveries).await;
    store.finish_attempt(retrying(nth(event, 0), 1, at(20))).await.unwrap();
    store.finish_attempt(retrying(nth(event, 2), 1, at(10))).await.unwrap();
    let due = async |now, limit| {
        let due = store.due(endpoint, at(now), limit).await.unwrap();
        (due.jobs.iter().map(|job| job.delivery.ordinal).collect::<Vec<_>>(), due.next)
    };
    assert_eq!(due(0, 9).await, (vec![1], Some(at(10))));
    assert_eq!(due(10, 9).await, (vec![1, 2], Some(at(20))));
    assert_eq!(due(20, 9).await, (vec![1, 2, 0], None));
    assert_eq!(due(20, 2).await, (vec![1, 2], Some(at(20))));
    assert_eq!(due(20, 0).await, (vec![], Some(T0)));
    assert_eq!(store.due(endpoint, at(20), 9).await.unwrap().jobs[1].attempts, 1);
    let nobody = store.due(endpoint_id(3), at(20), 9).await.unwrap();
    assert!(nobody.jobs.is_empty() && nobody.next.is_none());
}

pub(crate) async fn waiting_endpoints_are_named_once_with_their_earliest_time(store: &dyn Store) {
    let (one, two, three) = (endpoint_id(1), endpoint_id(2), endpoint_id(3));
    let deliveries = vec![pending(one), pending(two), pending(two), pending(three)];
    let event = dispatched(store, new_event(), deliveries).await;
    store.finish_attempt(retrying(nth(event, 0), 1, at(20))).await.unwrap();
    store.finish_attempt(retrying(nth(event, 1), 1, at(5))).await.unwrap();
    store.finish_attempt(delivered(nth(event, 3), 1)).await.unwrap();
    assert_eq!(store.waiting_endpoints().await.unwrap(), [(one, at(20)), (two, T0)]);
}

pub(crate) async fn a_failed_attempt_is_recorded_and_due_again_later(store: &dyn Store) {
    let event = dispatched(store, new_event(), vec![pending(endpoint_id(1))]).await;
    let id = nth(event, 0);
    store.finish_attempt(retrying(id, 1, at(5))).await.unwrap();
    store.finish_attempt(retrying(id, 2, at(30))).await.unwrap();
    let record = store.delivery(id).await.unwrap().unwrap();
    assert_eq!(record.attempts, [attempt(1, 500), attempt(2, 500)]);
    assert_eq!(record.delivery.state, DeliveryState::Retrying);
    assert_eq!((record.delivery.attempts, record.delivery.due_at), (2, Some(at(30))));
    store.finish_attempt(delivered(id, 3)).await.unwrap();
    let record = store.delivery(id).await.unwrap().unwrap();
    assert_eq!(record.delivery.state, DeliveryState::Delivered);
    assert_eq!((record.delivery.due_at, record.delivery.finished_at), (None, Some(at(2))));
    assert_eq!(record.attempts.len(), 3);
    assert!(store.waiting_endpoints().await.unwrap().is_empty());
}

pub(crate) async fn a_delivery_without_a_secret_waits_in_the_lane(store: &dyn Store) {
    let endpoint = endpoint_id(1);
    let event = dispatched(store, new_event(), vec![pending(endpoint)]).await;
    store.finish_attempt(unsigned(nth(event, 0))).await.unwrap();
    assert_eq!(store.waiting_endpoints().await.unwrap(), [(endpoint, at(60))]);
    assert_eq!(store.next_plugin_hold().await.unwrap(), None);
    let due = store.due(endpoint, at(60), 1).await.unwrap();
    assert_eq!((due.jobs[0].delivery, due.jobs[0].attempts), (nth(event, 0), 0));
}

pub(crate) async fn releasing_makes_due_what_was_held_for_want_of_a_secret_and_nothing_else(
    store: &dyn Store,
) {
    let (endpoint, other) = (endpoint_id(1), endpoint_id(2));
    let deliveries = vec![
        pending(endpoint),
        pending(endpoint),
        pending(endpoint),
        pending(other),
        delivery(endpoint, held_by("jq"), Some(at(60))),
    ];
    let event = dispatched(store, new_event(), deliveries).await;
    store.finish_attempt(unsigned(nth(event, 0))).await.unwrap();
    store.finish_attempt(unsigned(nth(event, 1))).await.unwrap();
    store.finish_attempt(retrying(nth(event, 2), 1, at(60))).await.unwrap();
    store.finish_attempt(unsigned(nth(event, 3))).await.unwrap();
    assert_eq!(store.release_unsigned(endpoint, at(2), at(59), 9).await.unwrap(), 0);
    let mut released = Vec::new();
    while released.last() != Some(&0) {
        released.push(store.release_unsigned(endpoint, at(2), at(60), 1).await.unwrap());
    }
    assert_eq!(released, [1, 1, 0]);
    let due = store.due(endpoint, at(2), 9).await.unwrap();
    assert_eq!(due.jobs.iter().map(|job| job.delivery.ordinal).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(due.next, Some(at(60)));
    let held = DeliveryState::Held(HoldReason::NoActiveSecret);
    assert_eq!(state(store, nth(event, 0)).await, held);
    assert_eq!(store.waiting_endpoints().await.unwrap(), [(endpoint, at(2)), (other, at(60))]);
}

pub(crate) async fn a_final_delivery_never_changes(store: &dyn Store) {
    let filtered =
        DeliveryState::Filtered { by: FilteredBy::Plugin("jq".parse().unwrap()), reason: "no".to_owned() };
    let finals = [
        DeliveryState::Delivered,
        DeliveryState::Failed(FailReason::Exhausted),
        DeliveryState::Cancelled,
        filtered,
    ];
    for last in finals {
        let event = dispatched(store, new_event(), vec![pending(endpoint_id(1))]).await;
        let end = FinishedAttempt { state: last.clone(), ..delivered(nth(event, 0), 1) };
        store.finish_attempt(end).await.unwrap();
        let recorded = store.finish_attempt(retrying(nth(event, 0), 2, at(9))).await.unwrap();
        assert!(recorded.was_over);
        let record = store.delivery(nth(event, 0)).await.unwrap().unwrap();
        assert_eq!(record.delivery.state, last);
        assert_eq!(record.attempts.len(), if last == DeliveryState::Cancelled { 2 } else { 1 }, "{last:?}");
    }
    assert!(store.waiting_endpoints().await.unwrap().is_empty());
}

pub(crate) async fn an_attempt_of_an_unknown_delivery_changes_nothing(store: &dyn Store) {
    let id = nth(EventKey::new(T0, 1), 0);
    store.finish_attempt(retrying(id, 1, at(9))).await.unwrap();
    assert!(store.delivery(id).await.unwrap().is_none());
    assert!(store.waiting_endpoints().await.unwrap().is_empty());
}

pub(crate) async fn cancelling_ends_all_that_waits_for_an_endpoint(store: &dyn Store) {
    let (gone, stays) = (endpoint_id(1), endpoint_id(2));
    let held = |endpoint| delivery(endpoint, held_by("jq"), Some(at(9)));
    let deliveries =
        vec![pending(gone), pending(stays), held(gone), held(stays), pending(gone), pending(gone)];
    let event = dispatched(store, new_event(), deliveries).await;
    store.finish_attempt(delivered(nth(event, 5), 1)).await.unwrap();
    let mut cancelled = Vec::new();
    while cancelled.last() != Some(&0) {
        cancelled.push(store.cancel_waiting(gone, at(3), 2).await.unwrap());
    }
    assert_eq!(cancelled, [2, 1, 0]);
    let mut states = Vec::new();
    for ordinal in 0..6 {
        states.push(state(store, nth(event, ordinal)).await.name());
    }
    assert_eq!(states, ["cancelled", "pending", "cancelled", "held", "cancelled", "delivered"]);
    assert_eq!(store.waiting_endpoints().await.unwrap(), [(stays, T0)]);
    assert_eq!(store.plugin_holds(at(9), None, None, 9).await.unwrap().len(), 1);
    let record = store.delivery(nth(event, 0)).await.unwrap().unwrap();
    assert_eq!(record.delivery.finished_at, Some(at(3)));
}

fn unsigned(delivery: DeliveryId) -> FinishedAttempt {
    FinishedAttempt {
        delivery,
        attempt: None,
        state: DeliveryState::Held(HoldReason::NoActiveSecret),
        due_at: Some(at(60)),
        at: at(1),
        notice: None,
    }
}

pub(crate) async fn an_endpoint_has_failed_since_the_first_failure_after_a_success(store: &dyn Store) {
    let (endpoint, other) = (endpoint_id(1), endpoint_id(2));
    let event =
        dispatched(store, new_event(), vec![pending(endpoint), pending(endpoint), pending(other)]).await;
    let failed = async |ordinal, number, seconds| {
        let finished = FinishedAttempt { at: at(seconds), ..retrying(nth(event, ordinal), number, at(99)) };
        store.finish_attempt(finished).await.unwrap().failing_since
    };
    assert_eq!(failed(0, 1, 1).await, Some(at(1)));
    assert_eq!(failed(1, 1, 2).await, Some(at(1)));
    assert_eq!(failed(2, 1, 3).await, Some(at(3)), "each endpoint by itself");
    assert_eq!(store.failing_endpoints().await.unwrap(), [(endpoint, at(1)), (other, at(3))]);
    assert_eq!(store.finish_attempt(delivered(nth(event, 1), 2)).await.unwrap().failing_since, None);
    assert_eq!(store.failing_endpoints().await.unwrap(), [(other, at(3))]);
    assert_eq!(failed(0, 2, 4).await, Some(at(4)));
    let unsent = FinishedAttempt { attempt: None, ..retrying(nth(event, 0), 3, at(99)) };
    assert_eq!(store.finish_attempt(unsent).await.unwrap().failing_since, None, "no attempt, no failure");
    assert_eq!(failed(0, 3, 5).await, Some(at(4)));
}

pub(crate) async fn activating_or_moving_an_endpoint_forgets_its_failures(store: &dyn Store) {
    let active = endpoint(1, "https://example.com/1");
    store.create_endpoint(active.clone(), audit("endpoint.created")).await.unwrap();
    let event = dispatched(store, new_event(), vec![pending(active.id)]).await;
    let failed = async |number, seconds| {
        let finished = FinishedAttempt { at: at(seconds), ..retrying(nth(event, 0), number, at(99)) };
        store.finish_attempt(finished).await.unwrap().failing_since
    };
    assert_eq!(failed(1, 1).await, Some(at(1)));
    let reason = InactiveReason::Failing;
    let inactive = Endpoint { activity: Activity::Inactive { since: at(2), reason }, ..active.clone() };
    store.update_endpoint(inactive.clone(), Vec::new(), audit("endpoint.updated")).await.unwrap();
    assert_eq!(store.endpoints().await.unwrap(), [inactive]);
    assert_eq!(failed(2, 3).await, Some(at(1)), "what was in flight does not make it healthy");
    store.update_endpoint(active.clone(), Vec::new(), audit("endpoint.updated")).await.unwrap();
    assert_eq!(failed(3, 4).await, Some(at(4)));
    store
        .update_endpoint(
            Endpoint { description: String::new(), ..active.clone() },
            Vec::new(),
            audit("endpoint.updated"),
        )
        .await
        .unwrap();
    assert_eq!(failed(4, 5).await, Some(at(4)));
    let moved = "https://example.com/2".parse().unwrap();
    store
        .update_endpoint(Endpoint { url: moved, ..active }, Vec::new(), audit("endpoint.updated"))
        .await
        .unwrap();
    assert_eq!(failed(5, 6).await, Some(at(6)));
}

pub(crate) async fn what_is_released_is_due_in_the_order_of_acceptance(store: &dyn Store) {
    let endpoint = endpoint_id(1);
    let mut events = Vec::new();
    for n in 0..5 {
        let new = NewEvent { received_at: T0.after(Duration::from_millis(n)), ..new_event() };
        let event = accept(store, new).await.key;
        let deliveries = vec![pending(endpoint), pending(endpoint_id(2))];
        store.fan_out(FanOut { event, at: at(1), deliveries, durable: true }).await.unwrap();
        events.push(event);
    }
    for (n, due) in [(3, 60), (0, 50), (1, 70)] {
        store.finish_attempt(retrying(nth(events[n], 0), 1, at(due))).await.unwrap();
    }
    let mut looks = 0;
    let mut after = None;
    while let Some(last) = store.release_waiting(endpoint, after, 2).await.unwrap() {
        (after, looks) = (Some(last), looks + 1);
    }
    assert_eq!(looks, 3, "five, two at a time");
    let due = store.due(endpoint, at(1), 9).await.unwrap();
    assert_eq!(due.jobs.iter().map(|job| job.delivery.event).collect::<Vec<_>>(), events);
    assert_eq!(due.jobs[0].attempts, 1, "the attempts made so far count");
    assert_eq!(due.next, None);
    assert!(store.release_waiting(endpoint_id(3), None, 2).await.unwrap().is_none());
}
