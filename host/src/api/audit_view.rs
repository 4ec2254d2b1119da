//! How a row of the audit log is shown.

use std::collections::BTreeMap;

use serde::Serialize;

use super::audit::hex;
use crate::http::Caller;
use crate::model::{Actor, FieldChange};
use crate::store::AuditRow;

/// A change.
#[derive(Debug, Serialize)]
pub(super) struct RowView {
    number: u64,
    at: String,
    action: String,
    target: String,
    tenant: Option<String>,
    actor: ActorView,
    changes: BTreeMap<String, FieldChange>,
    hash: String,
}

/// Who did it.
#[derive(Debug, Serialize)]
struct ActorView {
    kind: &'static str,
    scope: Option<String>,
    key: Option<String>,
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
