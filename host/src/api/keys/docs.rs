//! What is said of API keys.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Create, Params};
use crate::api::key_view::{KeyView, NewKeyView};
use crate::api::page::Page;
use crate::model::KeyId;
use crate::openapi::refusal::LAST_ADMIN_KEY;
use crate::openapi::{Access, Operation, Tag, json};

const ID: &str = "The id of a key.";

pub(in crate::api) fn list() -> Operation {
    let page = json!({ "data": [key()], "next_cursor": null });
    Operation::new("list_keys", Tag::Access, Access::Admin, "List API keys, oldest first")
        .query::<Params>()
        .answer(StatusCode::OK, "A page of keys", [json::<Page<KeyView>>(page)])
}

pub(in crate::api) fn create() -> Operation {
    let mut created = key();
    created["key"] = "hk_ID_SECRET".into();
    Operation::new("create_key", Tag::Access, Access::Admin, "Make an API key")
        .describe("The answer is the only one that ever shows its text.")
        .body(json::<Create>(json!({ "scope": "tenant:acme", "description": "for the dashboard of acme" })))
        .answer(StatusCode::CREATED, "The key, with its text", [json::<NewKeyView>(created)])
        .with_location("The path of the key")
}

pub(in crate::api) fn get() -> Operation {
    Operation::new("get_key", Tag::Access, Access::Admin, "Get an API key").path::<KeyId>("id", ID).answer(
        StatusCode::OK,
        "The key, without its text",
        [json::<KeyView>(key())],
    )
}

pub(in crate::api) fn delete() -> Operation {
    Operation::new("delete_key", Tag::Access, Access::Admin, "Revoke an API key")
        .describe("From the answer on it opens nothing.")
        .path::<KeyId>("id", ID)
        .answer(StatusCode::NO_CONTENT, "It is revoked", [])
        .refuse(&[LAST_ADMIN_KEY])
}

fn key() -> Value {
    json!({
        "id": "key_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
        "scope": "tenant:acme",
        "description": "for the dashboard of acme",
        "created_at": "2024-03-15T14:30:00.000Z",
        "expires_at": null,
        "last_used_at": "2024-03-16T08:00:00.000Z",
    })
}
