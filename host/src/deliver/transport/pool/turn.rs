//! Who opens a connection while nobody knows yet whether one is enough for all.
//!
//! An origin that speaks HTTP/2 needs one connection for a hundred attempts. So one attempt opens it, and those that come
//! meanwhile wait for what it finds. If it finds HTTP/1.1, each opens its own.

use std::sync::Arc;

use tokio::sync::watch;

use super::Pool;
use crate::model::AttemptError;

/// What the attempt that had the turn found.
#[derive(Debug, Clone)]
pub(in crate::deliver::transport) enum Opened {
    /// A connection for many; it is in the pool.
    Shared,
    /// A connection for itself.
    Alone,
    /// None, and nobody who waits would do better.
    Failed(AttemptError),
}

/// The right to open a connection. Dropped without a word, it goes to one of those who wait.
pub(in crate::deliver::transport) struct Turn {
    pool: Pool,
    origin: Arc<str>,
    found: watch::Sender<Option<Opened>>,
}

/// Another attempt has the turn.
pub(in crate::deliver::transport) struct Waiting(pub(super) watch::Receiver<Option<Opened>>);

impl Turn {
    /// A turn, and what others wait on.
    pub(super) fn new(pool: Pool, origin: Arc<str>) -> (Self, watch::Receiver<Option<Opened>>) {
        let (found, waiting) = watch::channel(None);
        (Self { pool, origin, found }, waiting)
    }

    /// Tells those who wait.
    pub(in crate::deliver::transport) fn end(self, found: Opened) {
        self.found.send_replace(Some(found));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.pool.turn_ended(&self.origin);
    }
}

impl Waiting {
    /// What was found; `None` if the attempt that had the turn was given up.
    pub(in crate::deliver::transport) async fn found(mut self) -> Option<Opened> {
        let found = self.0.wait_for(Option::is_some).await;
        found.ok().and_then(|found| found.clone())
    }
}
