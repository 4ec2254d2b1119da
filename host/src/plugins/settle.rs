//! The plugin directory is made to be as it was decided: at once, or by the next start when a crash came between.

use tracing::warn;

use super::history::Kept;
use super::install::{InstallError, unreadable};
use super::keeper::Keeper;
use super::placing::{self, Placing};
use super::scan;
use crate::model::{PluginName, PluginRecord, Unsettled};

impl Keeper {
    /// Does what was decided about files before the gateway stopped. Other files that somebody put there since then stay: they
    /// were the last word.
    pub(super) async fn finish_what_was_begun(&mut self) {
        let dir = self.dir.clone();
        if let Err(error) = self.on_directory(move || placing::clear(&dir)).await {
            warn!(%error, "files that a crash left in the plugin directory stay there");
        }
        for record in self.history.unsettled().await {
            let plugin = &record.plugin;
            match self.finish(&record).await {
                Ok(()) => self.settle(plugin).await,
                Err(error) => {
                    warn!(%plugin, %error, "the plugin directory is not as it was decided before the last stop");
                }
            }
        }
        self.history.sweep().await;
    }

    async fn finish(&self, record: &PluginRecord) -> Result<(), InstallError> {
        let (dir, plugin, max) = (self.dir.clone(), record.plugin.clone(), self.max_file_bytes);
        let (component, manifest) = self.reading(move || scan::digests(&dir, &plugin, max)).await?;
        let is_ours = |digest: &String| record.files().any(|file| file == digest);
        if !component.iter().chain(&manifest).all(is_ours) {
            return Ok(());
        }
        match (record.unsettled, record.newest()) {
            (Some(Unsettled::Install), Some(newest)) => {
                let files = self.history.read(Kept::of(newest)).await.map_err(unreadable)?;
                let (dir, plugin) = (self.dir.clone(), record.plugin.clone());
                self.on_directory(move || Placing::prepare(&dir, &plugin, &files)?.finish()).await
            }
            (Some(Unsettled::Remove), _) => self.take_away(&record.plugin).await,
            (Some(Unsettled::Install) | None, _) => Ok(()),
        }
    }

    /// The directory is as it was decided.
    pub(super) async fn settle(&self, plugin: &PluginName) {
        let settle = |record: &mut PluginRecord| {
            if record.unsettled.take() == Some(Unsettled::Remove) {
                record.versions.clear();
                record.candidate = None;
            }
        };
        // If it fails, the next start finds nothing left to do and settles it.
        if let Err(error) = self.history.change(plugin, None, settle).await {
            warn!(%plugin, %error, "it could not be written down that the plugin directory is as it was decided");
        }
        self.history.sweep().await;
    }

    pub(super) async fn take_away(&self, plugin: &PluginName) -> Result<(), InstallError> {
        let (dir, plugin) = (self.dir.clone(), plugin.clone());
        self.on_directory(move || placing::remove(&dir, &plugin)).await
    }
}
