//! `GET /v1/events`: events, newest first, with what became of each: also of those that no endpoint wanted.

pub(super) mod docs;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::deliveries::{parsed, time};
use super::delivery_view::DeliveryView;
use super::page::Page;
use crate::http::{Caller, Limit, Problem, Query};
use crate::model::{EventId, EventKey, TenantId, Topic, UnixMs};
use crate::openapi::Time;
use crate::store::{EventFilter, EventRecord};

/// Deliveries that are shown of one event; the event by its id has all.
const MAX_DELIVERIES: usize = 20;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    /// Of this tenant only.
    tenant: Option<TenantId>,
    /// Of this topic only.
    topic: Option<Topic>,
    /// Whether an endpoint wanted it. One that is not matched yet is neither.
    #[schemars(with = "bool")]
    matched: Option<bool>,
    /// Accepted at this time or later.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Time")]
    since: Option<UnixMs>,
    /// Accepted before this time.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Time")]
    until: Option<UnixMs>,
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[serde(deserialize_with = "parsed")]
    cursor: Option<EventKey>,
}

/// An event in a list, without its data.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EventRow")]
pub(super) struct EventRowView {
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
    /// `accepted` until it was matched with the endpoints, then `dispatched`.
    #[schemars(extend("enum" = ["accepted", "dispatched"]))]
    status: &'static str,
    /// Whether it tests an endpoint.
    test: bool,
    /// Whether an endpoint wanted it; `null` until that is known.
    matched: Option<bool>,
    /// How many deliveries it has.
    delivery_count: usize,
    /// The first 20 of them.
    deliveries: Vec<DeliveryView>,
}

/// Newest first.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(params): Query<Params>,
) -> Result<Json<Page<EventRowView>>, Problem> {
    let Params { tenant, topic, matched, since, until, limit, cursor } = params;
    let tenant = caller.visible_tenant(tenant)?;
    let filter = EventFilter { tenant, topic, matched, since, until };
    let mut page = api.store.events(filter, cursor, limit.get()).await?;
    for delivery in page.events.iter_mut().flat_map(|record| &mut record.deliveries) {
        if api.directory.is_inactive(delivery.endpoint) {
            delivery.hold_while_inactive();
        }
    }
    Ok(Json(Page {
        data: page.events.iter().map(EventRowView::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.to_string()),
    }))
}

impl From<&EventRecord> for EventRowView {
    fn from(EventRecord { event, dispatched, deliveries }: &EventRecord) -> Self {
        let shown = deliveries.iter().take(MAX_DELIVERIES);
        Self {
            event_id: event.id.to_string(),
            topic: event.topic.to_string(),
            tenant: event.tenant.to_string(),
            timestamp: event.timestamp.to_string(),
            accepted_at: event.accepted_at.to_string(),
            status: if *dispatched { "dispatched" } else { "accepted" },
            test: event.test_of.is_some(),
            matched: dispatched.then_some(!deliveries.is_empty()),
            delivery_count: deliveries.len(),
            deliveries: shown.map(|delivery| DeliveryView::new(delivery, event)).collect(),
        }
    }
}
