//! What a process has used of the machine, from `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// `USER_HZ`: the unit of times in `/proc/PID/stat` on every Linux that Rust knows (proc(5)).
const TICKS_PER_SECOND: u64 = 100;

/// Since the process began.
#[derive(Debug, Clone, Default)]
pub(crate) struct Usage {
    /// In user and in kernel mode.
    pub(crate) cpu: Duration,
    /// Bytes that it caused to be written to storage.
    pub(crate) written: u64,
    /// Resident memory now.
    pub(crate) resident: u64,
    /// The same time by the name of the threads that used it.
    pub(crate) threads: BTreeMap<String, Duration>,
}

impl Usage {
    /// Of the process with this id.
    ///
    /// # Errors
    /// It has ended, or this is not Linux.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let read = |file: &str| {
            fs::read_to_string(format!("/proc/{pid}/{file}")).context("/proc is there on Linux only")
        };
        let resident = field(&read("status")?, "VmRSS:").context("`status` has VmRSS")? * 1024;
        let written = field(&read("io")?, "write_bytes:").context("`io` has write_bytes")?;
        let cpu = cpu(&read("stat")?).context("`stat` has times")?;
        Ok(Self { cpu, written, resident, threads: threads(pid)? })
    }

    /// What was used between two looks; the memory is that of the later one.
    pub(crate) fn since(mut self, before: &Self) -> Self {
        for (name, cpu) in &mut self.threads {
            *cpu = cpu.saturating_sub(before.threads.get(name).copied().unwrap_or_default());
        }
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            written: self.written.saturating_sub(before.written),
            resident: self.resident,
            threads: self.threads,
        }
    }
}

/// Of the threads that run now. Those that end meanwhile are left out.
fn threads(pid: u32) -> Result<BTreeMap<String, Duration>> {
    let mut threads = BTreeMap::<String, Duration>::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = entry?.path();
        let read = |file: &str| fs::read_to_string(path.join(file)).ok();
        if let (Some(name), Some(cpu)) = (read("comm"), read("stat").as_deref().and_then(cpu)) {
            *threads.entry(name.trim().to_owned()).or_default() += cpu;
        }
    }
    Ok(threads)
}

/// The number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Fields 14 and 15. The name of the program, field 2, may have spaces and parentheses in it.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 150 0 0 20 0";
        assert_eq!(cpu(stat), Some(Duration::from_secs(4)));
        assert_eq!(field("VmPeak:\t 9 kB\nVmRSS:\t  12 kB\n", "VmRSS:"), Some(12));
        assert!(Usage::of(std::process::id()).unwrap().resident > 0);
    }
}
