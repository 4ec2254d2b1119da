//! Restoring one: a data directory made of a backup, all of it or nothing.
//!
//! The backup is verified as a whole before anything is written. Everything is made in a directory of its own and moved into place
//! when it is complete; the store is moved last. What was interrupted is known by that directory, and is begun anew.

use std::fs::{self, File};
use std::io::{BufReader, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::Error;
use super::manifest::{FilePlace, Manifest};
use super::read::{Part, Reader, verify};
use crate::model::UnixMs;
use crate::store::redb::Loader;

/// The directory in the data directory in which a restore works. While it is there, the restore is not done.
pub const UNFINISHED: &str = "restoring";
/// Rows of one transaction.
const BATCH_ROWS: usize = 50_000;
/// And their bytes.
const BATCH_BYTES: usize = 16 << 20;
/// Of the backup, at once.
const BUFFER: usize = 1 << 20;

/// Where it goes.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The data directory.
    pub data: PathBuf,
    /// The plugin directory.
    pub plugins: PathBuf,
    /// The versions of plugins.
    pub versions: PathBuf,
    /// What may be in the data directory already: the file of keys.
    pub may_be_there: Vec<PathBuf>,
    /// Where to put what is there; without it the data directory has to be empty.
    pub aside: Option<PathBuf>,
    /// Since when all endpoints are to be inactive, if they are.
    pub paused: Option<UnixMs>,
}

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// The store.
    pub store: PathBuf,
}

/// Restores a backup. Progress is told as what is done, of how much.
///
/// # Errors
/// The backup is not whole, something is in the way, or a file cannot be written. What was there is there still.
pub fn restore(
    source: &Path,
    to: &Destination,
    mut progress: impl FnMut(u64, u64),
) -> Result<Restored, Error> {
    let open = || {
        let file = File::open(source).map_err(Error::io(source.display().to_string()))?;
        Ok::<_, Error>(BufReader::with_capacity(BUFFER, file))
    };
    let (manifest, _) = verify(open()?, |manifest, rows| progress(rows, 2 * manifest.rows()))?;
    to.check()?;
    let work = to.data.join(UNFINISHED);
    if work.exists() {
        fs::remove_dir_all(&work).map_err(Error::io(work.display().to_string()))?;
    }
    let [plugins, versions] = ["plugins", "plugin-versions"].map(|name| work.join(name));
    for directory in [&to.data, &work, &plugins, &versions] {
        fs::create_dir_all(directory).map_err(Error::io(directory.display().to_string()))?;
    }
    let store = work.join("hookway.redb");
    let total = manifest.rows();
    let mut reader = Reader::begin(open()?)?;
    let mut writing =
        Writing { loader: Loader::create(&store, to.paused)?, batch: Batch::default(), file: None };
    while let Some(part) = reader.part()? {
        writing.take(part, &plugins, &versions)?;
        progress(total + reader.rows_read(), 2 * total);
    }
    writing.finish()?;
    to.put_in_place(&work, &plugins, &versions)?;
    Ok(Restored { manifest, store: to.data.join("hookway.redb") })
}

#[derive(Default)]
struct Batch {
    table: String,
    rows: Vec<(Vec<u8>, Vec<u8>)>,
    bytes: usize,
}

struct Writing {
    loader: Loader,
    batch: Batch,
    file: Option<(File, PathBuf)>,
}

impl Writing {
    fn take(&mut self, part: Part, plugins: &Path, versions: &Path) -> Result<(), Error> {
        match part {
            Part::Rows(table, rows) => {
                if table != self.batch.table {
                    self.flush()?;
                    self.batch.table = table;
                }
                self.batch.bytes += rows.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
                self.batch.rows.extend(rows);
                if self.batch.rows.len() >= BATCH_ROWS || self.batch.bytes >= BATCH_BYTES {
                    self.flush()?;
                }
                Ok(())
            }
            Part::File(place, name) => {
                self.end_file()?;
                let directory = match place {
                    FilePlace::Plugins => plugins,
                    FilePlace::PluginVersions => versions,
                };
                let path = directory.join(name);
                let file = File::create_new(&path).map_err(Error::io(path.display().to_string()))?;
                self.file = Some((file, path));
                Ok(())
            }
            Part::Bytes(bytes) => match &mut self.file {
                Some((file, path)) => file.write_all(&bytes).map_err(Error::io(path.display().to_string())),
                None => Err(Error::Inconsistent("bytes of no file".to_owned())),
            },
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let Batch { table, rows, .. } = std::mem::take(&mut self.batch);
        if rows.is_empty() {
            return Ok(());
        }
        // The bytes are those that were written; only somebody who made them up can have others.
        let loaded = catch_unwind(AssertUnwindSafe(|| self.loader.load(&table, &rows)));
        let loaded = loaded.map_err(|_| Error::Inconsistent(format!("a row of `{table}` is none")))?;
        self.batch.table = table;
        Ok(loaded?)
    }

    fn end_file(&mut self) -> Result<(), Error> {
        match self.file.take() {
            Some((file, path)) => file.sync_all().map_err(Error::io(path.display().to_string())),
            None => Ok(()),
        }
    }

    fn finish(mut self) -> Result<(), Error> {
        self.flush()?;
        self.end_file()?;
        Ok(self.loader.finish()?)
    }
}

impl Destination {
    /// Whether it may be written to.
    fn check(&self) -> Result<(), Error> {
        let there = self.in_the_way()?;
        let Some(first) = there.first() else { return Ok(()) };
        if self.aside.is_some() {
            return Ok(());
        }
        Err(Error::InTheWay(format!(
            "{} is not empty: it has {}. Choose an empty data directory, or say --replace to put what is there aside",
            self.data.display(),
            first.display()
        )))
    }

    /// What is there and may not stay.
    fn in_the_way(&self) -> Result<Vec<PathBuf>, Error> {
        let mut found = Vec::new();
        for directory in [&self.data, &self.plugins] {
            let Ok(entries) = fs::read_dir(directory) else { continue };
            for entry in entries {
                let path = entry.map_err(Error::io(directory.display().to_string()))?.path();
                let is_empty =
                    |path: &Path| fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
                let stays = self.may_be_there.contains(&path)
                    || path == self.data.join(UNFINISHED)
                    || self.aside.as_ref().is_some_and(|aside| path == *aside)
                    || path == self.plugins
                    || is_empty(&path);
                if !stays {
                    found.push(path);
                }
            }
        }
        Ok(found)
    }

    /// Moves all into place, the store last.
    fn put_in_place(&self, work: &Path, plugins: &Path, versions: &Path) -> Result<(), Error> {
        if let Some(aside) = &self.aside {
            for (n, path) in self.in_the_way()?.into_iter().enumerate() {
                fs::create_dir_all(aside).map_err(Error::io(aside.display().to_string()))?;
                let name = path.file_name().map_or_else(|| n.to_string().into(), std::ffi::OsStr::to_owned);
                rename(&path, &aside.join(name))?;
            }
        }
        for (from, to) in [(plugins, &self.plugins), (versions, &self.versions)] {
            fs::create_dir_all(to).map_err(Error::io(to.display().to_string()))?;
            for entry in fs::read_dir(from).map_err(Error::io(from.display().to_string()))? {
                let entry = entry.map_err(Error::io(from.display().to_string()))?;
                move_file(&entry.path(), &to.join(entry.file_name()))?;
            }
            sync_directory(to)?;
        }
        rename(&work.join("hookway.redb"), &self.data.join("hookway.redb"))?;
        sync_directory(&self.data)?;
        fs::remove_dir_all(work).map_err(Error::io(work.display().to_string()))
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(Error::io(format!("{} cannot be moved to {}", from.display(), to.display())))
}

/// The plugin directory may be on another disk.
fn move_file(from: &Path, to: &Path) -> Result<(), Error> {
    if fs::rename(from, to).is_ok() {
        return Ok(());
    }
    let failed = || Error::io(format!("{} cannot be written", to.display()));
    fs::copy(from, to).map_err(failed())?;
    File::open(to).and_then(|file| file.sync_all()).map_err(failed())
}

fn sync_directory(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::io(path.display().to_string()))
}
