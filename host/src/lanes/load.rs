//! Reads what is due for a lane, in a task of its own, so that a slow read does not hold up other lanes.
//!
//! An endpoint that was given another order has to be indexed before its lane is read: a batch a transaction, and after a
//! crash from the beginning, which finds what is done. Then the lines of what waits are worked out, as far as the lane
//! looks.

use std::sync::Arc;
use std::time::Duration;

use super::Lanes;
use super::step::OrderedLoad;
use crate::json::Document;
use crate::model::{DeliveryId, EndpointId, Event, OrderId, UnixMs};
use crate::ordering;
use crate::store::{Due, DueInOrder, Error, InOrder, Lookout};

/// Pause before a failed read of the store is tried again.
const READ_RETRY: Duration = Duration::from_secs(1);
/// Deliveries indexed in one transaction, so that a large backlog does not hold up other writes.
const INDEX_BATCH: usize = 1_000;

impl Lanes {
    /// Answers [`super::step::Step::Load`].
    pub(super) fn load(&self, endpoint: EndpointId, limit: usize) {
        let lanes = self.clone();
        self.inner.shutdown.spawn(async move {
            let inner = &lanes.inner;
            let now = inner.clock.now();
            let due = inner.store.due(endpoint, now, limit).await;
            let due = due.unwrap_or_else(|error| Due {
                jobs: Vec::new(),
                next: Some(retry_at(endpoint, &error, now)),
            });
            inner.schedule().loaded(endpoint, due);
            inner.changed.notify_one();
        });
    }

    /// Answers [`super::step::Step::LoadInOrder`].
    pub(super) fn load_in_order(&self, load: OrderedLoad) {
        let lanes = self.clone();
        self.inner.shutdown.spawn(async move {
            let inner = &lanes.inner;
            let OrderedLoad { endpoint, limit, lookout, dispatched } = load;
            let order = lookout.order;
            let found = lanes.due_in_order(endpoint, lookout, limit).await.unwrap_or_else(|error| {
                // Without a place it was looked to: the next look is from the beginning.
                let next = Some(retry_at(endpoint, &error, inner.clock.now()));
                InOrder { next, ..InOrder::default() }
            });
            inner.schedule().loaded_in_order(endpoint, found, order, dispatched);
            inner.changed.notify_one();
        });
    }

    /// What is due in order, after all that has to be known for that.
    async fn due_in_order(
        &self,
        endpoint: EndpointId,
        lookout: Lookout,
        limit: usize,
    ) -> Result<InOrder, Error> {
        let inner = &self.inner;
        // Once the endpoint has another order, its lane asks again for that one.
        while inner.limits(endpoint).order == Some(lookout.order) && !inner.shutdown.is_requested() {
            let now = inner.clock.now();
            match inner.store.due_in_order(endpoint, lookout.clone(), now, limit).await? {
                DueInOrder::Due(found) => return Ok(found),
                DueInOrder::WithoutLine(found) => self.set_lines(endpoint, found).await?,
                DueInOrder::NotIndexed => self.index(endpoint, lookout.order).await?,
            }
        }
        Ok(InOrder { next: Some(inner.clock.now()), ..InOrder::default() })
    }

    async fn index(&self, endpoint: EndpointId, order: OrderId) -> Result<(), Error> {
        let inner = &self.inner;
        let mut after = None;
        while !inner.shutdown.is_requested() {
            match inner.store.index_order(endpoint, order, after, INDEX_BATCH).await? {
                Some(place) => after = Some(place),
                None => break,
            }
        }
        tracing::debug!(%endpoint, "what waits is in order");
        Ok(())
    }

    async fn set_lines(
        &self,
        endpoint: EndpointId,
        deliveries: Vec<(DeliveryId, Arc<Event>)>,
    ) -> Result<(), Error> {
        let Some(owner) = self.inner.directory.get(endpoint) else { return Ok(()) };
        let line = |(delivery, event): (DeliveryId, Arc<Event>)| {
            Some((delivery, ordering::line(&owner, &Document::new(event.data.clone()))?))
        };
        self.inner.store.set_lines(endpoint, deliveries.into_iter().filter_map(line).collect()).await
    }
}

fn retry_at(endpoint: EndpointId, error: &Error, now: UnixMs) -> UnixMs {
    tracing::error!(%endpoint, %error, "cannot read the deliveries that are due; trying again");
    now.after(READ_RETRY)
}
