//! Deliveries that the open transaction made and has not written yet.
//!
//! Most deliveries are over before the transaction that made them is committed. Such a one is written once, as it is then: it
//! never stands in `queue`, and its row is not replaced.
//!
//! - Only the verbs of the flow look here. Before any other, and before the commit, all of them are written.
//! - The undelivered work counts them at once, as whoever is answered sees his own.
//! - One has at most one attempt: the journal notes one with each change.

use super::backlogs::Weight;
use super::codec::DeliveryRow;
use super::failure::Failure;
use super::rows;
use super::schema::{DeliveryKey, Tables, delivery_id, delivery_key};
use crate::model::DeliveryId;

/// One of them.
#[derive(Debug)]
pub(super) struct Unwritten {
    row: DeliveryRow,
    /// Of its event.
    weight: Weight,
}

impl Tables<'_> {
    /// Keeps a new delivery here, that is pending and in no line.
    pub(super) fn keep_unwritten(&mut self, id: DeliveryId, row: DeliveryRow, weight: Weight) {
        self.noted.backlog.changed(weight.of(), None, row.state.status());
        self.noted.unwritten.insert(delivery_key(id), Unwritten { row, weight });
    }

    /// The row of a delivery that is about to have an attempt recorded, written or not.
    pub(super) fn attempted(&mut self, id: DeliveryId) -> Result<Option<DeliveryRow>, Failure> {
        let key = delivery_key(id);
        match self.noted.unwritten.get(&key) {
            Some(Unwritten { row, .. }) if row.attempts == 0 => return Ok(Some(row.clone())),
            Some(_) => {
                if let Some(unwritten) = self.noted.unwritten.remove(&key) {
                    self.write_delivery(key, &unwritten)?;
                }
            }
            None => {}
        }
        rows::delivery(&self.deliveries, id)
    }

    /// Whether a delivery is kept here.
    pub(super) fn is_unwritten(&self, id: DeliveryId) -> bool {
        self.noted.unwritten.contains_key(&delivery_key(id))
    }

    /// Takes the new row of a delivery that is kept here; false if none is.
    pub(super) fn change_unwritten(&mut self, id: DeliveryId, row: &DeliveryRow) -> bool {
        let Some(unwritten) = self.noted.unwritten.get_mut(&delivery_key(id)) else { return false };
        let before = unwritten.row.state.status();
        self.noted.backlog.changed(unwritten.weight.of(), Some(before), row.state.status());
        unwritten.row = row.clone();
        true
    }

    /// Writes all of them, by rising key.
    pub(super) fn write_deliveries(&mut self) -> Result<(), Failure> {
        for (key, unwritten) in std::mem::take(&mut self.noted.unwritten) {
            self.write_delivery(key, &unwritten)?;
        }
        Ok(())
    }

    fn write_delivery(
        &mut self,
        (event, ordinal): DeliveryKey,
        unwritten: &Unwritten,
    ) -> Result<(), Failure> {
        let id = delivery_id(event, ordinal);
        self.index_delivery(id, &unwritten.row)?;
        self.write_row(id, &unwritten.row)?;
        self.note_in_journal(id, &unwritten.row)
    }
}
