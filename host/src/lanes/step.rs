//! What the schedule asks of its shell, and what it is told of the owners' limits.

use crate::model::{EndpointId, Job, OrderId, UnixMs};
use crate::store::Lookout;

/// What the owner of an endpoint limits. 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Limits {
    /// Attempts started in any second.
    pub(super) rate: u32,
    /// Attempts in flight.
    pub(super) burst: u32,
    /// Line by line in the order of acceptance, if the endpoint has an order.
    pub(super) order: Option<OrderId>,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Step {
    /// Attempt this one.
    Run(Job),
    /// Read the deliveries of this endpoint that are due from the store, at most so many.
    Load(EndpointId, usize),
    /// The same line by line.
    LoadInOrder(OrderedLoad),
    /// Nothing until something changes or this time has come.
    Wait(Option<UnixMs>),
}

/// What to read for an ordered lane.
#[derive(Debug)]
pub(super) struct OrderedLoad {
    /// Whose deliveries.
    pub(super) endpoint: EndpointId,
    /// At most so many.
    pub(super) limit: usize,
    /// Where to look.
    pub(super) lookout: Lookout,
    /// How many events had been fanned out before.
    pub(super) dispatched: u64,
}
