//! Deliveries that the open transaction made and has not written yet.
//!
//! Most deliveries are over before the transaction that made them is committed. Such a one is written once, as it is then: it
//! never stands in `queue`, and its row is not replaced.
//!
//! - Only the verbs of the flow look here. Before any other, and before the commit, all of them are written.
//! - They are written by rising key, with all that belongs to them: what is appended to a table fills its pages, and anything else leaves
//!   them half empty. So one that is over waits for those before it, unless that would keep too much.
//! - The undelivered work counts them at once, as whoever is answered sees his own.
//! - One has at most one attempt: the journal notes one with each change.

use std::sync::Arc;

use super::backlogs::Weight;
use super::codec::DeliveryRow;
use super::failure::Failure;
use super::rows;
use super::schema::{DeliveryKey, Tables, delivery_id, delivery_key};
use super::upkeep::Noted;
use crate::model::{CustomRequest, DeliveryId};

/// Bytes of attempts that are kept behind a delivery that is not over: some ten thousand of the usual size. All else that is kept is bounded
/// with the transaction.
const MAX_ATTEMPT_BYTES: usize = 4 << 20;

/// One of them.
#[derive(Debug)]
pub(super) struct Unwritten {
    row: DeliveryRow,
    /// Of its event.
    weight: Weight,
    /// The request that a transform made.
    custom: Option<Arc<CustomRequest>>,
    /// The number and the row of its attempt.
    attempt: Option<(u16, Vec<u8>)>,
}

impl Tables<'_> {
    /// Keeps a new delivery here, that is pending and in no line.
    pub(super) fn keep_unwritten(
        &mut self,
        id: DeliveryId,
        row: DeliveryRow,
        custom: Option<Arc<CustomRequest>>,
        weight: Weight,
    ) {
        self.noted.backlog.changed(weight.of(), None, row.state.status());
        let unwritten = Unwritten { row, weight, custom, attempt: None };
        self.noted.unwritten.insert(delivery_key(id), unwritten);
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

    /// Keeps the row of the attempt of a delivery that is kept here; gives it back if none is.
    pub(super) fn keep_attempt(&mut self, id: DeliveryId, number: u16, row: Vec<u8>) -> Option<Vec<u8>> {
        let Some(unwritten) = self.noted.unwritten.get_mut(&delivery_key(id)) else { return Some(row) };
        self.noted.attempt_bytes += row.len();
        unwritten.attempt = Some((number, row));
        None
    }

    /// Writes the first of them, up to one that may still end in this transaction.
    pub(super) fn write_attempted(&mut self) -> Result<(), Failure> {
        while let Some((key, unwritten)) = self.noted.pop_attempted() {
            self.write_delivery(key, &unwritten)?;
        }
        Ok(())
    }

    /// Writes all of them.
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
        if unwritten.custom.is_some() {
            self.set_custom(id, unwritten.custom.as_deref())?;
        }
        self.write_row(id, &unwritten.row)?;
        if let Some((number, row)) = &unwritten.attempt {
            self.noted.attempt_bytes -= row.len();
            self.insert_attempt_row(id, *number, row)?;
        }
        self.note_in_journal(id, &unwritten.row)
    }
}

impl Noted {
    /// Takes the first one out if it had its attempt, or too much is kept behind it.
    fn pop_attempted(&mut self) -> Option<(DeliveryKey, Unwritten)> {
        let is_much = self.attempt_bytes > MAX_ATTEMPT_BYTES;
        let first = self.unwritten.first_entry().filter(|first| is_much || first.get().row.attempts > 0)?;
        Some(first.remove_entry())
    }
}
