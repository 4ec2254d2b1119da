//! `GET /v1/events/{id}`: what became of an event.

pub(super) mod docs;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Api;
use super::delivery_view::DeliveryView;
use crate::http::{Caller, PathText, Problem, Query};
use crate::model::{EventId, TenantId, Topic};
use crate::openapi::{Anything, Time};
use crate::store::EventRecord;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Whose event it is; that of the key, else `default`, where nobody says.
    pub(super) tenant: Option<TenantId>,
}

/// An event with its deliveries.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub(super) struct EventView {
    /// Its id, which receivers get as `webhook-id`.
    #[schemars(with = "EventId")]
    event_id: String,
    /// What happened.
    #[schemars(with = "Topic")]
    topic: String,
    /// Whose it is.
    #[schemars(with = "TenantId")]
    tenant: String,
    /// When it happened.
    #[schemars(with = "Time")]
    timestamp: String,
    /// When the gateway took it.
    #[schemars(with = "Time")]
    accepted_at: String,
    /// The payload, byte for byte.
    #[schemars(with = "Anything")]
    data: Box<RawValue>,
    /// `accepted` until it was matched with the endpoints, then `dispatched`.
    #[schemars(extend("enum" = ["accepted", "dispatched"]))]
    status: &'static str,
    /// Whether it tests an endpoint.
    test: bool,
    /// One for each endpoint that wanted it.
    deliveries: Vec<DeliveryView>,
}

/// An event with its deliveries; none once it is dispatched means that no endpoint wanted it.
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
    Query(params): Query<Params>,
) -> Result<Json<EventView>, Problem> {
    let mut record = api.find_event(&caller, &id, params.tenant).await?;
    for delivery in &mut record.deliveries {
        if api.directory.is_inactive(delivery.endpoint) {
            delivery.hold_while_inactive();
        }
    }
    let mut shown = EventView::new(&record).map_err(|error| Problem::internal(&error))?;
    for (shown, delivery) in shown.deliveries.iter_mut().zip(&record.deliveries) {
        api.explain(shown, delivery);
    }
    Ok(Json(shown))
}

impl Api {
    /// The event of this id, if there is one and the caller may know of it.
    pub(super) async fn find_event(
        &self,
        caller: &Caller,
        id: &str,
        tenant: Option<TenantId>,
    ) -> Result<EventRecord, Problem> {
        let tenant = match tenant {
            Some(tenant) => tenant,
            None => caller.managed_tenant(None)?,
        };
        let record = match id.parse::<EventId>() {
            Ok(id) if caller.manages(&tenant) => self.store.event(&tenant, &id).await?,
            Ok(_) | Err(_) => None,
        };
        record.ok_or_else(|| {
            let detail =
                format!("the tenant `{tenant}` has no event of this id; name its tenant with `?tenant=`");
            Problem::not_found(detail)
        })
    }
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
