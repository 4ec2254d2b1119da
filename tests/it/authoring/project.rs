//! A plugin on its author's machine: a component, its manifest, and samples in files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hookway_tests::command::{Hookway, Ran};
use serde_json::Value;

/// The folder of a plugin.
pub(super) struct Project {
    home: tempfile::TempDir,
    name: String,
}

impl Project {
    /// One with this component as `NAME.wasm`.
    pub(super) fn new(name: &str, component: &Path) -> Result<Self> {
        Self::of_bytes(name, &fs::read(component)?)
    }

    /// One with these bytes as `NAME.wasm`.
    pub(super) fn of_bytes(name: &str, component: &[u8]) -> Result<Self> {
        let project = Self { home: tempfile::tempdir()?, name: name.to_owned() };
        fs::write(project.path(&format!("{name}.wasm")), component)?;
        Ok(project)
    }

    /// With this as its manifest.
    pub(super) fn manifest(self, text: &str) -> Result<Self> {
        fs::write(self.path(&format!("{}.toml", self.name)), text)?;
        Ok(self)
    }

    /// With this as `samples/NAME.json`.
    pub(super) fn sample(self, name: &str, text: &str) -> Result<Self> {
        fs::create_dir_all(self.path("samples"))?;
        fs::write(self.path(&format!("samples/{name}.json")), text)?;
        Ok(self)
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.home.path().join(file)
    }

    pub(super) fn read(&self, file: &str) -> Result<String> {
        fs::read_to_string(self.path(file)).with_context(|| format!("{file} is read"))
    }

    /// Runs `hookway plugin VERB` on its folder.
    pub(super) async fn run(&self, verb: &str, more: &[&str]) -> Result<Ran> {
        let folder = self.home.path().to_string_lossy();
        Hookway::default().run(&[&["plugin", verb, &folder], more].concat()).await
    }

    /// What it prints with `--json`, whatever its exit code.
    pub(super) async fn json(&self, verb: &str, more: &[&str]) -> Result<Value> {
        let ran = self.run(verb, &[more, &["--json"]].concat()).await?;
        serde_json::from_str(&ran.out).with_context(|| format!("not JSON: {ran:?}"))
    }
}
