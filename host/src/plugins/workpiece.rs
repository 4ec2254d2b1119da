//! The files of a plugin on its author's machine, before any gateway has them.

use std::fs::File;
use std::path::Path;

use super::Options;
use super::load::Files;
use super::manifest::{self, Manifest, ManifestError};
use super::scan::read;
use crate::model::PluginName;

/// A component, and its manifest if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workpiece {
    /// What it would be called: that of the manifest's file, or of the component's where there is none.
    pub name: PluginName,
    pub(super) files: Files,
}

impl Workpiece {
    /// Reads the files.
    ///
    /// # Errors
    /// In a sentence: one cannot be read, or its name is none of a plugin.
    pub fn read(component: &Path, manifest: Option<&Path>, options: &Options) -> Result<Self, String> {
        let file = File::open(component);
        let read_once = |file, max| read(file, max).map_err(|error| error.to_string());
        let changed = || "the file changed while it was read: try again".to_owned();
        let bytes = read_once(file, options.max_file_bytes)?.ok_or_else(changed)?;
        let name = manifest.unwrap_or(component);
        let stem = name.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let name = stem.parse().map_err(|error| {
            format!("a gateway takes no notice of a file of this name: {error}; rename it")
        })?;
        let text = manifest.map(|path| {
            // One byte more than is taken, so that loading says that it is too large.
            let text = read_once(File::open(path), manifest::MAX_BYTES + 1);
            text.map_err(|error| format!("{}: {error}", path.display()))?.ok_or_else(changed)
        });
        Ok(Self { name, files: Files { component: bytes, manifest: text.transpose()? } })
    }

    /// What the manifest says; that of an empty one where there is none.
    ///
    /// # Errors
    /// It cannot be taken.
    pub fn manifest(&self, options: &Options) -> Result<Manifest, ManifestError> {
        let Some(content) = &self.files.manifest else { return Ok(Manifest::default()) };
        Manifest::parse(&format!("{}.toml", self.name), content, options)
    }

    /// Whether there is a manifest.
    #[must_use]
    pub const fn has_manifest(&self) -> bool {
        self.files.manifest.is_some()
    }

    /// The text of the manifest, as far as it is text.
    #[must_use]
    pub fn manifest_text(&self) -> Option<&str> {
        std::str::from_utf8(self.files.manifest.as_deref()?).ok()
    }

    /// The size of the component in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.files.component.len()
    }
}
