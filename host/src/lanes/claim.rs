//! What others than the last stage do to deliveries in their lanes: take one out to change it, and wait until there is room.

use std::time::Duration;

use super::Lanes;
use crate::model::{DeliveryId, EndpointId};

/// How long until a lane is looked at again if no attempt ends before: a rate limit lets the next one start by then.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A delivery that is out of its lane, so that no attempt of it starts. Goes back when it is dropped; the lane then looks at
/// the store.
#[must_use]
pub struct Claim {
    lanes: Lanes,
    endpoint: EndpointId,
    delivery: DeliveryId,
}

impl Lanes {
    /// Takes a delivery out of its lane; `None` while an attempt of it is under way or not recorded yet.
    pub fn claim(&self, endpoint: EndpointId, delivery: DeliveryId) -> Option<Claim> {
        let is_free = self.inner.schedule().claim(endpoint, delivery);
        is_free.then(|| Claim { lanes: self.clone(), endpoint, delivery })
    }

    /// The same once the attempt is over and recorded; `None` when it is time to stop.
    pub async fn claim_when_free(&self, endpoint: EndpointId, delivery: DeliveryId) -> Option<Claim> {
        loop {
            if let Some(claim) = self.claim(endpoint, delivery) {
                return Some(claim);
            }
            if !self.something_ended().await {
                return None;
            }
        }
    }

    /// How many deliveries of an endpoint may be made due so that whatever comes fresh hardly waits for them: 0 while
    /// something waits for it already, or while it is inactive.
    #[must_use]
    pub fn room(&self, endpoint: EndpointId) -> usize {
        let (limits, now) = (self.inner.limits(endpoint), self.inner.clock.now());
        self.inner.schedule().room(endpoint, limits, now)
    }

    /// Waits until an attempt ended, or a little while; false when it is time to stop.
    pub async fn something_ended(&self) -> bool {
        let inner = &self.inner;
        tokio::select! {
            () = inner.ended.notified() => true,
            () = inner.clock.sleep_until(inner.clock.now().after(LOOK_AGAIN)) => true,
            () = inner.shutdown.requested() => false,
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.lanes.inner.schedule().put_back(self.endpoint, self.delivery);
        self.lanes.inner.changed.notify_one();
    }
}
