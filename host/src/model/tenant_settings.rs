//! What an administrator says about a tenant. A tenant itself is nothing but its name.

use serde::{Deserialize, Serialize};

use super::{Binding, TenantId, UnixMs};

/// What goes for all endpoints of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantSettings {
    /// Whose.
    pub tenant: TenantId,
    /// For people.
    pub description: String,
    /// The plugins that judge and change the deliveries of all its endpoints: after those of the gateway, before those of the
    /// endpoint.
    pub plugins: Vec<Binding>,
    /// When they were last changed.
    pub updated_at: UnixMs,
}

impl TenantSettings {
    /// Those of a tenant that nobody said anything about.
    #[must_use]
    pub const fn none(tenant: TenantId) -> Self {
        Self { tenant, description: String::new(), plugins: Vec::new(), updated_at: UnixMs(0) }
    }

    /// Whether they say nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.description.is_empty() && self.plugins.is_empty()
    }
}
