//! The embedded store: one redb file, one writer thread, no server.
//!
//! Reads run beside each other and beside the writer, each on a snapshot, on tokio's threads for blocking work. Writes
//! take their place in the writer's queue when the verb is *called*, not when its future is first polled, and happen in
//! that order; dropping the future does not take them back.
//!
//! - `schema`: the tables and what each row costs; `codec`, `endpoint_row`: rows and bytes; `rows`, `ids`: rows by what
//!   they mean.
//! - `writer`: the thread; `queue`: what waits for it; `wal`: the log of what is answered before it is committed;
//!   `log_writer`: the thread that writes that.
//! - `unwritten`: deliveries that are not written before they are over or the transaction is.
//! - `accept`, `dispatching`, `delivering`, `managing`, `tenants`, `topics`: the verbs that write; `audit`: what
//!   is written down with them; `ordered`: the index of ordered endpoints.
//! - `kv`: what plugins keep.
//! - `retiring`: what is over and goes; `sweeping`: what that leaves behind; `size`: how much there is; `cost`: what rows take.
//! - `copying`: snapshots, and files made of them; `compacting`: a file that gives back what is free in it.
//! - `resending`, `recovering`: what is sent again, one at a time and by a job.
//! - `progress`, `rosters`: which events wait for dispatch; `open`, `replaying`, `timeline`: how a run begins.
//! - `waiting`, `log`, `events`: the verbs that read; `giving_up`: what of it was changed on the disk.
//! - `upkeep`: what is done with every commit; `changes`: the journal; `blocks`, `unsealed`: what lists are filtered by; `statistics`:
//!   what is counted of deliveries; `backlogs`: undelivered work; `counts`: what is counted of the store itself.
//! - `doctor`: looks at a store that nobody uses, through an `overlay`: `inspect` whether its tables agree, `repairing` those that can
//!   be made anew.

mod accept;
mod audit;
mod backlogs;
mod blocks;
mod changes;
mod codec;
mod compacting;
mod copying;
mod cost;
mod counts;
#[cfg(test)]
pub(crate) mod damage;
mod delivering;
mod dispatching;
mod doctor;
mod endpoint_row;
mod events;
mod failure;
#[cfg(test)]
pub(crate) mod faults;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod giving_up;
mod ids;
#[cfg(test)]
pub(crate) mod images;
mod inspect;
mod kv;
mod log;
mod log_writer;
mod managing;
#[cfg(test)]
mod measure;
mod open;
mod options;
mod ordered;
mod overlay;
mod plugins;
mod progress;
mod queue;
mod recovering;
mod repairing;
mod replaying;
mod resending;
mod retiring;
mod rosters;
mod rows;
mod schema;
mod size;
mod statistics;
#[cfg(test)]
mod stepping;
mod sweeping;
mod tenants;
mod timeline;
mod topics;
mod unsealed;
mod unwritten;
mod upkeep;
mod verbs;
mod waiting;
mod wal;
mod writer;

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use redb::{Database, ReadTransaction, ReadableDatabase as _, StorageBackend};
use tokio::runtime::Handle;
use tokio::sync::watch;

use self::backlogs::Backlogs;
pub use self::compacting::{Compacted, Tell, compact};
pub use self::copying::Loader;
use self::counts::Counts;
pub use self::doctor::{Diagnosis, Log, Problem, Rows, Watch, examine, repair};
use self::failure::Failure;
use self::log_writer::LogWriter;
pub use self::options::Options;
use self::progress::Undispatched;
use self::queue::Queue;
use self::size::Pins;
use self::wal::Wal;
use self::writer::{Awaited, Batch, Change, Writer};
use super::{Error, StoreFuture};
use crate::clock::Clock;
use crate::vault::Vault;
use crate::{files, priority};

/// Of the file of the write-ahead log, which lies beside that of the tables and has its name otherwise.
const WAL_EXTENSION: &str = "wal";

/// All state in one file, and for some milliseconds in the log beside it.
pub struct RedbStore {
    clock: Clock,
    vault: Vault,
    shared: Arc<Shared>,
    undispatched: Arc<Undispatched>,
    backlogs: Arc<Backlogs>,
    /// The number of the last change that is committed.
    latest_change: Arc<watch::Sender<u64>>,
    queue: Arc<Queue>,
    counts: Counts,
    /// The file of the tables, if there is one.
    path: Option<PathBuf>,
    writer: Mutex<Option<JoinHandle<()>>>,
    pins: Pins,
    /// Set where a run must be repeatable.
    #[cfg(test)]
    stepping: Option<Arc<stepping::Stepping>>,
}

/// The database, until it is closed. Whoever uses it holds the lock for reading, so that closing waits for them.
struct Shared {
    database: RwLock<Option<Database>>,
    /// Whether something was answered that is not committed.
    ahead: AtomicBool,
}

/// Has everything before it committed: what was answered by then can be read.
struct Flush;

impl RedbStore {
    /// What its file is called in a data directory.
    pub const FILE_NAME: &str = "hookway.redb";

    /// Whether this version reads the store in this file, if there is one, and the secrets in it open with these keys. Changes
    /// nothing, unlike opening.
    ///
    /// # Errors
    /// [`Error::Unusable`] with the format, or with the key that is missing.
    pub fn check_keys(path: &Path, vault: &Vault, options: &Options) -> Result<(), Error> {
        open::guarded(path, AssertUnwindSafe(|| open::check_keys(path, vault, options)))
    }

    /// Whether no process has this file open, if there is one. Changes nothing.
    ///
    /// # Errors
    /// [`Error::Unusable`] if one has.
    pub fn check_unused(path: &Path) -> Result<(), Error> {
        open::check_unused(path)
    }

    /// Opens the store in this file, which is created if it is not there. Blocks: repairs after a crash read the file.
    ///
    /// # Errors
    /// [`Error::Unusable`] if another process has it open, if it is not a store, if a newer version wrote it, or if a
    /// secret in it does not open with these keys;
    /// [`Error::Storage`] if the storage fails.
    pub fn open(path: &Path, vault: Vault, clock: Clock, options: &Options) -> Result<Self, Error> {
        let open = || {
            open::check_keys(path, &vault, options)?;
            let database = open::file(path, options)?;
            let wal = open::wal(&path.with_extension(WAL_EXTENSION))?;
            // The log may be new.
            files::sync_name(path).map_err(Failure::from)?;
            let mut store = Self::start(database, Some(wal), vault, clock, options)?;
            store.path = Some(path.to_owned());
            Ok(store)
        };
        open::guarded(path, AssertUnwindSafe(open))
    }

    /// Opens the store that this backend holds. Blocks.
    ///
    /// # Errors
    /// As [`RedbStore::open`].
    pub fn with_backend(
        backend: impl StorageBackend,
        vault: Vault,
        clock: Clock,
        options: &Options,
    ) -> Result<Self, Error> {
        let database = open::backend(backend, options)?;
        Self::start(database, None, vault, clock, options)
    }

    fn start(
        mut database: Database,
        mut wal: Option<Wal>,
        vault: Vault,
        clock: Clock,
        options: &Options,
    ) -> Result<Self, Error> {
        let (progress, upkeep, last) = open::prepare(&mut database, wal.as_mut(), &vault)?;
        let clock = timeline::going_on(clock, last);
        let undispatched = Arc::clone(progress.undispatched());
        let backlogs = Arc::clone(progress.backlogs());
        let latest_change = upkeep.latest();
        let shared =
            Arc::new(Shared { database: RwLock::new(Some(database)), ahead: AtomicBool::new(false) });
        let (queue, counts) = (Arc::new(Queue::default()), Counts::default());
        let linger = options.linger();
        // Where each batch is committed, the log would only add to that.
        let wal = wal.filter(|_| !linger.is_zero());
        let runtime = Handle::try_current().ok();
        let start = |wal| LogWriter::start(wal, Arc::clone(&queue), counts.clone(), runtime.clone());
        let log = wal.map(start).transpose().map_err(Failure::from)?;
        let writer = Writer {
            shared: Arc::clone(&shared),
            progress,
            upkeep,
            log,
            queue: Arc::clone(&queue),
            linger,
            counts: counts.clone(),
            runtime,
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                priority::go_first("what writes the store");
                writer.run();
            })
            .map_err(|error| Error::Storage(Arc::new(error)))?;
        let writer = Mutex::new(Some(thread));
        Ok(Self {
            clock,
            vault,
            shared,
            undispatched,
            backlogs,
            latest_change,
            queue,
            counts,
            path: None,
            pins: Pins::default(),
            writer,
            #[cfg(test)]
            stepping: None,
        })
    }

    /// The clock by which what is stored is due: the one that it was opened with, unless that was set back since.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// Commits what was called before, waits for reads in progress, and closes the file. Later calls get
    /// [`Error::Closed`]. Blocks for as long as a commit takes; closing twice does nothing.
    ///
    /// # Errors
    /// [`Error::Storage`] if the file could not be closed cleanly; all that was answered is in it all the same.
    pub fn close(&self) -> Result<(), Error> {
        #[cfg(test)]
        self.last_step();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.queue.close();
        if writer.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the store's writer thread panicked");
        }
        let database = self.shared.database.write().unwrap_or_else(PoisonError::into_inner).take();
        match database.map(Database::close) {
            Some(Err(error)) => Err(Error::Storage(Arc::new(error))),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// Queues a change; the future resolves after its commit.
    fn write<C: Change>(&self, change: C) -> StoreFuture<'_, C::Output> {
        let (command, answer) = writer::command(change);
        #[cfg(test)]
        if let Some(stepping) = &self.stepping {
            stepping.put(command);
            return Box::pin(async move { answer.await.unwrap_or(Err(Error::Closed)) });
        }
        let sent = self.queue.put(command);
        Box::pin(async move { if sent { writer::answered(answer).await } else { Err(Error::Closed) } })
    }

    /// Reads from a snapshot that has all that was answered when this was called.
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, Failure> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        self.read_beside(|_| (), |transaction, ()| read(transaction))
    }

    /// The same with a look at what waits for dispatch, taken before the snapshot: the fan-outs of all other events are in it.
    fn read_beside<L, T: Send + 'static>(
        &self,
        look: impl FnOnce(&Undispatched) -> L + Send + 'static,
        read: impl FnOnce(&ReadTransaction, L) -> Result<T, Failure> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let (shared, undispatched) = (Arc::clone(&self.shared), Arc::clone(&self.undispatched));
        #[cfg(test)]
        let is_in_steps = self.stepping.as_deref().inspect(|stepping| stepping.read()).is_some();
        let flushed = shared.ahead.load(Ordering::Acquire).then(|| self.write(Flush));
        Box::pin(async move {
            if let Some(flushed) = flushed {
                flushed.await?;
            }
            let reading = move || {
                shared.with(|database| {
                    let looked = look(&undispatched);
                    read(&database.begin_read()?, looked)
                })
            };
            #[cfg(test)]
            if is_in_steps {
                return reading();
            }
            let joined = tokio::task::spawn_blocking(reading).await;
            joined.map_err(|error| Error::Storage(Arc::new(error)))?
        })
    }
}

#[cfg(test)]
impl RedbStore {
    /// The same as [`RedbStore::with_backend`], with a log in another backend.
    fn with_backends(
        tables: impl StorageBackend,
        log: impl StorageBackend,
        vault: Vault,
        clock: Clock,
        options: &Options,
    ) -> Result<Self, Error> {
        let wal = Wal::new(log).map_err(|error| Error::Storage(Arc::new(error)))?;
        Self::start(open::backend(tables, options)?, Some(wal), vault, clock, options)
    }

    /// A store that is gone with its owner, with a key of its own.
    pub(crate) fn in_memory(clock: Clock, options: &Options) -> Self {
        let vault = Vault::new(crate::vault::KeyRing::random());
        Self::with_backend(::redb::backends::InMemoryBackend::new(), vault, clock, options)
            .expect("memory can be opened")
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(error = &error as &dyn std::error::Error, "the store was not closed cleanly");
        }
    }
}

impl Change for Flush {
    type Output = ();

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn is_of_flow(&self) -> bool {
        true
    }

    fn apply(self, _: &mut Batch<'_>) -> Result<(), Failure> {
        Ok(())
    }
}

impl Shared {
    /// Something will be answered before it is committed.
    fn is_ahead(&self) {
        self.ahead.store(true, Ordering::Release);
    }

    /// All that was answered is committed, or will never be.
    fn caught_up(&self) {
        self.ahead.store(false, Ordering::Release);
    }

    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, Error> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        Ok(work(database.as_ref().ok_or(Error::Closed)?)?)
    }
}

#[cfg(test)]
mod tests;
