//! How a row of the audit log is shown.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::audit::hex;
use crate::http::Caller;
use crate::model::{Actor, FieldChange, KeyId, TenantId};
use crate::openapi::Time;
use crate::store::AuditRow;

/// A change.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditRow")]
pub(super) struct RowView {
    /// Counts from 1, without gaps.
    number: u64,
    /// When.
    #[schemars(with = "Time")]
    at: String,
    /// What was done, for example `endpoint.updated`.
    action: String,
    /// The id of what it was done to.
    target: String,
    /// Whose that is; `null` when it is no single tenant's.
    #[schemars(with = "Option<TenantId>")]
    tenant: Option<String>,
    /// Who did it.
    actor: ActorView,
    /// The fields that differ. What is secret is `[redacted]`.
    changes: BTreeMap<String, FieldChange>,
    /// SHA-256 over the hash of the row before, the number and the row, in hex.
    hash: String,
}

/// Who changed something.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Actor")]
struct ActorView {
    /// The holder of a key, or the gateway by a rule of its own.
    #[schemars(extend("enum" = ["key", "gateway"]))]
    kind: &'static str,
    /// What the key may do.
    scope: Option<String>,
    /// The key; `null` for whoever may not know it.
    #[schemars(with = "Option<KeyId>")]
    key: Option<String>,
    /// The other end of the connection: the caller, or the proxy before the gateway.
    address: Option<String>,
}

impl RowView {
    pub(super) fn new(row: &AuditRow, caller: &Caller) -> Self {
        let entry = &row.entry;
        Self {
            number: row.number,
            at: entry.at.to_string(),
            action: entry.action.clone(),
            target: entry.target.clone(),
            tenant: entry.tenant.as_ref().map(ToString::to_string),
            actor: ActorView::new(&entry.actor, caller),
            changes: entry.changes.clone(),
            hash: hex(&row.hash),
        }
    }
}

impl ActorView {
    /// A tenant is told that an administrator changed something, but not which one, nor from where.
    fn new(actor: &Actor, caller: &Caller) -> Self {
        let Actor::Key { id, scope, address } = actor else {
            return Self { kind: "gateway", scope: None, key: None, address: None };
        };
        let is_shown = scope.tenant().map_or_else(|| caller.is_admin(), |tenant| caller.manages(tenant));
        Self {
            kind: "key",
            scope: Some(scope.to_string()),
            key: is_shown.then(|| id.to_string()),
            address: address.filter(|_| is_shown).map(|address| address.to_string()),
        }
    }
}
