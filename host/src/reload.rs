//! Settings that are read again while the gateway runs.

use std::path::PathBuf;

use hookway::app::Live;
use hookway::config::{self, Assignment, Errors, Settings};
use hookway::telemetry::Level;

use crate::open_files;

/// Where the settings come from, as the command was started.
pub(crate) struct Sources {
    pub(crate) file: Option<PathBuf>,
    pub(crate) flags: Vec<Assignment>,
}

impl Sources {
    /// What they say now.
    ///
    /// # Errors
    /// One sentence for each setting that is wrong.
    pub(crate) fn read(&self) -> Result<Settings, Errors> {
        Settings::load(self.file.clone(), config::environment(), self.flags.clone())
    }
}

/// Reads the settings again and takes over what can be changed now; says what was, and what has to wait for the next start. If
/// something in them is wrong, nothing is changed.
pub(crate) fn reload(sources: &Sources, settings: &mut Settings, live: &Live, level: &Level) {
    let read = match sources.read() {
        Ok(read) => read,
        Err(errors) => {
            tracing::error!("the settings were read again and are wrong, so nothing is changed:\n{errors}");
            return;
        }
    };
    if let Err(error) = level.set(&read.log) {
        tracing::error!("the settings were read again and are wrong, so nothing is changed: {error}");
        return;
    }
    if let Err(error) = live.set(&read) {
        // What it was is a level.
        let _ = level.set(&settings.log);
        tracing::error!("the settings were read again and are wrong, so nothing is changed: {error}");
        return;
    }
    if read.lanes.max_in_flight > settings.lanes.max_in_flight {
        open_files::provide(&read);
    }
    let changes = settings.given.changes(&read.given);
    settings.given = settings.given.with_live(&read.given);
    settings.log.level = read.log.level;
    settings.ingest = read.ingest;
    settings.deliver = read.deliver;
    settings.lanes = read.lanes;
    settings.retention = read.retention;
    if changes.live.is_empty() {
        tracing::info!("the settings were read again; none that counts at once has changed");
    } else {
        tracing::info!(changed = changes.live.join(", "), "the settings were read again");
    }
    if !changes.later.is_empty() {
        let names = changes.later.join(", ");
        tracing::warn!(
            "these settings have changed and count from the next start on; until then the old ones do: {names}"
        );
    }
}
