//! `/v1/tenants`: what there is of each tenant, and what an administrator says about it.
//!
//! A tenant is nothing but its name, so none is created or deleted. Its own key may see what is said about it; what all of its
//! deliveries go through is for the platform to say.

pub(super) mod docs;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::audited::unless_changed;
use super::binding_input::{BindingInput, bindings};
use super::dry_run::DryRun;
use super::endpoint_input::{MAX_DESCRIPTION_BYTES, at_most};
use super::page::Page;
use super::tenant_view::{Counts, TenantView};
use crate::http::{Caller, Json as Input, Limit, PathText, Problem, Query, objects, uninterrupted};
use crate::model::{AuditEntry, TenantId, TenantSettings};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    limit: Limit,
    /// The `next_cursor` of the page before.
    cursor: Option<TenantId>,
}

/// The body of `PATCH /v1/tenants/{name}`: what is absent stays as it is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "TenantPatch")]
pub(super) struct Patch {
    /// For people; at most 1024 bytes.
    description: Option<String>,
    /// The plugins that the deliveries of all its endpoints go through, in this order, filters before transforms; at most
    /// 16.
    #[serde(deserialize_with = "objects")]
    plugins: Option<Vec<BindingInput>>,
}

/// All of them, by name.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(params): Query<Params>,
) -> Result<Json<Page<TenantView>>, Problem> {
    caller.must_be_admin()?;
    let mut tenants = BTreeMap::<TenantId, Counts>::new();
    for endpoint in api.directory.list() {
        tenants.entry(endpoint.tenant.clone()).or_default().endpoints += 1;
    }
    for key in api.keys.list() {
        if let Some(tenant) = key.scope.tenant() {
            tenants.entry(tenant.clone()).or_default().keys += 1;
        }
    }
    for settings in api.directory.all_settings() {
        tenants.entry(settings.tenant.clone()).or_default();
    }
    let mut rest =
        tenants.iter().filter(|(name, _)| params.cursor.as_ref().is_none_or(|after| *name > after));
    let page: Vec<_> = rest.by_ref().take(params.limit.get()).collect();
    let next_cursor = rest.next().and(page.last()).map(|(name, _)| name.to_string());
    let view = |(name, counts): (&TenantId, &Counts)| api.show_tenant(&api.directory.settings(name), *counts);
    let data = page.into_iter().map(view).collect::<Result<_, _>>()?;
    Ok(Json(Page { data, next_cursor }))
}

/// One.
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    PathText(name): PathText,
) -> Result<Json<TenantView>, Problem> {
    let tenant = visible(&caller, &name)?;
    let (settings, counts) = (api.directory.settings(&tenant), api.counts(&tenant));
    if settings.is_empty() && counts == Counts::default() {
        let detail = format!("there is nothing of the tenant `{tenant}`: no endpoint, no key and no plugin");
        return Err(Problem::not_found(detail));
    }
    api.show_tenant(&settings, counts).map(Json)
}

/// Changes what is said about one, whether there is something of it already or not.
pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    PathText(name): PathText,
    dry_run: Result<Query<DryRun>, Problem>,
    Input(patch): Input<Patch>,
) -> Result<Json<TenantView>, Problem> {
    let tenant = visible(&caller, &name)?;
    caller.must_be_admin()?;
    let Query(dry_run) = dry_run?;
    let before = api.directory.settings(&tenant);
    let mut after = patch.apply(TenantSettings::clone(&before))?;
    api.check_bindings(&tenant, &before.plugins, &after.plugins).await?;
    let counts = api.counts(&tenant);
    if dry_run.is_asked() {
        return api.show_tenant(&after, counts).map(Json);
    }
    if after != *before {
        after.updated_at = api.clock.now();
    }
    let audit = api.updated(&caller, &*before, &after)?;
    let settings = uninterrupted(api.clone().exchange_settings(before, after, audit)).await?;
    tracing::info!(%tenant, "settings of a tenant changed");
    api.show_tenant(&settings, counts).map(Json)
}

impl Patch {
    fn apply(self, mut settings: TenantSettings) -> Result<TenantSettings, Problem> {
        if let Some(description) = self.description {
            at_most(MAX_DESCRIPTION_BYTES, description.len(), "/description", "bytes")?;
            settings.description = description;
        }
        if let Some(plugins) = self.plugins {
            settings.plugins = bindings(plugins, "/plugins")?;
        }
        Ok(settings)
    }
}

impl Api {
    fn counts(&self, tenant: &TenantId) -> Counts {
        let endpoints = self.directory.tenant(tenant).map_or(0, |tenant| tenant.index().endpoints().len());
        let keys = self.keys.list().iter().filter(|key| key.scope.tenant() == Some(tenant)).count();
        Counts { endpoints, keys }
    }

    fn show_tenant(&self, settings: &TenantSettings, counts: Counts) -> Result<TenantView, Problem> {
        let backlog = self.store.backlog(&settings.tenant);
        TenantView::new(settings, counts, backlog).map_err(|error| Problem::internal(&error))
    }

    /// Replaces `before` by `after`, unless somebody else was faster.
    async fn exchange_settings(
        self,
        before: Arc<TenantSettings>,
        after: TenantSettings,
        audit: AuditEntry,
    ) -> Result<Arc<TenantSettings>, Problem> {
        let unchanged = unless_changed(Arc::clone(&before), after, audit);
        self.directory.change_settings(&before.tenant, unchanged).await
    }
}

/// The tenant of this name, if the caller may know of it.
fn visible(caller: &Caller, name: &str) -> Result<TenantId, Problem> {
    let tenant = name.parse::<TenantId>().map_err(|error| Problem::not_found(error.to_string()))?;
    if caller.manages(&tenant) {
        Ok(tenant)
    } else {
        Err(Problem::not_found("there is no tenant of this name"))
    }
}
