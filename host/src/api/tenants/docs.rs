//! What is said of tenants.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Params, Patch};
use crate::api::dry_run::DryRun;
use crate::api::page::Page;
use crate::api::tenant_view::TenantView;
use crate::model::TenantId;
use crate::openapi::refusal::CHANGED_MEANWHILE;
use crate::openapi::{Access, Operation, Tag, json};

const NAME: &str = "The name of a tenant.";

pub(in crate::api) fn list() -> Operation {
    let page = json!({ "data": [tenant()], "next_cursor": null });
    Operation::new("list_tenants", Tag::Access, Access::Admin, "List tenants, by name")
        .describe("Those that have endpoints or keys, or about whom something is said. A tenant is not created: it is there when something is of it.")
        .query::<Params>()
        .answer(StatusCode::OK, "A page of tenants", [json::<Page<TenantView>>(page)])
}

pub(in crate::api) fn get() -> Operation {
    Operation::new("get_tenant", Tag::Access, Access::Manager, "Get a tenant")
        .path::<TenantId>("name", NAME)
        .answer(StatusCode::OK, "The tenant", [json::<TenantView>(tenant())])
}

pub(in crate::api) fn update() -> Operation {
    Operation::new("update_tenant", Tag::Access, Access::Admin, "Change what is said about a tenant")
        .describe("What is absent stays as it is. Its plugins are in force from the next event on, for every endpoint that it has or gets.")
        .path::<TenantId>("name", NAME)
        .query::<DryRun>()
        .body(json::<Patch>(json!({ "plugins": [{ "plugin": "redact", "config": { "drop": ["/data/card"] } }] })))
        .answer(StatusCode::OK, "The tenant", [json::<TenantView>(tenant())])
        .refuse(&[CHANGED_MEANWHILE])
}

fn tenant() -> Value {
    json!({
        "name": "acme",
        "description": "",
        "endpoints": 2,
        "keys": 1,
        "backlog_deliveries": 12,
        "backlog_bytes": 6_400,
        "plugins": [{ "plugin": "redact", "config": { "drop": ["/data/card"] }, "topics": [], "on_failure": null }],
        "updated_at": "2024-03-15T14:30:00.000Z",
    })
}
