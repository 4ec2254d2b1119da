//! What is said of endpoints.

use http::StatusCode;
use serde_json::{Value, json};

use super::Params;
use crate::api::dry_run::DryRun;
use crate::api::endpoint_input::{Create, Patch};
use crate::api::endpoint_view::EndpointView;
use crate::api::page::Page;
use crate::model::EndpointId;
use crate::openapi::refusal::{CHANGED_MEANWHILE, URL_TAKEN};
use crate::openapi::{Access, Operation, Tag, json};

pub(in crate::api) const ID: &str = "The id of an endpoint.";
pub(in crate::api) const ENDPOINT: &str = "The endpoint";

pub(in crate::api) fn list() -> Operation {
    let page = json!({ "data": [endpoint()], "next_cursor": null });
    Operation::new("list_endpoints", Tag::Endpoints, Access::Manager, "List endpoints, oldest first")
        .query::<Params>()
        .answer(StatusCode::OK, "A page of endpoints", [json::<Page<EndpointView>>(page)])
}

pub(in crate::api) fn create() -> Operation {
    let body = json::<Create>(json!({
        "url": "https://example.com/hook",
        "topics": ["orders/*"],
        "description": "orders for the shop",
    }))
    .example(
        "with everything around it",
        json!({
            "tenant": "acme",
            "url": "https://example.com/hook",
            "topics": ["orders/*", "product-stock/updated"],
            "filter": { "data": { "total": { "$gte": 100 } } },
            "plugins": [{ "plugin": "cel-filter", "config": { "expr": "data.total > 100.0" } }],
            "rate_limit": 50,
            "burst_limit": 5,
            "ordering": "fifo",
            "ordering_key": "/customer/id",
            "timeout": "20s",
            "retry": ["5s", "1m", "1h"],
        }),
    );
    Operation::new("create_endpoint", Tag::Endpoints, Access::Manager, "Create an endpoint")
        .describe("The answer is the only one that ever shows the values of its signing secrets.")
        .query::<DryRun>()
        .body(body)
        .answer(StatusCode::CREATED, ENDPOINT, [json::<EndpointView>(endpoint())])
        .with_location("The path of the endpoint")
        .answer(StatusCode::OK, "With `dry_run=true`: what it would be", [json::<EndpointView>(endpoint())])
        .refuse(&[URL_TAKEN])
}

pub(in crate::api) fn get() -> Operation {
    Operation::new("get_endpoint", Tag::Endpoints, Access::Manager, "Get an endpoint")
        .path::<EndpointId>("id", ID)
        .answer(StatusCode::OK, ENDPOINT, [json::<EndpointView>(endpoint())])
}

pub(in crate::api) fn update() -> Operation {
    let body = json::<Patch>(json!({ "topics": ["orders/**"], "rate_limit": 100 }));
    Operation::new("update_endpoint", Tag::Endpoints, Access::Manager, "Change an endpoint")
        .describe("What is absent stays as it is. All of it takes effect on the next attempt.")
        .path::<EndpointId>("id", ID)
        .query::<DryRun>()
        .body(body)
        .answer(StatusCode::OK, ENDPOINT, [json::<EndpointView>(endpoint())])
        .refuse(&[URL_TAKEN, CHANGED_MEANWHILE])
}

pub(in crate::api) fn replace() -> Operation {
    let body = json::<Create>(json!({ "url": "https://example.com/hook", "topics": ["orders/**"] }));
    Operation::new("replace_endpoint", Tag::Endpoints, Access::Manager, "Replace an endpoint")
        .describe(
            "All that a change could change: what is left out goes back to its default. Secrets, state and health stay, and the              body has neither secrets nor another tenant.",
        )
        .path::<EndpointId>("id", ID)
        .query::<DryRun>()
        .body(body)
        .answer(StatusCode::OK, ENDPOINT, [json::<EndpointView>(endpoint())])
        .refuse(&[URL_TAKEN, CHANGED_MEANWHILE])
}

pub(in crate::api) fn delete() -> Operation {
    Operation::new("delete_endpoint", Tag::Endpoints, Access::Manager, "Delete an endpoint")
        .describe("What waits for it is cancelled; its log stays.")
        .path::<EndpointId>("id", ID)
        .answer(StatusCode::NO_CONTENT, "It is gone", [])
}

/// An endpoint, without the values of its secrets.
pub(in crate::api) fn endpoint() -> Value {
    json!({
        "id": "ep_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
        "tenant": "acme",
        "url": "https://example.com/hook",
        "description": "orders for the shop",
        "topics": ["orders/*"],
        "matcher": null,
        "plugins": [],
        "metadata": {},
        "secrets": [{
            "id": "sec_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
            "type": "hmac-sha256",
            "created_at": "2024-03-15T14:30:00.000Z",
            "expires_at": null,
        }],
        "rate_limit": 0,
        "burst_limit": 0,
        "ordering": "none",
        "ordering_key": null,
        "filter": null,
        "state": "active",
        "health": "healthy",
        "inactive_reason": null,
        "inactive_since": null,
        "headers": {},
        "timeout": null,
        "retry": null,
        "signature": { "style": "standard" },
        "created_at": "2024-03-15T14:30:00.000Z",
        "updated_at": "2024-03-15T14:30:00.000Z",
    })
}
