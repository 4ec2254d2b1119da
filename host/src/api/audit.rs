//! `GET /v1/audit`: who changed what, newest first; `GET /v1/audit/verify`: whether the rows are what was written.

pub(super) mod docs;

use std::fmt::Write as _;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::audit_view::RowView;
use super::page::Page;
use crate::http::{Caller, Limit, Problem, Query};
use crate::model::{TenantId, UnixMs};
use crate::openapi::Time;
use crate::store::AuditFilter;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    /// Of this tenant only.
    tenant: Option<TenantId>,
    /// Only changes of this kind, for example `endpoint.updated`.
    action: Option<String>,
    /// Made at this time or later.
    #[serde(deserialize_with = "super::deliveries::time")]
    #[schemars(with = "Time")]
    since: Option<UnixMs>,
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[serde(deserialize_with = "super::deliveries::parsed")]
    cursor: Option<u64>,
}

/// What a walk over the whole log found.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditChain")]
pub(super) struct ChainView {
    /// Whether every row is what was written.
    intact: bool,
    /// How many rows there are.
    rows: u64,
    /// The hash of the last row.
    head: String,
    /// The number of the first row that is missing or is not what was written.
    broken_at: Option<u64>,
}

/// An administrator sees all rows, a tenant's key those of its tenant.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(params): Query<Params>,
) -> Result<Json<Page<RowView>>, Problem> {
    let tenant = caller.visible_tenant(params.tenant)?;
    let filter = AuditFilter { tenant, action: params.action, since: params.since };
    let page = api.store.audit(filter, params.cursor, params.limit.get()).await?;
    Ok(Json(Page {
        data: page.rows.iter().map(|row| RowView::new(row, &caller)).collect(),
        next_cursor: page.next.map(|number| number.to_string()),
    }))
}

/// Works the chain of hashes out again.
pub(super) async fn verify(State(api): State<Api>, caller: Caller) -> Result<Json<ChainView>, Problem> {
    caller.must_be_admin()?;
    let chain = api.store.verify_audit().await?;
    Ok(Json(ChainView {
        intact: chain.broken_at.is_none(),
        rows: chain.rows,
        head: hex(&chain.head),
        broken_at: chain.broken_at,
    }))
}

/// A hash as people compare it.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
