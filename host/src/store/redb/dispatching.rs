//! `fan_out` and `redispatch`: what dispatch decided, into rows.

use std::borrow::Cow;
use std::sync::Arc;

use super::accept;
use super::codec::DeliveryRow;
use super::failure::Failure;
use super::rows;
use super::schema::Tables;
use super::wal::Record;
use super::writer::{Awaited, Batch, Change};
use crate::model::{CustomRequest, DeliveryId, DeliveryState, UnixMs};
use crate::store::{Error, FanOut, NewDelivery, Verdict};

/// Ordinals are 16 bits.
pub(super) const MAX_DELIVERIES: usize = 1 << 16;

impl Change for FanOut {
    type Output = ();

    /// Operational events get keys of their own when they are accepted, so the log could not repeat them.
    fn awaits(&self) -> Awaited {
        match self.durable {
            false => Awaited::Turn,
            true if self.deliveries.iter().any(|new| new.verdict.notice.is_some()) => Awaited::CommitNow,
            true => Awaited::Log,
        }
    }

    fn is_of_flow(&self) -> bool {
        true
    }

    fn bytes(&self) -> usize {
        self.deliveries.iter().filter_map(|new| new.verdict.custom.as_ref()).map(size).sum()
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        if self.deliveries.len() > MAX_DELIVERIES {
            return Err(Error::TooManyDeliveries(self.deliveries.len()).into());
        }
        let Some(weight) = batch.progress.dispatch(self.event) else { return Ok(()) };
        batch.tables.noted.backlog.dispatched(&weight);
        batch.tables.noted.dispatched(self.event);
        if self.awaits() == Awaited::Log {
            batch.records.add(|| Record::FanOut(Cow::Borrowed(&self)));
        }
        let mut notices = Vec::new();
        // Due since the event came, so that what waits is in the order of acceptance, however long plugins took.
        // Never in the future: keys run ahead of a clock that was set back.
        let due_at = self.event.time().min(self.at);
        for (ordinal, mut new) in (0..=u16::MAX).zip(self.deliveries) {
            notices.extend(new.verdict.notice.take());
            let id = DeliveryId { event: self.event, ordinal };
            if new.line.is_none() && new.verdict.state == DeliveryState::Pending {
                let (row, custom) = begin_delivery(new, due_at, self.at);
                batch.tables.keep_unwritten(id, row, custom, weight.clone());
            } else {
                batch.tables.create_delivery(id, new, due_at, self.at)?;
            }
        }
        accept::notices(batch, notices)
    }
}

impl Tables<'_> {
    /// Stores what was decided about a new delivery, at this time. One that is sent is due at `due_at`.
    pub(super) fn create_delivery(
        &mut self,
        id: DeliveryId,
        new: NewDelivery,
        due_at: UnixMs,
        at: UnixMs,
    ) -> Result<DeliveryRow, Failure> {
        let line = new.line;
        let (row, custom) = begin_delivery(new, due_at, at);
        if custom.is_some() {
            self.set_custom(id, custom.as_deref())?;
        }
        self.insert_delivery(id, &row, line)?;
        Ok(row)
    }

    /// Stores what was decided about a delivery that had been judged before, and whose row was taken out.
    pub(super) fn judge_delivery(
        &mut self,
        id: DeliveryId,
        row: &mut DeliveryRow,
        verdict: Verdict,
        at: UnixMs,
    ) -> Result<(), Failure> {
        let Verdict { state, due_at, plugins, custom, notice: _ } = verdict;
        row.enter(state, due_at, at);
        row.plugins = plugins;
        if custom.is_some() || row.has_custom {
            self.set_custom(id, custom.as_deref())?;
        }
        row.has_custom = custom.is_some();
        self.store_delivery(id, row)
    }
}

/// The row of a new delivery, and the request that a transform made of it, if one did.
fn begin_delivery(new: NewDelivery, due_at: UnixMs, at: UnixMs) -> (DeliveryRow, Option<Arc<CustomRequest>>) {
    let Verdict { state, due_at: held_until, plugins, custom, notice: _ } = new.verdict;
    let mut row = DeliveryRow::new(new.endpoint, at);
    row.plugins = plugins;
    row.has_custom = custom.is_some();
    row.enter(state, Some(held_until.unwrap_or(due_at)), at);
    (row, custom)
}

/// The verb.
pub(super) struct Redispatch {
    pub(super) id: DeliveryId,
    pub(super) verdict: Verdict,
    pub(super) durable: bool,
    pub(super) at: UnixMs,
}

impl Change for Redispatch {
    type Output = bool;

    fn awaits(&self) -> Awaited {
        if self.durable { Awaited::CommitNow } else { Awaited::Commit }
    }

    fn bytes(&self) -> usize {
        self.verdict.custom.as_ref().map_or(0, size)
    }

    fn apply(mut self, batch: &mut Batch<'_>) -> Result<bool, Failure> {
        let tables = &mut batch.tables;
        let Some(mut row) = rows::delivery(&tables.deliveries, self.id)? else { return Ok(false) };
        if row.state.judged_times().is_none() {
            return Ok(false);
        }
        let notice = self.verdict.notice.take();
        tables.stop_waiting(self.id, &row)?;
        tables.judge_delivery(self.id, &mut row, self.verdict, self.at)?;
        accept::notices(batch, notice)?;
        Ok(true)
    }
}

fn size(custom: &Arc<CustomRequest>) -> usize {
    custom.body.len()
}
