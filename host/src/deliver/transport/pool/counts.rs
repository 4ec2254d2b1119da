//! What is counted of connections to receivers.

use crate::metrics::{Counter, Gauge};

/// Of one pool. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub(in crate::deliver::transport) struct Counts {
    /// Since the start.
    pub(in crate::deliver::transport) opened: Counter,
    /// Now, idle ones included.
    pub(in crate::deliver::transport) open: Gauge,
}

/// A connection that is open; dropped when it is closed.
#[derive(Debug)]
pub(super) struct Counted(Gauge);

impl Counts {
    /// A connection is opened.
    pub(super) fn opened(&self) -> Counted {
        self.opened.inc();
        self.open.inc();
        Counted(self.open.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
