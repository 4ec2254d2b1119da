//! What is counted of the store: by the writer as it works, everything else when somebody reads.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::time::Instant;

use super::backlogs::Backlogs;
use super::progress::Undispatched;
use super::queue::Queue;
use super::{RedbStore, WAL_EXTENSION};
use crate::clock::Clock;
use crate::free_space::Disk;
use crate::metrics::{COUNTS, Counter, DURATIONS, Histogram, Metrics, Readings, SIZES};

/// The writer's counts. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    commit_seconds: Histogram,
    commit_commands: Histogram,
    commit_bytes: Histogram,
    append_seconds: Histogram,
    append_commands: Histogram,
    append_bytes: Counter,
    damaged: Counter,
}

/// What is asked when somebody reads.
struct Asked {
    queue: Arc<Queue>,
    undispatched: Arc<Undispatched>,
    backlogs: Arc<Backlogs>,
    /// The file of the tables, if there is one.
    path: Option<PathBuf>,
    clock: Clock,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            commit_seconds: Histogram::new(&DURATIONS),
            commit_commands: Histogram::new(&COUNTS),
            commit_bytes: Histogram::new(&SIZES),
            append_seconds: Histogram::new(&DURATIONS),
            append_commands: Histogram::new(&COUNTS),
            append_bytes: Counter::default(),
            damaged: Counter::default(),
        }
    }
}

impl Counts {
    /// A transaction is committed, of so many commands with such payloads; its commit began then.
    pub(super) fn committed(&self, commands: usize, bytes: usize, begun: Instant) {
        self.commit_seconds.observe_duration(begun.elapsed());
        self.commit_commands.observe(commands as u64);
        self.commit_bytes.observe(bytes as u64);
    }

    /// The log has a frame more, if it was not empty.
    pub(super) fn appended(&self, commands: usize, bytes: usize, begun: Instant) {
        if bytes > 0 {
            self.append_seconds.observe_duration(begun.elapsed());
            self.append_commands.observe(commands as u64);
            self.append_bytes.inc_by(bytes as u64);
        }
    }

    /// A delivery or an event was given up because it cannot be read.
    pub(super) fn damaged(&self) {
        self.damaged.inc();
    }

    fn register(&self, metrics: &Metrics) {
        let help = "Deliveries and events that were given up because they were changed on the disk";
        metrics.register("store_damaged", help, self.damaged.clone());
        let Self { commit_seconds, commit_commands, commit_bytes, .. } = self.clone();
        metrics.register(
            "store_commit_seconds",
            "How long commits of the tables took, syncs included",
            commit_seconds,
        );
        metrics.register("store_commit_commands", "Commands in a commit of the tables", commit_commands);
        metrics.register("store_commit_bytes", "Payload in a commit of the tables", commit_bytes);
        let Self { append_seconds, append_commands, append_bytes, .. } = self.clone();
        let help = "How long a write to the write-ahead log took, its sync included";
        metrics.register("store_log_append_seconds", help, append_seconds);
        metrics.register(
            "store_log_append_commands",
            "Commands in the batch of such a write",
            append_commands,
        );
        metrics.register(
            "store_log_append_bytes",
            "Bytes that were written to the write-ahead log",
            append_bytes,
        );
    }
}

impl RedbStore {
    /// See [`crate::store::Store::count_in`].
    pub(super) fn tell(&self, metrics: &Metrics) {
        self.counts.register(metrics);
        let ended = self.backlogs.ended().clone();
        metrics.register("deliveries", "Deliveries that are over, by how they ended", ended);
        let asked = Asked {
            queue: Arc::clone(&self.queue),
            undispatched: Arc::clone(&self.undispatched),
            backlogs: Arc::clone(&self.backlogs),
            path: self.path.clone(),
            clock: self.clock,
        };
        metrics.ask(move |readings| asked.tell(readings));
    }
}

impl Asked {
    fn tell(&self, readings: &mut Readings<'_>) -> fmt::Result {
        let help = "Commands that wait for the thread that writes";
        readings.gauge("store_waiting_commands", help, self.queue.len() as f64)?;
        let backlog = self.backlogs.all();
        let help = "Undelivered work: deliveries that are not over, and events that are not dispatched";
        readings.gauge("backlog_deliveries", help, backlog.deliveries as f64)?;
        readings.gauge("backlog_bytes", "Bytes of the payloads of undelivered work", backlog.bytes as f64)?;
        let (waiting, oldest) = self.undispatched.waiting();
        readings.gauge("dispatch_waiting_events", "Events that wait for dispatch", waiting as f64)?;
        let age = oldest.map_or(0.0, |accepted| self.clock.now().since(accepted).as_secs_f64());
        let help = "Age of the oldest event that waits for dispatch; 0 if none does";
        readings.gauge("dispatch_oldest_event_seconds", help, age)?;
        self.path.as_deref().map_or(Ok(()), |path| tell_files(path, readings))
    }
}

fn tell_files(tables: &Path, readings: &mut Readings<'_>) -> fmt::Result {
    let log = tables.with_extension(WAL_EXTENSION);
    let size = |path: &Path| path.metadata().map_or(0.0, |file| file.len() as f64);
    let sizes = [("tables", size(tables)), ("log", size(&log))];
    readings.gauges(("store_file_bytes", "file"), "Sizes of the files of the store", &sizes)?;
    let Ok(disk) = Disk::of(tables) else { return Ok(()) };
    let help = "Free space of the disk that has the store, as far as this user may take it";
    readings.gauge("store_disk_free_bytes", help, disk.free as f64)?;
    readings.gauge("store_disk_size_bytes", "Size of the disk that has the store", disk.size as f64)
}
