//! A file for the secrets that a gateway makes: one JSON a line, for its owner only.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::steps::Made;
use crate::client::error::Error;

/// Permissions that only the owner may have.
const OTHERS: u32 = 0o077;

/// The file, open for more.
#[derive(Debug)]
pub(super) struct SecretsFile {
    path: PathBuf,
    file: File,
}

impl SecretsFile {
    /// Opens or makes it; what is in it stays.
    ///
    /// # Errors
    /// It cannot be opened, or others may read it.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        let refused = |why: String| Error::Failed(format!("{}: {why}", path.display()));
        let file = file.map_err(|error| refused(format!("cannot write this file: {error}")))?;
        let metadata =
            file.metadata().map_err(|error| refused(format!("cannot look at this file: {error}")))?;
        if metadata.is_file() && metadata.permissions().mode() & OTHERS != 0 {
            return Err(refused(
                "others can read the secrets in this file: run `chmod 600` on it".to_owned(),
            ));
        }
        Ok(Self { path: path.to_owned(), file })
    }

    /// Adds a secret; it is on stable storage when this returns.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn add(&mut self, secret: &Made) -> Result<(), Error> {
        let mut line = serde_json::to_string(secret).map_err(|error| Error::Failed(error.to_string()))?;
        line.push('\n');
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|error| {
            let path = self.path.display();
            Error::Failed(format!(
                "{path}: cannot write this file: {error}; the secret {} is lost: add another with `hookway secret add`",
                secret.secret_id
            ))
        })
    }
}
