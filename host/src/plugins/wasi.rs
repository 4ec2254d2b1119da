//! What `wasi:*` a guest sees: nothing of the machine.
//!
//! No arguments, files, input or network, and no environment but the variables that were granted. Output becomes log lines. The clocks are the gateway's, to the
//! millisecond: a finer one helps only somebody who measures other tenants. Nothing here can block a worker: waiting is
//! asynchronous, and there are no files.

use std::time::Duration;

use wasmtime_wasi::{HostMonotonicClock, HostWallClock, ResourceTable, WasiCtx};

use super::bindings::log::Level;
use super::logs::{Lines, LogSink};
use crate::clock::Clock;

/// Streams and pollables that a guest may hold at the same time.
const MAX_RESOURCES: usize = 256;
/// One call for random bytes; the default of 64 MiB would be a way around the memory limit.
const MAX_RANDOM_BYTES: u64 = 64 << 10;
const MILLISECOND: Duration = Duration::from_millis(1);

struct Millis(Clock);

pub(super) fn context<'a>(
    clock: Clock,
    log: &LogSink,
    env: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> WasiCtx {
    let mut context = WasiCtx::builder();
    for (name, value) in env {
        context.env(name, value);
    }
    context
        .stdout(Lines::new(log.clone(), Level::Info))
        .stderr(Lines::new(log.clone(), Level::Warn))
        .wall_clock(Millis(clock))
        .monotonic_clock(Millis(clock))
        .max_random_size(MAX_RANDOM_BYTES)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_blocking_current_thread(false)
        .build()
}

pub(super) fn resources() -> ResourceTable {
    let mut table = ResourceTable::new();
    table.set_max_capacity(MAX_RESOURCES);
    table
}

impl HostWallClock for Millis {
    fn resolution(&self) -> Duration {
        MILLISECOND
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.wall().0)
    }
}

impl HostMonotonicClock for Millis {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        self.0.now().0.saturating_mul(1_000_000)
    }
}
