//! The files that versions are made of, in a folder of the gateway's own, named by the SHA-256 of their content.
//!
//! One that two versions have in common is there once. Content is held against its name when it is read, so a file that the
//! disk damaged is an error and never a plugin.

use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::model::PluginVersion;
use crate::plugins::draft::Draft;
use crate::plugins::folder::Folder;
use crate::plugins::load::{Files, hex, version_name};

/// The folder. Everything here blocks.
pub(super) struct KeptFiles {
    folder: Folder,
}

/// A version of which all files are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plugins) struct Kept {
    /// What it is called.
    pub(in crate::plugins) version: String,
    /// The SHA-256 of its component, in hex.
    pub(in crate::plugins) component: String,
    /// That of its manifest.
    pub(in crate::plugins) manifest: Option<String>,
    /// Of the component, in bytes.
    pub(in crate::plugins) size: u64,
}

impl Kept {
    /// That of a row.
    pub(in crate::plugins) fn of(version: &PluginVersion) -> Self {
        Self {
            version: version.version.clone(),
            component: version.component.clone(),
            manifest: version.manifest.clone(),
            size: version.size,
        }
    }
}

impl KeptFiles {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self { folder: Folder::open_and_close_to_others(folder)? })
    }

    pub(super) fn draft(&self) -> io::Result<Draft> {
        self.folder.draft()
    }

    pub(super) fn keep_draft(&self, draft: Draft, digest: &str) -> io::Result<()> {
        if self.size(digest)?.is_some() { Ok(()) } else { draft.keep(digest) }
    }

    pub(super) fn keep(&self, bytes: &[u8]) -> io::Result<String> {
        let digest = hex(&Sha256::digest(bytes));
        if self.size(&digest)?.is_none() {
            self.folder.write(&digest, &[bytes])?;
        }
        Ok(digest)
    }

    pub(super) fn keep_version(&self, files: &Files) -> io::Result<Kept> {
        let component = self.keep(&files.component)?;
        let manifest = files.manifest.as_deref().map(|manifest| self.keep(manifest)).transpose()?;
        let version = version_name(&component, manifest.as_deref());
        Ok(Kept { version, component, manifest, size: files.component.len() as u64 })
    }

    pub(super) fn assemble(&self, component: String, manifest: Option<String>) -> io::Result<Kept> {
        let size = self.size(&component)?.ok_or(ErrorKind::NotFound)?;
        Ok(Kept { version: version_name(&component, manifest.as_deref()), component, manifest, size })
    }

    pub(super) fn read(&self, kept: &Kept) -> io::Result<Files> {
        let component = self.content(&kept.component)?;
        let manifest = kept.manifest.as_deref().map(|digest| self.content(digest)).transpose()?;
        Ok(Files { component, manifest })
    }

    /// Removes all but these.
    pub(super) fn retain(&self, used: &HashSet<String>) -> io::Result<()> {
        for entry in self.folder.list()? {
            if is_digest(&entry.name) && !used.contains(&entry.name) {
                self.folder.remove(&entry.name)?;
            }
        }
        Ok(())
    }

    fn content(&self, digest: &str) -> io::Result<Vec<u8>> {
        let found: Option<([u8; 0], _)> = self.folder.read(digest, u64::MAX)?;
        let (_, bytes) = found.ok_or(ErrorKind::NotFound)?;
        if hex(&Sha256::digest(&bytes)) == digest {
            return Ok(bytes);
        }
        // What is put here next under this name is the right one.
        self.folder.remove(digest)?;
        Err(io::Error::new(ErrorKind::InvalidData, "the file that is kept of it is damaged"))
    }

    fn size(&self, digest: &str) -> io::Result<Option<u64>> {
        self.folder.size(digest)
    }
}

fn is_digest(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_are_kept_once_read_back_and_removed_when_no_version_has_them() {
        let home = tempfile::tempdir().unwrap();
        let files = KeptFiles::open(&home.path().join("versions")).unwrap();
        let one = Files { component: b"code".to_vec(), manifest: None };
        let other = Files { component: b"code".to_vec(), manifest: Some(b"topics = []".to_vec()) };
        let [first, second] = [&one, &other].map(|content| files.keep_version(content).unwrap());
        assert_eq!(first.version, one.version().as_ref());
        assert_eq!(second.version, other.version().as_ref());
        assert_eq!((files.read(&first).unwrap(), files.read(&second).unwrap()), (one, other));
        assert_eq!(files.folder.list().unwrap().len(), 2, "they have the code in common");
        files.retain(&HashSet::from([first.component.clone()])).unwrap();
        assert!(files.read(&first).is_ok());
        assert_eq!(files.read(&second).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_damaged_file_is_an_error_and_can_be_put_there_again() {
        let home = tempfile::tempdir().unwrap();
        let files = KeptFiles::open(&home.path().join("versions")).unwrap();
        let content = Files { component: b"code".to_vec(), manifest: None };
        let kept = files.keep_version(&content).unwrap();
        std::fs::write(home.path().join("versions").join(&kept.component), b"cope").unwrap();
        assert!(files.read(&kept).unwrap_err().to_string().contains("damaged"));
        assert_eq!(files.keep_version(&content).unwrap(), kept);
        assert_eq!(files.read(&kept).unwrap(), content);
    }

    #[test]
    fn rights_that_others_were_given_are_taken_away_and_keep_nothing_from_being_read() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("versions");
        let files = KeptFiles::open(&folder).unwrap();
        let content = Files { component: b"code".to_vec(), manifest: None };
        let kept = files.keep_version(&content).unwrap();
        for (path, mode) in [(folder.join(&kept.component), 0o664), (folder.clone(), 0o2770)] {
            std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        let files = KeptFiles::open(&folder).unwrap();
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(files.read(&kept).unwrap(), content);
    }

    #[test]
    fn an_upload_that_is_dropped_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let files = KeptFiles::open(&home.path().join("versions")).unwrap();
        let [mut dropped, mut kept] = [(); 2].map(|()| files.draft().unwrap());
        dropped.write(b"co").unwrap();
        kept.write(b"code").unwrap();
        drop(dropped);
        let digest = hex(&Sha256::digest(b"code"));
        files.keep_draft(kept, &digest).unwrap();
        let names: Vec<_> = files.folder.list().unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, [digest]);
    }
}
