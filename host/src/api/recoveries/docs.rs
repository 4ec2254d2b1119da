//! What is said of recoveries.

use http::StatusCode;
use serde_json::{Value, json};

use super::Params;
use crate::api::endpoints::docs::ID as ENDPOINT_ID;
use crate::api::page::Page;
use crate::api::recovery_input::Input;
use crate::api::recovery_view::{CountView, RecoveryView};
use crate::model::{EndpointId, RecoveryId};
use crate::openapi::refusal::{RECOVERY_ENDED, RECOVERY_RUNNING};
use crate::openapi::{Access, Operation, Tag, json};

const ID: &str = "The id of a recovery.";
const RECOVERY: &str = "The recovery";

pub(in crate::api) fn create() -> Operation {
    let body = json::<Input>(json!({ "since": "2024-03-15T12:00:00Z" })).example(
        "what it never had",
        json!({ "since": "2024-03-01T00:00:00Z", "until": "2024-03-15T12:00:00Z", "status": ["missed"], "dry_run": true }),
    );
    let count = json!({
        "dry_run": true,
        "endpoint_id": "ep_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
        "since": "2024-03-01T00:00:00.000Z",
        "until": "2024-03-15T12:00:00.000Z",
        "found": { "missed": 42 },
        "scanned": 1234,
        "complete": true,
    });
    Operation::new("recover_endpoint", Tag::Endpoints, Access::Manager, "Send a range of its events again")
        .describe(
            "A job that goes on after a restart, keeps to the limits of the endpoint and stands back behind fresh events. An endpoint has \
             one that runs. It waits while the endpoint is inactive.",
        )
        .path::<EndpointId>("id", ENDPOINT_ID)
        .body(body)
        .answer(StatusCode::ACCEPTED, "The recovery has begun", [json::<RecoveryView>(recovery())])
        .with_location("The path of the recovery")
        .answer(StatusCode::OK, "With `dry_run`: what there is", [json::<CountView>(count)])
        .refuse(&[RECOVERY_RUNNING])
}

pub(in crate::api) fn list() -> Operation {
    let page = json!({ "data": [recovery()], "next_cursor": null });
    Operation::new("list_recoveries", Tag::Endpoints, Access::Manager, "List recoveries, newest first")
        .query::<Params>()
        .answer(StatusCode::OK, "A page of recoveries", [json::<Page<RecoveryView>>(page)])
}

pub(in crate::api) fn get() -> Operation {
    Operation::new("get_recovery", Tag::Endpoints, Access::Manager, "Get a recovery and how far it is")
        .path::<RecoveryId>("id", ID)
        .answer(StatusCode::OK, RECOVERY, [json::<RecoveryView>(recovery())])
}

pub(in crate::api) fn cancel() -> Operation {
    let mut cancelled = recovery();
    cancelled["state"] = "cancelled".into();
    cancelled["ended_at"] = "2024-03-15T14:30:02.000Z".into();
    Operation::new("cancel_recovery", Tag::Endpoints, Access::Manager, "Cancel a recovery that runs")
        .describe("What it has sent again goes on.")
        .path::<RecoveryId>("id", ID)
        .answer(StatusCode::OK, RECOVERY, [json::<RecoveryView>(cancelled)])
        .refuse(&[RECOVERY_ENDED])
}

fn recovery() -> Value {
    json!({
        "id": "rec_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
        "endpoint_id": "ep_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
        "tenant": "acme",
        "since": "2024-03-15T12:00:00.000Z",
        "until": "2024-03-15T14:30:00.000Z",
        "status": ["failed"],
        "state": "running",
        "position": "2024-03-15T13:12:00.000Z",
        "scanned": 180,
        "resent": 42,
        "created_at": "2024-03-15T14:30:00.000Z",
        "ended_at": null,
    })
}
