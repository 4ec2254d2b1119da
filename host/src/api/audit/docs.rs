//! What is said of the audit log.

use http::StatusCode;
use serde_json::json;

use super::{ChainView, Params};
use crate::api::audit_view::RowView;
use crate::api::page::Page;
use crate::openapi::{Access, Operation, Tag, json};

pub(in crate::api) fn list() -> Operation {
    let row = json!({
        "number": 17,
        "at": "2024-03-15T14:30:00.000Z",
        "action": "endpoint.updated",
        "target": "ep_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
        "tenant": "acme",
        "actor": {
            "kind": "key",
            "scope": "tenant:acme",
            "key": "key_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
            "address": "10.0.0.7",
        },
        "changes": { "description": { "old": "", "new": "orders" } },
        "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    });
    Operation::new("list_audit_rows", Tag::Audit, Access::Manager, "List changes, newest first")
        .describe(
            "Each change has one row, written in the transaction that makes the change. A tenant sees the rows of its own; of \
             an administrator's change it sees neither key nor address.",
        )
        .query::<Params>()
        .answer(StatusCode::OK, "A page of changes", [json::<Page<RowView>>(json!({
            "data": [row],
            "next_cursor": "16",
        }))])
}

pub(in crate::api) fn verify() -> Operation {
    Operation::new("verify_audit_log", Tag::Audit, Access::Admin, "Work out the chain of hashes again")
        .describe("Keep `head` and `rows` elsewhere from time to time to notice a chain that was rewritten or cut off.")
        .answer(StatusCode::OK, "What the walk over all rows found", [json::<ChainView>(json!({
            "intact": true,
            "rows": 17,
            "head": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "broken_at": null,
        }))])
}
