//! What has to be so for the gateway to take events, and how that is said.

use std::sync::Arc;

use crate::api::Readiness;
use crate::free_space::FreeSpace;
use crate::http::Check;
use crate::shutdown::Shutdown;
use crate::store::Store;

/// While there is no store yet, or none any more.
pub(super) fn early(why: String, shutdown: Shutdown) -> Readiness {
    Readiness::new(move || vec![Check { name: "start", ok: false, detail: why.clone() }, stop(&shutdown)])
}

/// From then on.
pub(super) fn started(store: Arc<dyn Store>, free_space: FreeSpace, shutdown: Shutdown) -> Readiness {
    Readiness::new(move || {
        let start = Check { name: "start", ok: true, detail: "the gateway has started".to_owned() };
        vec![start, stop(&shutdown), writes(&*store), room(&free_space)]
    })
}

fn stop(shutdown: &Shutdown) -> Check {
    let ok = !shutdown.is_announced();
    let detail = if ok { "the gateway is not stopping" } else { "the gateway is stopping" };
    Check { name: "stop", ok, detail: detail.to_owned() }
}

fn writes(store: &dyn Store) -> Check {
    let ok = store.is_writable();
    let detail = if ok {
        "the store takes writes"
    } else {
        "the store takes no writes and is opened again; the log has the error"
    };
    Check { name: "store", ok, detail: detail.to_owned() }
}

fn room(free_space: &FreeSpace) -> Check {
    let ok = !free_space.is_low();
    let what_to_do = if ok { "" } else { ": make room, or lower `ingest.min_free_bytes`" };
    Check { name: "disk", ok, detail: format!("{free_space}{what_to_do}") }
}
