//! The book of open connections.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::Id;
use tokio::time::Instant;

use super::http1::Http1;
use super::http2::Http2;
use super::turn::Opened;
use super::{Connection, Counts, MAX_IDLE, Pool};
use crate::fast_map::FastMap;

/// What is open, by origin.
#[derive(Debug, Default)]
pub(super) struct Open {
    by_origin: FastMap<Arc<str>, Origin>,
    /// How many connections carry no request.
    idle: usize,
    pub(super) counts: Counts,
}

/// What is open to one origin.
#[derive(Debug, Default)]
pub(super) struct Origin {
    /// HTTP/1.1 connections that nobody uses.
    idle: Vec<Http1>,
    /// HTTP/2 connections, used or not.
    pub(super) shared: Vec<Http2>,
    /// An attempt opens a connection, and others wait for what comes of it.
    pub(super) opening: Option<watch::Receiver<Option<Opened>>>,
}

impl Open {
    /// Nothing, counted with what had these counts before.
    pub(super) fn counted_by(counts: Counts) -> Self {
        Self { counts, ..Self::default() }
    }

    /// What is known of an origin, for adding to it what is not idle.
    pub(super) fn entry(&mut self, origin: &str) -> (Arc<str>, &mut Origin) {
        let name =
            self.by_origin.get_key_value(origin).map_or_else(|| origin.into(), |(name, _)| Arc::clone(name));
        (Arc::clone(&name), self.by_origin.entry(name).or_default())
    }

    /// Changes what is known of an origin. An origin without anything is forgotten.
    pub(super) fn change<T>(&mut self, origin: &str, change: impl FnOnce(&mut Origin) -> T) -> Option<T> {
        let known = self.by_origin.get_mut(origin)?;
        let before = known.count_idle();
        let changed = change(known);
        self.idle = self.idle + known.count_idle() - before;
        if known.is_empty() {
            self.by_origin.remove(origin);
        }
        Some(changed)
    }

    /// Keeps an idle connection, if it still is one and there are not too many.
    pub(super) fn put(&mut self, origin: &str, connection: Http1) {
        if self.idle < MAX_IDLE && connection.sender.is_ready() {
            self.entry(origin).1.idle.push(connection);
            self.idle += 1;
        }
    }

    /// One request less on a connection. One that is left without any is dropped if it is over, or if too many are idle.
    pub(super) fn give_back(&mut self, origin: &str, id: Id, complete: bool) {
        let is_full = self.idle >= MAX_IDLE;
        self.change(origin, |known| {
            let Some(at) = known.shared.iter().position(|connection| connection.id == id) else { return };
            let connection = &mut known.shared[at];
            connection.give_back(complete);
            if connection.in_flight == 0 && (is_full || connection.is_over()) {
                known.shared.swap_remove(at);
            }
        });
    }

    /// How many connections carry no request.
    pub(super) const fn idle(&self) -> usize {
        self.idle
    }

    /// How many connections carry no request, counted and as it is known.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.by_origin.values().map(Origin::count_idle).sum(), self.idle)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_origin.is_empty()
    }
}

impl Origin {
    pub(super) fn take(&mut self, pool: &Pool) -> Option<Connection> {
        self.shared.retain(|connection| connection.in_flight > 0 || !connection.is_over());
        if let Some(connection) = self.shared.iter_mut().find(|connection| connection.has_room()) {
            return Some(Connection::Shared(connection.lend(pool)));
        }
        while let Some(connection) = self.idle.pop() {
            if connection.sender.is_ready() {
                return Some(Connection::Alone(connection));
            }
        }
        None
    }

    /// Since when a connection carries no request: now, if it carries one.
    pub(super) fn idle_since(&self, id: Id) -> Option<Instant> {
        let alone = self.idle.iter().find(|connection| connection.id == id);
        let shared = self.shared.iter().find(|connection| connection.id == id && connection.in_flight == 0);
        alone.map(|connection| connection.idle_since).or(shared.map(|connection| connection.idle_since))
    }

    /// Drops a connection, unless it still carries requests: the last of them drops it then.
    pub(super) fn remove(&mut self, id: Id) {
        self.idle.retain(|connection| connection.id != id);
        self.shared.retain(|connection| connection.id != id || connection.in_flight > 0);
    }

    fn count_idle(&self) -> usize {
        self.idle.len() + self.shared.iter().filter(|connection| connection.in_flight == 0).count()
    }

    fn is_empty(&self) -> bool {
        self.idle.is_empty() && self.shared.is_empty() && self.opening.is_none()
    }
}
