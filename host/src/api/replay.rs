//! `POST /v1/events/{id}/replay`: an event is matched and judged anew, by the endpoints as they are now.

pub(super) mod docs;

use std::collections::HashSet;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Api;
use super::delivery_view::DeliveryView;
use super::events::Params;
use super::spans;
use crate::http::{Caller, OptionalJson, PathText, Problem, Query, uninterrupted};
use crate::model::{AuditEntry, Delivery, EndpointId, EventId, TenantId};

/// Endpoints that one request names.
const MAX_ENDPOINTS: usize = 250;

/// Where to replay an event to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewReplay")]
pub(super) struct Input {
    /// To these endpoints only, of those that want the topic; 1 to 250.
    #[schemars(with = "Option<Vec<EndpointId>>")]
    endpoints: Option<Vec<String>>,
}

/// What came of a replay.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Replay")]
struct Replayed {
    /// The event.
    #[schemars(with = "EventId")]
    event_id: String,
    /// The new deliveries, one for each endpoint that wants it.
    deliveries: Vec<DeliveryView>,
    /// Endpoints that were named and do not want the topic.
    #[schemars(with = "Vec<EndpointId>")]
    not_matched: Vec<String>,
}

/// Delivers an event anew: to all endpoints that want it now, or to those of them that are named.
pub(super) async fn replay(
    State(api): State<Api>,
    (caller, headers): (Caller, HeaderMap),
    PathText(id): PathText,
    Query(params): Query<Params>,
    OptionalJson(input): OptionalJson<Input>,
) -> Result<Response, Problem> {
    let trace = api.traces.request(&headers);
    let event = api.find_event(&caller, &id, params.tenant).await?.event;
    let named = input.endpoints.map(|named| api.named(&named, &event.tenant)).transpose()?;
    let action = AuditEntry::new(api.clock.now(), caller.actor(), "event.replayed", &event.id);
    let mut audit = action.of_tenant(Some(&event.tenant));
    if let Some(named) = &named {
        let ids: Vec<_> = named.iter().map(ToString::to_string).collect();
        audit = audit.with("endpoints", &json!(null), &json!(ids));
    }
    let (resends, replayed) = (api.resends.clone(), event.clone());
    let only = named.as_ref().map(|named| named.iter().copied().collect::<HashSet<_>>());
    let added = uninterrupted(async move { resends.replay(&replayed, only, audit).await }).await?;
    tracing::info!(event = %event.id, tenant = %event.tenant, deliveries = added.len(), "event replayed");
    spans::resent(&trace, "/v1/events/{id}/replay", &event, |span| {
        span.with("hookway.deliveries", added.len())
    });
    let location = format!("/v1/events/{}?tenant={}", event.id, event.tenant);
    let body = Replayed {
        event_id: event.id.to_string(),
        not_matched: without(named.unwrap_or_default(), &added),
        deliveries: added.into_iter().map(|delivery| api.shown(delivery, &event)).collect(),
    };
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], Json(body)).into_response())
}

impl Api {
    /// The endpoints of a tenant that these texts name.
    fn named(&self, texts: &[String], tenant: &TenantId) -> Result<Vec<EndpointId>, Problem> {
        if texts.is_empty() || texts.len() > MAX_ENDPOINTS {
            let detail =
                format!("name 1 to {MAX_ENDPOINTS} endpoints, or leave `endpoints` out for all of them");
            return Err(Problem::invalid("/endpoints", detail));
        }
        let find = |(place, text): (usize, &String)| {
            let endpoint = text.parse().ok().and_then(|id| self.directory.get(id));
            let endpoint = endpoint.filter(|endpoint| endpoint.tenant == *tenant);
            endpoint.map(|endpoint| endpoint.id).ok_or_else(|| {
                let detail = format!("the tenant `{tenant}` has no endpoint of this id");
                Problem::invalid(format!("/endpoints/{place}"), detail)
            })
        };
        texts.iter().enumerate().map(find).collect()
    }
}

/// Those that got no delivery.
fn without(named: Vec<EndpointId>, added: &[Delivery]) -> Vec<String> {
    let got: HashSet<_> = added.iter().map(|delivery| delivery.endpoint).collect();
    named.into_iter().filter(|id| !got.contains(id)).map(|id| id.to_string()).collect()
}
