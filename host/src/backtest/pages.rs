//! The events of the log, newest first: one page is looked at while the next one is read.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::model::{Event, EventKey};
use crate::store::{Error, EventFilter, EventPage, Store};

/// Events of the first page, before anything is known about their size.
const FIRST: u64 = 64;
/// Events of a page at most.
const MAX_EVENTS: u64 = 512;
/// What a page should take at most. One event may be larger.
const MAX_BYTES: u64 = 4 << 20;

/// What is left to read.
pub(super) struct Pages {
    store: Arc<dyn Store>,
    filter: EventFilter,
    /// Events that may still be read, those under way not among them.
    left: u64,
    under_way: Option<JoinHandle<Result<EventPage, Error>>>,
    has_more: bool,
}

impl Pages {
    /// At most `limit` events that pass.
    pub(super) fn new(store: Arc<dyn Store>, filter: EventFilter, limit: u64) -> Self {
        let mut pages = Self { store, filter, left: limit, under_way: None, has_more: false };
        pages.begin(None, FIRST);
        pages
    }

    /// The next events; perhaps none of those that were looked at pass. `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Arc<Event>>>, Error> {
        let Some(reading) = self.under_way.take() else { return Ok(None) };
        let page = reading.await.map_err(|error| Error::Storage(Arc::new(error)))??;
        let events = page.events.into_iter().map(|record| record.event);
        // Of those that were changed on the disk nobody knows what a plugin would say.
        let events: Vec<_> = events.filter(|event| !event.data.is_empty()).collect();
        self.left -= self.left.min(events.len() as u64);
        self.has_more = page.next.is_some();
        if page.next.is_some() {
            self.begin(page.next, size_after(&events));
        }
        Ok(Some(events))
    }

    /// Whether the limit ended it and there may be more events.
    pub(super) const fn has_more(&self) -> bool {
        self.has_more
    }

    fn begin(&mut self, cursor: Option<EventKey>, size: u64) {
        let limit = usize::try_from(size.min(self.left)).unwrap_or(usize::MAX);
        if limit == 0 {
            return;
        }
        let (store, filter) = (Arc::clone(&self.store), self.filter.clone());
        self.under_way = Some(tokio::spawn(async move { store.events(filter, cursor, limit).await }));
    }
}

/// How many events to read next, if they are like these.
fn size_after(events: &[Arc<Event>]) -> u64 {
    let bytes: u64 = events.iter().map(|event| event.data.len() as u64).sum();
    let average = bytes / (events.len() as u64).max(1);
    (MAX_BYTES / average.max(1)).clamp(1, MAX_EVENTS)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::{EnvelopeCache, EventId, TenantId, UnixMs};

    fn events(count: usize, bytes: usize) -> Vec<Arc<Event>> {
        let key = EventKey::new(UnixMs(1), 1);
        let event = || Event {
            key,
            id: EventId::from(key),
            tenant: TenantId::default(),
            topic: "a".parse().unwrap(),
            timestamp: jiff::Timestamp::UNIX_EPOCH,
            accepted_at: UnixMs(1),
            data: Bytes::from(vec![b' '; bytes]),
            test_of: None,
            trace: None,
            envelope: EnvelopeCache::default(),
        };
        (0..count).map(|_| Arc::new(event())).collect()
    }

    #[test]
    fn pages_are_as_large_as_memory_allows() {
        for (count, bytes, size) in [(0, 0, 512), (10, 500, 512), (10, 64 << 10, 64), (1, 8 << 20, 1)] {
            assert_eq!(size_after(&events(count, bytes)), size, "{count} of {bytes}");
        }
    }
}
