//! What is on its way to the storage, by space: changes are seen at once and written together.
//!
//! ```text
//! set, delete, increment -> pending -> flushing ==write==> storage
//! get                       looks into both, then into the storage
//! ```
//!
//! One flush is under way at a time. It takes all that is pending, so of many changes of one key in that time one is written;
//! and what waits is never more than the quotas of the spaces that it belongs to. A space that nothing is on its way for is
//! forgotten.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{KeyValues, KvFailure};
use crate::clock::Clock;
use crate::model::{KvEntry, KvSpace, KvWrite};
use crate::shutdown::Shutdown;

/// All spaces that something is on its way for.
pub(in crate::plugins) struct Spaces {
    storage: Arc<dyn KeyValues>,
    pub(super) clock: Clock,
    /// Ends what is on its way before the storage is closed.
    tasks: Shutdown,
    open: Mutex<HashMap<KvSpace, Arc<Space>>>,
    is_flushing: AtomicBool,
    has_failed: AtomicBool,
}

/// One space.
struct Space {
    /// Held from the look at a key to its change.
    changing: tokio::sync::Mutex<()>,
    state: Mutex<OnTheWay>,
}

/// What is on its way. `None` under a key deletes it.
#[derive(Default)]
struct OnTheWay {
    pending: HashMap<String, Option<KvEntry>>,
    flushing: HashMap<String, Option<KvEntry>>,
    /// What the space takes: what the storage said last, and what is added by what is on its way.
    stored_bytes: u64,
    pending_bytes: i64,
    flushing_bytes: i64,
}

/// A key, and what its space takes.
pub(super) struct Before {
    /// What is there; what has expired takes its part of the quota, and is no value.
    pub(super) entry: Option<KvEntry>,
    /// All of the space.
    pub(super) used_bytes: u64,
}

impl Spaces {
    pub(in crate::plugins) fn new(storage: Arc<dyn KeyValues>, clock: Clock, tasks: Shutdown) -> Self {
        Self {
            storage,
            clock,
            tasks,
            open: Mutex::default(),
            is_flushing: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
        }
    }

    /// What is under the key, expired or not.
    pub(super) async fn get(&self, space: &KvSpace, key: &str) -> Result<Option<KvEntry>, KvFailure> {
        let known = self.open().get(space).and_then(|space| space.state().peek(key).cloned());
        match known {
            Some(entry) => Ok(entry),
            None => Ok(self.storage.read(space.clone(), key.to_owned()).await?.0),
        }
    }

    /// Changes a key to what `change` makes of it; `None` leaves it. Others that change the space wait meanwhile.
    pub(super) async fn change<T, E: From<KvFailure>>(
        self: &Arc<Self>,
        name: &KvSpace,
        key: &str,
        change: impl FnOnce(Before) -> Result<(Option<Option<KvEntry>>, T), E>,
    ) -> Result<T, E> {
        if self.has_failed.load(Ordering::Relaxed) {
            return Err(KvFailure("the store takes no writes until it is opened again".to_owned()).into());
        }
        let space = self.enter(name);
        let changing = space.changing.lock().await;
        let before = self.before(&space, name, key).await?;
        let cost = before.entry.as_ref().map_or(0, |entry| entry.cost(key));
        let (after, answer) = change(before)?;
        if let Some(after) = after {
            let more = after.as_ref().map_or(0, |entry| entry.cost(key));
            let mut state = space.state();
            state.pending_bytes += i64::try_from(more).unwrap_or(0) - i64::try_from(cost).unwrap_or(0);
            state.pending.insert(key.to_owned(), after);
        }
        drop(changing);
        self.flush_soon();
        Ok(answer)
    }

    /// Only while the space is held for a change: nothing becomes pending meanwhile.
    async fn before(&self, space: &Space, name: &KvSpace, key: &str) -> Result<Before, KvFailure> {
        let known = {
            let state = space.state();
            state.peek(key).map(|entry| Before { entry: entry.clone(), used_bytes: state.used_bytes() })
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let (entry, stored_bytes) = self.storage.read(name.clone(), key.to_owned()).await?;
        let mut state = space.state();
        // While something is flushed, what was read may have it already; what was said before does not.
        if state.flushing.is_empty() {
            state.stored_bytes = stored_bytes;
        }
        Ok(Before { entry, used_bytes: state.used_bytes() })
    }

    fn enter(&self, name: &KvSpace) -> Arc<Space> {
        Arc::clone(self.open().entry(name.clone()).or_insert_with(|| Arc::new(Space::new())))
    }

    fn flush_soon(self: &Arc<Self>) {
        if !self.is_flushing.swap(true, Ordering::AcqRel) {
            let spaces = Arc::clone(self);
            self.tasks.spawn(async move { spaces.flush().await });
        }
    }

    async fn flush(self: Arc<Self>) {
        loop {
            let writes = self.take_pending();
            if writes.is_empty() {
                self.is_flushing.store(false, Ordering::Release);
                // Something may have come between the look and the flag.
                if !self.has_pending() || self.is_flushing.swap(true, Ordering::AcqRel) {
                    return;
                }
                continue;
            }
            match self.storage.write(writes).await {
                Ok(used) => self.flushed(used),
                Err(error) => {
                    tracing::error!(%error, "what plugins keep could not be written");
                    self.has_failed.store(true, Ordering::Relaxed);
                    return;
                }
            }
        }
    }

    fn take_pending(&self) -> Vec<KvWrite> {
        let mut writes = Vec::new();
        for (name, space) in self.open().iter() {
            let mut state = space.state();
            state.flushing = std::mem::take(&mut state.pending);
            state.flushing_bytes = std::mem::take(&mut state.pending_bytes);
            writes.extend(state.flushing.iter().map(|(key, entry)| KvWrite {
                space: name.clone(),
                key: key.clone(),
                entry: entry.clone(),
            }));
        }
        writes
    }

    fn has_pending(&self) -> bool {
        self.open().values().any(|space| !space.state().pending.is_empty())
    }

    fn flushed(&self, used: Vec<(KvSpace, u64)>) {
        let mut open = self.open();
        for (name, stored_bytes) in used {
            let Some(space) = open.get(&name) else { continue };
            let mut state = space.state();
            state.stored_bytes = stored_bytes;
            state.flushing = HashMap::new();
            state.flushing_bytes = 0;
        }
        // Whoever holds one is about to change it; nobody else can take it while the map is locked.
        open.retain(|_, space| Arc::strong_count(space) > 1 || !space.state().is_idle());
    }

    fn open(&self) -> MutexGuard<'_, HashMap<KvSpace, Arc<Space>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.open().len()
    }
}

impl Space {
    fn new() -> Self {
        Self { changing: tokio::sync::Mutex::new(()), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, OnTheWay> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OnTheWay {
    /// What is on its way for a key.
    fn peek(&self, key: &str) -> Option<&Option<KvEntry>> {
        self.pending.get(key).or_else(|| self.flushing.get(key))
    }

    fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.flushing.is_empty()
    }

    fn used_bytes(&self) -> u64 {
        self.stored_bytes.saturating_add_signed(self.pending_bytes + self.flushing_bytes)
    }
}
