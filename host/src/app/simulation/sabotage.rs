//! What is done wrong on purpose: a rule that notices nothing proves nothing.
//!
//! Most of it is done by the world, or by how the gateway is set up, so that what breaks is seen as it would be; the last ones change what
//! was found at the end.

/// What is done wrong on purpose, to see that it is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sabotage {
    /// Some requests are put on the wire twice.
    SendsTwice,
    /// Some requests are said to have arrived, and were never sent.
    SendsNothing,
    /// Some requests have another body.
    ChangesBody,
    /// Disks say that they stored what they did not.
    DisksLie,
    /// The gateway knows of no limits.
    IgnoresLimits,
    /// The gateway knows of no order.
    IgnoresOrder,
    /// The gateway retries at once.
    RetriesAtOnce,
    /// The gateway has no breakers.
    HasNoBreakers,
    /// The gateway takes any amount of work.
    IgnoresBacklog,
    /// Owners are told that their endpoints are deactivated or deleted, and they are not.
    IgnoresOwners,
    /// The gateway tells nobody what goes wrong.
    TellsNobody,
    /// Deliveries that failed wait an hour too long.
    DeliversLate,
    /// The store is read on and on, whether anything happens or not.
    ReadsOnAndOn,
    /// A task goes on after the end.
    LeavesTask,
    /// The store has lost a delivery.
    LosesDelivery,
    /// A delivery is never over.
    LeavesDeliveryOpen,
    /// A delivery is counted twice.
    Miscounts,
}
