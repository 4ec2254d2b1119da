//! `POST /v1/endpoints/{id}/recover` and `/v1/recoveries`: a range of an endpoint's events sent again, by a job.

pub(super) mod docs;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::LOCATION;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::Api;
use super::deliveries::parsed;
use super::page::Page;
use super::recovery_input::Input;
use super::recovery_view::{CountView, RecoveryView};
use crate::http::{Caller, Limit, OptionalJson, PathText, Problem, Query, uninterrupted};
use crate::model::{AuditEntry, EndpointId, Recovery, RecoveryId, RecoveryState, TenantId};
use crate::store::RecoveryFilter;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    /// Of this tenant only.
    tenant: Option<TenantId>,
    /// Of this endpoint only.
    #[serde(deserialize_with = "parsed")]
    endpoint: Option<EndpointId>,
    /// In this state only.
    state: Option<RecoveryState>,
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[serde(deserialize_with = "parsed")]
    cursor: Option<RecoveryId>,
}

/// Starts one, or counts what it would find.
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
    OptionalJson(input): OptionalJson<Input>,
) -> Result<Response, Problem> {
    let endpoint = api.find(&caller, &id)?;
    let dry_run = input.dry_run;
    let recovery = input.recovery(&endpoint, api.clock.now())?;
    if dry_run {
        let count = api.resends.count(recovery.clone()).await?;
        return Ok(Json(CountView::new(&recovery, count)).into_response());
    }
    let audit = api.entry_about_recovery(&caller, "recovery.created", &recovery);
    let (resends, created) = (api.resends.clone(), recovery.clone());
    uninterrupted(async move { resends.recover(created, audit).await }).await?;
    tracing::info!(recovery = %recovery.id, endpoint = %endpoint.id, "recovery started");
    let location = format!("/v1/recoveries/{}", recovery.id);
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], Json(api.view(&recovery))).into_response())
}

/// Newest first.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(params): Query<Params>,
) -> Result<Json<Page<RecoveryView>>, Problem> {
    let tenant = caller.visible_tenant(params.tenant)?;
    let filter = RecoveryFilter { tenant, endpoint: params.endpoint, state: params.state };
    let page = api.store.recoveries(filter, params.cursor, params.limit.get()).await?;
    Ok(Json(Page {
        data: page.rows.iter().map(|recovery| api.view(recovery)).collect(),
        next_cursor: page.next.map(|cursor| cursor.to_string()),
    }))
}

/// One, and how far it is.
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
) -> Result<Json<RecoveryView>, Problem> {
    let recovery = api.find_recovery(&caller, &id).await?;
    Ok(Json(api.view(&recovery)))
}

/// Ends one; what it had sent again goes on.
pub(super) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
) -> Result<Json<RecoveryView>, Problem> {
    let recovery = api.find_recovery(&caller, &id).await?;
    let audit = api.entry_about_recovery(&caller, "recovery.cancelled", &recovery);
    let resends = api.resends.clone();
    let cancelled = uninterrupted(async move { resends.cancel_recovery(recovery.id, audit).await }).await?;
    tracing::info!(recovery = %cancelled.id, "recovery cancelled");
    Ok(Json(api.view(&cancelled)))
}

impl Api {
    async fn find_recovery(&self, caller: &Caller, id: &str) -> Result<Recovery, Problem> {
        let recovery = match id.parse() {
            Ok(id) => self.store.recovery(id).await?,
            Err(_) => None,
        };
        let recovery = recovery.filter(|recovery| caller.manages(&recovery.tenant));
        recovery.ok_or_else(|| Problem::not_found("there is no recovery of this id"))
    }

    fn entry_about_recovery(&self, caller: &Caller, action: &str, recovery: &Recovery) -> AuditEntry {
        let entry = AuditEntry::new(self.clock.now(), caller.actor(), action, recovery.id);
        let entry = entry.of_tenant(Some(&recovery.tenant));
        if recovery.state == RecoveryState::Running && action == "recovery.cancelled" {
            return entry.with(
                "state",
                &json!(recovery.state.name()),
                &json!(RecoveryState::Cancelled.name()),
            );
        }
        let fields = [
            ("endpoint", json!(recovery.endpoint.to_string())),
            ("since", json!(recovery.since.to_string())),
            ("until", json!(recovery.until.to_string())),
            ("status", json!(recovery.wanted)),
        ];
        fields.iter().fold(entry, |entry, (field, value)| entry.with(field, &json!(null), value))
    }

    fn view(&self, recovery: &Recovery) -> RecoveryView {
        let is_stuck =
            recovery.state == RecoveryState::Running && self.directory.is_inactive(recovery.endpoint);
        RecoveryView::new(recovery, is_stuck.then_some("the endpoint is inactive; activate it"))
    }
}
