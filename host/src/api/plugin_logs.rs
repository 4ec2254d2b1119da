//! `GET /v1/plugins/{name}/logs`: what a plugin said lately. A tenant sees the lines of its own calls.

pub(super) mod docs;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::deliveries::time;
use super::plugins::{named, no_such_plugin};
use crate::http::{Caller, Limit, PathText, Problem, Query};
use crate::model::{EventId, TenantId, UnixMs};
use crate::openapi::Time;
use crate::plugins::{LogFilter, LogLevel, LogLine};

/// Which lines.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    /// Of calls of this tenant only.
    tenant: Option<TenantId>,
    /// At least so loud.
    level: Option<LogLevel>,
    /// Of this time or later.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Time")]
    since: Option<UnixMs>,
    /// After the line of this number: the `last` of the answer before, to read on. Then the oldest lines come first to the
    /// limit; without it the newest do.
    after: Option<u64>,
    limit: Limit,
}

/// Lines in the order in which they were logged.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PluginLogs")]
pub(super) struct LogsView {
    /// The lines.
    data: Vec<LineView>,
    /// What to read on after. Counts the lines of the plugin since the gateway started, seen or not.
    last: u64,
}

/// A line of a plugin.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PluginLogLine")]
struct LineView {
    /// Its number.
    number: u64,
    /// When it was logged.
    #[schemars(with = "Time")]
    at: String,
    /// How loud it is.
    level: LogLevel,
    /// The version that said it.
    version: String,
    /// Whose call it was; none while a version is loaded, and of matchers.
    #[schemars(with = "Option<TenantId>")]
    tenant: Option<String>,
    /// The event of the call, if the line came through the `log` interface.
    #[schemars(with = "Option<EventId>")]
    event_id: Option<String>,
    /// What it says.
    message: String,
}

/// Lines of one plugin.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    PathText(name): PathText,
    Query(params): Query<Params>,
) -> Result<Json<LogsView>, Problem> {
    let Params { tenant, level, since, after, limit } = params;
    let tenant = caller.visible_tenant(tenant)?;
    let filter = LogFilter { tenant, level, since, after, limit: limit.get() };
    let page = api.plugins.logs(&named(&name)?, &filter).ok_or_else(no_such_plugin)?;
    Ok(Json(LogsView { data: page.lines.into_iter().map(LineView::from).collect(), last: page.last }))
}

impl From<LogLine> for LineView {
    fn from(line: LogLine) -> Self {
        Self {
            number: line.number,
            at: line.at.to_string(),
            level: line.level,
            version: line.version.to_string(),
            tenant: line.tenant.map(|tenant| tenant.to_string()),
            event_id: line.event.map(|event| event.to_string()),
            message: line.message,
        }
    }
}
