//! What is said of backtests.

use http::StatusCode;
use serde_json::json;

use super::{NDJSON, Params};
use crate::api::backtest_view::LineView;
use crate::api::plugin_install::docs::form;
use crate::api::plugins::docs::NAME;
use crate::model::PluginName;
use crate::openapi::{Access, Content, Lines, Operation, Tag, refusal, text};

pub(in crate::api) fn start() -> Operation {
    let lines = [
        json!({ "type": "start", "plugin": "cel-filter", "live": "9f86d081884c7d65", "candidate": "60303ae22b998861",
                "limit": 10_000 }),
        json!({ "type": "difference", "event_id": "order-42", "tenant": "acme", "topic": "orders/created",
                "accepted_at": "2024-03-15T14:30:00.000Z", "endpoint_id": "ep_01JDB6ZK3V8M2Q4R5S6T7V8W9X",
                "url": "https://example.com/hook", "sameness": "different", "live": { "verdict": "deliver" },
                "candidate": { "verdict": "drop", "reason": "too small" }, "body": null, "headers": [] }),
    ];
    let example: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Operation::new("backtest_plugin", Tag::Plugins, Access::Admin, "Try a version on stored events")
        .describe(
            "Asks the live version and another one about events of the log, newest first, and answers with NDJSON while \
             it does: a line `start`, a line for each `difference`, `progress` in between and a `summary` at the end; an answer \
             without a summary was cut off. Each event is judged by this plugin alone, for each endpoint that wants it and uses \
             the plugin, with the settings of now. Nothing is stored or sent: what the plugin keeps is forgotten, and its requests \
             to others fail. The other version is in the body, as one that is installed, or `version` names one that is kept. There is one backtest at a time, and it ends when the client hangs up.",
        )
        .path::<PluginName>("name", NAME)
        .query::<Params>()
        .upload([text("application/wasm", "the bytes of NAME.wasm"), form()])
        .optional_body()
        .refuse(&[refusal::TOO_MANY_BACKTESTS, refusal::NOT_A_CANDIDATE, refusal::PLUGIN_REFUSED])
        .answer(
            StatusCode::OK,
            "Lines of JSON",
            [Content::of::<Lines<LineView<'static>>>(NDJSON).example("example", example.into())],
        )
}
