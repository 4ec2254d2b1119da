//! A plugin as the API shows it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::PluginName;
use crate::openapi::Time;
use crate::plugins::{Capability, PluginState, PluginStatus};

/// One plugin: what is loaded, and why what is not loaded is not.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Plugin")]
pub(super) struct PluginView {
    /// Its name: that of its file without `.wasm`.
    #[schemars(with = "PluginName")]
    name: String,
    /// Whether the newest file is live.
    state: PluginState,
    /// Why the newest file is not live, in a sentence.
    reason: Option<String>,
    /// The version of that file.
    rejected_version: Option<String>,
    /// When that file was tried.
    #[schemars(with = "Option<Time>")]
    rejected_at: Option<String>,
    /// The version that is live.
    version: Option<String>,
    /// The version before it.
    previous: Option<String>,
    /// What it can do.
    capabilities: Vec<Capability>,
    /// When the live version was loaded.
    #[schemars(with = "Option<Time>")]
    loaded_at: Option<String>,
    /// Of its file, in bytes.
    size: Option<u64>,
    /// How often it was called since it was loaded.
    calls: u64,
    /// How many of those calls failed.
    errors: u64,
    /// Lines that it logged beyond its quota.
    log_lines_dropped: u64,
}

impl From<PluginStatus> for PluginView {
    fn from(status: PluginStatus) -> Self {
        let rejected = status.rejected;
        Self {
            name: status.name.to_string(),
            state: status.state,
            reason: rejected.as_ref().map(|rejected| rejected.reason.clone()),
            rejected_version: rejected.as_ref().map(|rejected| rejected.version.clone()),
            rejected_at: rejected.map(|rejected| rejected.at.to_string()),
            version: status.version,
            previous: status.previous,
            capabilities: status.capabilities,
            loaded_at: status.loaded_at.map(|at| at.to_string()),
            size: status.size,
            calls: status.calls,
            errors: status.errors,
            log_lines_dropped: status.log_lines_dropped,
        }
    }
}
