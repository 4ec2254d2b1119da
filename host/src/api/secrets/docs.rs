//! What is said of signing secrets.

use http::StatusCode;
use serde_json::{Value, json};

use crate::api::endpoints::docs::ID;
use crate::api::page::Page;
use crate::api::secret_input::{SecretInput, SecretPatch};
use crate::api::secret_view::SecretView;
use crate::model::{EndpointId, SecretId};
use crate::openapi::refusal::{SECRET_ACTIVE, TOO_MANY_SECRETS};
use crate::openapi::{Access, Operation, Tag, json};

const SECRET: &str = "The id of a secret.";

pub(in crate::api) fn list() -> Operation {
    let page = json!({ "data": [secret()], "next_cursor": null });
    Operation::new(
        "list_secrets",
        Tag::Secrets,
        Access::Manager,
        "List the secrets of an endpoint, newest first",
    )
    .describe("All of them, on one page, without their values.")
    .path::<EndpointId>("id", ID)
    .answer(StatusCode::OK, "The secrets", [json::<Page<SecretView>>(page)])
}

pub(in crate::api) fn create() -> Operation {
    Operation::new("create_secret", Tag::Secrets, Access::Manager, "Add a secret to an endpoint")
        .describe(
            "It signs at once, beside those that are there. Without a `value` it is generated. The answer is the only one that \
             ever shows its value; a private key is never shown.",
        )
        .path::<EndpointId>("id", ID)
        .body(json::<SecretInput>(json!({ "type": "ed25519" })))
        .answer(StatusCode::CREATED, "The secret, with what its receiver needs", [json::<SecretView>(secret())])
        .with_location("The path of the secret")
        .refuse(&[TOO_MANY_SECRETS])
}

pub(in crate::api) fn update() -> Operation {
    Operation::new("update_secret", Tag::Secrets, Access::Manager, "Change when a secret expires")
        .describe("The value of a secret never changes.")
        .path::<EndpointId>("id", ID)
        .path::<SecretId>("secret", SECRET)
        .body(json::<SecretPatch>(json!({ "expires_at": "2030-01-31T12:00:00Z" })))
        .answer(StatusCode::OK, "The secret", [json::<SecretView>(secret())])
}

pub(in crate::api) fn expire() -> Operation {
    Operation::new("expire_secret", Tag::Secrets, Access::Manager, "Expire a secret now")
        .describe("It signs nothing from the answer on. May be repeated.")
        .path::<EndpointId>("id", ID)
        .path::<SecretId>("secret", SECRET)
        .answer(StatusCode::OK, "The secret", [json::<SecretView>(secret())])
}

pub(in crate::api) fn delete() -> Operation {
    Operation::new("delete_secret", Tag::Secrets, Access::Manager, "Delete a secret that has expired")
        .path::<EndpointId>("id", ID)
        .path::<SecretId>("secret", SECRET)
        .answer(StatusCode::NO_CONTENT, "It is gone", [])
        .refuse(&[SECRET_ACTIVE])
}

fn secret() -> Value {
    json!({
        "id": "sec_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
        "type": "ed25519",
        "public_key": "whpk_BASE64",
        "created_at": "2024-03-15T14:30:00.000Z",
        "expires_at": null,
    })
}
