//! Machine code kept from one start to the next.
//!
//! Compiling an interpreter takes half a minute, loading its code some milliseconds. But machine code is believed: whoever
//! could slip in a file would run in the gateway. So nothing is loaded that does not carry our seal, checked on the very
//! bytes that are loaded, and the folder is ours alone. What is missing, broken or not ours is compiled again; the
//! cache can be deleted at any time.

mod seal;

use std::path::Path;

use tracing::{debug, warn};
use wasmtime::Engine;

use self::seal::{Name, Sealer};
use super::compile::Artefact;
use super::folder::Folder;

/// What is wrong with a file, or why there is none.
enum Miss {
    NotThere,
    Wrong(String),
}

/// The folder of machine code. Everything here blocks.
pub(super) struct Cache {
    folder: Folder,
    sealer: Sealer,
    max_bytes: u64,
}

impl Cache {
    /// Opens the folder, making it if need be. `None`, and a line in the log, if it cannot be trusted or used: then every
    /// start compiles.
    pub(super) fn open(dir: &Path, max_bytes: u64, engine: &Engine) -> Option<Self> {
        let open = || {
            let folder = Folder::open(dir)?;
            let sealer = Sealer::open(&folder, engine)?;
            Ok::<_, std::io::Error>(Self { folder, sealer, max_bytes })
        };
        open()
            .inspect_err(|error| {
                warn!(%error, dir = %dir.display(), "no cache for compiled plugins: each start compiles them again");
            })
            .ok()
    }

    /// The code of a file, if it is here and ours.
    pub(super) fn get(&self, file: &[u8]) -> Option<Artefact> {
        let name = self.sealer.name(file);
        match self.read(&name) {
            Ok(code) => Some(Artefact::made_by_us(code)),
            Err(Miss::NotThere) => None,
            Err(Miss::Wrong(reason)) => {
                warn!(
                    file = name.text(),
                    reason, "compiled plugin is not loaded from the cache, but compiled again"
                );
                self.forget(&name);
                None
            }
        }
    }

    /// Keeps the code of a file, and drops what was not used for longest if there is too much.
    pub(super) fn put(&self, file: &[u8], code: &Artefact) {
        let name = self.sealer.name(file);
        let header = self.sealer.seal(&name, code.bytes());
        let size = (header.len() + code.bytes().len()) as u64;
        if size > self.max_bytes {
            debug!(size, "compiled plugin is larger than the cache");
            return;
        }
        let kept =
            self.make_room(size).and_then(|()| self.folder.write(name.text(), &[&header, code.bytes()]));
        if let Err(error) = kept {
            warn!(%error, "compiled plugin is not kept: the next start compiles it again");
        }
    }

    /// Drops the code of a file of which the engine has said that it is not its own.
    pub(super) fn remove(&self, file: &[u8]) {
        self.forget(&self.sealer.name(file));
    }

    fn read(&self, name: &Name) -> Result<Vec<u8>, Miss> {
        let read = self.folder.read(name.text(), self.max_bytes);
        let (header, code) = match read {
            Ok(Some(content)) => content,
            Ok(None) => return Err(Miss::NotThere),
            Err(error) => return Err(Miss::Wrong(error.to_string())),
        };
        if self.sealer.is_ours(name, &header, &code) {
            Ok(code)
        } else {
            Err(Miss::Wrong("it does not carry the seal of this gateway".to_owned()))
        }
    }

    fn forget(&self, name: &Name) {
        if let Err(error) = self.folder.remove(name.text()) {
            warn!(%error, file = name.text(), "it cannot be removed from the cache");
        }
    }

    fn make_room(&self, size: u64) -> std::io::Result<()> {
        let mut entries = self.folder.list()?;
        entries.retain(|entry| seal::is_name(&entry.name));
        entries.sort_by_key(|entry| entry.used);
        let mut total: u64 = entries.iter().map(|entry| entry.size).sum();
        for entry in entries {
            if total.saturating_add(size) <= self.max_bytes {
                break;
            }
            self.folder.remove(&entry.name)?;
            total = total.saturating_sub(entry.size);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
