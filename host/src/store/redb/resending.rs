//! `retry`, `cancel` and `replay`: what somebody has sent again, or not sent at all.

use redb::ReadableTable as _;

use super::codec::DeliveryRow;
use super::dispatching::MAX_DELIVERIES;
use super::failure::Failure;
use super::rows;
use super::schema::{Tables, deliveries_of};
use super::writer::{Awaited, Batch, Change};
use crate::model::{Delivery, DeliveryId, DeliveryState, EventKey, UnixMs};
use crate::store::{Error, NewDelivery, Replay, Resume, Retry};

/// The verb.
pub(super) struct Cancel {
    pub(super) id: DeliveryId,
    pub(super) at: UnixMs,
}

impl Change for Retry {
    type Output = Delivery;

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<Delivery, Failure> {
        let id = self.delivery;
        let row = rows::delivery(&batch.tables.deliveries, id)?.ok_or(Error::NotFound)?;
        if row.state != self.expected {
            return Err(Error::StateChanged.into());
        }
        if row.attempts == u16::MAX {
            return Err(Error::TooManyAttempts.into());
        }
        Ok(resend(&mut batch.tables, self, row)?.into_delivery(id))
    }
}

/// Has a delivery sent again whose row is this.
pub(super) fn resend(
    tables: &mut Tables<'_>,
    retry: Retry,
    mut row: DeliveryRow,
) -> Result<DeliveryRow, Failure> {
    let Retry { delivery, resume, at, .. } = retry;
    tables.stop_waiting(delivery, &row)?;
    match resume {
        Resume::AsItWas => {
            row.resume(at);
            tables.store_delivery(delivery, &row)?;
        }
        Resume::Judged(verdict) => tables.judge_delivery(delivery, &mut row, *verdict, at)?,
    }
    Ok(row)
}

impl Change for Cancel {
    type Output = Delivery;

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<Delivery, Failure> {
        let Self { id, at } = self;
        let tables = &mut batch.tables;
        let mut row = rows::delivery(&tables.deliveries, id)?.ok_or(Error::NotFound)?;
        if row.state.is_final() {
            return Err(Error::IsFinal(row.state.name()).into());
        }
        tables.stop_waiting(id, &row)?;
        row.enter(DeliveryState::Cancelled, None, at);
        tables.store_delivery(id, &row)?;
        Ok(row.into_delivery(id))
    }
}

impl Change for Replay {
    type Output = Vec<Delivery>;

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn bytes(&self) -> usize {
        self.deliveries
            .iter()
            .filter_map(|new| new.verdict.custom.as_ref())
            .map(|custom| custom.body.len())
            .sum()
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<Vec<Delivery>, Failure> {
        let Self { event, deliveries, at } = self;
        batch.tables.events.get(event.as_u128())?.ok_or(Error::NotFound)?;
        if batch.progress.is_undispatched(event) {
            return Err(Error::NotDispatched.into());
        }
        let first = next_ordinal(&batch.tables, event)?;
        let count = usize::from(first) + deliveries.len();
        if count > MAX_DELIVERIES - 1 {
            return Err(Error::TooManyDeliveries(count).into());
        }
        add(&mut batch.tables, event, deliveries, at)
    }
}

/// Adds deliveries to an event; those that are sent are due now, behind what came before.
pub(super) fn add(
    tables: &mut Tables<'_>,
    event: EventKey,
    deliveries: Vec<NewDelivery>,
    at: UnixMs,
) -> Result<Vec<Delivery>, Failure> {
    let first = next_ordinal(tables, event)?;
    let mut added = Vec::with_capacity(deliveries.len());
    for (ordinal, new) in (first..u16::MAX).zip(deliveries) {
        let id = DeliveryId { event, ordinal };
        added.push(tables.create_delivery(id, new, at, at)?.into_delivery(id));
    }
    Ok(added)
}

/// The ordinal after those that an event has; the last that there could be is never given.
fn next_ordinal(tables: &Tables<'_>, event: EventKey) -> Result<u16, Failure> {
    let last = tables.deliveries.range(deliveries_of(event))?.next_back().transpose()?;
    Ok(last.map_or(0, |(key, _)| key.value().1.saturating_add(1)))
}
