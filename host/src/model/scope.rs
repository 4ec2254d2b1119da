//! What an API key may do, and how people write it: `admin`, `tenant:NAME`, `events:write`, `events:write:NAME`,
//! `metrics:read`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{TenantId, TenantIdError};

/// What a key may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Everything.
    Admin,
    /// The endpoints and the log of one tenant.
    Tenant(TenantId),
    /// Post events, for one tenant or for all.
    EventsWrite(Option<TenantId>),
    /// Read what the gateway counts of itself.
    MetricsRead,
}

/// Why a text is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// It begins like none.
    #[error("a scope is `admin`, `tenant:NAME`, `events:write`, `events:write:NAME` or `metrics:read`")]
    Unknown,
    /// What stands where a tenant's name should.
    #[error(transparent)]
    Tenant(#[from] TenantIdError),
}

impl Scope {
    /// How people write one, as a regular expression.
    pub const PATTERN: &str =
        "^(admin|tenant:[A-Za-z0-9_-]{1,64}|events:write(:[A-Za-z0-9_-]{1,64})?|metrics:read)$";

    /// Whether it may manage what belongs to this tenant and read its log.
    #[must_use]
    pub fn manages(&self, tenant: &TenantId) -> bool {
        match self {
            Self::Admin => true,
            Self::Tenant(own) => own == tenant,
            Self::EventsWrite(_) | Self::MetricsRead => false,
        }
    }

    /// Whether it may read what the gateway counts.
    #[must_use]
    pub const fn reads_metrics(&self) -> bool {
        matches!(self, Self::Admin | Self::MetricsRead)
    }

    /// Whether it may post events of this tenant.
    #[must_use]
    pub fn posts_events_of(&self, tenant: &TenantId) -> bool {
        match self {
            Self::Admin | Self::EventsWrite(None) => true,
            Self::EventsWrite(Some(own)) => own == tenant,
            Self::Tenant(_) | Self::MetricsRead => false,
        }
    }

    /// The tenant that it is confined to, if it is.
    #[must_use]
    pub const fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Tenant(own) | Self::EventsWrite(Some(own)) => Some(own),
            Self::Admin | Self::EventsWrite(None) | Self::MetricsRead => None,
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if let Some(name) = text.strip_prefix("tenant:") {
            return Ok(Self::Tenant(name.parse()?));
        }
        if let Some(name) = text.strip_prefix("events:write:") {
            return Ok(Self::EventsWrite(Some(name.parse()?)));
        }
        match text {
            "admin" => Ok(Self::Admin),
            "events:write" => Ok(Self::EventsWrite(None)),
            "metrics:read" => Ok(Self::MetricsRead),
            _ => Err(ScopeError::Unknown),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin => f.write_str("admin"),
            Self::Tenant(tenant) => write!(f, "tenant:{tenant}"),
            Self::EventsWrite(None) => f.write_str("events:write"),
            Self::EventsWrite(Some(tenant)) => write!(f, "events:write:{tenant}"),
            Self::MetricsRead => f.write_str("metrics:read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_as_it_is_written() {
        for text in ["admin", "tenant:acme", "events:write", "events:write:acme", "metrics:read"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "Admin",
            "admin ",
            "tenant",
            "tenant:",
            "tenant:a b",
            "events:write:",
            "events",
            "events:read",
        ] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }
}
