//! Backends that fail and forget, for the tests of what the store promises.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

/// A disk in memory with a write cache. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What reads see.
    cached: Vec<u8>,
    /// What a power loss leaves.
    stored: Vec<u8>,
    /// Whether a sync stores nothing, though it says it did.
    syncs_lie: bool,
    /// How many writes, resizes and syncs succeed from now on; `None` = all.
    operations_left: Option<usize>,
}

impl Disk {
    /// A disk with these bytes on it.
    pub(super) fn holding(bytes: Vec<u8>) -> Self {
        let state = State { cached: bytes.clone(), stored: bytes, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// A disk whose syncs store nothing.
    pub(super) fn that_lies() -> Self {
        Self(Arc::new(Mutex::new(State { syncs_lie: true, ..State::default() })))
    }

    /// Lets so many operations succeed and no more.
    pub(super) fn fail_after(&self, operations: usize) {
        self.state().operations_left = Some(operations);
    }

    /// Whether an operation has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.state().operations_left == Some(0)
    }

    /// The bytes after a power loss at this moment: only what was synced.
    pub(super) fn after_power_loss(&self) -> Vec<u8> {
        self.state().stored.clone()
    }

    /// The bytes after the process was killed: all that was written.
    pub(super) fn after_kill(&self) -> Vec<u8> {
        self.state().cached.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds the disk")
    }
}

impl State {
    fn operate(&mut self) -> io::Result<()> {
        match &mut self.operations_left {
            Some(0) => Err(io::Error::other("the disk is broken")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().cached.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let state = self.state();
        let bytes = state.cached.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        state.cached.resize(usize::try_from(len).map_err(io::Error::other)?, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        if !state.syncs_lie {
            state.stored = state.cached.clone();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let mut state = self.state();
        state.operate()?;
        let room = state.cached.get_mut(from..from + data.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        room.copy_from_slice(data);
        Ok(())
    }
}
