//! What is sent again, or not at all, because somebody said so.

use super::fixtures::{
    T0, accept, at, audit, custom_request, delivered, delivery, dispatched, endpoint, endpoint_id, held_by,
    new_event, nth, pending, plugin_run, retrying, state, verdict,
};
use crate::model::{
    Delivery, DeliveryId, DeliveryState, Endpoint, FailReason, Line, OrderId, Ordering, UnixMs,
};
use crate::store::{
    AuditFilter, DueInOrder, Error, FanOut, FinishedAttempt, Lookout, NewDelivery, Replay, Resume, Retry,
    Store, Verdict,
};

async fn as_it_was(store: &dyn Store, id: DeliveryId, now: UnixMs) -> Result<Delivery, Error> {
    let expected = state(store, id).await;
    let retry = Retry { delivery: id, expected, resume: Resume::AsItWas, at: now };
    store.retry(retry, audit("delivery.retried")).await
}

async fn audited(store: &dyn Store) -> usize {
    store.audit(AuditFilter::default(), None, 99).await.unwrap().rows.len()
}

fn failed(delivery: DeliveryId, number: u16) -> FinishedAttempt {
    let state = DeliveryState::Failed(FailReason::Exhausted);
    FinishedAttempt { state, due_at: None, ..retrying(delivery, number, at(9)) }
}

pub(crate) async fn a_retry_makes_a_delivery_due_again_with_what_it_has(store: &dyn Store) {
    let changed = Verdict { custom: Some(custom_request()), ..verdict(DeliveryState::Pending, None) };
    let new = NewDelivery { verdict: changed, ..pending(endpoint_id(1)) };
    let event = dispatched(store, new_event(), vec![new, pending(endpoint_id(2))]).await;
    let id = nth(event, 0);
    store.finish_attempt(failed(id, 1)).await.unwrap();
    assert!(store.due(endpoint_id(1), at(99), 9).await.unwrap().jobs.is_empty());
    for (round, number) in (2..5).enumerate() {
        let now = at(10 + u64::from(number));
        let after = as_it_was(store, id, now).await.unwrap();
        assert_eq!(
            (&after.state, after.due_at, after.finished_at),
            (&DeliveryState::Retrying, Some(now), None)
        );
        let due = store.due(endpoint_id(1), now, 9).await.unwrap();
        let [job] = &*due.jobs else { panic!("{due:?}") };
        assert_eq!((job.delivery, job.attempts), (id, number - 1));
        assert_eq!(job.custom.as_deref(), Some(&*custom_request()), "the same bytes");
        // Delivered ones, too: as often as somebody likes.
        store.finish_attempt(delivered(id, number)).await.unwrap();
        assert_eq!(audited(store).await, round + 1);
    }
    let record = store.delivery(id).await.unwrap().unwrap();
    assert_eq!(record.attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(state(store, nth(event, 1)).await, DeliveryState::Pending, "the others stay as they are");
}

pub(crate) async fn a_retry_keeps_the_schedule_of_one_that_waits_and_begins_that_of_one_that_was_over(
    store: &dyn Store,
) {
    let endpoint = endpoint_id(1);
    let event = dispatched(store, new_event(), vec![pending(endpoint)]).await;
    let id = nth(event, 0);
    let tries = async |now| {
        let due = store.due(endpoint, now, 9).await.unwrap();
        due.jobs[0].tries_at(due.jobs[0].attempts + 1)
    };
    assert_eq!(tries(at(1)).await, 1);
    store.finish_attempt(retrying(id, 1, at(3600))).await.unwrap();
    as_it_was(store, id, at(2)).await.unwrap();
    assert_eq!(tries(at(2)).await, 2, "it waits for its second try");
    store.finish_attempt(failed(id, 2)).await.unwrap();
    as_it_was(store, id, at(3)).await.unwrap();
    assert_eq!(tries(at(3)).await, 1, "it was over");
    store.finish_attempt(retrying(id, 3, at(60))).await.unwrap();
    assert_eq!(tries(at(60)).await, 2);
    let cancelled = store.cancel(id, at(61), audit("delivery.cancelled")).await.unwrap();
    assert_eq!(cancelled.state, DeliveryState::Cancelled);
    as_it_was(store, id, at(62)).await.unwrap();
    assert_eq!(tries(at(62)).await, 1);
}

pub(crate) async fn a_retry_of_one_that_changed_meanwhile_is_refused_and_leaves_nothing(store: &dyn Store) {
    let event = dispatched(store, new_event(), vec![pending(endpoint_id(1))]).await;
    let id = nth(event, 0);
    let expected = state(store, id).await;
    store.finish_attempt(delivered(id, 1)).await.unwrap();
    let late = Retry { delivery: id, expected, resume: Resume::AsItWas, at: at(5) };
    let refused = store.retry(late.clone(), audit("delivery.retried")).await.unwrap_err();
    assert!(matches!(refused, Error::StateChanged), "{refused}");
    let unknown = Retry { delivery: nth(event, 7), ..late };
    let refused = store.retry(unknown, audit("delivery.retried")).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound), "{refused}");
    assert_eq!(state(store, id).await, DeliveryState::Delivered);
    assert!(store.waiting_endpoints().await.unwrap().is_empty());
    assert_eq!(audited(store).await, 0);
}

pub(crate) async fn a_verdict_that_comes_with_a_retry_replaces_the_last(store: &dyn Store) {
    let endpoint = endpoint_id(1);
    let held = delivery(endpoint, held_by("jq"), Some(at(3600)));
    let event = dispatched(store, new_event(), vec![held]).await;
    let id = nth(event, 0);
    let judged = async |verdict, now| {
        let resume = Resume::Judged(Box::new(verdict));
        let retry = Retry { delivery: id, expected: state(store, id).await, resume, at: now };
        store.retry(retry, audit("delivery.retried")).await.unwrap()
    };
    let custom = Some(custom_request());
    let sent = Verdict { custom, plugins: vec![plugin_run()], ..verdict(DeliveryState::Pending, None) };
    let after = judged(sent, at(2)).await;
    assert_eq!((after.state, after.due_at, after.plugins.len()), (DeliveryState::Pending, Some(at(2)), 1));
    assert!(store.plugin_holds(at(9999), None, None, 9).await.unwrap().is_empty());
    assert_eq!(store.due(endpoint, at(2), 9).await.unwrap().jobs[0].custom, Some(custom_request()));

    store.cancel(id, at(3), audit("delivery.cancelled")).await.unwrap();
    let after = judged(verdict(DeliveryState::Pending, None), at(4)).await;
    assert!(after.plugins.is_empty());
    assert_eq!(store.due(endpoint, at(4), 9).await.unwrap().jobs[0].custom, None, "no transform this time");
    assert!(store.delivery(id).await.unwrap().unwrap().custom.is_none());
}

pub(crate) async fn cancelling_ends_what_waits_and_nothing_else(store: &dyn Store) {
    let endpoint = endpoint_id(1);
    let held = delivery(endpoint, held_by("jq"), Some(at(9)));
    let event =
        dispatched(store, new_event(), vec![pending(endpoint), held, pending(endpoint), pending(endpoint)])
            .await;
    store.finish_attempt(retrying(nth(event, 2), 1, at(60))).await.unwrap();
    store.finish_attempt(delivered(nth(event, 3), 1)).await.unwrap();
    for ordinal in 0..3 {
        let after = store.cancel(nth(event, ordinal), at(5), audit("delivery.cancelled")).await.unwrap();
        assert_eq!(
            (after.state, after.due_at, after.finished_at),
            (DeliveryState::Cancelled, None, Some(at(5)))
        );
    }
    for ordinal in [0, 3] {
        let refused =
            store.cancel(nth(event, ordinal), at(6), audit("delivery.cancelled")).await.unwrap_err();
        assert!(matches!(refused, Error::IsFinal("cancelled" | "delivered")), "{refused}");
    }
    let unknown = store.cancel(nth(event, 9), at(6), audit("delivery.cancelled")).await.unwrap_err();
    assert!(matches!(unknown, Error::NotFound), "{unknown}");
    assert!(store.waiting_endpoints().await.unwrap().is_empty());
    assert!(store.plugin_holds(at(9999), None, None, 9).await.unwrap().is_empty());
    assert_eq!(audited(store).await, 3);
}

pub(crate) async fn an_attempt_under_way_is_recorded_though_its_delivery_was_cancelled(store: &dyn Store) {
    let event = dispatched(store, new_event(), vec![pending(endpoint_id(1)), pending(endpoint_id(1))]).await;
    for (ordinal, end, state) in [
        (0, retrying(nth(event, 0), 1, at(60)), DeliveryState::Cancelled),
        (1, delivered(nth(event, 1), 1), DeliveryState::Delivered),
    ] {
        let id = nth(event, ordinal);
        store.cancel(id, at(1), audit("delivery.cancelled")).await.unwrap();
        assert!(store.finish_attempt(end.clone()).await.unwrap().was_over);
        let record = store.delivery(id).await.unwrap().unwrap();
        assert_eq!((record.delivery.state, record.attempts.len()), (state, 1));
        // Once, however often it is said.
        store.finish_attempt(end).await.unwrap();
        assert_eq!(store.delivery(id).await.unwrap().unwrap().delivery.attempts, 1);
    }
    assert!(store.waiting_endpoints().await.unwrap().is_empty());
}

pub(crate) async fn a_replay_adds_deliveries_behind_those_of_the_event(store: &dyn Store) {
    let (one, two) = (endpoint_id(1), endpoint_id(2));
    let event = dispatched(store, new_event(), vec![pending(one)]).await;
    store.finish_attempt(delivered(nth(event, 0), 1)).await.unwrap();
    for first in [1, 3] {
        let changed = Verdict { custom: Some(custom_request()), ..verdict(DeliveryState::Pending, None) };
        let deliveries = vec![pending(one), NewDelivery { verdict: changed, ..pending(two) }];
        let now = at(u64::from(first));
        let replay = Replay { event, deliveries, at: now };
        let added = store.replay(replay, audit("event.replayed")).await.unwrap();
        assert_eq!(
            added.iter().map(|new| new.id).collect::<Vec<_>>(),
            [nth(event, first), nth(event, first + 1)]
        );
        assert_eq!(added[0].due_at, Some(now), "behind what waits already");
    }
    let due = store.due(two, at(9), 9).await.unwrap();
    assert_eq!(due.jobs.len(), 2);
    assert_eq!(due.jobs[0].custom, Some(custom_request()));
    assert_eq!(state(store, nth(event, 0)).await, DeliveryState::Delivered);
    assert_eq!(audited(store).await, 2);
}

pub(crate) async fn an_event_is_replayed_once_it_was_dispatched(store: &dyn Store) {
    let event = accept(store, new_event()).await.key;
    let replay = Replay { event, deliveries: vec![pending(endpoint_id(1))], at: at(1) };
    let refused = store.replay(replay.clone(), audit("event.replayed")).await.unwrap_err();
    assert!(matches!(refused, Error::NotDispatched), "{refused}");
    store.fan_out(FanOut { event, at: T0, deliveries: Vec::new(), durable: true }).await.unwrap();
    let added = store.replay(replay.clone(), audit("event.replayed")).await.unwrap();
    assert_eq!(added[0].id, nth(event, 0), "it matched nobody the first time");
    let unknown = Replay { event: crate::model::EventKey::new(T0, 7), ..replay };
    let refused = store.replay(unknown, audit("event.replayed")).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound), "{refused}");
    assert_eq!(audited(store).await, 1);
}

pub(crate) async fn what_is_sent_again_takes_its_place_in_its_line(store: &dyn Store) {
    let ordered = Endpoint { ordering: Ordering::Fifo, ..endpoint(1, "https://example.com/1") };
    store.create_endpoint(ordered.clone(), audit("endpoint.created")).await.unwrap();
    let id = ordered.id;
    let in_line = || NewDelivery { line: Some(Line::WHOLE), ..pending(id) };
    let first = dispatched(store, new_event(), vec![in_line()]).await;
    let second = dispatched(store, new_event(), vec![in_line()]).await;
    store.finish_attempt(failed(nth(first, 0), 1)).await.unwrap();
    as_it_was(store, nth(first, 0), at(5)).await.unwrap();
    let lookout = || Lookout {
        order: OrderId::WHOLE,
        after: None,
        known: std::collections::HashMap::default(),
        passed: std::collections::HashSet::default(),
    };
    let DueInOrder::WithoutLine(asked) = store.due_in_order(id, lookout(), at(5), 9).await.unwrap() else {
        panic!("it gave its place up when it failed")
    };
    let lines = asked.iter().map(|(id, _)| (*id, Line::WHOLE)).collect();
    store.set_lines(id, lines).await.unwrap();
    let DueInOrder::Due(found) = store.due_in_order(id, lookout(), at(5), 9).await.unwrap() else {
        panic!("all lines are said")
    };
    let jobs: Vec<_> = found.jobs.iter().map(|job| job.delivery).collect();
    assert_eq!(jobs, [nth(first, 0), nth(second, 0)]);
    store.cancel(nth(first, 0), at(6), audit("delivery.cancelled")).await.unwrap();
    let DueInOrder::Due(found) = store.due_in_order(id, lookout(), at(6), 9).await.unwrap() else {
        panic!("all lines are said")
    };
    assert_eq!(found.jobs.len(), 1, "what stood behind it goes on");
}
