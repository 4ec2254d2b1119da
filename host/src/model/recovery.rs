//! Recoveries: persistent jobs that have a range of an endpoint's events sent again.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Delivery, DeliveryId, DeliveryState, EndpointId, EventKey, RecoveryId, TenantId, UnixMs};

/// One job, as it is stored. Where it stands is in here, so that it goes on after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// Its id.
    pub id: RecoveryId,
    /// Whose deliveries.
    pub endpoint: EndpointId,
    /// Whose endpoint that is.
    pub tenant: TenantId,
    /// Events accepted at or after this time.
    pub since: UnixMs,
    /// Events accepted before this time.
    pub until: UnixMs,
    /// Which of them. Never empty.
    pub wanted: BTreeSet<Wanted>,
    /// When somebody asked for it.
    pub created_at: UnixMs,
    /// Where it stands.
    pub state: RecoveryState,
    /// When it ended.
    pub ended_at: Option<UnixMs>,
    /// The next delivery to look at; those before are done. Ordinal 0: the next event.
    pub place: DeliveryId,
    /// How many deliveries, and events without one, it has looked at.
    pub scanned: u64,
    /// How many it has had sent again, or for the first time.
    pub resent: u64,
}

/// What a recovery is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Deliveries that were given up.
    Failed,
    /// Deliveries that somebody cancelled.
    Cancelled,
    /// Deliveries that the filter or a plugin dropped: they are judged anew.
    Filtered,
    /// Deliveries that arrived.
    Delivered,
    /// Events that the endpoint wants and has no delivery of: from before it was created or wanted their topic.
    Missed,
}

/// Where a recovery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryState {
    /// It goes on.
    Running,
    /// All of its range is done.
    Done,
    /// Somebody cancelled it, or its endpoint was deleted. What it had sent again stays so.
    Cancelled,
}

impl Recovery {
    /// Where its range begins.
    #[must_use]
    pub const fn start(since: UnixMs) -> DeliveryId {
        DeliveryId { event: EventKey::first_at(since), ordinal: 0 }
    }

    /// Whether it is to send a delivery again.
    #[must_use]
    pub fn wants(&self, delivery: &Delivery) -> bool {
        Wanted::of(&delivery.state).is_some_and(|wanted| self.wanted.contains(&wanted))
    }
}

impl Wanted {
    /// What a delivery in this state is wanted for; `None` while it waits.
    #[must_use]
    pub const fn of(state: &DeliveryState) -> Option<Self> {
        match state {
            DeliveryState::Failed(_) => Some(Self::Failed),
            DeliveryState::Cancelled => Some(Self::Cancelled),
            DeliveryState::Filtered { .. } => Some(Self::Filtered),
            DeliveryState::Delivered => Some(Self::Delivered),
            DeliveryState::Pending | DeliveryState::Retrying | DeliveryState::Held(_) => None,
        }
    }
}

impl RecoveryState {
    /// The word that the API uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}
