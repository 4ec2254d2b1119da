//! Puts a plugin into a plugin directory, whole or not at all: each file is written beside its place and renamed over it.

use std::fs;
use std::path::Path;

use crate::client::error::Error;

/// The manifest first: a component that comes before it would be tried with the one before.
pub(super) fn put(component: &[u8], manifest: Option<&[u8]>, folder: &Path, name: &str) -> Result<(), Error> {
    if let Some(manifest) = manifest {
        replace(manifest, folder, &format!("{name}.toml"))?;
    }
    replace(component, folder, &format!("{name}.wasm"))
}

fn replace(bytes: &[u8], folder: &Path, name: &str) -> Result<(), Error> {
    let (beside, place) = (folder.join(format!(".{name}.new")), folder.join(name));
    // A file that is as it was is not a new version.
    if fs::read(&place).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, &place));
    written.map_err(|error| Error::Failed(format!("{}: cannot be written: {error}", place.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_goes_with_its_component_and_nothing_is_left_beside() {
        let folder = tempfile::tempdir().unwrap();
        put(b"0", None, folder.path(), "big-orders").unwrap();
        put(b"1", Some(b"2"), folder.path(), "big-orders").unwrap();
        let there = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!((there("big-orders.wasm"), there("big-orders.toml")), ("1".to_owned(), "2".to_owned()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        let missing = put(b"1", None, &folder.path().join("none"), "p").unwrap_err().sentence();
        assert!(missing.contains("p.wasm: cannot be written"), "{missing}");
    }
}
