//! The process, by the names that all exporters use: `process_*`, without our prefix.
//!
//! Linux tells all of it in `/proc`, elsewhere there is less. What cannot be read is left out.

use std::fmt;
use std::fs;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::Readings;
use crate::model::UnixMs;

/// In `/proc/self/status`.
const KIB: f64 = 1024.0;

/// What does not change of it.
#[derive(Debug)]
pub(super) struct Process {
    started_at: f64,
}

impl Process {
    /// This one, when the wall clock shows `now`.
    pub(super) fn at(now: UnixMs) -> Self {
        Self { started_at: now.0 as f64 / 1e3 - age().unwrap_or(0.0) }
    }

    pub(super) fn read(&self, readings: &mut Readings<'_>) -> fmt::Result {
        let help = "When the process started, in seconds since 1970";
        readings.gauge("process_start_time_seconds", help, self.started_at)?;
        let used = clock_gettime(ClockId::ProcessCPUTime);
        let used = used.tv_sec as f64 + used.tv_nsec as f64 / 1e9;
        readings.counter("process_cpu_seconds", "Time of processors that the process used", used)?;
        if let Some(most) = getrlimit(Resource::Nofile).current {
            let help = "Files and connections that the process may have open";
            readings.gauge("process_max_fds", help, most as f64)?;
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            // One of them is the folder.
            let open = files.count().saturating_sub(1);
            readings.gauge("process_open_fds", "Files and connections that are open", open as f64)?;
        }
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        for (name, help, field) in [
            ("process_resident_memory_bytes", "Memory that is in use and not swapped out", "VmRSS:"),
            ("process_virtual_memory_bytes", "Addresses that are taken", "VmSize:"),
        ] {
            if let Some(kib) = number(&status, field) {
                readings.gauge(name, help, kib * KIB)?;
            }
        }
        match number(&status, "Threads:") {
            Some(threads) => readings.gauge("process_threads", "Threads of the process", threads),
            None => Ok(()),
        }
    }
}

/// How old it is, in seconds: the 22nd field of `/proc/self/stat` is when it started, by the clock of `/proc/uptime`.
fn age() -> Option<f64> {
    let (stat, uptime) =
        (fs::read_to_string("/proc/self/stat").ok()?, fs::read_to_string("/proc/uptime").ok()?);
    // The second field is a name, which may have anything in it but ends with the last parenthesis.
    let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let up: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    Some((up - ticks / clock_ticks_per_second() as f64).max(0.0))
}

/// The number of a field of `/proc/self/status`.
fn number(status: &str, field: &str) -> Option<f64> {
    status.lines().find_map(|line| line.strip_prefix(field))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let status = "Name:\thookway\nVmRSSx:\t1 kB\nVmRSS:\t   2048 kB\nThreads:\t7\n";
        assert_eq!(number(status, "VmRSS:"), Some(2048.0));
        assert_eq!(number(status, "Threads:"), Some(7.0));
        assert_eq!(number(status, "VmSize:"), None);
    }
}
