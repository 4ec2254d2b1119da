//! `POST /v1/deliveries/{id}/retry` and `/cancel`.
//!
//! Both take no body. A retry may be repeated as often as somebody likes, whatever became of the last one.

pub(super) mod docs;

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode};

use super::Api;
use super::delivery_view::{DeliveryView, reason};
use super::spans;
use crate::http::{Caller, PathText, Problem, uninterrupted};
use crate::model::{AuditEntry, Delivery, Event};
use crate::replay::Refusal;
use crate::store::DeliveryRecord;

/// Sends a delivery again, now; the answer is how it stands then.
pub(super) async fn retry(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    PathText(id): PathText,
) -> Result<(StatusCode, Json<DeliveryView>), Problem> {
    let trace = api.traces.request(&headers);
    let DeliveryRecord { delivery, event, .. } = api.find_delivery(&caller, &id).await?;
    let audit = api.entry_about(&caller, "delivery.retried", &delivery, &event);
    let resends = api.resends.clone();
    let before = delivery.clone();
    let retried = uninterrupted(async move { resends.retry(&before, audit).await }).await;
    let after = retried.map_err(|refusal| why_not(refusal, &delivery))?;
    tracing::info!(delivery = %after.id, status = after.state.name(), "delivery sent again");
    spans::resent(&trace, "/v1/deliveries/{id}/retry", &event, |span| {
        span.with("hookway.delivery.id", after.id.to_string())
    });
    Ok((StatusCode::ACCEPTED, Json(api.shown(after, &event))))
}

/// Ends a delivery that waits.
pub(super) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
) -> Result<Json<DeliveryView>, Problem> {
    let DeliveryRecord { delivery, event, .. } = api.find_delivery(&caller, &id).await?;
    let audit = api.entry_about(&caller, "delivery.cancelled", &delivery, &event);
    let resends = api.resends.clone();
    let cancelled = uninterrupted(async move { resends.cancel(&delivery, audit).await }).await?;
    tracing::info!(delivery = %cancelled.id, "delivery cancelled");
    Ok(Json(api.shown(cancelled, &event)))
}

impl Api {
    fn entry_about(&self, caller: &Caller, action: &str, delivery: &Delivery, event: &Event) -> AuditEntry {
        AuditEntry::new(self.clock.now(), caller.actor(), action, delivery.id).of_tenant(Some(&event.tenant))
    }

    /// A delivery as the log shows it.
    pub(super) fn shown(&self, mut delivery: Delivery, event: &Event) -> DeliveryView {
        if self.directory.is_inactive(delivery.endpoint) {
            delivery.hold_while_inactive();
        }
        let mut shown = DeliveryView::new(&delivery, event);
        self.explain(&mut shown, &delivery);
        shown
    }
}

fn why_not(refusal: Refusal, delivery: &Delivery) -> Problem {
    match refusal {
        Refusal::UnderWay => Problem::conflict(
            "under_way",
            "an attempt of this delivery is under way; see what comes of it, then retry if you still want to",
        ),
        Refusal::EndpointGone => Problem::conflict(
            "endpoint_deleted",
            "the endpoint of this delivery was deleted; replay the event to send it to the endpoints of now",
        ),
        Refusal::Filtered => {
            let why = reason(&delivery.state).unwrap_or_default();
            let detail = format!("{why}. Once that has changed, replay the event: it is judged anew");
            Problem::conflict("filtered", detail)
        }
        Refusal::Store(error) => error.into(),
    }
}
