//! A component on its way in: written to a file piece by piece, so that many large ones, or slow ones, take no memory.

use std::io;

use sha2::{Digest as _, Sha256};

use super::draft::Draft;
use super::install::InstallError;
use super::load::hex;

/// Pieces are gathered to so much before they are written: what is written is work for a thread of its own.
const GATHERED: usize = 1 << 20;

/// The file, as far as it came. Dropping it removes it.
pub struct Upload {
    /// Not there while a thread has it, so an upload that failed once stays failed.
    file: Option<Written>,
    gathered: Vec<u8>,
    size: u64,
    max_bytes: u64,
}

struct Written {
    draft: Draft,
    digest: Sha256,
}

/// A component that is all there.
pub(super) struct Uploaded {
    pub(super) draft: Draft,
    /// SHA-256, in hex.
    pub(super) digest: String,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Upload {
    pub(super) fn new(draft: Draft, max_bytes: u64) -> Self {
        let file = Some(Written { draft, digest: Sha256::new() });
        Self { file, gathered: Vec::new(), size: 0, max_bytes }
    }

    /// The next piece.
    ///
    /// # Errors
    /// [`InstallError::TooLarge`], and what the disk says.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), InstallError> {
        self.size += piece.len() as u64;
        if self.size > self.max_bytes {
            return Err(InstallError::TooLarge(self.max_bytes));
        }
        self.gathered.extend_from_slice(piece);
        if self.gathered.len() >= GATHERED { self.flush().await } else { Ok(()) }
    }

    pub(super) async fn finish(mut self) -> Result<Uploaded, InstallError> {
        self.flush().await?;
        let Written { draft, digest } = self.file.ok_or_else(broken)?;
        Ok(Uploaded { draft, digest: hex(&digest.finalize()) })
    }

    async fn flush(&mut self) -> Result<(), InstallError> {
        let mut file = self.file.take().ok_or_else(broken)?;
        let bytes = std::mem::take(&mut self.gathered);
        let written = tokio::task::spawn_blocking(move || {
            file.digest.update(&bytes);
            file.draft.write(&bytes).map(|()| file)
        });
        self.file = Some(
            written
                .await
                .unwrap_or_else(|error| Err(io::Error::other(error)))
                .map_err(InstallError::Keeping)?,
        );
        Ok(())
    }
}

fn broken() -> InstallError {
    InstallError::Keeping(io::Error::other("the upload failed before"))
}
