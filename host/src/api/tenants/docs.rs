//! What is said of tenants.

use http::StatusCode;
use serde_json::json;

use super::{Params, TenantView};
use crate::api::page::Page;
use crate::openapi::{Access, Operation, Tag, json};

pub(in crate::api) fn list() -> Operation {
    let acme = json!({
        "name": "acme", "endpoints": 2, "keys": 1, "backlog_deliveries": 12, "backlog_bytes": 6_400,
    });
    let page = json!({ "data": [acme], "next_cursor": null });
    Operation::new("list_tenants", Tag::Access, Access::Admin, "List tenants, by name")
        .describe("Those that have endpoints or keys. There is nothing else to a tenant than its name.")
        .query::<Params>()
        .answer(StatusCode::OK, "A page of tenants", [json::<Page<TenantView>>(page)])
}
