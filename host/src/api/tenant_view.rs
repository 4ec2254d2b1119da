//! A tenant as the API shows it.

use schemars::JsonSchema;
use serde::Serialize;

use super::binding_view::BindingView;
use crate::model::{TenantId, TenantSettings};
use crate::openapi::Time;
use crate::store::Backlog;

/// A tenant: what it has, and what is said about it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Tenant")]
pub(super) struct TenantView {
    /// What it is called.
    #[schemars(with = "TenantId")]
    name: String,
    /// For people.
    description: String,
    /// How many endpoints it has.
    endpoints: usize,
    /// How many API keys are for it alone.
    keys: usize,
    /// How many of its deliveries are not over, whatever they wait for; an event counts as one until it is dispatched.
    backlog_deliveries: u64,
    /// The bytes of their payloads.
    backlog_bytes: u64,
    /// The plugins that the deliveries of all its endpoints go through: after those of the gateway, before those of the
    /// endpoint.
    plugins: Vec<BindingView>,
    /// When description or plugins were last changed; `null`: nobody said anything.
    #[schemars(with = "Option<Time>")]
    updated_at: Option<String>,
}

/// How much a tenant has.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) endpoints: usize,
    pub(super) keys: usize,
}

impl TenantView {
    /// # Errors
    /// A stored configuration that is not JSON.
    pub(super) fn new(
        settings: &TenantSettings,
        counts: Counts,
        backlog: Backlog,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            name: settings.tenant.to_string(),
            description: settings.description.clone(),
            endpoints: counts.endpoints,
            keys: counts.keys,
            backlog_deliveries: backlog.deliveries,
            backlog_bytes: backlog.bytes,
            plugins: BindingView::all(&settings.plugins)?,
            updated_at: (!settings.is_empty()).then(|| settings.updated_at.to_string()),
        })
    }
}
