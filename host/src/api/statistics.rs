//! `GET /v1/stats` and `GET /v1/endpoints/{id}/stats`: how deliveries ended and how long attempts took.

pub(super) mod docs;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::statistics_view::StatisticsView;
use crate::http::{Caller, PathText, Problem, Query};
use crate::model::{TenantId, Topic};
use crate::store::StatisticsScope;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    /// Of this tenant only.
    tenant: Option<TenantId>,
    /// Of events of this topic only.
    topic: Option<Topic>,
}

/// Of a tenant, of a topic, or of everything.
pub(super) async fn of_all(
    State(api): State<Api>,
    caller: Caller,
    Query(Params { tenant, topic }): Query<Params>,
) -> Result<Json<StatisticsView>, Problem> {
    let scope = match (caller.visible_tenant(tenant)?, topic) {
        (None, None) => StatisticsScope::All,
        (None, Some(topic)) => StatisticsScope::Topic(topic),
        (Some(tenant), None) => StatisticsScope::Tenant(tenant),
        (Some(tenant), Some(topic)) => StatisticsScope::TopicOfTenant(tenant, topic),
    };
    api.statistics(scope).await
}

/// Of an endpoint.
pub(super) async fn of_endpoint(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
) -> Result<Json<StatisticsView>, Problem> {
    let id = api.find(&caller, &id)?.id;
    api.statistics(StatisticsScope::Endpoint(id)).await
}

impl Api {
    async fn statistics(&self, scope: StatisticsScope) -> Result<Json<StatisticsView>, Problem> {
        let now = self.clock.now();
        let mut found = self.store.statistics(scope.clone(), now).await?;
        if let StatisticsScope::Endpoint(id) = scope
            && self.directory.is_inactive(id)
        {
            found.standing.hold_all();
        }
        Ok(Json(StatisticsView::new(&scope, now, &found)))
    }
}
