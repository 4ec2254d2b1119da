//! `fan_out` and `redispatch`: what dispatch decided, into rows.

use std::sync::Arc;

use super::accept;
use super::codec::DeliveryRow;
use super::failure::Failure;
use super::rows;
use super::schema::delivery_key;
use super::writer::{Batch, Change};
use crate::model::{CustomRequest, DeliveryId, DeliveryState, UnixMs};
use crate::store::redb::codec;
use crate::store::{Error, FanOut, Verdict};

/// Ordinals are 16 bits.
const MAX_DELIVERIES: usize = 1 << 16;

impl Change for FanOut {
    type Output = ();

    fn is_urgent(&self) -> bool {
        self.durable
    }

    fn bytes(&self) -> usize {
        self.deliveries.iter().filter_map(|new| new.verdict.custom.as_ref()).map(size).sum()
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        if self.deliveries.len() > MAX_DELIVERIES {
            return Err(Error::TooManyDeliveries(self.deliveries.len()).into());
        }
        if !batch.progress.dispatch(self.event) {
            return Ok(());
        }
        let mut notices = Vec::new();
        for (ordinal, new) in (0..=u16::MAX).zip(self.deliveries) {
            let Verdict { state, due_at, plugins, custom, notice } = new.verdict;
            notices.extend(notice);
            let mut row = DeliveryRow {
                endpoint: new.endpoint,
                state: DeliveryState::Pending,
                attempts: 0,
                created_at: self.at,
                due_at: None,
                finished_at: None,
                plugins,
                has_custom: custom.is_some(),
                last: None,
            };
            // Due since the event came, so that what waits is in the order of acceptance, however long plugins took.
            // Never in the future: keys run ahead of a clock that was set back.
            let due_at = due_at.unwrap_or_else(|| self.event.time().min(self.at));
            row.enter(state, Some(due_at), self.at);
            let id = DeliveryId { event: self.event, ordinal };
            batch.tables.insert_delivery(id, &row, custom.as_deref(), new.line)?;
        }
        accept::notices(batch, notices)
    }
}

/// The verb.
pub(super) struct Redispatch {
    pub(super) id: DeliveryId,
    pub(super) verdict: Verdict,
    pub(super) durable: bool,
    pub(super) at: UnixMs,
}

impl Change for Redispatch {
    type Output = ();

    fn is_urgent(&self) -> bool {
        self.durable
    }

    fn bytes(&self) -> usize {
        self.verdict.custom.as_ref().map_or(0, size)
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        let tables = &mut batch.tables;
        let Some(mut row) = rows::delivery(&tables.deliveries, self.id)? else { return Ok(()) };
        if row.state.judged_times().is_none() {
            return Ok(());
        }
        tables.stop_waiting(self.id, &row)?;
        let Verdict { state, due_at, plugins, custom, notice } = self.verdict;
        row.enter(state, due_at, self.at);
        row.plugins = plugins;
        if let Some(custom) = &custom {
            row.has_custom = true;
            tables.custom.insert(delivery_key(self.id), codec::encode(custom.as_ref()).as_slice())?;
        }
        tables.store_delivery(self.id, &row)?;
        accept::notices(batch, notice)
    }
}

fn size(custom: &Arc<CustomRequest>) -> usize {
    custom.body.len()
}
