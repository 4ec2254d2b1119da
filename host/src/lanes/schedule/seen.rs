//! How much the lanes have to do, for those who watch. It costs a look at every lane, so it is asked for seldom.

use super::Schedule;
use crate::lanes::breakers::Turn;
use crate::model::UnixMs;

/// What there is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lanes) struct Seen {
    /// Lanes that have something to do and are not being read.
    pub(in crate::lanes) running: usize,
    /// Lanes for which the store is being read.
    pub(in crate::lanes) loading: usize,
    /// Lanes of inactive endpoints.
    pub(in crate::lanes) paused: usize,
    /// Breakers that let nothing start.
    pub(in crate::lanes) open: usize,
    /// Breakers whose probe may start, or is under way.
    pub(in crate::lanes) half_open: usize,
    /// Deliveries that wait in memory.
    pub(in crate::lanes) waiting: usize,
    /// Their bytes, roughly.
    pub(in crate::lanes) waiting_bytes: usize,
    /// Attempts under way.
    pub(in crate::lanes) in_flight: usize,
    /// What happened so far.
    pub(in crate::lanes) so_far: SoFar,
}

/// What happened since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::lanes) struct SoFar {
    /// Reads of the store.
    pub(in crate::lanes) loads: u64,
    /// Breakers that opened.
    pub(in crate::lanes) opened: u64,
    /// Breakers that closed.
    pub(in crate::lanes) closed: u64,
}

impl Schedule {
    /// Looks at all lanes.
    pub(in crate::lanes) fn seen(&self, now: UnixMs) -> Seen {
        let (open, half_open) = self.breakers.count(now);
        Seen {
            running: self.lanes.len().saturating_sub(self.loads.len()),
            loading: self.loads.len(),
            paused: self.paused.len(),
            open,
            half_open,
            waiting: self.lanes.values().map(|lane| lane.ready.len() + lane.lines.behind()).sum(),
            waiting_bytes: self.bytes_ready,
            in_flight: self.in_flight,
            so_far: self.so_far,
        }
    }
}

impl SoFar {
    /// A breaker turned.
    pub(super) const fn turned(&mut self, turn: Turn) {
        match turn {
            Turn::Opened => self.opened += 1,
            Turn::Closed(_) => self.closed += 1,
        }
    }
}
