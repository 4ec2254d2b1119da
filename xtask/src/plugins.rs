//! `cargo xtask plugins`: builds components and puts them where the gateway and the tests find them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use hookway_tests::{guests, workspace};

use crate::tools::{WASM_TARGET, cargo, ensure_wasm_target, step};

/// The plugins that ship, as they are named in a plugin directory.
pub(crate) const SHIPPED: [&str; 6] =
    ["cel-filter", "cloudevents", "jq-transform", "json-patch", "mqtt-topics", "redact"];

/// Builds the plugins that ship.
pub(crate) fn run() -> Result<()> {
    ensure_wasm_target()?;
    for path in build_shipped()? {
        let size = fs::metadata(&path)?.len();
        println!("    {} ({} KiB)", path.display(), size / 1024);
    }
    Ok(())
}

/// Builds the plugins that ship into `target/plugins`.
pub(crate) fn build_shipped() -> Result<Vec<PathBuf>> {
    step("building the plugins that ship");
    let mut arguments = vec!["build", "--profile", "plugin", "--target", WASM_TARGET];
    for name in SHIPPED {
        arguments.extend(["-p", package(name)]);
    }
    cargo(&arguments)?;
    let folder = workspace().join(guests::PLUGINS);
    let installed = SHIPPED.map(|name| {
        let built = output_dir().join(format!("{}.wasm", package(name).replace('-', "_")));
        guests::install(&built, &folder, name)?;
        Ok(folder.join(format!("{name}.wasm")))
    });
    installed.into_iter().collect()
}

/// What Cargo calls a plugin that ships.
fn package(name: &'static str) -> &'static str {
    match name {
        // Otherwise it could not depend on the crate that it is named after.
        "json-patch" => "json-patch-plugin",
        name => name,
    }
}

/// Builds the guests of the tests into `target/guests`.
pub(crate) fn build_guests() -> Result<Vec<PathBuf>> {
    step("building the guests of the tests");
    cargo(&["build", "--profile", "plugin", "--target", WASM_TARGET, "-p", "hookway-guests", "--examples"])?;
    let built = components_in(&output_dir().join("examples"))?;
    ensure!(
        !built.is_empty(),
        "tests/guests built no component: each needs an [[example]] with crate-type cdylib"
    );
    collect(&built, &workspace().join(guests::GUESTS))
}

fn output_dir() -> PathBuf {
    workspace().join("target").join(WASM_TARGET).join("plugin")
}

/// The components of a folder. Cargo leaves files with a hash in their name beside them, which are not for us.
fn components_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} was not built", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("wasm")) && !has_hash(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn has_hash(path: &Path) -> bool {
    let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    stem.rsplit_once('-')
        .is_some_and(|(_, end)| end.len() == 16 && end.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Copies components into a folder under their names with `-`.
fn collect(built: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>> {
    built
        .iter()
        .map(|component| {
            let stem = component.file_stem().and_then(OsStr::to_str).context("a component has a name")?;
            let name = stem.replace('_', "-");
            guests::install(component, folder, &name)?;
            Ok(folder.join(format!("{name}.wasm")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_components_by_their_names_and_leaves_the_rest() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in
            ["spin_forever.wasm", "trap.wasm", "trap-0123456789abcdef.wasm", "trap.d", "eat-memory.wasm"]
        {
            fs::write(from.path().join(name), name).unwrap();
        }
        let built = components_in(from.path()).unwrap();
        let names: Vec<_> = collect(&built, to.path()).unwrap();
        let expected =
            ["eat-memory", "spin-forever", "trap"].map(|name| to.path().join(format!("{name}.wasm")));
        assert_eq!(names, expected);
        assert_eq!(fs::read_to_string(&expected[1]).unwrap(), "spin_forever.wasm");
    }

    #[test]
    fn what_was_not_built_is_named() {
        let error = components_in(Path::new("/nonexistent/examples")).unwrap_err().to_string();
        assert_eq!(error, "/nonexistent/examples was not built");
    }
}
