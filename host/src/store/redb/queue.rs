//! What waits for the writer, in the order of the calls.
//!
//! The writer sleeps until somebody needs it: while a transaction is open, what can wait for the commit does not wake it, and
//! so costs no switch of threads. It is taken along with the next that is urgent, or when the time is over.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::writer::Command;

/// So many commands wake the writer even if none is urgent, so that they do not pile up.
const MANY: usize = 256;

/// The queue. One thread takes, all others put.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    commands: VecDeque<Box<dyn Command>>,
    sleep: Sleep,
    is_closed: bool,
}

/// What wakes the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Sleep {
    /// It is awake.
    #[default]
    Not,
    /// Any command.
    UntilAny,
    /// One that is urgent, or many.
    UntilUrgent,
}

impl Queue {
    /// Puts a command at the end; false, and its caller is told, if nothing is taken any more.
    pub(super) fn put(&self, command: Box<dyn Command>) -> bool {
        let is_urgent = command.is_urgent();
        let mut state = self.state();
        if state.is_closed {
            return false;
        }
        state.commands.push_back(command);
        let wakes = match state.sleep {
            Sleep::Not => false,
            Sleep::UntilAny => true,
            Sleep::UntilUrgent => is_urgent || state.commands.len() >= MANY,
        };
        if wakes {
            state.sleep = Sleep::Not;
            drop(state);
            self.arrived.notify_one();
        }
        true
    }

    /// Takes no more commands. Those that are there are still taken out.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.sleep = Sleep::Not;
        drop(state);
        self.arrived.notify_one();
    }

    /// The same, and those that are there are dropped: nobody will take them out.
    pub(super) fn abandon(&self) {
        self.close();
        let dropped = std::mem::take(&mut self.state().commands);
        drop(dropped);
    }

    /// Whether it takes no more.
    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// Sleeps until there is a command; `None` once the queue is closed and empty.
    pub(super) fn first(&self) -> Option<Box<dyn Command>> {
        let mut state = self.state();
        loop {
            if let Some(command) = state.commands.pop_front() {
                return Some(command);
            }
            if state.is_closed {
                return None;
            }
            state.sleep = Sleep::UntilAny;
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Sleeps until an urgent command comes, or many, or it is time, or the queue is closed. Says whether it is time.
    pub(super) fn sleep(&self, until: Instant) -> bool {
        let mut state = self.state();
        state.sleep = Sleep::UntilUrgent;
        // What came while the writer was awake has told nobody.
        if state.commands.len() >= MANY || state.commands.iter().any(|command| command.is_urgent()) {
            state.sleep = Sleep::Not;
        }
        while state.sleep == Sleep::UntilUrgent && !state.is_closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
        }
        state.sleep = Sleep::Not;
        state.is_closed || Instant::now() >= until
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.state().commands.len()
    }

    /// Takes out the first, if there is one.
    pub(super) fn next(&self) -> Option<Box<dyn Command>> {
        self.state().commands.pop_front()
    }

    /// Puts these in one moment, and waits until the writer has done what it is woken for. Says whether it sleeps in an open
    /// transaction then.
    #[cfg(test)]
    pub(super) fn step(&self, commands: Vec<Box<dyn Command>>) -> bool {
        let mut state = self.state();
        if state.is_closed {
            return false;
        }
        state.commands.extend(commands);
        let is_urgent = state.commands.iter().any(|command| command.is_urgent());
        if state.sleep == Sleep::UntilAny && !state.commands.is_empty()
            || is_urgent
            || state.commands.len() >= MANY
        {
            state.sleep = Sleep::Not;
        }
        drop(state);
        self.arrived.notify_one();
        self.wait_for_writer()
    }

    /// Waits until the writer sleeps or is gone. Says whether it sleeps in an open transaction.
    #[cfg(test)]
    pub(super) fn wait_for_writer(&self) -> bool {
        loop {
            let state = self.state();
            if state.is_closed || state.sleep != Sleep::Not {
                return !state.is_closed && state.sleep == Sleep::UntilUrgent;
            }
            drop(state);
            std::thread::yield_now();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
