//! A plugin as the API shows it.

use serde::Serialize;

use crate::plugins::{Capability, PluginState, PluginStatus};

/// One plugin: what is loaded, and why what is not loaded is not.
#[derive(Debug, Serialize)]
pub(super) struct PluginView {
    name: String,
    state: PluginState,
    /// Why the newest file is not live, in a sentence.
    reason: Option<String>,
    /// The version of that file, and when it was tried.
    rejected_version: Option<String>,
    rejected_at: Option<String>,
    /// The version that is live, and the one before it.
    version: Option<String>,
    previous: Option<String>,
    capabilities: Vec<Capability>,
    loaded_at: Option<String>,
    /// In bytes.
    size: Option<u64>,
    calls: u64,
    errors: u64,
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
