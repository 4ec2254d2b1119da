//! What is said of candidates.

use http::StatusCode;
use serde_json::{Value, json};

use super::Trial;
use crate::api::plugin_candidate_view::CandidateView;
use crate::api::plugin_install::InstalledView;
use crate::api::plugin_install::docs::{form, installed};
use crate::api::plugins::docs::NAME;
use crate::model::PluginName;
use crate::openapi::refusal::{NOT_A_CANDIDATE, PLUGIN_REFUSED, PLUGINS_DIR_NOT_WRITABLE};
use crate::openapi::{Access, Operation, Tag, json, text};

pub(in crate::api) fn set() -> Operation {
    Operation::new("set_plugin_candidate", Tag::Plugins, Access::Admin, "Try a version of a plugin on live events")
        .describe("In `shadow` it is asked about every event after the live version has decided it: nothing follows, and what differs is counted and shown. With `percent` it is a canary: it decides that share of the events, the same ones whenever they are judged, and the live version wherever the candidate fails. It is checked, compiled and tried first as a version that goes live. It takes the place of a candidate that is there, and is there after a restart.")
        .path::<PluginName>("name", NAME)
        .query::<Trial>()
        .upload([text("application/wasm", "the bytes of NAME.wasm"), form()])
        .answer(StatusCode::OK, "It is tried", [json::<CandidateView>(candidate())])
        .refuse(&[PLUGIN_REFUSED, NOT_A_CANDIDATE])
}

pub(in crate::api) fn get() -> Operation {
    Operation::new("get_plugin_candidate", Tag::Plugins, Access::Admin, "Get the candidate of a plugin")
        .describe("With what came of it so far, and the last events about which it said something else.")
        .path::<PluginName>("name", NAME)
        .answer(StatusCode::OK, "The candidate", [json::<CandidateView>(candidate())])
}

pub(in crate::api) fn change() -> Operation {
    Operation::new("change_plugin_candidate", Tag::Plugins, Access::Admin, "Try the candidate in another way")
        .describe("One that had ended begins anew. Counts go on while the mode stays the same.")
        .path::<PluginName>("name", NAME)
        .body(json::<Trial>(json!({ "percent": 25 })))
        .answer(StatusCode::OK, "The candidate", [json::<CandidateView>(candidate())])
        .refuse(&[NOT_A_CANDIDATE])
}

pub(in crate::api) fn promote() -> Operation {
    Operation::new("promote_plugin_candidate", Tag::Plugins, Access::Admin, "Have the candidate go live")
        .describe("On the way of an upload: it is held against the configurations of now and put into the plugin directory. From then on there is no candidate.")
        .path::<PluginName>("name", NAME)
        .answer(StatusCode::OK, "It is live", [json::<InstalledView>(installed())])
        .refuse(&[PLUGIN_REFUSED, PLUGINS_DIR_NOT_WRITABLE])
}

pub(in crate::api) fn discard() -> Operation {
    Operation::new("discard_plugin_candidate", Tag::Plugins, Access::Admin, "Give the candidate up")
        .path::<PluginName>("name", NAME)
        .answer(StatusCode::NO_CONTENT, "There is none any more", [])
}

fn candidate() -> Value {
    json!({
        "name": "redact",
        "version": "9f86d081884c7d65",
        "live_version": "60303ae22b998861",
        "mode": "shadow",
        "percent": null,
        "state": "running",
        "reason": null,
        "since": "2024-03-15T14:30:00.000Z",
        "created_at": "2024-03-15T14:30:00.000Z",
        "key": "key_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
        "size": 81_920,
        "counts": { "decided": 0, "same": 4100, "equivalent": 0, "different": 1, "failed": 0, "skipped": 0 },
        "examples": [{
            "at": "2024-03-15T14:31:00.000Z",
            "event_id": "evt_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
            "tenant": "acme",
            "endpoint": "ep_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
            "comparison": {
                "sameness": "different",
                "live": { "verdict": "deliver" },
                "candidate": { "verdict": "deliver" },
                "body": {
                    "sentence": "1 change in the JSON",
                    "changes": [{ "pointer": "/data/card", "live": "****4242" }],
                    "left_out": 0,
                },
                "headers": [],
            },
        }],
        "usage": {
            "calls": 4101,
            "errors": 0,
            "outcomes": { "replaced": 4101 },
            "duration_p50_us": 15.2,
            "duration_p99_us": 40.1,
            "memory_peak_bytes": 1_114_112,
            "instances": 1,
            "log_lines_dropped": 0,
        },
    })
}
