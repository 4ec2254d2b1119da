//! A plugin as the API shows it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{PluginName, TenantId};
use crate::openapi::Time;
use crate::plugins::{Capability, GrantStatus, LastError, OpenBreaker, PluginState, PluginStatus, Usage};

/// One plugin: what is loaded, why what is not loaded is not, and how it does.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Plugin")]
pub(super) struct PluginView {
    /// Its name: that of its file without `.wasm`.
    #[schemars(with = "PluginName")]
    name: String,
    /// How it stands.
    state: PluginState,
    /// Since when it stands like this.
    #[schemars(with = "Option<Time>")]
    since: Option<String>,
    /// Why it is not active, in a sentence.
    reason: Option<String>,
    /// The version of the newest file, if that one is not live.
    rejected_version: Option<String>,
    /// When that file was tried or sent back.
    #[schemars(with = "Option<Time>")]
    rejected_at: Option<String>,
    /// The version that is live.
    version: Option<String>,
    /// The version that was live before it.
    previous: Option<String>,
    /// What it can do.
    capabilities: Vec<Capability>,
    /// When the live version was loaded.
    #[schemars(with = "Option<Time>")]
    loaded_at: Option<String>,
    /// Of its file, in bytes.
    size: Option<u64>,
    /// What it may use beside its event and its log, by its manifest and the operator's configuration. For administrators.
    grants: Option<GrantStatus>,
    /// How the last call of the live version failed that did. A tenant sees its own.
    last_error: Option<LastErrorView>,
    /// For whom it is not asked for a while, because it failed on several events. A tenant sees its own.
    open_breakers: Vec<BreakerView>,
    /// What the calls of the live version came to. For administrators.
    usage: Option<UsageView>,
}

/// How a call failed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PluginError")]
struct LastErrorView {
    /// When.
    #[schemars(with = "Time")]
    at: String,
    /// Whose event it was about.
    #[schemars(with = "TenantId")]
    tenant: String,
    /// What came of the call, as in `usage.outcomes`.
    outcome: &'static str,
    /// How it failed, in a sentence.
    message: String,
}

/// A breaker that is open: one for each tenant and configuration.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PluginBreaker")]
struct BreakerView {
    /// For whose calls.
    #[schemars(with = "TenantId")]
    tenant: String,
    /// Since when.
    #[schemars(with = "Time")]
    since: String,
    /// How the last call failed, in a sentence.
    message: String,
}

/// What the calls of a version came to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PluginUsage")]
pub(super) struct UsageView {
    /// How many there were.
    calls: u64,
    /// How many of them have no answer.
    errors: u64,
    /// How many came to what; what never happened is left out.
    outcomes: BTreeMap<&'static str, u64>,
    /// What half of them took at most, in microseconds, estimated from a histogram.
    duration_p50_us: Option<f64>,
    /// What 99 of 100 took at most.
    duration_p99_us: Option<f64>,
    /// The most memory that one instance had, in bytes.
    memory_peak_bytes: u64,
    /// How many instances there are, idle ones included.
    instances: u64,
    /// Lines that it logged beyond its quota.
    log_lines_dropped: u64,
}

impl From<PluginStatus> for PluginView {
    fn from(status: PluginStatus) -> Self {
        let (state, since, reason) = (status.state(), status.since(), status.reason());
        let rejected = status.rejected;
        Self {
            name: status.name.to_string(),
            state,
            since: since.map(|at| at.to_string()),
            reason,
            rejected_version: rejected.as_ref().map(|rejected| rejected.version.clone()),
            rejected_at: rejected.map(|rejected| rejected.at.to_string()),
            version: status.version,
            previous: status.previous,
            capabilities: status.capabilities,
            loaded_at: status.loaded_at.map(|at| at.to_string()),
            size: status.size,
            grants: status.grants,
            last_error: status.last_error.map(LastErrorView::from),
            open_breakers: status.open_breakers.into_iter().map(BreakerView::from).collect(),
            usage: status.usage.as_ref().map(UsageView::from),
        }
    }
}

impl From<LastError> for LastErrorView {
    fn from(error: LastError) -> Self {
        Self {
            at: error.at.to_string(),
            tenant: error.tenant.to_string(),
            outcome: error.outcome.name(),
            message: error.message,
        }
    }
}

impl From<OpenBreaker> for BreakerView {
    fn from(open: OpenBreaker) -> Self {
        Self { tenant: open.tenant.to_string(), since: open.since.to_string(), message: open.message }
    }
}

impl From<&Usage> for UsageView {
    fn from(usage: &Usage) -> Self {
        let us = |took: std::time::Duration| took.as_nanos() as f64 / 1_000.0;
        Self {
            calls: usage.calls(),
            errors: usage.errors(),
            outcomes: usage.outcomes.iter().map(|(outcome, count)| (outcome.name(), *count)).collect(),
            duration_p50_us: usage.p50.map(us),
            duration_p99_us: usage.p99.map(us),
            memory_peak_bytes: usage.memory_peak,
            instances: usage.instances,
            log_lines_dropped: usage.log_lines_dropped,
        }
    }
}
