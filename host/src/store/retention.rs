//! Removing what is over: how much there is, and the verbs that remove it part by part.
//!
//! An event is removed as a whole, with its deliveries, their attempts and what lists are filtered by; what was counted of it
//! stays. It is removed only when it is dispatched, all of its deliveries are over, and no recovery that runs has it ahead.

use std::fmt;

use super::StoreFuture;
use crate::model::{EndpointId, EventKey, UnixMs};

/// How much is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreSize {
    /// Events.
    pub events: u64,
    /// When the oldest of them was accepted.
    pub oldest: Option<UnixMs>,
    /// Bytes of their rows and of all rows that belong to them.
    pub row_bytes: u64,
    /// Bytes that the file takes on its disk; `None` where there is no file.
    pub file_bytes: Option<u64>,
    /// What [`Retire::overhead`] was last.
    pub overhead: Option<u32>,
    /// When a backup was handed over last.
    pub backed_up: Option<UnixMs>,
    /// Whether a snapshot is read that keeps the file from using again what is freed.
    pub is_pinned: bool,
}

/// A part of the log in which events are to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retire {
    /// Where to look from on.
    pub from: EventKey,
    /// Only events below this key.
    pub before: EventKey,
    /// Whether a part of the log is looked at that has events from `before` on, too. It costs as much as a whole one.
    pub cut: bool,
    /// How many thousandths of the bytes of rows the file took when it grew last; to be remembered.
    pub overhead: Option<u32>,
}

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retired {
    /// Events.
    pub events: u64,
    /// Their deliveries.
    pub deliveries: u64,
    /// Bytes of all of their rows.
    pub bytes: u64,
    /// Events of the part that must stay.
    pub kept: u64,
    /// Where to look on; `None` when there is nothing more below [`Retire::before`].
    pub next: Option<EventKey>,
}

/// Where a sweep stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SweepPlace {
    /// At what this endpoint got, from this event on.
    Log(EndpointId, EventKey),
    /// Behind this id or key of a producer: its kind, its text and the tenant.
    Ids(Option<(u8, String, String)>),
}

/// Why no event is taken: the store has as many bytes as it may have, and nothing of it may be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreFull {
    /// About how many it has.
    pub bytes: u64,
    /// How many it may have.
    pub limit: u64,
}

/// The verbs that remove, and what they go by.
pub trait Retention {
    /// How much is stored. Costs the same however much that is.
    fn size(&self) -> StoreFuture<'_, StoreSize>;

    /// Removes what may be removed of the next part: about a thousand events and deliveries. Can be redone after a crash, and
    /// does not wait for stable storage.
    fn retire(&self, part: Retire) -> StoreFuture<'_, Retired>;

    /// Takes out rows of events that are gone, where they lie in another order than that of time: at most `limit` looks, at events
    /// below this key. Says where to go on; `None` when all is swept.
    fn sweep(&self, place: SweepPlace, below: EventKey, limit: usize) -> StoreFuture<'_, Option<SweepPlace>>;

    /// Has events refused from now on because the store is full, or has them taken again.
    fn refuse_events(&self, full: Option<StoreFull>);
}

impl Default for SweepPlace {
    /// At the beginning.
    fn default() -> Self {
        Self::Log(EndpointId::from_u128(0), EventKey::from_u128(0))
    }
}

impl fmt::Display for StoreFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, limit } = self;
        write!(
            f,
            "the store takes {bytes} bytes, `retention.max_bytes` is {limit}, and nothing may be removed, as the rest is not \
             delivered yet"
        )
    }
}
