//! Watches what comes to pass by itself, and tells operations: secrets that expire, plugins that cannot be loaded.
//!
//! What has a transaction of its own is told there ([`crate::notices`]). What is watched here is a state, looked at after
//! every start, and its event is accepted under a key made of that state: it is told once, whatever happens in between.

mod degraded;
mod expiring;
pub mod retention;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::directory::Directory;
use crate::notices::{Notice, Notices};
use crate::plugins::Plugins;
use crate::shutdown::Shutdown;
use crate::store::{Error, NewEvent, Store};

/// Pause before what could not be stored is tried again.
const STORE_RETRY: Duration = Duration::from_mins(1);

/// What is watched and who is told. Clones share everything.
#[derive(Clone)]
pub struct Operations {
    /// Where events are accepted.
    pub store: Arc<dyn Store>,
    /// Whose secrets expire.
    pub directory: Directory,
    /// What may be degraded.
    pub plugins: Plugins,
    /// Who is told.
    pub notices: Notices,
    /// Tells when.
    pub clock: Clock,
}

/// Watches until it is time to stop; does nothing when nobody is told.
pub fn start(operations: &Operations, shutdown: &Shutdown) {
    if operations.notices.is_on() {
        shutdown.spawn(expiring::run(operations.clone(), shutdown.clone()));
        shutdown.spawn(degraded::run(operations.clone(), shutdown.clone()));
    }
}

impl Operations {
    /// Accepts the event about something unless one under this key was accepted before. No producer can use such a key
    /// first: in `Idempotency-Key` there are no spaces.
    async fn tell_once(&self, key: &str, notice: &Notice<'_>) -> Result<(), Error> {
        debug_assert!(key.contains(' '), "a producer could use `{key}`");
        let Some(event) = self.notices.event(notice) else { return Ok(()) };
        match self.store.accept(vec![NewEvent { idempotency_key: Some(key.to_owned()), ..event }]).await {
            Ok(_) => {
                self.notices.ring();
                Ok(())
            }
            // Told before, in other words: the URL of the endpoint changed, say.
            Err(Error::IdReused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
