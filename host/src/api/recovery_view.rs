//! How recoveries are shown.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{EndpointId, Recovery, RecoveryId, RecoveryState, TenantId, Wanted};
use crate::openapi::Time;
use crate::replay::Count;

/// A recovery and where it stands.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Recovery")]
pub(super) struct RecoveryView {
    /// Its id.
    #[schemars(with = "RecoveryId")]
    id: String,
    /// Whose events are sent again.
    #[schemars(with = "EndpointId")]
    endpoint_id: String,
    /// Whose endpoint that is.
    #[schemars(with = "TenantId")]
    tenant: String,
    /// Events accepted at this time or later.
    #[schemars(with = "Time")]
    since: String,
    /// Events accepted before this time.
    #[schemars(with = "Time")]
    until: String,
    /// Which of them.
    status: Vec<Wanted>,
    /// Where it stands.
    #[schemars(with = "RecoveryState")]
    state: &'static str,
    /// Why it does not go on, if it runs and does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    waits_for: Option<&'static str>,
    /// Up to when the events are done.
    #[schemars(with = "Time")]
    position: String,
    /// How many deliveries, and events without one, it has looked at.
    scanned: u64,
    /// How many of them it has sent.
    resent: u64,
    /// When it was started.
    #[schemars(with = "Time")]
    created_at: String,
    /// When it ended.
    #[schemars(with = "Option<Time>")]
    ended_at: Option<String>,
}

/// What one would find.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RecoveryCount")]
pub(super) struct CountView {
    /// Always true.
    dry_run: bool,
    /// Whose events were counted.
    #[schemars(with = "EndpointId")]
    endpoint_id: String,
    /// Events accepted at this time or later.
    #[schemars(with = "Time")]
    since: String,
    /// Events accepted before this time.
    #[schemars(with = "Time")]
    until: String,
    /// How many there are of each status that was asked for.
    #[schemars(with = "BTreeMap<String, u64>")]
    found: BTreeMap<Wanted, u64>,
    /// How many deliveries, and events without one, were looked at: at most about 200000.
    scanned: u64,
    /// Whether that was the whole range.
    complete: bool,
}

impl RecoveryView {
    pub(super) fn new(recovery: &Recovery, waits_for: Option<&'static str>) -> Self {
        Self {
            id: recovery.id.to_string(),
            endpoint_id: recovery.endpoint.to_string(),
            tenant: recovery.tenant.to_string(),
            since: recovery.since.to_string(),
            until: recovery.until.to_string(),
            status: recovery.wanted.iter().copied().collect(),
            state: recovery.state.name(),
            waits_for,
            position: recovery.place.event.time().to_string(),
            scanned: recovery.scanned,
            resent: recovery.resent,
            created_at: recovery.created_at.to_string(),
            ended_at: recovery.ended_at.map(|at| at.to_string()),
        }
    }
}

impl CountView {
    pub(super) fn new(recovery: &Recovery, count: Count) -> Self {
        Self {
            dry_run: true,
            endpoint_id: recovery.endpoint.to_string(),
            since: recovery.since.to_string(),
            until: recovery.until.to_string(),
            found: count.found,
            scanned: count.scanned,
            complete: count.is_complete,
        }
    }
}
