//! The built components: plugins that ship, and hostile guests.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::workspace;

/// Where `cargo xtask plugins` puts the plugins that ship, relative to the workspace.
pub const PLUGINS: &str = "target/plugins";
/// Where `cargo xtask test` puts the guests that misbehave, relative to the workspace.
pub const GUESTS: &str = "target/guests";

/// The file of a plugin that ships, for example `cel-filter`.
///
/// # Errors
/// It was not built.
pub fn plugin(name: &str) -> Result<PathBuf> {
    find(PLUGINS, name)
}

/// The file of a guest of `tests/guests`, for example `spin-forever`.
///
/// # Errors
/// It was not built.
pub fn guest(name: &str) -> Result<PathBuf> {
    find(GUESTS, name)
}

/// The names of all guests that were built.
///
/// # Errors
/// None was.
pub fn all_guests() -> Result<Vec<String>> {
    let folder = workspace().join(GUESTS);
    let entries =
        fs::read_dir(folder).with_context(|| format!("{GUESTS} is not built: run `cargo xtask test`"))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".wasm").map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Puts a copy of a component in place as `NAME.wasm`, whole or not at all: written beside it, then renamed.
///
/// # Errors
/// The file system refuses.
pub fn install(component: &Path, plugins_dir: &Path, name: &str) -> Result<()> {
    let bytes = fs::read(component).with_context(|| format!("{} could not be read", component.display()))?;
    install_bytes(&bytes, plugins_dir, name)
}

/// The same for bytes that need not be a component.
///
/// # Errors
/// The file system refuses.
pub fn install_bytes(bytes: &[u8], plugins_dir: &Path, name: &str) -> Result<()> {
    put(bytes, plugins_dir, &format!("{name}.wasm"))
}

/// The same for the manifest of a plugin, `NAME.toml`.
///
/// # Errors
/// The file system refuses.
pub fn install_manifest(text: &str, plugins_dir: &Path, name: &str) -> Result<()> {
    put(text.as_bytes(), plugins_dir, &format!("{name}.toml"))
}

fn put(bytes: &[u8], plugins_dir: &Path, file: &str) -> Result<()> {
    let (new, place) = (plugins_dir.join(format!(".{file}.new")), plugins_dir.join(file));
    fs::create_dir_all(plugins_dir).with_context(|| format!("{} cannot be made", plugins_dir.display()))?;
    fs::write(&new, bytes).with_context(|| format!("{} cannot be written", new.display()))?;
    fs::rename(&new, &place).with_context(|| format!("{} cannot be replaced", place.display()))
}

fn find(folder: &str, name: &str) -> Result<PathBuf> {
    let path = workspace().join(folder).join(format!("{name}.wasm"));
    ensure!(
        path.is_file(),
        "{folder}/{name}.wasm is not built: run `cargo xtask test`, which builds it first"
    );
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_component_says_what_to_run() {
        let error = guest("no-such-guest").unwrap_err().to_string();
        assert!(error.contains("run `cargo xtask test`"), "{error}");
    }

    #[test]
    fn replaces_a_file_whole() {
        let dir = tempfile::tempdir().unwrap();
        install_bytes(b"one", dir.path(), "a").unwrap();
        install_bytes(b"two", dir.path(), "a").unwrap();
        assert_eq!(fs::read(dir.path().join("a.wasm")).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
