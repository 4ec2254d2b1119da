//! Whether the disk of the data directory has room, looked at once a second.
//!
//! A disk that is full stops everything, deliveries and deletions too, since those are written down as well. So events are refused while
//! there is still room for what comes after them.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::shutdown::Shutdown;

/// In this time the fastest disk takes less than the default of what has to be free.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// There is room again when this part more than the least is free: not each event that is worked off opens the door for a moment.
const MARGIN: u64 = 16;

/// Tells how many bytes are free for this process.
pub type Probe = Arc<dyn Fn() -> io::Result<u64> + Send + Sync>;

/// What was seen last. Clones share it.
#[derive(Clone)]
pub struct FreeSpace(Arc<Inner>);

struct Inner {
    probe: Probe,
    /// Bytes that have to be free; 0 = any number.
    least: AtomicU64,
    free: AtomicU64,
    is_low: AtomicBool,
}

/// A disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// What this process may still take of it.
    pub free: u64,
    /// All of it.
    pub size: u64,
}

impl Disk {
    /// What the file system says that has this file or folder.
    ///
    /// # Errors
    /// It is not there, or cannot be asked.
    pub fn of(path: &Path) -> io::Result<Self> {
        let said = rustix::fs::statvfs(path)?;
        let bytes = |blocks: u64| blocks.saturating_mul(said.f_frsize);
        Ok(Self { free: bytes(said.f_bavail), size: bytes(said.f_blocks) })
    }
}

/// What the file system of this folder says.
#[must_use]
pub fn of_disk(folder: &Path) -> Probe {
    let folder = folder.to_owned();
    Arc::new(move || Ok(Disk::of(&folder)?.free))
}

impl FreeSpace {
    /// Looks for the first time.
    #[must_use]
    pub fn new(probe: Probe, least: u64) -> Self {
        let (free, is_low) = (AtomicU64::new(u64::MAX), AtomicBool::new(false));
        let space = Self(Arc::new(Inner { probe, least: AtomicU64::new(least), free, is_low }));
        space.look();
        space
    }

    /// One that never ends.
    #[must_use]
    pub fn endless() -> Self {
        Self::new(Arc::new(|| Ok(u64::MAX)), 0)
    }

    /// So much has to be free from now on.
    pub fn keep(&self, least: u64) {
        self.0.least.store(least, Ordering::Relaxed);
        // By another measure, what was low need not be.
        self.0.is_low.store(false, Ordering::Relaxed);
        self.look();
    }

    /// How many bytes were free when it was looked last.
    #[must_use]
    pub fn free(&self) -> u64 {
        self.0.free.load(Ordering::Relaxed)
    }

    /// How many have to be; 0 = any number.
    #[must_use]
    pub fn least(&self) -> u64 {
        self.0.least.load(Ordering::Relaxed)
    }

    /// Whether less is free than has to be.
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.0.is_low.load(Ordering::Relaxed)
    }

    /// Looks until it is time to stop.
    pub async fn watch(self, shutdown: Shutdown) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => self.look(),
                () = shutdown.requested() => return,
            }
        }
    }

    fn look(&self) {
        let Inner { probe, least, free, is_low } = &*self.0;
        let now = match probe() {
            Ok(now) => now,
            // Better to go on than to stop for a question: a write that fails is told anyway.
            Err(error) => {
                tracing::warn!(%error, "cannot see how much of the disk is free");
                return;
            }
        };
        free.store(now, Ordering::Relaxed);
        let (least, was_low) = (least.load(Ordering::Relaxed), is_low.load(Ordering::Relaxed));
        let enough = if was_low { least.saturating_add(least / MARGIN) } else { least };
        let low = now < enough;
        is_low.store(low, Ordering::Relaxed);
        match (was_low, low) {
            (false, true) => tracing::warn!("no events are taken: {self}"),
            (true, false) => tracing::info!("events are taken again: {self}"),
            _ => {}
        }
    }
}

/// `48231 MiB of the disk are free, and 256 MiB have to be`.
impl fmt::Display for FreeSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: &AtomicU64| bytes.load(Ordering::Relaxed) >> 20;
        write!(f, "{} MiB of the disk are free, and {} MiB have to be", mib(&self.0.free), mib(&self.0.least))
    }
}

impl fmt::Debug for FreeSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FreeSpace").field(&self.to_string()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with so many bytes free.
    fn disk(free: u64, least: u64) -> (Arc<AtomicU64>, FreeSpace) {
        let free = Arc::new(AtomicU64::new(free));
        let of = Arc::clone(&free);
        (free, FreeSpace::new(Arc::new(move || Ok(of.load(Ordering::Relaxed))), least))
    }

    #[tokio::test(start_paused = true)]
    async fn is_seen_within_a_second_and_there_is_room_again_with_a_margin() {
        let (free, space) = disk(100 << 20, 32 << 20);
        let shutdown = Shutdown::new();
        shutdown.spawn(space.clone().watch(shutdown.clone()));
        for (mib, low) in
            [(100, false), (32, false), (31, true), (33, true), (34, false), (32, false), (0, true)]
        {
            free.store(mib << 20, Ordering::Relaxed);
            tokio::time::sleep(LOOK_EVERY + Duration::from_millis(1)).await;
            assert_eq!(space.is_low(), low, "{space}");
        }
        assert_eq!(space.to_string(), "0 MiB of the disk are free, and 32 MiB have to be");
        shutdown.request();
        assert!(shutdown.finished(LOOK_EVERY).await);
    }

    #[test]
    fn it_is_low_from_the_start_and_by_another_measure_is_not() {
        let (_, space) = disk(100 << 20, 1 << 30);
        assert!(space.is_low());
        space.keep(100 << 20);
        assert!(!space.is_low());
        space.keep(0);
        assert!(!space.is_low());
    }

    #[test]
    fn the_real_one_has_some_and_a_folder_that_is_gone_is_an_error() {
        assert!(of_disk(Path::new("/"))().unwrap() > 0);
        assert!(of_disk(Path::new("/no/such/folder"))().is_err());
    }

    #[test]
    fn a_disk_that_cannot_be_asked_stops_nothing() {
        let space = FreeSpace::new(Arc::new(|| Err(io::Error::other("gone"))), u64::MAX);
        assert!(!space.is_low());
    }
}
