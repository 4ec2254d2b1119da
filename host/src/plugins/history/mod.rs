//! The versions of plugins that went live: what they were made of, how they came, and which were sent back.
//!
//! - The rows are in the store, through [`PluginRecords`]; the files lie in a folder beside it, named by their content.
//! - A file is kept before the row that names it is written, and goes after the row that named it last is gone. So every row has
//!   its files whenever a crash comes, and what a crash leaves behind is a file that no row names: it goes with the next sweep.
//! - The plugin directory says what is live; nothing here does. What was decided about that directory and may not be done yet
//!   is written down first ([`Unsettled`](crate::model::Unsettled)).

mod kept;
mod records;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Mutex;
use tracing::warn;

pub(super) use self::kept::Kept;
use self::kept::KeptFiles;
pub use self::records::{PluginRecords, RecordFailure, RecordFuture, Unrecorded};
use super::draft::Draft;
use super::load::Files;
use crate::clock::Clock;
use crate::model::{Actor, AuditEntry, PluginName, PluginOrigin, PluginRecord, PluginVersion, UnixMs};

/// Rows and files. What is known of one plugin is changed by one at a time.
pub(super) struct History {
    files: Arc<KeptFiles>,
    rows: Arc<dyn PluginRecords>,
    clock: Clock,
    known: Mutex<BTreeMap<PluginName, PluginRecord>>,
}

impl History {
    /// What is in the folder and in the rows.
    pub(super) async fn open(
        folder: &Path,
        rows: Arc<dyn PluginRecords>,
        clock: Clock,
    ) -> Result<Self, HistoryError> {
        let unusable = |source| HistoryError::Folder { dir: folder.to_owned(), source };
        let files = Arc::new(KeptFiles::open(folder).map_err(unusable)?);
        let known = rows.all().await?.into_iter().map(|record| (record.plugin.clone(), record)).collect();
        let history = Self { files, rows, clock, known: Mutex::new(known) };
        history.sweep().await;
        Ok(history)
    }

    /// What is kept of a plugin.
    pub(super) async fn of(&self, plugin: &PluginName) -> Option<PluginRecord> {
        self.known.lock().await.get(plugin).cloned()
    }

    /// What is kept of those for which something may not be done yet.
    pub(super) async fn unsettled(&self) -> Vec<PluginRecord> {
        let known = self.known.lock().await;
        known.values().filter(|record| record.unsettled.is_some()).cloned().collect()
    }

    /// Changes what is kept of a plugin, durably, with what the audit log gets to know; none where nobody decided anything.
    pub(super) async fn change(
        &self,
        plugin: &PluginName,
        audit: Option<AuditEntry>,
        change: impl FnOnce(&mut PluginRecord),
    ) -> Result<(), RecordFailure> {
        let mut known = self.known.lock().await;
        let mut record = known.get(plugin).cloned().unwrap_or_else(|| PluginRecord::none(plugin.clone()));
        change(&mut record);
        self.rows.set(record.clone(), audit).await?;
        if record.is_empty() {
            known.remove(plugin);
        } else {
            known.insert(plugin.clone(), record);
        }
        Ok(())
    }

    pub(super) fn now(&self) -> UnixMs {
        self.clock.now()
    }

    /// What the audit log gets to know when another version of a plugin goes live.
    pub(super) fn entry(
        &self,
        actor: Actor,
        action: &str,
        plugin: &PluginName,
        [before, after]: [Option<&str>; 2],
    ) -> AuditEntry {
        let [before, after] = [before, after].map(Value::from);
        AuditEntry::new(self.clock.now(), actor, action, plugin).with("version", &before, &after)
    }

    /// The row of a version that goes live now.
    pub(super) fn version(&self, kept: &Kept, origin: PluginOrigin, actor: &Actor) -> PluginVersion {
        let Kept { version, component, manifest, size } = kept.clone();
        let key = if let Actor::Key { id, .. } = actor { Some(*id) } else { None };
        PluginVersion {
            version,
            component,
            manifest,
            size,
            at: self.clock.now(),
            origin,
            key,
            sent_back: None,
        }
    }

    /// Writes down that a version that lay in the plugin directory went live. That it is not kept is no reason not to serve it.
    pub(super) async fn note_file(&self, plugin: &PluginName, kept: &Kept) {
        let record = self.of(plugin).await;
        let newest = record.as_ref().and_then(PluginRecord::newest).map(|newest| newest.version.as_str());
        if newest == Some(&kept.version) {
            return;
        }
        let entry = self.entry(Actor::Gateway, "plugin.installed", plugin, [newest, Some(&kept.version)]);
        let version = self.version(kept, PluginOrigin::File, &Actor::Gateway);
        if let Err(error) = self.change(plugin, Some(entry), |record| record.add(version)).await {
            warn!(%plugin, version = kept.version, %error, "a version is live and not in the history");
        }
    }

    /// An upload begins.
    pub(super) async fn draft(&self) -> io::Result<Draft> {
        self.on_files(|files| files.draft()).await
    }

    /// Keeps a file that was written already.
    pub(super) async fn keep_draft(&self, draft: Draft, digest: String) -> io::Result<()> {
        self.on_files(move |files| files.keep_draft(draft, &digest)).await
    }

    /// Keeps the content of a file and says what it is called here.
    pub(super) async fn keep_bytes(&self, bytes: Vec<u8>) -> io::Result<String> {
        self.on_files(move |files| files.keep(&bytes)).await
    }

    /// Keeps the files of a version, and gives them back.
    pub(super) async fn keep(&self, content: Files) -> (Files, io::Result<Kept>) {
        let files = Arc::clone(&self.files);
        let work = move || {
            let kept = files.keep_version(&content);
            (content, kept)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
            let nothing = Files { component: Vec::new(), manifest: None };
            (nothing, Err(io::Error::other(error)))
        })
    }

    /// A version that is made of these files, which are kept.
    pub(super) async fn assemble(&self, component: String, manifest: Option<String>) -> io::Result<Kept> {
        self.on_files(move |files| files.assemble(component, manifest)).await
    }

    /// The content of the files of a version.
    pub(super) async fn read(&self, kept: Kept) -> io::Result<Files> {
        self.on_files(move |files| files.read(&kept)).await
    }

    /// Removes the files that no version is made of: for the keeper alone, as files are kept before a row has them.
    pub(super) async fn sweep(&self) {
        let known = self.known.lock().await;
        let used: HashSet<String> = known.values().flat_map(PluginRecord::files).map(str::to_owned).collect();
        if let Err(error) = self.on_files(move |files| files.retain(&used)).await {
            warn!(%error, "files of versions of plugins that are gone cannot be removed");
        }
    }

    async fn on_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&KeptFiles) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let files = Arc::clone(&self.files);
        let done = tokio::task::spawn_blocking(move || work(&files)).await;
        done.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

/// Why the history cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The folder.
    #[error("`{dir}`, where the versions of plugins are kept, cannot be used: {source}", dir = .dir.display())]
    Folder {
        /// Which.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The rows.
    #[error("what is kept of plugins cannot be read: {0}")]
    Records(#[from] RecordFailure),
}
