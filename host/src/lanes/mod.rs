//! Placeholder: the interface that `deliver` needs.

use crate::model::{DeliveryId, EndpointId, Job, UnixMs};

/// What may be sent when.
#[derive(Debug, Clone)]
pub struct Lanes;

impl Lanes {
    /// The next job; `None` once shutdown was requested.
    pub async fn next(&self) -> Option<Job> {
        None
    }

    /// The POST is over: gives the slots back.
    pub fn sent(&self, _endpoint: EndpointId) {}

    /// The new state is in the store.
    pub fn settled(&self, _endpoint: EndpointId, _delivery: DeliveryId, _due_at: Option<UnixMs>) {}
}
