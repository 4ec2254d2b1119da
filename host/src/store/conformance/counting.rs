//! Rules of `statistics`.

use std::time::Duration;

use super::fixtures::{
    T0, at, attempt, delivered, delivery, dispatched, endpoint_id, held_by, new_event, nth, pending,
    retrying, tenant, verdict,
};
use crate::model::{
    Attempt, DeliveryId, DeliveryState, DeliveryStatus, EndpointId, FailReason, FilteredBy, Tally, UnixMs,
};
use crate::store::{FinishedAttempt, NewEvent, Standing, Statistics, StatisticsScope, Store, Window};

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

async fn read(store: &dyn Store, scope: StatisticsScope, now: UnixMs) -> Statistics {
    store.statistics(scope, now).await.unwrap()
}

fn window(statistics: &Statistics, asked: Window) -> &Tally {
    let (_, _, tally) = statistics.windows.iter().find(|(window, ..)| *window == asked).unwrap();
    tally
}

fn filtered() -> DeliveryState {
    DeliveryState::Filtered { by: FilteredBy::Filter, reason: "no".to_owned() }
}

fn failed(delivery: DeliveryId, at: UnixMs) -> FinishedAttempt {
    let attempt = Some(attempt(1, 500));
    FinishedAttempt {
        delivery,
        attempt,
        state: DeliveryState::Failed(FailReason::Exhausted),
        due_at: None,
        at,
        notice: None,
    }
}

async fn to(store: &dyn Store, endpoint: EndpointId, count: usize) -> Vec<DeliveryId> {
    let event = dispatched(store, new_event(), vec![pending(endpoint); count]).await;
    (0..count).map(|n| nth(event, u16::try_from(n).unwrap())).collect()
}

pub(crate) async fn a_delivery_counts_where_it_ended(store: &dyn Store) {
    let deliveries = vec![
        pending(endpoint_id(1)),
        pending(endpoint_id(1)),
        pending(endpoint_id(1)),
        delivery(endpoint_id(1), filtered(), None),
    ];
    let event = dispatched(store, new_event(), deliveries).await;
    store.finish_attempt(retrying(nth(event, 0), 1, at(9))).await.unwrap();
    let took = Duration::from_millis(200);
    let second =
        FinishedAttempt { attempt: Some(Attempt { took, ..attempt(2, 200) }), ..delivered(nth(event, 0), 2) };
    store.finish_attempt(second.clone()).await.unwrap();
    store.finish_attempt(second).await.unwrap();
    store.finish_attempt(failed(nth(event, 1), at(3))).await.unwrap();
    let found = read(store, StatisticsScope::All, at(10)).await;
    for asked in Window::ALL {
        let tally = window(&found, asked);
        assert_eq!((tally.created, tally.delivered, tally.failed, tally.filtered), (4, 1, 1, 1), "{asked:?}");
        assert_eq!((tally.latencies.count(), tally.failed_attempts, tally.cancelled), (3, 2, 0));
        assert_eq!(tally.delivery_rate(), Some(0.5));
        let p99 = tally.latencies.percentile(99).unwrap().as_millis();
        assert!((190..=210).contains(&p99), "{p99}");
    }
    assert_eq!(found.standing, Standing { pending: 1, ..Standing::default() });
    let last = found.last_error.unwrap();
    assert_eq!((last.delivery, last.at), (nth(event, 1), at(3)));
    assert_eq!(last.attempt, attempt(1, 500));
}

pub(crate) async fn every_scope_counts_its_own(store: &dyn Store) {
    for (n, (name, topic)) in (1..).zip([("acme", "a"), ("acme", "b"), ("umbrella", "a")]) {
        let event = NewEvent { tenant: tenant(name), topic: topic.parse().unwrap(), ..new_event() };
        dispatched(store, event, vec![pending(endpoint_id(n)); usize::try_from(n).unwrap()]).await;
    }
    let topic = |name: &str| name.parse().unwrap();
    let cases = [
        (StatisticsScope::All, 6),
        (StatisticsScope::Tenant(tenant("acme")), 3),
        (StatisticsScope::Topic(topic("a")), 4),
        (StatisticsScope::TopicOfTenant(tenant("acme"), topic("a")), 1),
        (StatisticsScope::TopicOfTenant(tenant("umbrella"), topic("b")), 0),
        (StatisticsScope::Endpoint(endpoint_id(3)), 3),
        (StatisticsScope::Tenant(tenant("acm")), 0),
    ];
    for fold in [false, true] {
        for (scope, expected) in cases.clone() {
            let found = read(store, scope.clone(), at(1)).await;
            assert_eq!(window(&found, Window::Hour).created, expected, "{scope:?} {fold}");
            assert_eq!(i64::try_from(found.standing.pending).unwrap(), expected, "{scope:?} {fold}");
        }
        // Far more than are kept unfolded; of none of the scopes but the first.
        let event = NewEvent { tenant: tenant("hooli"), topic: topic("c"), ..new_event() };
        let event = dispatched(store, event, vec![pending(endpoint_id(99)); 10_000]).await;
        let gone =
            (0..10_000).map(|n| store.finish_attempt(failed(nth(event, n), at(1)))).collect::<Vec<_>>();
        for call in gone {
            call.await.unwrap();
        }
        if !fold {
            let all = read(store, StatisticsScope::All, at(1)).await;
            assert_eq!(window(&all, Window::Week).created, 10_006);
            assert_eq!(all.standing.pending, 6);
            // The next round looks at the others again.
            let first = &cases[0];
            assert_eq!(first.1, 6);
            return check_folded(store, &cases[1..]).await;
        }
    }
}

async fn check_folded(store: &dyn Store, cases: &[(StatisticsScope, i64)]) {
    for (scope, expected) in cases {
        let found = read(store, scope.clone(), at(1)).await;
        assert_eq!(window(&found, Window::Hour).created, *expected, "{scope:?}");
        assert_eq!(i64::try_from(found.standing.pending).unwrap(), *expected, "{scope:?}");
    }
}

pub(crate) async fn windows_begin_when_they_say(store: &dyn Store) {
    let ids = to(store, endpoint_id(1), 4).await;
    for (id, seconds) in ids.iter().zip([0, 2 * HOUR, 30 * HOUR, 6 * DAY]) {
        store.finish_attempt(FinishedAttempt { at: at(seconds), ..delivered(*id, 1) }).await.unwrap();
    }
    let counts = async |seconds| {
        let found = read(store, StatisticsScope::Endpoint(endpoint_id(1)), at(seconds)).await;
        found.windows.iter().map(|(_, _, tally)| tally.delivered).collect::<Vec<_>>()
    };
    assert_eq!(counts(0).await, [1, 1, 1]);
    assert_eq!(counts(2 * HOUR).await, [1, 2, 2]);
    assert_eq!(counts(30 * HOUR).await, [1, 1, 3]);
    assert_eq!(counts(6 * DAY + HOUR).await, [1, 1, 4]);
    assert_eq!(counts(8 * DAY).await, [0, 0, 2]);
    assert_eq!(counts(20 * DAY).await, [0, 0, 0]);
    let found = read(store, StatisticsScope::All, at(8 * DAY)).await;
    for (asked, since, _) in &found.windows {
        let length = at(8 * DAY).since(*since);
        let excess = length - asked.length();
        assert!(excess < Duration::from_secs(HOUR), "{asked:?} begins at {since}");
    }
    assert_eq!(T0.0 % 1_800_000, 0, "the times above are at the beginning of half an hour");
}

pub(crate) async fn what_waits_is_counted_as_it_stands(store: &dyn Store) {
    let held = |endpoint| delivery(endpoint, held_by("jq"), Some(at(9)));
    let deliveries = vec![pending(endpoint_id(1)), pending(endpoint_id(1)), held(endpoint_id(1))];
    let event = dispatched(store, new_event(), deliveries).await;
    let standing = async || read(store, StatisticsScope::Endpoint(endpoint_id(1)), at(1)).await.standing;
    assert_eq!(standing().await, Standing { pending: 2, retrying: 0, held: 1 });
    store.finish_attempt(retrying(nth(event, 0), 1, at(5))).await.unwrap();
    store.finish_attempt(retrying(nth(event, 0), 2, at(9))).await.unwrap();
    assert_eq!(standing().await, Standing { pending: 1, retrying: 1, held: 1 });
    store.redispatch(nth(event, 2), verdict(DeliveryState::Pending, None), true).await.unwrap();
    assert_eq!(standing().await, Standing { pending: 2, retrying: 1, held: 0 });
    while store.cancel_waiting(endpoint_id(1), at(3), 2).await.unwrap() > 0 {}
    let found = read(store, StatisticsScope::All, at(3)).await;
    assert_eq!((found.standing, window(&found, Window::Hour).cancelled), (Standing::default(), 3));
    assert_eq!(
        window(&found, Window::Hour).delivery_rate(),
        None,
        "what is cancelled was not meant to arrive"
    );
}

pub(crate) async fn a_hold_is_no_end(store: &dyn Store) {
    let id = to(store, endpoint_id(1), 1).await[0];
    let unsigned = DeliveryState::Held(crate::model::HoldReason::NoActiveSecret);
    let held = FinishedAttempt { attempt: None, state: unsigned, due_at: Some(at(60)), ..delivered(id, 1) };
    store.finish_attempt(held).await.unwrap();
    store.finish_attempt(failed(id, at(5))).await.unwrap();
    let found = read(store, StatisticsScope::All, at(5)).await;
    let hour = window(&found, Window::Hour);
    let ends = DeliveryStatus::ALL.map(|status| hour.clone().ended_mut(status).copied().unwrap_or_default());
    assert_eq!(ends.iter().sum::<i64>(), 1);
    assert_eq!((hour.failed, hour.latencies.count()), (1, 1));
    assert_eq!(found.standing, Standing::default());
}
