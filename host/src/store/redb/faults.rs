//! Backends that fail and forget, for the tests of what the store promises.
//!
//! A disk has a write cache. What is written is seen at once, and is on stable storage after the next sync; after one that failed it
//! never is, unless it is written again: that is how Linux treats pages whose writing failed. Disks that share a history write
//! down in it all that changes them, so that the image of any moment can be made afterwards ([`super::images`]).

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

/// A disk in memory. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

/// What happened to disks, in its order. Clones are the same history.
#[derive(Debug, Clone, Default)]
pub(crate) struct History(Arc<Mutex<Vec<(usize, Operation)>>>);

/// What changes a disk.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    /// Bytes at an offset.
    Write(usize, Arc<[u8]>),
    /// Another length.
    SetLen(usize),
    /// All before it is on stable storage.
    Sync,
}

/// What can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Write,
    SetLen,
    Sync,
}

#[derive(Debug, Default)]
struct State {
    /// What reads see.
    cached: Vec<u8>,
    /// What a power loss leaves.
    stored: Vec<u8>,
    /// What the next sync stores.
    dirty: Vec<Operation>,
    /// Whether a sync stores nothing, though it says it did.
    syncs_lie: bool,
    /// How many writes, resizes and syncs succeed from now on; `None` = all.
    operations_left: Option<usize>,
    /// How many operations of a kind succeed until one fails.
    failing: Option<(Kind, usize)>,
    has_failed: bool,
    bytes_read: usize,
    /// Where what happens is written down, and under which number.
    history: Option<(usize, History)>,
}

impl Disk {
    /// A disk with these bytes on it.
    pub(crate) fn holding(bytes: Vec<u8>) -> Self {
        let state = State { cached: bytes.clone(), stored: bytes, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The same, written down as the disk of this number.
    pub(crate) fn recorded(bytes: Vec<u8>, number: usize, history: &History) -> Self {
        let disk = Self::holding(bytes);
        disk.state().history = Some((number, history.clone()));
        disk
    }

    /// A disk whose syncs store nothing.
    pub(crate) fn that_lies() -> Self {
        Self(Arc::new(Mutex::new(State { syncs_lie: true, ..State::default() })))
    }

    /// From now on its syncs store nothing.
    pub(crate) fn lie(&self) {
        self.state().syncs_lie = true;
    }

    /// Lets so many operations succeed and no more.
    pub(crate) fn fail_after(&self, operations: usize) {
        self.state().operations_left = Some(operations);
    }

    /// Lets so many operations of this kind succeed; the next one fails, and those after it succeed.
    pub(crate) fn fail_once_after(&self, kind: Kind, operations: usize) {
        self.state().failing = Some((kind, operations));
    }

    /// Whether an operation has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.state().has_failed
    }

    /// How many bytes were read.
    pub(crate) fn bytes_read(&self) -> usize {
        self.state().bytes_read
    }

    /// The bytes after a power loss at this moment: only what was synced.
    pub(crate) fn after_power_loss(&self) -> Vec<u8> {
        self.state().stored.clone()
    }

    /// What was written since the last sync, in its order.
    pub(super) fn unsynced(&self) -> Vec<Operation> {
        self.state().dirty.clone()
    }

    /// The bytes after the process was killed: all that was written.
    pub(crate) fn after_kill(&self) -> Vec<u8> {
        self.state().cached.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds the disk")
    }
}

impl History {
    /// How much has happened.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// All of it.
    pub(crate) fn operations(&self) -> Vec<(usize, Operation)> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(usize, Operation)>> {
        self.0.lock().expect("no test panics while it holds the history")
    }
}

impl Operation {
    /// Changes these bytes as it changes a disk. What lies behind their end makes them longer.
    pub(crate) fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(at, data) => {
                let end = at + data.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*at..end].copy_from_slice(data);
            }
            Self::SetLen(length) => bytes.resize(*length, 0),
            Self::Sync => {}
        }
    }
}

impl State {
    fn may(&mut self, kind: Kind) -> io::Result<()> {
        let is_counted = kind != Kind::Read;
        match (&mut self.operations_left, &mut self.failing) {
            (Some(0), _) if is_counted => self.fail(),
            (Some(left), _) if is_counted => {
                *left -= 1;
                Ok(())
            }
            (_, Some((of, 0))) if *of == kind => {
                self.failing = None;
                self.fail()
            }
            (_, Some((of, left))) if *of == kind => {
                *left -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn fail(&mut self) -> io::Result<()> {
        self.has_failed = true;
        Err(io::Error::other("the disk is broken"))
    }

    fn change(&mut self, operation: Operation) {
        if let Some((number, history)) = &self.history {
            history.lock().push((*number, operation.clone()));
        }
        operation.apply(&mut self.cached);
        self.dirty.push(operation);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().cached.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let mut state = self.state();
        state.may(Kind::Read)?;
        let end = from.checked_add(out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        let bytes = state.cached.get(from..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        state.bytes_read += out.len();
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.may(Kind::SetLen)?;
        state.change(Operation::SetLen(usize::try_from(len).map_err(io::Error::other)?));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        let done = state.may(Kind::Sync);
        let dirty = std::mem::take(&mut state.dirty);
        done?;
        if !state.syncs_lie {
            dirty.iter().for_each(|operation| operation.apply(&mut state.stored));
        }
        if let Some((number, history)) = &state.history {
            history.lock().push((*number, Operation::Sync));
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let mut state = self.state();
        state.may(Kind::Write)?;
        let end = from.checked_add(data.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        if end > state.cached.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        state.change(Operation::Write(from, data.into()));
        Ok(())
    }
}
