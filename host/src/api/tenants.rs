//! `GET /v1/tenants`: the tenants that have endpoints or keys. There is nothing else to a tenant than what names it.

pub(super) mod docs;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::page::Page;
use crate::http::{Caller, Limit, Problem, Query};
use crate::model::TenantId;
use crate::store::Backlog;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    limit: Limit,
    /// The `next_cursor` of the page before.
    cursor: Option<TenantId>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    endpoints: usize,
    keys: usize,
}

/// A tenant that has something.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Tenant")]
pub(super) struct TenantView {
    /// What it is called.
    #[schemars(with = "TenantId")]
    name: String,
    /// How many endpoints it has.
    endpoints: usize,
    /// How many API keys are for it alone.
    keys: usize,
    /// How many of its deliveries are not over, whatever they wait for; an event counts as one until it is dispatched.
    backlog_deliveries: u64,
    /// The bytes of their payloads.
    backlog_bytes: u64,
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
    let mut rest =
        tenants.iter().filter(|(name, _)| params.cursor.as_ref().is_none_or(|after| *name > after));
    let page: Vec<_> = rest.by_ref().take(params.limit.get()).collect();
    let next_cursor = rest.next().and(page.last()).map(|(name, _)| name.to_string());
    let view = |(name, counts): (&TenantId, &Counts)| {
        let Backlog { deliveries, bytes } = api.store.backlog(name);
        TenantView {
            name: name.to_string(),
            endpoints: counts.endpoints,
            keys: counts.keys,
            backlog_deliveries: deliveries,
            backlog_bytes: bytes,
        }
    };
    Ok(Json(Page { data: page.into_iter().map(view).collect(), next_cursor }))
}
