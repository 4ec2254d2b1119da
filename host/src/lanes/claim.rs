//! What others than the last stage do to deliveries in their lanes: take one out to change it, and wait until there is room.

use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Lanes;
use crate::model::{DeliveryId, EndpointId};

/// How long until a lane is looked at again if no attempt ends before: a rate limit lets the next one start by then.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The same where nothing has ended for as long: most likely the receiver is down.
const LOOK_RARELY: Duration = Duration::from_secs(1);

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

    /// Waits until there is room, and says how much; `None` when it is time to stop. While the endpoint is inactive nothing is
    /// looked at: that may last for months. One that was deleted has room.
    pub async fn until_room(&self, endpoint: EndpointId) -> Option<usize> {
        let inner = &self.inner;
        let mut changes = inner.directory.changes();
        let mut pause = LOOK_AGAIN;
        loop {
            let ended = inner.ended.notified();
            let room = self.room(endpoint);
            if room > 0 {
                return Some(room);
            }
            if inner.directory.is_inactive(endpoint) {
                tokio::select! {
                    () = changed(&mut changes, endpoint) => {}
                    () = inner.shutdown.requested() => return None,
                }
                continue;
            }
            tokio::select! {
                () = ended => pause = LOOK_AGAIN,
                () = inner.clock.sleep_until(inner.clock.now().after(pause)) => {
                    pause = (pause * 2).min(LOOK_RARELY);
                }
                () = inner.shutdown.requested() => return None,
            }
        }
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

/// Waits until somebody changed the endpoint, or may have.
async fn changed(changes: &mut Receiver<EndpointId>, endpoint: EndpointId) {
    loop {
        match changes.recv().await {
            Ok(other) if other != endpoint => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            // Nobody can change it any more.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.lanes.inner.schedule().put_back(self.endpoint, self.delivery);
        self.lanes.inner.changed.notify_one();
    }
}
