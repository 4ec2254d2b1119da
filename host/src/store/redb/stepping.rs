//! A store for runs that can be repeated: everything happens in one order, whatever the machine does.
//!
//! The writer is the thread that it always is, but it works only while [`RedbStore::work_in_steps`] waits for it, and reads run
//! where they are asked for. What is written gathers meanwhile, as it does while a disk is busy. The time of a transaction is
//! virtual: a command that has it committed comes when it is over.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redb::StorageBackend;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::writer::{Command, command};
use super::{Flush, Options, RedbStore, open};
use crate::clock::Clock;
use crate::store::Error;
use crate::vault::Vault;

/// As long as a run of the real time takes: the writer never finds that it is time.
const NEVER_MS: u64 = 24 * 3600 * 1000;

/// What waits for the next step.
#[derive(Default)]
pub(super) struct Stepping {
    waiting: Mutex<Vec<Box<dyn Command>>>,
    arrived: Notify,
    reads: AtomicU64,
}

impl Stepping {
    /// Takes a command for the next step.
    pub(super) fn put(&self, command: Box<dyn Command>) {
        self.waiting().push(command);
        self.arrived.notify_one();
    }

    /// Counts one.
    pub(super) fn read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Box<dyn Command>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RedbStore {
    /// The store on these disks. Writes wait for [`RedbStore::work_in_steps`].
    pub(crate) fn in_steps(
        tables: impl StorageBackend,
        log: impl StorageBackend,
        vault: Vault,
        clock: Clock,
    ) -> Result<Self, Error> {
        let options = Options { cache_mib: 8, linger_ms: NEVER_MS };
        let open = || Self::with_backends(tables, log, vault, clock, &options);
        let mut store = open::guarded(Path::new("the disks"), AssertUnwindSafe(open))?;
        store.queue.wait_for_writer();
        store.stepping = Some(Arc::default());
        Ok(store)
    }

    /// How often it was read.
    pub(crate) fn reads(&self) -> u64 {
        self.stepping.as_ref().map_or(0, |stepping| stepping.reads.load(Ordering::Relaxed))
    }

    /// Writes what comes, for as long as it is polled: each step after the time that the disk takes for it, and a commit at
    /// the latest when a transaction has been open for `linger`.
    pub(crate) async fn work_in_steps(&self, linger: Duration, mut disk_takes: impl FnMut() -> Duration) {
        let Some(stepping) = &self.stepping else { return };
        let mut commit_at: Option<Instant> = None;
        loop {
            let over = commit_at.unwrap_or_else(|| Instant::now() + Duration::from_millis(NEVER_MS));
            let is_over = tokio::select! {
                biased;
                () = stepping.arrived.notified() => false,
                () = sleep_until(over) => true,
            };
            sleep(disk_takes()).await;
            let mut commands = std::mem::take(&mut *stepping.waiting());
            if is_over && commit_at.is_some() {
                commands.push(command(Flush).0);
            }
            let is_open = self.queue.step(commands);
            self.wait_for_its_end();
            commit_at = is_open.then(|| commit_at.filter(|_| !is_over).unwrap_or(Instant::now() + linger));
        }
    }

    /// Waits until a writer that has failed has told everybody.
    fn wait_for_its_end(&self) {
        if !self.queue.is_closed() {
            return;
        }
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = writer {
            thread.join().expect("the writer does not panic");
        }
    }

    /// Has everything written that was called before, as closing does.
    pub(super) fn last_step(&self) {
        if let Some(stepping) = &self.stepping {
            let commands = std::mem::take(&mut *stepping.waiting());
            self.queue.step(commands);
        }
    }
}
