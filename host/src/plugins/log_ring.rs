//! The last lines that the versions of a plugin logged, in memory, for `GET /v1/plugins/{name}/logs`.
//!
//! Lines are numbered, so that whoever reads on knows where. There are [`KEPT`] of them: with lines of at most a kilobyte and 100
//! lines a second, a plugin takes at most a megabyte and some seconds of a flood.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{EventId, PluginName, TenantId, UnixMs};

/// How many lines of a plugin are kept.
pub const KEPT: usize = 1_000;

/// How loud a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// For whoever looks for a mistake.
    Debug,
    /// What happens; standard output, too.
    Info,
    /// What should not be; standard error, too.
    Warn,
    /// What went wrong.
    Error,
}

/// A line of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Counts the lines of the plugin since the gateway started, from 1.
    pub number: u64,
    /// When it was logged.
    pub at: UnixMs,
    /// How loud.
    pub level: LogLevel,
    /// The version that said it.
    pub version: Arc<str>,
    /// Whose call it was; `None` while a version is loaded, and of matchers, which work for all.
    pub tenant: Option<TenantId>,
    /// The event of the call, if the line came through the `log` interface.
    pub event: Option<EventId>,
    /// What it says, without control characters.
    pub message: String,
}

/// Which lines.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Of calls of this tenant.
    pub tenant: Option<TenantId>,
    /// At least so loud.
    pub level: Option<LogLevel>,
    /// Of this time or later.
    pub since: Option<UnixMs>,
    /// After the line of this number; from the beginning if there are fewer, as after a restart.
    pub after: Option<u64>,
    /// How many: the first after `after`, or without it the newest.
    pub limit: usize,
}

/// Lines in the order in which they were logged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogPage {
    /// Those that pass.
    pub lines: Vec<LogLine>,
    /// What to read on after.
    pub last: u64,
}

/// The lines of one plugin.
#[derive(Debug, Default)]
pub(super) struct LogRing(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    last: u64,
    lines: VecDeque<LogLine>,
}

/// Those of all plugins.
#[derive(Debug, Default)]
pub(super) struct LogRings(Mutex<HashMap<PluginName, Arc<LogRing>>>);

impl LogRings {
    /// The ring of a plugin; a new one if it has none.
    pub(super) fn of(&self, plugin: &PluginName) -> Arc<LogRing> {
        let mut rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(rings.entry(plugin.clone()).or_default())
    }

    /// The plugin is gone.
    pub(super) fn forget(&self, plugin: &PluginName) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(plugin);
    }
}

impl LogRing {
    /// Keeps a line, and gives it its number.
    pub(super) fn push(&self, line: LogLine) {
        let mut kept = self.lock();
        kept.last += 1;
        let number = kept.last;
        if kept.lines.len() == KEPT {
            kept.lines.pop_front();
        }
        kept.lines.push_back(LogLine { number, ..line });
    }

    pub(super) fn read(&self, filter: &LogFilter) -> LogPage {
        let kept = self.lock();
        let after = filter.after.filter(|after| *after <= kept.last).unwrap_or_default();
        let passing = kept.lines.iter().filter(|line| line.number > after && filter.passes(line));
        if filter.after.is_none() {
            let mut lines: Vec<_> = passing.rev().take(filter.limit).cloned().collect();
            lines.reverse();
            return LogPage { lines, last: kept.last };
        }
        let lines: Vec<_> = passing.take(filter.limit).cloned().collect();
        let is_full = lines.len() == filter.limit;
        let last = lines.last().filter(|_| is_full).map_or(kept.last, |line| line.number);
        LogPage { lines, last }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogFilter {
    fn passes(&self, line: &LogLine) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| line.tenant.as_ref() == Some(tenant))
            && self.level.is_none_or(|level| line.level >= level)
            && self.since.is_none_or(|since| line.at >= since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: u64, level: LogLevel, tenant: Option<&str>) -> LogLine {
        LogLine {
            number: 0,
            at: UnixMs(at),
            level,
            version: "v".into(),
            tenant: tenant.map(|tenant| tenant.parse().unwrap()),
            event: None,
            message: String::new(),
        }
    }

    fn numbers(page: &LogPage) -> Vec<u64> {
        page.lines.iter().map(|line| line.number).collect()
    }

    fn all() -> LogFilter {
        LogFilter { limit: 100, ..LogFilter::default() }
    }

    #[test]
    fn the_newest_are_kept_and_read_in_their_order() {
        let ring = LogRing::default();
        for at in 0..KEPT as u64 + 10 {
            ring.push(line(at, LogLevel::Info, None));
        }
        let page = ring.read(&LogFilter { limit: 3, ..all() });
        assert_eq!((numbers(&page), page.last), (vec![1_008, 1_009, 1_010], 1_010));
        let page = ring.read(&LogFilter { after: Some(0), limit: 2, ..all() });
        assert_eq!(
            (numbers(&page), page.last),
            (vec![11, 12], 12),
            "the oldest that are left, to read on after"
        );
        let page = ring.read(&LogFilter { after: Some(1_010), ..all() });
        assert_eq!((numbers(&page), page.last), (vec![], 1_010));
        let page = ring.read(&LogFilter { after: Some(5_000), limit: 1, ..all() });
        assert_eq!(numbers(&page), [11], "numbers began anew");
    }

    #[test]
    fn a_filter_narrows_and_a_reader_passes_by_what_is_not_for_it() {
        let ring = LogRing::default();
        ring.push(line(1, LogLevel::Error, Some("acme")));
        ring.push(line(2, LogLevel::Debug, Some("acme")));
        ring.push(line(3, LogLevel::Error, Some("other")));
        ring.push(line(4, LogLevel::Error, None));
        let acme = Some("acme".parse().unwrap());
        assert_eq!(numbers(&ring.read(&LogFilter { tenant: acme.clone(), ..all() })), [1, 2]);
        assert_eq!(numbers(&ring.read(&LogFilter { level: Some(LogLevel::Warn), ..all() })), [1, 3, 4]);
        assert_eq!(numbers(&ring.read(&LogFilter { since: Some(UnixMs(3)), ..all() })), [3, 4]);
        let page = ring.read(&LogFilter { tenant: acme, after: Some(2), ..all() });
        assert_eq!((numbers(&page), page.last), (vec![], 4));
    }
}
