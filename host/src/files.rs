//! Files and folders whose names are on stable storage too.
//!
//! A file that is synced and whose folder is not may be gone after a power loss, with all that was acknowledged in it.

use std::fs::File;
use std::io;
use std::path::Path;

/// Makes a folder, and those above it that are missing, so that a power loss takes none of them away.
///
/// # Errors
/// One of them cannot be made, or its name cannot be written to stable storage.
pub fn make_directory(path: &Path) -> io::Result<()> {
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let missing: Vec<_> = path.ancestors().take_while(is_missing).collect();
    std::fs::create_dir_all(path)?;
    missing.into_iter().rev().try_for_each(sync_name)
}

/// Writes the name of a file or folder to stable storage: that is, the folder that it is in.
///
/// # Errors
/// The folder cannot be opened or synced.
pub fn sync_name(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_with_all_above_it_and_may_be_there() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b/c");
        make_directory(&path).unwrap();
        make_directory(&path).unwrap();
        assert!(path.is_dir());
        sync_name(&path).unwrap();
        sync_name(Path::new("relative")).unwrap();
        std::fs::write(root.path().join("file"), "").unwrap();
        assert!(make_directory(&root.path().join("file/d")).is_err());
        assert!(sync_name(&root.path().join("missing/file")).is_err());
    }
}
