//! `GET /v1/events/{id}`: what became of an event.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Api;
use super::delivery_view::DeliveryView;
use crate::http::{Caller, PathText, Problem, Query};
use crate::model::{EventId, TenantId};
use crate::store::EventRecord;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    tenant: Option<TenantId>,
}

#[derive(Debug, Serialize)]
pub(super) struct EventView {
    event_id: String,
    topic: String,
    tenant: String,
    timestamp: String,
    accepted_at: String,
    data: Box<RawValue>,
    status: &'static str,
    test: bool,
    deliveries: Vec<DeliveryView>,
}

/// An event with its deliveries; none once it is dispatched means that no endpoint wanted it.
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
    Query(params): Query<Params>,
) -> Result<Json<EventView>, Problem> {
    let tenant = match params.tenant {
        Some(tenant) => tenant,
        None => caller.managed_tenant(None)?,
    };
    let record = match id.parse::<EventId>() {
        Ok(id) if caller.manages(&tenant) => api.store.event(&tenant, &id).await?,
        Ok(_) | Err(_) => None,
    };
    let mut record = record.ok_or_else(|| {
        let detail =
            format!("the tenant `{tenant}` has no event of this id; name its tenant with `?tenant=`");
        Problem::not_found(detail)
    })?;
    for delivery in &mut record.deliveries {
        if api.directory.is_inactive(delivery.endpoint) {
            delivery.hold_while_inactive();
        }
    }
    EventView::new(&record).map(Json).map_err(|error| Problem::internal(&error))
}

impl EventView {
    fn new(EventRecord { event, dispatched, deliveries }: &EventRecord) -> Result<Self, serde_json::Error> {
        Ok(Self {
            event_id: event.id.to_string(),
            topic: event.topic.to_string(),
            tenant: event.tenant.to_string(),
            timestamp: event.timestamp.to_string(),
            accepted_at: event.accepted_at.to_string(),
            data: serde_json::from_slice(&event.data)?,
            status: if *dispatched { "dispatched" } else { "accepted" },
            test: event.test_of.is_some(),
            deliveries: deliveries.iter().map(|delivery| DeliveryView::new(delivery, event)).collect(),
        })
    }
}
