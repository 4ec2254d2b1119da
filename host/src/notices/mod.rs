//! Operational events: what the gateway itself tells the tenant that `operations.tenant` names.
//!
//! Once it is stored, an operational event is an event like any other. Rules:
//!
//! - It is accepted in the transaction of its cause: a crash leaves both or neither. Then [`Notices::ring`] tells
//!   dispatch that the store has it.
//! - What an operational event causes is not told, so that none ever leads to another.
//! - It names what happened and holds no secret: of a URL neither query nor user.

mod notice;

use std::sync::Arc;

use serde::Deserialize;

pub use self::notice::{GivenUp, Notice, PluginBreaker, Stop};
use crate::clock::Clock;
use crate::handoff;
use crate::model::{Endpoint, Event, TenantId};
use crate::store::NewEvent;

/// Who is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The tenant whose endpoints get operational events; without one there are none.
    pub tenant: Option<TenantId>,
}

/// Makes operational events for the tenant that wants them. Clones share the way to dispatch.
#[derive(Debug, Clone)]
pub struct Notices(Option<Desk>);

#[derive(Debug, Clone)]
struct Desk {
    tenant: TenantId,
    clock: Clock,
    dispatch: handoff::Sender<Arc<Event>>,
}

impl Notices {
    /// Operational events for the tenant of the options, if they name one.
    #[must_use]
    pub fn new(options: &Options, clock: Clock, dispatch: handoff::Sender<Arc<Event>>) -> Self {
        Self(options.tenant.clone().map(|tenant| Desk { tenant, clock, dispatch }))
    }

    /// No operational events.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    /// Whether anybody is told.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether this tenant is the one that is told.
    #[must_use]
    pub fn tells(&self, tenant: &TenantId) -> bool {
        self.0.as_ref().is_some_and(|desk| desk.tenant == *tenant)
    }

    /// The event that tells it; `None` when nobody is told, or when an operational event is its cause.
    #[must_use]
    pub fn event(&self, notice: &Notice<'_>) -> Option<NewEvent> {
        let desk = self.0.as_ref()?;
        (!notice.is_caused_by_one()).then(|| notice.to_event(desk.tenant.clone(), desk.clock.now()))
    }

    /// The events about a change of an endpoint.
    #[must_use]
    pub fn of_change(&self, before: &Endpoint, after: &Endpoint) -> Vec<NewEvent> {
        Notice::of_change(before, after).iter().filter_map(|notice| self.event(notice)).collect()
    }

    /// Tells dispatch that the store has an operational event. To be called once it is committed.
    pub fn ring(&self) {
        if let Some(desk) = &self.0 {
            desk.dispatch.note_missed();
        }
    }
}
