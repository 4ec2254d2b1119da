//! What the calls of a version may take, and the memory and tables that one instance may have.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use super::manifest::{Isolation, Manifest};
use super::options::Options;

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

/// What the calls of a version may take: what its manifest asks for, and the operator's word where it is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CallLimits {
    /// How long one call may take, on the wall clock.
    pub(super) deadline: Duration,
    /// How much linear memory one instance may have.
    pub(super) memory_bytes: usize,
    /// How much a guest may hand over in one call.
    pub(super) output_bytes: usize,
    /// How many calls one instance serves, give or take 20 %.
    pub(super) reuse: u32,
    /// How long an instance may be idle.
    pub(super) idle: Duration,
}

impl CallLimits {
    pub(super) fn of(manifest: &Manifest, options: &Options) -> Self {
        let Manifest { limits, reuse, isolation, .. } = manifest;
        let calls = match isolation {
            Isolation::Tenant => reuse.max_calls.map_or(options.reuse, |calls| calls.min(options.reuse)),
            Isolation::Event => 1,
        };
        Self {
            deadline: limits.deadline.unwrap_or(options.deadline),
            memory_bytes: limits.memory_bytes.unwrap_or(options.memory_bytes),
            output_bytes: limits.output_bytes.unwrap_or(options.output_bytes),
            reuse: calls,
            idle: reuse.idle.map_or(options.idle, |idle| idle.min(options.idle)),
        }
    }

    /// The same with another deadline, for what is no call.
    pub(super) const fn within(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }
}

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

    /// How much is used, in bytes.
    pub(super) const fn used(&self) -> usize {
        self.used
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
