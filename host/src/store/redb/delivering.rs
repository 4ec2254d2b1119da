//! `finish_attempt`, `cancel_waiting` and `release_unsigned`: where a delivery goes after it waited.

use redb::ReadableTable as _;

use super::codec;
use super::failure::Failure;
use super::rows;
use super::schema::delivery_id;
use super::writer::{Batch, Change};
use crate::model::{DeliveryState, EndpointId, HoldReason, UnixMs};
use crate::store::FinishedAttempt;

impl Change for FinishedAttempt {
    type Output = ();

    fn is_urgent(&self) -> bool {
        false
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        let (id, tables) = (self.delivery, &mut batch.tables);
        let Some(mut row) = rows::delivery(&tables.deliveries, id)? else { return Ok(()) };
        if row.state.is_final() {
            return Ok(());
        }
        tables.stop_waiting(id, &row)?;
        if let Some(attempt) = &self.attempt {
            row.note(attempt);
            let key = (id.event.as_u128(), id.ordinal, attempt.number);
            tables.attempts.insert(key, codec::encode(attempt).as_slice())?;
        }
        row.enter(self.state, self.due_at, self.at);
        tables.store_delivery(id, &row)
    }
}

/// The verb.
pub(super) struct CancelWaiting {
    pub(super) endpoint: EndpointId,
    pub(super) at: UnixMs,
    pub(super) limit: usize,
}

impl Change for CancelWaiting {
    type Output = usize;

    fn is_urgent(&self) -> bool {
        false
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<usize, Failure> {
        let tables = &mut batch.tables;
        let endpoint = self.endpoint.as_u128();
        let mut waiting = Vec::new();
        for row in tables
            .queue
            .range((endpoint, 0, 0, 0)..=(endpoint, u64::MAX, u128::MAX, u16::MAX))?
            .take(self.limit)
        {
            let (_, _, event, ordinal) = row?.0.value();
            waiting.push(delivery_id(event, ordinal));
        }
        let rest = self.limit - waiting.len();
        for row in tables.endpoint_holds.range((endpoint, 0, 0)..=(endpoint, u128::MAX, u16::MAX))?.take(rest)
        {
            let (_, event, ordinal) = row?.0.value();
            waiting.push(delivery_id(event, ordinal));
        }
        let mut found = Vec::with_capacity(waiting.len());
        for id in waiting {
            found.push((id, rows::indexed_delivery(&tables.deliveries, id)?));
        }
        for (id, row) in &mut found {
            tables.stop_waiting(*id, row)?;
            row.enter(DeliveryState::Cancelled, None, self.at);
            tables.store_delivery(*id, row)?;
        }
        Ok(found.len())
    }
}

/// The verb.
pub(super) struct ReleaseUnsigned {
    pub(super) endpoint: EndpointId,
    pub(super) at: UnixMs,
    pub(super) until: UnixMs,
    pub(super) limit: usize,
}

impl Change for ReleaseUnsigned {
    type Output = usize;

    fn is_urgent(&self) -> bool {
        false
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<usize, Failure> {
        let tables = &mut batch.tables;
        let endpoint = self.endpoint.as_u128();
        let from = (endpoint, self.at.0.saturating_add(1), 0, 0);
        let mut found = Vec::new();
        for entry in tables.queue.range(from..=(endpoint, self.until.0, u128::MAX, u16::MAX))? {
            let (_, _, event, ordinal) = entry?.0.value();
            let id = delivery_id(event, ordinal);
            let row = rows::indexed_delivery(&tables.deliveries, id)?;
            if row.state == DeliveryState::Held(HoldReason::NoActiveSecret) {
                found.push((id, row));
            }
            if found.len() == self.limit {
                break;
            }
        }
        for (id, row) in &mut found {
            tables.stop_waiting(*id, row)?;
            row.due_at = Some(self.at);
            tables.store_delivery(*id, row)?;
        }
        Ok(found.len())
    }
}
