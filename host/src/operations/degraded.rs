//! `hookway.plugin.degraded`: the newest file of a plugin cannot be loaded.
//!
//! Once for each bad version: the same bytes again, or a restart, say nothing new.

use std::collections::HashSet;

use super::{Operations, STORE_RETRY};
use crate::notices::Notice;
use crate::plugins::PluginStatus;
use crate::shutdown::Shutdown;
use crate::store::Error;

/// Tells of plugins that cannot be loaded until it is time to stop.
pub(super) async fn run(operations: Operations, shutdown: Shutdown) {
    let mut changes = operations.plugins.changes();
    let mut told = HashSet::new();
    loop {
        changes.mark_unchanged();
        let telling = operations.tell_degraded(&mut told).await;
        if let Err(error) = &telling {
            tracing::error!(%error, "cannot store that a plugin is degraded; trying again");
        }
        tokio::select! {
            // The plugins live as long as this task, so there is no other end to it.
            _ = changes.changed() => {}
            () = tokio::time::sleep(STORE_RETRY), if telling.is_err() => {}
            () = shutdown.requested() => return,
        }
    }
}

impl Operations {
    async fn tell_degraded(&self, told: &mut HashSet<String>) -> Result<(), Error> {
        for plugin in self.plugins.list() {
            let Some((key, notice)) = degraded(&plugin) else { continue };
            if !told.contains(&key) {
                self.tell_once(&key, &notice).await?;
                told.insert(key);
            }
        }
        Ok(())
    }
}

/// What there is to tell about a plugin, with its key. A file that cannot be read has no version: there the reason counts.
fn degraded(plugin: &PluginStatus) -> Option<(String, Notice<'_>)> {
    let rejected = plugin.rejected.as_ref()?;
    let (version, message) = (rejected.version.as_str(), rejected.reason.as_str());
    let content = if version.is_empty() { message } else { version };
    let key = format!("plugin.degraded {} {content}", plugin.name);
    let live = plugin.version.as_deref();
    Some((key, Notice::PluginDegraded { plugin: &plugin.name, version, live, message }))
}
