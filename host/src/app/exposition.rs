//! What metrics tell that no stage knows.

use std::sync::Arc;

use crate::metrics::Metrics;
use crate::model::UnixMs;
use crate::store::Store;

/// Has these metrics tell of the process and of the store, when the wall clock shows `now`.
pub(super) fn tell(metrics: &Metrics, store: &Arc<dyn Store>, now: UnixMs) {
    metrics.ask_process(now);
    store.count_in(metrics);
    let store = Arc::clone(store);
    metrics.ask(move |readings| {
        readings.gauges(
            ("build_info", "version"),
            "Always 1; the version is a label",
            &[(env!("CARGO_PKG_VERSION"), 1.0)],
        )?;
        let help = "1 while the store takes writes, 0 after its disk failed";
        readings.gauge("store_writable", help, f64::from(u8::from(store.is_writable())))
    });
}
