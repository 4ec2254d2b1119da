//! What goes into the verbs that read the log and its statistics, and what comes out of them.

use std::time::Duration;

use crate::model::{Attempt, DeliveryId, EndpointId, EventKey, Tally, TenantId, Topic, UnixMs};

use super::{DeliverySummary, EventRecord};

/// Which events to list. Every field narrows.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of this tenant.
    pub tenant: Option<TenantId>,
    /// With this topic.
    pub topic: Option<Topic>,
    /// Whether an endpoint wanted it. One that is not dispatched yet is neither.
    pub matched: Option<bool>,
    /// Accepted at or after this time.
    pub since: Option<UnixMs>,
    /// Accepted before this time.
    pub until: Option<UnixMs>,
}

/// One page of events.
#[derive(Debug, Clone, Default)]
pub struct EventPage {
    /// The events, newest first.
    pub events: Vec<EventRecord>,
    /// Where the next page starts; `None` on the last one.
    pub next: Option<EventKey>,
}

/// What changed in the log after a certain change.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    /// The deliveries as they are now, each once, with the number of its last change, by rising number.
    pub rows: Vec<(u64, DeliverySummary)>,
    /// All changes up to this number were looked at.
    pub upto: u64,
    /// Changes are missing: they are no longer kept, or the number is none of this store.
    pub gap: bool,
}

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatisticsScope {
    /// Everything.
    All,
    /// What belongs to a tenant.
    Tenant(TenantId),
    /// All events of a topic, of whatever tenant.
    Topic(Topic),
    /// The events of a tenant with a topic.
    TopicOfTenant(TenantId, Topic),
    /// What goes to an endpoint.
    Endpoint(EndpointId),
}

/// A stretch of time that ends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    /// The last hour, to the beginning of five minutes.
    Hour,
    /// The last 24 hours, to the beginning of the hour.
    Day,
    /// The last 7 days, to the beginning of the hour.
    Week,
}

/// What was counted of a scope.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    /// For each window, when it begins and what is in it.
    pub windows: Vec<(Window, UnixMs, Tally)>,
    /// What waits now.
    pub standing: Standing,
    /// The last attempt of the last 7 days that did not succeed.
    pub last_error: Option<FailedAttempt>,
}

/// Deliveries that are in a state now that is no end. As they are stored: those of inactive endpoints are not held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// That wait for their first attempt.
    pub pending: u64,
    /// That wait for another attempt.
    pub retrying: u64,
    /// That are held.
    pub held: u64,
}

/// An attempt that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    /// When it ended.
    pub at: UnixMs,
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// The attempt.
    pub attempt: Attempt,
}

impl Standing {
    /// All of it is held: the endpoint is inactive.
    pub const fn hold_all(&mut self) {
        let Self { pending, retrying, held } = *self;
        *self = Self { pending: 0, retrying: 0, held: pending + retrying + held };
    }
}

impl Window {
    /// All of them, the shortest first.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    /// How long it is, at least.
    #[must_use]
    pub const fn length(self) -> Duration {
        match self {
            Self::Hour => Duration::from_secs(3600),
            Self::Day => Duration::from_secs(24 * 3600),
            Self::Week => Duration::from_secs(7 * 24 * 3600),
        }
    }
}
