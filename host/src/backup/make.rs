//! Making one: a thread that gives way to everything else reads a snapshot and the files of plugins, and hands frames on.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io, thread};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::Error;
use super::frame::{self, Kind, MAGIC};
use super::manifest::{FileHead, FilePlace, Manifest, Summary};
use crate::clock::Clock;
use crate::model::AuditEntry;
use crate::priority;
use crate::store::{self, Snapshot, Store};

/// Rows of one frame.
const FRAME_BYTES: usize = 256 << 10;
/// A piece of a file.
const PIECE_BYTES: u64 = 1 << 20;
/// What the plugin directory has beside plugins is not ours.
const EXTENSIONS: [&str; 2] = ["wasm", "toml"];

/// What makes backups, one at a time: each keeps the store from using again what it frees. Clones share the limit.
#[derive(Clone)]
pub struct Backups {
    store: Arc<dyn Store>,
    places: Places,
    clock: Clock,
    one: Arc<Semaphore>,
}

/// Where the files of plugins are.
#[derive(Debug, Clone)]
pub struct Places {
    /// The plugin directory.
    pub plugins: PathBuf,
    /// The versions that are kept.
    pub versions: PathBuf,
}

/// The right to make one.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "held for as long as it is there")] OwnedSemaphorePermit);

impl Backups {
    /// Of this store and these files.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, places: Places, clock: Clock) -> Self {
        Self { store, places, clock, one: Arc::new(Semaphore::new(1)) }
    }

    /// The right to make one; none while another is made.
    #[must_use]
    pub fn enter(&self) -> Option<Place> {
        Arc::clone(&self.one).try_acquire_owned().ok().map(Place)
    }

    /// Begins one; what it has comes as parts. Parts that end without the last frame are no backup: the reason is in the log.
    ///
    /// # Errors
    /// The store cannot be read, or the system has no thread.
    pub async fn start(
        &self,
        place: Place,
        audit: AuditEntry,
    ) -> Result<mpsc::Receiver<Bytes>, store::Error> {
        let snapshot = self.store.snapshot(audit).await?;
        let created_at = self.clock.wall().to_string();
        let (sender, parts) = mpsc::channel(4);
        let (runtime, places) = (Handle::current(), self.places.clone());
        let (store, clock) = (Arc::clone(&self.store), self.clock);
        let work = move || {
            priority::give_way("a backup");
            let send = |part: Bytes| runtime.block_on(sender.send(part)).is_ok();
            let mut making = Making { send, hash: Sha256::new(), bytes: 0 };
            match making.all(&*snapshot, &places, created_at) {
                Ok(true) => {
                    tracing::info!(bytes = making.bytes, "a backup was made");
                    if let Err(error) = runtime.block_on(store.note_backup(clock.now())) {
                        tracing::warn!(%error, "when that was could not be written down");
                    }
                }
                Ok(false) => tracing::warn!("a backup was given up: whoever asked for it is gone"),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "a backup could not be made");
                }
            }
            drop((snapshot, place));
        };
        let thread = thread::Builder::new().name("backup".to_owned()).spawn(work);
        thread.map_err(|error| store::Error::Storage(Arc::new(error)))?;
        Ok(parts)
    }
}

/// One that is made. What sends says whether somebody is there.
struct Making<S> {
    send: S,
    hash: Sha256,
    bytes: u64,
}

impl<S: FnMut(Bytes) -> bool> Making<S> {
    /// False if whoever takes it is gone.
    fn all(&mut self, snapshot: &dyn Snapshot, places: &Places, created_at: String) -> Result<bool, Error> {
        let files = files(places)?;
        let tables = snapshot.tables()?.into_iter().map(|(name, rows)| (name.to_owned(), rows)).collect();
        let manifest = Manifest {
            hookway: env!("CARGO_PKG_VERSION").to_owned(),
            created_at,
            store_format: snapshot.format(),
            tables,
            files: files.len() as u64,
        };
        if !(self.put(MAGIC.to_vec()) && self.json(Kind::Manifest, &manifest) && self.rows(snapshot)?) {
            return Ok(false);
        }
        let count = files.len() as u64;
        for (head, file) in files {
            if !self.file(&head, file)? {
                return Ok(false);
            }
        }
        let sha256 = self.hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let summary = Summary { rows: manifest.rows(), files: count, bytes: self.bytes, sha256 };
        Ok(self.json(Kind::End, &summary))
    }

    fn rows(&mut self, snapshot: &dyn Snapshot) -> Result<bool, Error> {
        let (mut of, mut payload, mut is_there) = ("", Vec::new(), true);
        snapshot.rows(&mut |table, key, value| {
            if table != of || payload.len() >= FRAME_BYTES {
                let full = std::mem::replace(&mut payload, frame::begin_rows(table));
                is_there = of.is_empty() || self.put(frame::encode(Kind::Rows, &full));
                of = table;
            }
            frame::push_row(&mut payload, key, value);
            is_there
        })?;
        Ok(is_there && (of.is_empty() || self.put(frame::encode(Kind::Rows, &payload))))
    }

    fn file(&mut self, head: &FileHead, file: File) -> Result<bool, Error> {
        if !self.json(Kind::File, head) {
            return Ok(false);
        }
        let mut left = head.bytes;
        while left > 0 {
            let mut piece = Vec::new();
            let read = (&file).take(left.min(PIECE_BYTES)).read_to_end(&mut piece);
            let read = read.map_err(Error::io(&head.name))?;
            if read == 0 {
                return Err(Error::Inconsistent(format!("{} became shorter while it was read", head.name)));
            }
            left -= read as u64;
            if !self.put(frame::encode(Kind::Bytes, &piece)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn json(&mut self, kind: Kind, value: &impl serde::Serialize) -> bool {
        let json = serde_json::to_vec(value).expect("names and numbers are JSON");
        self.put(frame::encode(kind, &json))
    }

    fn put(&mut self, bytes: Vec<u8>) -> bool {
        self.hash.update(&bytes);
        self.bytes += bytes.len() as u64;
        (self.send)(bytes.into())
    }
}

/// All files, open: one that is replaced or removed meanwhile is read as it is now.
fn files(places: &Places) -> Result<Vec<(FileHead, File)>, Error> {
    let is_plugin =
        |path: &Path| path.extension().is_some_and(|end| EXTENSIONS.iter().any(|one| end == *one));
    let mut found = open_all(&places.plugins, FilePlace::Plugins, is_plugin)?;
    found.extend(open_all(&places.versions, FilePlace::PluginVersions, |_| true)?);
    Ok(found)
}

fn open_all(
    directory: &Path,
    place: FilePlace,
    is_ours: impl Fn(&Path) -> bool,
) -> Result<Vec<(FileHead, File)>, Error> {
    let failed = |error| Error::io(directory.display().to_string())(error);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.starts_with('.') || !is_ours(&path) || !path.is_file() {
            continue;
        }
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io(path.display().to_string())(error)),
        };
        let bytes = file.metadata().map_err(Error::io(path.display().to_string()))?.len();
        found.push((FileHead { place, name: name.to_owned(), bytes }, file));
    }
    found.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    Ok(found)
}
