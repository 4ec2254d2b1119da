//! The memory and tables that one instance may have.

use wasmtime::ResourceLimiter;

/// One component is a handful of core modules: the program, an adapter, shims. A Python guest, which links its libraries when
/// it is instantiated, has 38.
pub(super) const MAX_CORE_INSTANCES: usize = 64;
/// The program's memory and perhaps an adapter's.
pub(super) const MAX_MEMORIES: usize = 2;
/// A Python guest has 2.
pub(super) const MAX_TABLES: usize = 4;
/// Debug builds of large programs exceed 10,000.
pub(super) const MAX_TABLE_ELEMENTS: usize = 100_000;

/// Marks the error of a guest that asked for more memory than it may have.
#[derive(Debug, thiserror::Error)]
#[error("over the memory limit")]
pub(super) struct OverMemory;

/// Counts the memory of one instance over all its memories. A denied growth traps at once: a guest that only
/// sees `-1` aborts somewhere else, and its author looks there.
#[derive(Debug)]
pub(super) struct MemoryLimiter {
    used: usize,
    limit: usize,
}

impl MemoryLimiter {
    pub(super) const fn new(limit: usize) -> Self {
        Self { used: 0, limit }
    }

    /// Whether more than half of what may be used is used. Memory never shrinks, so an instance that once grew keeps it.
    pub(super) const fn is_bloated(&self) -> bool {
        self.used > self.limit / 2
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used.saturating_sub(current).saturating_add(desired);
        if used > self.limit {
            return Err(OverMemory.into());
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        MAX_CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}
