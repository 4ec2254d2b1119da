//! A file that is looked at and never changed: what is written to it stays in memory.
//!
//! With it a store is opened by the code that opens every store, repairs after a crash and migrations included, and the file is
//! afterwards what it was before.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

/// A piece that is copied as a whole when a part of it is written. That of redb is as long.
const PAGE: usize = 4096;

/// The file, and above it what was written.
#[derive(Debug)]
pub(super) struct Overlay<B> {
    file: B,
    above: Mutex<Above>,
}

#[derive(Debug)]
struct Above {
    length: u64,
    /// From here on the file does not count: it was cut off.
    of_file: u64,
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
}

/// A part of one page.
struct Piece {
    page: u64,
    from: usize,
    length: usize,
}

impl<B: StorageBackend> Overlay<B> {
    /// The file as it is.
    ///
    /// # Errors
    /// Its length cannot be read.
    pub(super) fn new(file: B) -> io::Result<Self> {
        let length = file.len()?;
        Ok(Self { file, above: Mutex::new(Above { length, of_file: length, pages: BTreeMap::new() }) })
    }

    fn above(&self) -> MutexGuard<'_, Above> {
        self.above.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page as it is in the file.
    fn below(&self, page: u64, above: &Above) -> io::Result<Box<[u8; PAGE]>> {
        let mut bytes = Box::new([0; PAGE]);
        let at = page * PAGE as u64;
        let length = above.of_file.saturating_sub(at).min(PAGE as u64);
        let length = usize::try_from(length).map_err(io::Error::other)?;
        if length > 0 {
            self.file.read(at, &mut bytes[..length])?;
        }
        Ok(bytes)
    }
}

/// The parts of pages that these bytes lie in.
fn pieces(offset: u64, length: usize) -> impl Iterator<Item = Piece> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        // Less than a page, so it fits.
        let from = usize::try_from(at % PAGE as u64).unwrap_or_default();
        let piece = Piece { page: at / PAGE as u64, from, length: (PAGE - from).min(length - done) };
        done += piece.length;
        (piece.length > 0).then_some(piece)
    })
}

impl<B: StorageBackend> StorageBackend for Overlay<B> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.above().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let above = self.above();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > above.length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut done = 0;
        for Piece { page, from, length } in pieces(offset, out.len()) {
            let part = &mut out[done..done + length];
            match above.pages.get(&page) {
                Some(bytes) => part.copy_from_slice(&bytes[from..from + length]),
                None => part.copy_from_slice(&self.below(page, &above)?[from..from + length]),
            }
            done += length;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut above = self.above();
        above.length = len;
        above.of_file = above.of_file.min(len);
        above.pages.split_off(&len.div_ceil(PAGE as u64));
        // What is cut off of the last page is zero when it comes back.
        let rest = usize::try_from(len % PAGE as u64).map_err(io::Error::other)?;
        if let Some(last) = above.pages.get_mut(&(len / PAGE as u64)) {
            last[rest..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut above = self.above();
        let mut done = 0;
        for Piece { page, from, length } in pieces(offset, data.len()) {
            if !above.pages.contains_key(&page) {
                let below = self.below(page, &above)?;
                above.pages.insert(page, below);
            }
            if let Some(bytes) = above.pages.get_mut(&page) {
                bytes[from..from + length].copy_from_slice(&data[done..done + length]);
            }
            done += length;
        }
        above.length = above.length.max(offset + data.len() as u64);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::redb::faults::Disk;

    #[derive(Debug, Clone)]
    enum Call {
        Write(u16, Vec<u8>),
        SetLen(u16),
    }

    fn call() -> impl Strategy<Value = Call> {
        let offset = || 0_u16..20_000;
        prop_oneof![
            (offset(), proptest::collection::vec(any::<u8>(), 0..9_000))
                .prop_map(|(at, data)| Call::Write(at, data)),
            offset().prop_map(Call::SetLen),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// It reads like a file that is written to, and the file stays what it was.
        #[test]
        fn it_reads_like_a_file_and_the_file_stays_as_it_was(
            bytes in proptest::collection::vec(any::<u8>(), 0..15_000),
            calls in proptest::collection::vec(call(), 0..12),
        ) {
            let (below, like) = (Disk::holding(bytes.clone()), Disk::holding(bytes.clone()));
            let overlay = Overlay::new(below.clone()).unwrap();
            for call in calls {
                match call {
                    Call::SetLen(length) => {
                        for file in [&overlay as &dyn StorageBackend, &like] {
                            file.set_len(length.into()).unwrap();
                        }
                    }
                    Call::Write(at, data) => {
                        let end = (u64::from(at) + data.len() as u64).max(like.len().unwrap());
                        for file in [&overlay as &dyn StorageBackend, &like] {
                            file.set_len(end).unwrap();
                            file.write(at.into(), &data).unwrap();
                        }
                    }
                }
                prop_assert_eq!(overlay.len().unwrap(), like.len().unwrap());
            }
            let mut read = vec![0; usize::try_from(like.len().unwrap()).unwrap()];
            overlay.read(0, &mut read).unwrap();
            prop_assert_eq!(read, like.after_kill());
            prop_assert_eq!(below.after_kill(), bytes);
            prop_assert!(overlay.read(overlay.len().unwrap(), &mut [0]).is_err());
        }
    }
}
