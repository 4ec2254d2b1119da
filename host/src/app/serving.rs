//! The gateway at work, and how that ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::early_router;
use crate::http::{Front, Keys};
use crate::shutdown::{self, Shutdown};
use crate::store::Store;
use crate::traces::Exporting;

/// How often it is looked whether the store still takes writes.
const STORE_LOOK: Duration = Duration::from_millis(500);

/// The longest wait for a collector at the end.
const LAST_SPANS: Duration = Duration::from_secs(5);

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop, and all that was under way has ended.
    Drained,
    /// It was told to stop, and something did not end in time. That is in the store and goes on after the next start.
    CutOff,
    /// The store takes no more writes until it is opened again.
    StoreFailed,
}

/// What serves. It goes on whether or not somebody waits for its end.
pub struct Serving {
    pub(super) front: Front,
    pub(super) keys: Keys,
    pub(super) store: Arc<dyn Store>,
    pub(super) shutdown: Shutdown,
    pub(super) exporting: Exporting,
    /// How long that may take.
    pub(super) stop: shutdown::Options,
}

impl Serving {
    /// Waits for the stop signal or until the store fails, and then until what is under way has ended, as long as there is time.
    pub async fn end(self) -> Ended {
        let Self { front, keys, store, shutdown, exporting, stop } = self;
        let has_failed = tokio::select! {
            () = shutdown.requested() => false,
            () = failure(&*store) => true,
        };
        if has_failed {
            front.close(early_router(
                "the store failed and is opened again; the log has the error",
                &shutdown,
            ));
            shutdown.request();
        }
        let begun = Instant::now();
        let has_drained = shutdown.finished(stop.for_work()).await;
        // A store that is to be opened again waits for no collector.
        let left = if has_failed { Duration::ZERO } else { stop.for_work().saturating_sub(begun.elapsed()) };
        exporting.end(left.min(LAST_SPANS).max(stop.for_telemetry())).await;
        keys.note_uses(&*store).await;
        match (has_failed, has_drained) {
            (true, _) => Ended::StoreFailed,
            (false, true) => Ended::Drained,
            (false, false) => Ended::CutOff,
        }
    }
}

async fn failure(store: &dyn Store) {
    while store.is_writable() {
        tokio::time::sleep(STORE_LOOK).await;
    }
}
