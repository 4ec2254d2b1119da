//! Versions that come over the API: uploads, roll-backs, and plugins that are deleted.
//!
//! They go the way of a file that somebody drops into the directory, and end there: the directory says what is live, so a restart
//! finds the same. On the way, in this order:
//!
//! 1. the files of the version are kept in the history's folder and written into the directory without their names, so that
//!    what cannot be written shows first;
//! 2. the version is compiled and tried. Whatever is refused up to here has changed nothing;
//! 3. the row is written, with its entry in the audit log and the mark that the directory is not as it says yet;
//! 4. the files get their names, the version goes live, and the mark is taken away.
//!
//! A crash before 3 leaves files that nobody names, which the next start removes. A crash between 3 and 4 leaves the mark, and the
//! next start does the rest ([`super::settle`]), unless somebody put other files there meanwhile.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;

use tracing::info;

use super::Plugins;
use super::error::LoadError;
use super::history::{Kept, RecordFailure};
use super::keeper::Keeper;
use super::placing::{self, Placing};
use super::scan::{self, Look};
use super::upload::Upload;
use crate::model::{Actor, PluginName, PluginOrigin, PluginRecord, PluginVersion, Unsettled};

/// The files of a version that is to go live.
#[derive(Debug, Default)]
pub struct NewFiles {
    /// The component; that of the directory if there is none.
    pub component: Option<Upload>,
    /// The manifest.
    pub manifest: NewManifest,
}

/// The manifest of a version that is to go live.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum NewManifest {
    /// That of the directory, if there is one.
    #[default]
    AsItIs,
    /// None.
    Nothing,
    /// This one.
    Text(Vec<u8>),
}

/// Who asks for a version, and for what.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who.
    pub by: Actor,
    /// The version is tried, and nothing is changed.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The version that is live.
    pub version: String,
    /// The one that was before; none if the plugin is new.
    pub previous: Option<String>,
    /// Whether anything changed: not when this version was live already.
    pub changed: bool,
}

/// Why a version does not go live, or a plugin is not deleted. Nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// Something is wrong with the version.
    #[error(transparent)]
    Refused(#[from] LoadError),
    /// There is no component, neither in the request nor in the directory.
    #[error(
        "there is no `{0}.wasm` in the plugin directory that the manifest could be about: send the component with it"
    )]
    NoComponent(PluginName),
    /// The component is larger than the limit.
    #[error("the component has more than {0} bytes: make it smaller or raise `plugins.max_file_bytes`")]
    TooLarge(u64),
    /// There is no such plugin.
    #[error("there is no plugin of this name")]
    NoPlugin,
    /// The version is not kept.
    #[error("this version is not kept: the last {kept} that went live are, see `GET /v1/plugins/{{name}}/versions`", kept = PluginRecord::KEPT)]
    NoVersion,
    /// The files of the version are missing or damaged.
    #[error("the files of this version in the data directory are missing or damaged: install it anew")]
    Lost,
    /// There is no candidate.
    #[error("the plugin has no candidate: send one with `PUT /v1/plugins/{{name}}/candidate`")]
    NoCandidate,
    /// There is no live version that a candidate could be compared with.
    #[error("no version of the plugin is live that a candidate could be tried beside: install it first")]
    NotLive,
    /// The candidate could not be loaded after a start.
    #[error("the candidate could not be loaded and is not tried: send it anew, or discard it")]
    NotLoaded,
    /// The candidate is the live version.
    #[error("this version is live, so there is nothing to try")]
    IsLive,
    /// The candidate does nothing that is tried.
    #[error(
        "the component exports neither `filter` nor `transform`, and nothing else can be tried beside the live version"
    )]
    NotComparable,
    /// What the candidate asks others would be asked twice.
    #[error(
        "the plugin has the grant `http`: in shadow its requests would be made a second time, so try it as a canary, with `percent`"
    )]
    AsksOthers,
    /// The plugin directory cannot be written.
    #[error(
        "the plugin directory ({dir}) cannot be written: {source}; let the gateway write there, or put the files there in \
         another way"
    )]
    Directory {
        /// Which.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folder of the history cannot be used.
    #[error("the versions of plugins in the data directory cannot be read or written: {0}")]
    Keeping(#[source] io::Error),
    /// The store failed.
    #[error(transparent)]
    Records(#[from] RecordFailure),
}

pub(super) fn unreadable(error: io::Error) -> InstallError {
    let is_lost = [ErrorKind::NotFound, ErrorKind::InvalidData].contains(&error.kind());
    if is_lost { InstallError::Lost } else { InstallError::Keeping(error) }
}

impl Plugins {
    /// An upload begins.
    ///
    /// # Errors
    /// The data directory cannot be written.
    pub async fn upload(&self) -> Result<Upload, InstallError> {
        let draft = self.history.draft().await.map_err(InstallError::Keeping)?;
        Ok(Upload::new(draft, self.runtime.options.max_file_bytes))
    }

    /// Has a version tried and, if all is well with it, go live. Whoever calls this must wait for its end.
    ///
    /// # Errors
    /// Nothing has changed.
    pub async fn install(
        &self,
        plugin: &PluginName,
        files: NewFiles,
        asked: &Asked,
    ) -> Result<Installed, InstallError> {
        self.keeper.lock().await.install(plugin, files, asked).await
    }

    /// The same with a version that was live before.
    ///
    /// # Errors
    /// Nothing has changed.
    pub async fn roll_back(
        &self,
        plugin: &PluginName,
        version: &str,
        asked: &Asked,
    ) -> Result<Installed, InstallError> {
        self.keeper.lock().await.roll_back(plugin, version, asked).await
    }

    /// Takes a plugin out of the directory and forgets its versions.
    ///
    /// # Errors
    /// Nothing has changed.
    pub async fn remove(&self, plugin: &PluginName, by: Actor) -> Result<(), InstallError> {
        self.keeper.lock().await.remove(plugin, by).await
    }

    /// The versions of a plugin that are kept, the one that went live last first. `None` if there is no such plugin.
    pub async fn versions(&self, plugin: &PluginName) -> Option<Vec<PluginVersion>> {
        let record = self.history.of(plugin).await;
        let is_there = record.is_some() || self.get(plugin).is_some();
        is_there.then(|| record.map(|record| record.versions).unwrap_or_default())
    }
}

impl Keeper {
    async fn install(
        &mut self,
        plugin: &PluginName,
        files: NewFiles,
        asked: &Asked,
    ) -> Result<Installed, InstallError> {
        let installed = match self.keep_new(plugin, files).await {
            Ok(kept) => self.put(plugin, kept, PluginOrigin::Upload, asked).await,
            Err(error) => Err(error),
        };
        // Files of what was refused, and of the version that is too old to be kept.
        self.history.sweep().await;
        installed
    }

    async fn roll_back(
        &mut self,
        plugin: &PluginName,
        version: &str,
        asked: &Asked,
    ) -> Result<Installed, InstallError> {
        let record = self.history.of(plugin).await;
        let version =
            record.as_ref().and_then(|record| record.version(version)).ok_or(InstallError::NoVersion)?;
        self.put(plugin, Kept::of(version), PluginOrigin::Rollback, asked).await
    }

    async fn remove(&mut self, plugin: &PluginName, by: Actor) -> Result<(), InstallError> {
        let record = self.history.of(plugin).await;
        let live = self.registry.snapshot().get(plugin);
        if record.is_none() && live.is_none() {
            return Err(InstallError::NoPlugin);
        }
        let dir = self.dir.clone();
        self.on_directory(move || placing::probe(&dir)).await?;
        let version = live.and_then(|live| live.version);
        let entry = self.history.entry(by, "plugin.deleted", plugin, [version.as_deref(), None]);
        self.history.change(plugin, Some(entry), |record| record.unsettled = Some(Unsettled::Remove)).await?;
        if let Err(error) = self.take_away(plugin).await {
            let entry = self.history.entry(Actor::Gateway, "plugin.not_deleted", plugin, [None, None]);
            self.history.change(plugin, Some(entry), |record| record.unsettled = None).await?;
            return Err(error);
        }
        self.forget(plugin);
        self.registry.unload(plugin);
        info!(%plugin, "plugin is deleted");
        self.settle(plugin).await;
        Ok(())
    }

    /// Has a version go live of which all files are kept.
    pub(super) async fn put(
        &mut self,
        plugin: &PluginName,
        kept: Kept,
        origin: PluginOrigin,
        asked: &Asked,
    ) -> Result<Installed, InstallError> {
        let live = self.registry.snapshot().version(plugin).ok().cloned();
        let previous = live.as_ref().map(|live| live.hash.to_string());
        let is_live = previous.as_deref() == Some(kept.version.as_str());
        let installed =
            Installed { version: kept.version.clone(), previous: previous.clone(), changed: true };
        if is_live && self.lies_in_directory(plugin, &kept).await? {
            return Ok(Installed { changed: false, ..installed });
        }
        let files = self.history.read(kept.clone()).await.map_err(unreadable)?;
        let (dir, of) = (self.dir.clone(), plugin.clone());
        let (placing, files) =
            self.on_directory(move || Ok((Placing::prepare(&dir, &of, &files)?, files))).await?;
        // A candidate is compiled already.
        let candidate = self.registry.candidate(plugin).map(|candidate| Arc::clone(&candidate.version));
        let compiled = candidate.filter(|candidate| candidate.hash.as_ref() == kept.version);
        let version = match (is_live, compiled.as_ref().or(live.as_ref())) {
            (true, _) => None,
            (false, known) => Some(self.try_files(plugin, files, known.map(Arc::as_ref)).await?),
        };
        if asked.dry_run {
            return Ok(installed);
        }
        let before = self.history.of(plugin).await.unwrap_or_else(|| PluginRecord::none(plugin.clone()));
        let versions = [previous.as_deref(), Some(kept.version.as_str())];
        let action = match origin {
            PluginOrigin::File | PluginOrigin::Upload => "plugin.installed",
            PluginOrigin::Rollback => "plugin.rolled_back",
            PluginOrigin::Promote => "plugin.promoted",
        };
        let entry = self.history.entry(asked.by.clone(), action, plugin, versions);
        let row = self.history.version(&kept, origin, &asked.by);
        let add = |record: &mut PluginRecord| {
            record.add(row);
            record.unsettled = Some(Unsettled::Install);
        };
        self.history.change(plugin, Some(entry), add).await?;
        if let Err(error) = self.on_directory(move || placing.finish()).await {
            // The files could be written and not named: the audit log has to say that nothing came of it.
            let entry = self.history.entry(Actor::Gateway, "plugin.not_installed", plugin, [None, None]);
            self.history.change(plugin, Some(entry), |record| *record = before).await?;
            return Err(error);
        }
        self.note_looks(plugin).await;
        match version {
            Some(version) => self.publish(version).await,
            None => self.registry.accept_again(plugin),
        }
        self.settle(plugin).await;
        Ok(installed)
    }

    /// The files of a version that is to go live, all kept.
    pub(super) async fn keep_new(&self, plugin: &PluginName, files: NewFiles) -> Result<Kept, InstallError> {
        let component = match files.component {
            Some(upload) => {
                let uploaded = upload.finish().await?;
                let digest = uploaded.digest.clone();
                self.history.keep_draft(uploaded.draft, digest).await.map_err(InstallError::Keeping)?;
                uploaded.digest
            }
            None => self.keep_present(plugin).await?,
        };
        let manifest = match files.manifest {
            NewManifest::Nothing => None,
            NewManifest::Text(text) => Some(text),
            NewManifest::AsItIs => {
                let (dir, plugin) = (self.dir.clone(), plugin.clone());
                self.reading(move || scan::manifest_of(&dir, &plugin)).await?
            }
        };
        let manifest = match manifest {
            Some(text) => Some(self.history.keep_bytes(text).await.map_err(InstallError::Keeping)?),
            None => None,
        };
        self.history.assemble(component, manifest).await.map_err(InstallError::Keeping)
    }

    /// Keeps the component that lies in the directory.
    async fn keep_present(&self, plugin: &PluginName) -> Result<String, InstallError> {
        let (dir, of, max) = (self.dir.clone(), plugin.clone(), self.max_file_bytes);
        let bytes = self.reading(move || scan::component_of(&dir, &of, max)).await?;
        let bytes = bytes.ok_or_else(|| InstallError::NoComponent(plugin.clone()))?;
        self.history.keep_bytes(bytes).await.map_err(InstallError::Keeping)
    }

    /// Whether the directory has these files and no others of the plugin.
    async fn lies_in_directory(&self, plugin: &PluginName, kept: &Kept) -> Result<bool, InstallError> {
        let (dir, plugin, max, kept) = (self.dir.clone(), plugin.clone(), self.max_file_bytes, kept.clone());
        self.reading(move || {
            let there = scan::digests(&dir, &plugin, max)?;
            Ok(there == (Some(kept.component), kept.manifest))
        })
        .await
    }

    /// The looks of the files that were just placed: the next pass has nothing to do with them.
    async fn note_looks(&mut self, plugin: &PluginName) {
        let (dir, of) = (self.dir.clone(), plugin.clone());
        let looks = tokio::task::spawn_blocking(move || scan::looks(&dir, &of)).await;
        if let Some(looks) = looks.ok().filter(|looks| looks.component != Look::Absent) {
            self.deal_with_looks(plugin, looks);
        }
    }

    pub(super) async fn on_directory<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, InstallError> {
        let done =
            tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        done.map_err(|source| InstallError::Directory { dir: self.dir.clone(), source })
    }

    pub(super) async fn reading<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
    ) -> Result<T, InstallError> {
        let done = tokio::task::spawn_blocking(work).await;
        Ok(done.unwrap_or_else(|error| Err(LoadError::Unreadable(error.to_string())))?)
    }
}
