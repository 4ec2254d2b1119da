//! After a new first key: seals what an older one sealed with it, in the background.

use std::sync::Arc;

use crate::shutdown::Shutdown;
use crate::store::{Resealed, Store};

/// Endpoints in one transaction, so that other writes never wait long.
const BATCH: usize = 200;

/// Works until every secret is sealed with the first key, and says which keys nothing needs any more. What is left at a
/// stop is done after the next start.
pub(super) async fn run(store: Arc<dyn Store>, shutdown: Shutdown) {
    let mut endpoints = 0;
    while !shutdown.is_requested() {
        match store.reseal(BATCH).await {
            Ok(Resealed::Some(count)) => endpoints += count,
            Ok(Resealed::Done(idle)) => {
                if !idle.is_empty() {
                    let keys = idle.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    tracing::info!(
                        endpoints,
                        keys,
                        "all signing secrets are sealed with the first key; the others are no longer needed"
                    );
                }
                return;
            }
            Err(error) => {
                tracing::error!(%error, "cannot seal signing secrets with the first key; it is tried after the next start");
                return;
            }
        }
    }
}
