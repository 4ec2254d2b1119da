//! How much undelivered work there is and may be: events that are not dispatched yet, and deliveries that are not over, whatever
//! they wait for.
//!
//! What waits for an endpoint that is down or inactive counts like all else: it lies on the same disk, and what did not count would
//! have no bound. It counts for its own tenant, so one tenant's dead endpoint refuses no event of another.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::StoreFull;
use crate::model::TenantId;

/// Undelivered work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Deliveries that are not over, and events that are not dispatched yet.
    pub deliveries: u64,
    /// The payloads of all of them; that of an event as often as it is to be delivered.
    pub bytes: u64,
}

/// How much of it there may be. 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BacklogLimit {
    /// Deliveries.
    pub deliveries: u64,
    /// Bytes of payload.
    pub bytes: u64,
}

/// The limits of all and each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BacklogLimits {
    /// Of all tenants together.
    pub all: BacklogLimit,
    /// Of each tenant.
    pub tenant: BacklogLimit,
    /// Of these tenants instead.
    pub tenants: BTreeMap<TenantId, BacklogLimit>,
}

/// Why an event is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BacklogFull {
    /// There is as much undelivered work as may be.
    Work {
        /// Whose; `None` for that of all tenants together.
        tenant: Option<TenantId>,
        /// How much there is.
        backlog: Backlog,
        /// How much there may be.
        limit: BacklogLimit,
    },
    /// The store may not grow, and has nothing else in it.
    Store(StoreFull),
}

impl BacklogLimit {
    /// Whether there is as much as may be. One event below the limit is taken however large it is, so no limit can refuse an
    /// event for ever.
    #[must_use]
    pub const fn is_reached(self, by: Backlog) -> bool {
        self.deliveries > 0 && by.deliveries >= self.deliveries || self.bytes > 0 && by.bytes >= self.bytes
    }
}

impl BacklogLimits {
    /// That of a tenant.
    #[must_use]
    pub fn of(&self, tenant: &TenantId) -> BacklogLimit {
        self.tenants.get(tenant).copied().unwrap_or(self.tenant)
    }
}

impl fmt::Display for BacklogFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tenant, backlog, limit) = match self {
            Self::Work { tenant, backlog, limit } => (tenant, backlog, limit),
            Self::Store(full) => return full.fmt(f),
        };
        match tenant {
            Some(tenant) => write!(f, "the tenant `{tenant}` has")?,
            None => write!(f, "all tenants together have")?,
        }
        write!(f, " {} deliveries with {} bytes that are not over", backlog.deliveries, backlog.bytes)?;
        write!(f, ", and may have {} and {} (0 = any number)", limit.deliveries, limit.bytes)
    }
}
