//! `hookway.plugin.degraded`, `.rolled_back`, `.breaker_opened` and `.breaker_closed`: plugins that do not do what they should.
//!
//! A bad file is told once for each version: the same bytes again, or a restart, say nothing new. A breaker is told when it is
//! seen open, and again when it no longer is; one that opens and closes between two looks is in the log and the metrics.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::{Operations, STORE_RETRY};
use crate::model::PluginName;
use crate::notices::{Notice, PluginBreaker};
use crate::plugins::{OpenBreaker, PluginStatus};
use crate::shutdown::Shutdown;
use crate::store::Error;

/// What was told since the start.
#[derive(Default)]
struct Told {
    files: HashSet<String>,
    /// Breakers that were open at the last look, by their key.
    open: HashMap<String, Seen>,
}

/// A breaker that was told.
struct Seen {
    plugin: PluginName,
    version: String,
    breaker: OpenBreaker,
}

/// Tells of plugins that do not do what they should until it is time to stop.
pub(super) async fn run(operations: Operations, shutdown: Shutdown) {
    let mut changes = operations.plugins.changes();
    let mut told = Told::default();
    loop {
        changes.mark_unchanged();
        let telling = operations.tell_of_plugins(&mut told).await;
        if let Err(error) = &telling {
            tracing::error!(%error, "cannot store what a plugin does; trying again");
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
    async fn tell_of_plugins(&self, told: &mut Told) -> Result<(), Error> {
        let plugins = self.plugins.list();
        for plugin in &plugins {
            let Some((key, notice)) = rejected(plugin) else { continue };
            if !told.files.contains(&key) {
                self.tell_once(&key, &notice).await?;
                told.files.insert(key);
            }
        }
        let mut open = HashMap::new();
        for plugin in plugins {
            let (name, version) = (plugin.name, plugin.version.unwrap_or_default());
            // Whoever is told could not be told that it cannot be told.
            let breakers = plugin.open_breakers.into_iter().filter(|open| !self.notices.tells(&open.tenant));
            for breaker in breakers {
                let seen = Seen { plugin: name.clone(), version: version.clone(), breaker };
                open.insert(seen.key(), seen);
            }
        }
        for (key, seen) in open {
            if let Entry::Vacant(place) = told.open.entry(key) {
                let key = format!("plugin.breaker_opened {}", place.key());
                self.tell_once(&key, &Notice::BreakerOpened(seen.notice())).await?;
                place.insert(seen);
            }
        }
        self.tell_closed(told).await
    }

    async fn tell_closed(&self, told: &mut Told) -> Result<(), Error> {
        let still: HashSet<String> = self.plugins.list().into_iter().flat_map(keys).collect();
        let closed: Vec<String> = told.open.keys().filter(|key| !still.contains(*key)).cloned().collect();
        for key in closed {
            if let Some(seen) = told.open.get(&key) {
                self.tell_once(
                    &format!("plugin.breaker_closed {key}"),
                    &Notice::BreakerClosed(seen.notice()),
                )
                .await?;
            }
            told.open.remove(&key);
        }
        Ok(())
    }
}

impl Seen {
    fn key(&self) -> String {
        key(&self.plugin, &self.version, &self.breaker)
    }

    fn notice(&self) -> PluginBreaker<'_> {
        PluginBreaker {
            plugin: &self.plugin,
            version: &self.version,
            tenant: &self.breaker.tenant,
            since: self.breaker.since,
            message: &self.breaker.message,
        }
    }
}

/// The keys of all open breakers of a plugin.
fn keys(plugin: PluginStatus) -> Vec<String> {
    let version = plugin.version.unwrap_or_default();
    plugin.open_breakers.iter().map(|breaker| key(&plugin.name, &version, breaker)).collect()
}

/// Names one opening. Two configurations of a tenant that fail in the same millisecond are told as one.
fn key(plugin: &PluginName, version: &str, breaker: &OpenBreaker) -> String {
    format!("{plugin} {version} {} {}", breaker.tenant, breaker.since.0)
}

/// What there is to tell about the newest file of a plugin, with its key. A file that cannot be read has no version: there the
/// reason counts.
fn rejected(plugin: &PluginStatus) -> Option<(String, Notice<'_>)> {
    let rejected = plugin.rejected.as_ref()?;
    let (version, message) = (rejected.version.as_str(), rejected.reason.as_str());
    let (plugin, live) = (&plugin.name, plugin.version.as_deref());
    if rejected.was_live {
        // Sent back twice is told twice.
        let key = format!("plugin.rolled_back {plugin} {version} {}", rejected.at.0);
        return Some((key, Notice::PluginRolledBack { plugin, version, live, message }));
    }
    let content = if version.is_empty() { message } else { version };
    let key = format!("plugin.degraded {plugin} {content}");
    Some((key, Notice::PluginDegraded { plugin, version, live, message }))
}
