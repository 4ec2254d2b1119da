//! What guests say: through the `log` interface, standard output and standard error. All of it becomes log lines, within
//! quotas, so that a chatty guest can fill neither a disk nor a terminal.

use std::io::Write;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::{debug, error, info, trace, warn};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::bindings::log::Level;
use super::log_ring::{LogLevel, LogLine, LogRing};
use super::text::{MAX_TEXT, clean};
use crate::clock::Clock;
use crate::model::{EventId, PluginName, TenantId};

const TARGET: &str = "hookway::plugin";
/// One call has something to say, not a story to tell.
const LINES_PER_CALL: u32 = 64;
/// For one plugin over all its instances.
const LINES_PER_SECOND: u32 = 100;

/// The log of one version of a plugin, shared by its instances.
#[derive(Debug)]
pub(super) struct PluginLog {
    plugin: PluginName,
    version: Arc<str>,
    clock: Clock,
    ring: Arc<LogRing>,
    second: Mutex<Second>,
    lines_per_second: u32,
    dropped: AtomicU64,
}

/// How many lines were written in the current second.
#[derive(Debug, Default)]
struct Second {
    number: u64,
    lines: u32,
}

/// The way of one instance to the log, with the quota of the current call. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct LogSink {
    log: Arc<PluginLog>,
    /// Whose calls the instance serves.
    tenant: Option<TenantId>,
    left: Arc<AtomicU32>,
}

/// Standard output or error of one instance, line by line.
#[derive(Debug)]
pub(super) struct Lines {
    sink: LogSink,
    level: Level,
}

#[derive(Debug)]
struct LineWriter {
    sink: LogSink,
    level: Level,
    line: Vec<u8>,
}

impl PluginLog {
    pub(super) fn new(plugin: PluginName, version: Arc<str>, clock: Clock, ring: Arc<LogRing>) -> Self {
        let (second, dropped) = (Mutex::default(), AtomicU64::new(0));
        Self { plugin, version, clock, ring, second, lines_per_second: LINES_PER_SECOND, dropped }
    }

    /// One that keeps and writes nothing, for calls that are no events.
    pub(super) fn mute(plugin: PluginName, version: Arc<str>, clock: Clock) -> Self {
        Self { lines_per_second: 0, ..Self::new(plugin, version, clock, Arc::default()) }
    }

    /// How many lines were over a quota.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn write(&self, level: Level, tenant: Option<&TenantId>, event: Option<&EventId>, message: &str) {
        if !self.may_write() {
            self.drop_line();
            return;
        }
        let (plugin, version, message) = (&self.plugin, &self.version, clean(message));
        let (of, about) = (tenant.map(TenantId::as_str), event.map(EventId::as_str));
        match level {
            Level::Trace => {
                trace!(target: TARGET, %plugin, %version, tenant = of, event = about, "{message}");
            }
            Level::Debug => {
                debug!(target: TARGET, %plugin, %version, tenant = of, event = about, "{message}");
            }
            Level::Info => info!(target: TARGET, %plugin, %version, tenant = of, event = about, "{message}"),
            Level::Warn => warn!(target: TARGET, %plugin, %version, tenant = of, event = about, "{message}"),
            Level::Error => {
                error!(target: TARGET, %plugin, %version, tenant = of, event = about, "{message}");
            }
        }
        self.ring.push(LogLine {
            number: 0,
            at: self.clock.now(),
            level: level.into(),
            version: Arc::clone(&self.version),
            tenant: tenant.cloned(),
            event: event.cloned(),
            message,
        });
    }

    fn may_write(&self) -> bool {
        let now = self.clock.now().as_secs();
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.number != now {
            *second = Second { number: now, lines: 0 };
        }
        second.lines = second.lines.saturating_add(1);
        second.lines <= self.lines_per_second
    }

    fn drop_line(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl LogSink {
    pub(super) fn new(log: Arc<PluginLog>, tenant: Option<TenantId>) -> Self {
        Self { log, tenant, left: Arc::new(AtomicU32::new(LINES_PER_CALL)) }
    }

    /// A new call begins.
    pub(super) fn reset(&self) {
        self.left.store(LINES_PER_CALL, Ordering::Relaxed);
    }

    /// One line about an event, if it is known which, unless a quota is used up.
    pub(super) fn write(&self, level: Level, event: Option<&EventId>, message: &str) {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            self.log.drop_line();
        } else {
            self.left.store(left - 1, Ordering::Relaxed);
            self.log.write(level, self.tenant.as_ref(), event, message);
        }
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

impl Lines {
    pub(super) const fn new(sink: LogSink, level: Level) -> Self {
        Self { sink, level }
    }
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(LineWriter { sink: self.sink.clone(), level: self.level, line: Vec::new() })
    }
}

impl LineWriter {
    fn end_line(&mut self) {
        if !self.line.is_empty() {
            self.sink.write(self.level, None, &String::from_utf8_lossy(&self.line));
            self.line.clear();
        }
    }
}

impl OutputStream for LineWriter {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        for (i, part) in bytes.split(|&b| b == b'\n').enumerate() {
            if i > 0 {
                self.end_line();
            }
            let room = MAX_TEXT.saturating_sub(self.line.len());
            let _ = self.line.write(&part[..part.len().min(room)]);
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(4 * MAX_TEXT)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LineWriter {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UnixMs;

    fn log(clock: Clock) -> Arc<PluginLog> {
        Arc::new(PluginLog::new("chatty".parse().unwrap(), "v".into(), clock, Arc::default()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_may_write_64_lines_and_a_plugin_100_a_second() {
        let clock = Clock::starting_at(UnixMs(0));
        let log = log(clock);
        let (first, second) = (LogSink::new(Arc::clone(&log), None), LogSink::new(Arc::clone(&log), None));
        for _ in 0..70 {
            first.write(Level::Info, None, "line");
        }
        assert_eq!(log.dropped(), 6);
        for _ in 0..60 {
            second.write(Level::Info, None, "line");
        }
        assert_eq!(log.dropped(), 6 + 24);
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        first.reset();
        first.write(Level::Info, None, "line");
        assert_eq!(log.dropped(), 30);
    }

    #[tokio::test]
    async fn output_without_a_line_break_is_kept_to_the_length_of_a_line() {
        let sink = LogSink::new(log(Clock::system()), None);
        let mut writer = LineWriter { sink, level: Level::Info, line: Vec::new() };
        for _ in 0..100 {
            writer.write(bytes::Bytes::from(vec![b'x'; 4096])).unwrap();
        }
        assert_eq!(writer.line.len(), MAX_TEXT);
        writer.write("\n".into()).unwrap();
        assert!(writer.line.is_empty());
    }
}
