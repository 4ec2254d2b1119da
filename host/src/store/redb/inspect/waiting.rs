//! Where deliveries wait: queue, holds, lines, and the log of each endpoint. All of it is said by the deliveries.

use redb::{ReadableTable as _, ReadableTableMetadata as _};

use super::{Counted, Damage, Inspection};
use crate::model::DeliveryId;
use crate::store::redb::codec::{self, DeliveryRow, Waits};
use crate::store::redb::failure::Failure;
use crate::store::redb::ordered::due_time;
use crate::store::redb::schema::{delivery_id, delivery_key};

impl Inspection<'_, '_> {
    /// A delivery that waits is in its line, if its endpoint has an order and all that waits for it is indexed.
    pub(super) fn in_line(&mut self, id: DeliveryId, row: &DeliveryRow) -> Result<(), Failure> {
        let endpoint = row.endpoint.as_u128();
        if due_time(row).is_none() || self.tables.orders.get(endpoint)?.is_none_or(|order| !order.value().1) {
            return Ok(());
        }
        let (event, ordinal) = delivery_key(id);
        if self.tables.ordered.get((endpoint, event, ordinal))?.is_none() {
            self.found("ordered", Damage::Disagrees, id);
        }
        Ok(())
    }

    /// Nothing waits that its delivery does not say. All that do wait were found, so there is more only where there are more
    /// rows.
    pub(super) fn waiting(&mut self, counted: &Counted) -> Result<(), Failure> {
        let tables = self.tables;
        if tables.queue.len()? != counted.queue {
            for row in tables.queue.iter()? {
                let (endpoint, due, event, ordinal) = row?.0.value();
                let id = delivery_id(event, ordinal);
                let is_true = |row: &DeliveryRow| {
                    row.endpoint.as_u128() == endpoint
                        && row.waits().is_some_and(|(place, at)| place == Waits::InQueue && at.0 == due)
                };
                self.compare("queue", id, is_true)?;
            }
        }
        if tables.holds.len()? != counted.holds {
            for row in tables.holds.iter()? {
                let key = row?.0;
                let (plugin, due, event, ordinal) = key.value();
                let is_true = |row: &DeliveryRow| {
                    row.waits().is_some_and(|(place, at)| place == Waits::ForPlugin(plugin) && at.0 == due)
                };
                self.compare("holds", delivery_id(event, ordinal), is_true)?;
            }
        }
        if tables.endpoint_holds.len()? != counted.holds {
            for row in tables.endpoint_holds.iter()? {
                let (endpoint, event, ordinal) = row?.0.value();
                let is_true = |row: &DeliveryRow| {
                    row.endpoint.as_u128() == endpoint
                        && matches!(row.waits(), Some((Waits::ForPlugin(_), _)))
                };
                self.compare("endpoint_holds", delivery_id(event, ordinal), is_true)?;
            }
        }
        Ok(())
    }

    /// Every place in a line is that of a delivery that waits, until the same time.
    pub(super) fn ordered(&mut self) -> Result<(), Failure> {
        for row in self.tables.ordered.iter()? {
            self.looked();
            let (key, value) = row?;
            let ((endpoint, event, ordinal), (_, _, due)) = (key.value(), value.value());
            let is_true =
                |row: &DeliveryRow| row.endpoint.as_u128() == endpoint && due_time(row) == Some(due);
            self.compare("ordered", delivery_id(event, ordinal), is_true)?;
        }
        Ok(())
    }

    /// No endpoint got what no delivery says. All deliveries are in it, so there is more only where there are more rows; those of
    /// events that are gone do no harm.
    pub(super) fn endpoint_log(&mut self) -> Result<(), Failure> {
        if self.tables.endpoint_log.len()? != self.tables.deliveries.len()? {
            for row in self.tables.endpoint_log.iter()? {
                self.looked();
                let (endpoint, event, ordinal) = row?.0.value();
                if self.tables.events.get(event)?.is_some() {
                    let is_true = |row: &DeliveryRow| row.endpoint.as_u128() == endpoint;
                    self.compare("endpoint_log", delivery_id(event, ordinal), is_true)?;
                }
            }
        }
        Ok(())
    }

    /// Notes a row of a table that says of a delivery what is not true.
    fn compare(
        &mut self,
        table: &'static str,
        id: DeliveryId,
        is_true: impl Fn(&DeliveryRow) -> bool,
    ) -> Result<(), Failure> {
        let row = self.tables.deliveries.get(delivery_key(id))?;
        let row = row.map(|row| codec::decode_delivery(row.value()));
        match row {
            // It was found as that, and nothing can be said against it.
            Some(Err(_)) => {}
            Some(Ok(row)) if is_true(&row) => {}
            Some(Ok(_)) | None => self.found(table, Damage::Disagrees, id),
        }
        Ok(())
    }
}
