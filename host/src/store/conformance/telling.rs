//! Rules of operational events: each is accepted in the transaction of its cause.

use super::fixtures::{
    T0, accept, at, audit, delivered, delivery, dispatched, endpoint, endpoint_id, event_with_id, held_by,
    new_event, nth, pending, verdict,
};
use crate::model::{DeliveryState, FailReason, TenantId};
use crate::store::{Error, FanOut, FinishedAttempt, NewDelivery, NewEvent, Store, Verdict};

const URL: &str = "https://example.com/hook";

fn notice(what: &str) -> NewEvent {
    let tenant: TenantId = "ops".parse().unwrap();
    NewEvent { tenant, topic: format!("hookway.{what}").parse().unwrap(), ..new_event() }
}

fn given_up(what: &str) -> Verdict {
    let state = DeliveryState::Failed(FailReason::Exhausted);
    Verdict { notice: Some(notice(what)), ..verdict(state, None) }
}

/// The topics of the operational events that wait for dispatch, in the order of acceptance.
async fn told(store: &dyn Store) -> Vec<String> {
    let waiting = store.undispatched(None, 100).await.unwrap();
    let told = waiting.iter().filter(|event| event.tenant.as_str() == "ops");
    told.map(|event| event.topic.to_string()).collect()
}

pub(crate) async fn an_operational_event_is_accepted_with_its_cause(store: &dyn Store) {
    store.create_endpoint(endpoint(1, URL), audit("endpoint.created")).await.unwrap();
    let notices = vec![notice("failed"), notice("deactivated")];
    store.update_endpoint(endpoint(1, URL), notices, audit("endpoint.deactivated")).await.unwrap();
    assert_eq!(told(store).await, ["hookway.failed", "hookway.deactivated"]);

    let event = accept(store, new_event()).await.key;
    let refused = NewDelivery { verdict: given_up("refused"), ..pending(endpoint_id(1)) };
    let held = delivery(endpoint_id(1), held_by("jq"), Some(at(10)));
    let deliveries = vec![pending(endpoint_id(1)), refused, held];
    store.fan_out(FanOut { event, at: T0, deliveries, durable: false }).await.unwrap();
    store.redispatch(nth(event, 2), given_up("redispatched"), false).await.unwrap();
    let exhausted = FinishedAttempt { notice: Some(notice("exhausted")), ..delivered(nth(event, 0), 1) };
    store.finish_attempt(exhausted).await.unwrap();
    assert_eq!(told(store).await[2..], ["hookway.refused", "hookway.redispatched", "hookway.exhausted"]);
    let waiting = store.undispatched(None, 100).await.unwrap();
    let found = store.event(&waiting[0].tenant, &waiting[0].id).await.unwrap().unwrap();
    assert_eq!((found.event.data.clone(), found.dispatched), (new_event().data, false));
}

pub(crate) async fn what_changes_nothing_tells_nothing(store: &dyn Store) {
    let event = dispatched(store, new_event(), vec![pending(endpoint_id(1))]).await;
    store.finish_attempt(delivered(nth(event, 0), 1)).await.unwrap();
    let again = FinishedAttempt { notice: Some(notice("exhausted")), ..delivered(nth(event, 0), 1) };
    store.finish_attempt(again.clone()).await.unwrap();
    store.finish_attempt(FinishedAttempt { delivery: nth(event, 7), ..again }).await.unwrap();
    let deliveries = vec![NewDelivery { verdict: given_up("refused"), ..pending(endpoint_id(1)) }];
    store.fan_out(FanOut { event, at: T0, deliveries, durable: true }).await.unwrap();
    store.redispatch(nth(event, 0), given_up("redispatched"), false).await.unwrap();
    store.create_endpoint(endpoint(1, URL), audit("endpoint.created")).await.unwrap();
    for other in [2, 3] {
        // One that does not exist, then one whose URL is taken.
        let refused =
            store.update_endpoint(endpoint(other, URL), vec![notice("failed")], audit("endpoint.updated"));
        assert!(matches!(refused.await, Err(Error::NotFound | Error::UrlTaken(_))));
        let next = endpoint(3, "https://example.com/3");
        store.create_endpoint(next, audit("endpoint.created")).await.ok();
    }
    assert!(told(store).await.is_empty());
}

pub(crate) async fn an_operational_event_claims_no_id(store: &dyn Store) {
    store.create_endpoint(endpoint(1, URL), audit("endpoint.created")).await.unwrap();
    let first = accept(store, event_with_id("taken")).await;
    let other = NewEvent { topic: "hookway.failed".parse().unwrap(), ..event_with_id("taken") };
    store.update_endpoint(endpoint(1, URL), vec![other], audit("endpoint.updated")).await.unwrap();
    let waiting = store.undispatched(None, 10).await.unwrap();
    assert_eq!(waiting.len(), 2);
    assert_ne!(waiting[1].id, first.id);
}
