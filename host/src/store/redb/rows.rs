//! Rows of events and deliveries, read and written the same way by every verb.
//!
//! The one place that knows which other rows a delivery's row implies: whoever stores a delivery here has its `queue` or
//! `holds` row right, its `ordered` row if the endpoint has an order, and whatever is counted and indexed about it.

use redb::ReadableTable;

use super::codec::{self, Corrupt, DeliveryRow, EventRow, Waits};
use super::cost;
use super::failure::Failure;
use super::schema::{DeliveryKey, Tables, delivery_key};
use crate::model::{Attempt, CustomRequest, DeliveryId, Event, EventKey, Line};

/// The event with this key.
pub(super) fn event(
    events: &impl ReadableTable<u128, &'static [u8]>,
    key: EventKey,
) -> Result<Option<Event>, Failure> {
    let Some(row) = events.get(key.as_u128())? else { return Ok(None) };
    Ok(Some(EventRow::parse(row.value())?.to_event(key)?))
}

/// What a list says of an event: all of it, or all but its `data` where it is not what was written. `None`: it is gone, or nothing of it
/// can be read.
pub(super) fn listed_event(
    events: &impl ReadableTable<u128, &'static [u8]>,
    key: EventKey,
) -> Result<Option<Event>, Failure> {
    let Some(row) = events.get(key.as_u128())? else { return Ok(None) };
    let event = EventRow::parse(row.value());
    Ok(event.and_then(|row| row.to_event(key).or_else(|_| row.without_data(key))).ok())
}

/// The event that a delivery's row names.
pub(super) fn event_of(
    events: &impl ReadableTable<u128, &'static [u8]>,
    id: DeliveryId,
) -> Result<Event, Failure> {
    let missing = || Corrupt::Missing { table: "events", id: id.event.to_string() };
    Ok(event(events, id.event)?.ok_or_else(missing)?)
}

/// The row of a delivery.
pub(super) fn delivery(
    deliveries: &impl ReadableTable<DeliveryKey, &'static [u8]>,
    id: DeliveryId,
) -> Result<Option<DeliveryRow>, Failure> {
    let Some(row) = deliveries.get(delivery_key(id))? else { return Ok(None) };
    Ok(Some(codec::decode_delivery(row.value())?))
}

/// The row of a delivery that an index names.
pub(super) fn indexed_delivery(
    deliveries: &impl ReadableTable<DeliveryKey, &'static [u8]>,
    id: DeliveryId,
) -> Result<DeliveryRow, Failure> {
    let missing = || Corrupt::Missing { table: "deliveries", id: id.to_string() };
    Ok(delivery(deliveries, id)?.ok_or_else(missing)?)
}

/// The request that a transform made of a delivery.
pub(super) fn custom(
    custom: &impl ReadableTable<DeliveryKey, &'static [u8]>,
    id: DeliveryId,
) -> Result<Option<CustomRequest>, Failure> {
    let Some(row) = custom.get(delivery_key(id))? else { return Ok(None) };
    Ok(Some(codec::decode_custom(row.value())?))
}

impl Tables<'_> {
    /// Stores an event's row: the header, then `data`, which is copied once, into its page.
    pub(super) fn insert_event(&mut self, key: EventKey, header: &[u8], data: &[u8]) -> Result<(), Failure> {
        let mut row = self.events.insert_reserve(key.as_u128(), header.len() + data.len())?;
        let (head, tail) = row.as_mut().split_at_mut(header.len());
        head.copy_from_slice(header);
        tail.copy_from_slice(data);
        self.noted.row_bytes += cost::event(header.len() + data.len());
        Ok(())
    }

    /// Stores an attempt, with its delivery if that is not written yet.
    pub(super) fn insert_attempt(&mut self, id: DeliveryId, attempt: &Attempt) -> Result<(), Failure> {
        let row = self.keep_attempt(id, attempt.number, codec::encode(attempt));
        row.map_or(Ok(()), |row| self.insert_attempt_row(id, attempt.number, &row))
    }

    /// Stores the row of an attempt.
    pub(super) fn insert_attempt_row(
        &mut self,
        id: DeliveryId,
        number: u16,
        row: &[u8],
    ) -> Result<(), Failure> {
        self.noted.row_bytes += cost::attempt(row.len());
        self.attempts.insert((id.event.as_u128(), id.ordinal, number), row)?;
        Ok(())
    }

    /// Stores the request that a transform made of a delivery, or that none did.
    pub(super) fn set_custom(
        &mut self,
        id: DeliveryId,
        custom: Option<&CustomRequest>,
    ) -> Result<(), Failure> {
        let key = delivery_key(id);
        let before = match custom.map(codec::encode_custom) {
            Some(row) => {
                self.noted.row_bytes += cost::custom(row.len());
                self.custom.insert(key, row.as_slice())?
            }
            None => self.custom.remove(key)?,
        };
        self.noted.row_bytes -= before.map_or(0, |row| cost::custom(row.value().len()));
        Ok(())
    }

    /// Stores a new delivery, with the rows that let it be found.
    pub(super) fn insert_delivery(
        &mut self,
        id: DeliveryId,
        row: &DeliveryRow,
        line: Option<Line>,
    ) -> Result<(), Failure> {
        self.index_delivery(id, row)?;
        if let Some(line) = line {
            self.put_in_line(id, row, line)?;
        }
        self.store_delivery(id, row)
    }

    /// Stores by what a new delivery is found, and notes that there is one more.
    pub(super) fn index_delivery(&mut self, id: DeliveryId, row: &DeliveryRow) -> Result<(), Failure> {
        let (event, ordinal) = delivery_key(id);
        self.endpoint_log.insert((row.endpoint.as_u128(), event, ordinal), ())?;
        self.noted.entries += 1;
        if event < self.noted.sealed_below {
            self.noted.regrown.insert(event);
        }
        Ok(())
    }

    /// Stores a delivery whose row was taken out with [`Tables::stop_waiting`], or a new one.
    pub(super) fn store_delivery(&mut self, id: DeliveryId, row: &DeliveryRow) -> Result<(), Failure> {
        if self.change_unwritten(id, row) {
            return Ok(());
        }
        let before = self.write_row(id, row)?;
        self.note_change(id, before.as_ref(), row)
    }

    /// Stores a delivery's row and where it waits; returns the row before.
    pub(super) fn write_row(
        &mut self,
        id: DeliveryId,
        row: &DeliveryRow,
    ) -> Result<Option<DeliveryRow>, Failure> {
        let (event, ordinal) = delivery_key(id);
        let endpoint = row.endpoint.as_u128();
        match row.waits() {
            Some((Waits::InQueue, due)) => {
                self.queue.insert((endpoint, due.0, event, ordinal), ())?;
            }
            Some((Waits::ForPlugin(plugin), due)) => {
                self.holds.insert((plugin, due.0, event, ordinal), ())?;
                self.endpoint_holds.insert((endpoint, event, ordinal), ())?;
            }
            None => {}
        }
        self.keep_in_line(id, row)?;
        let bytes = codec::encode_delivery(row);
        let before = self.deliveries.insert((event, ordinal), bytes.as_slice())?;
        let less = before.as_ref().map_or(0, |row| cost::delivery(row.value().len()));
        self.noted.row_bytes += cost::delivery(bytes.len()) - less;
        Ok(before.map(|row| codec::decode_delivery(row.value())).transpose()?)
    }

    /// Notes what changed of a delivery, for journal, blocks and statistics, and counts it.
    fn note_change(
        &mut self,
        id: DeliveryId,
        before: Option<&DeliveryRow>,
        after: &DeliveryRow,
    ) -> Result<(), Failure> {
        let status = after.state.status();
        if id.event.as_u128() < self.noted.sealed_below
            && before.is_some_and(|before| before.state.status() != status)
        {
            self.noted.restated.insert(delivery_key(id), status);
        }
        if before.is_some_and(|before| before.state == after.state && before.attempts == after.attempts) {
            return Ok(());
        }
        // Of one that cannot be read nobody can say whose it is.
        if let Some(event) = self.events.get(id.event.as_u128())?
            && let Ok(event) = EventRow::parse(event.value())
        {
            let of = (event.tenant(), event.data_len());
            self.noted.backlog.changed(of, before.map(|before| before.state.status()), status);
            self.noted.journal.note(id, before, after, &event);
        }
        Ok(())
    }

    /// Notes a new delivery in the journal that is counted already.
    pub(super) fn note_in_journal(&mut self, id: DeliveryId, new: &DeliveryRow) -> Result<(), Failure> {
        if let Some(event) = self.events.get(id.event.as_u128())? {
            self.noted.journal.note(id, None, new, &EventRow::parse(event.value())?);
        }
        Ok(())
    }

    /// Removes the rows that say where a delivery waits.
    pub(super) fn stop_waiting(&mut self, id: DeliveryId, row: &DeliveryRow) -> Result<(), Failure> {
        if self.is_unwritten(id) {
            return Ok(());
        }
        let (event, ordinal) = delivery_key(id);
        let endpoint = row.endpoint.as_u128();
        match row.waits() {
            Some((Waits::InQueue, due)) => {
                self.queue.remove((endpoint, due.0, event, ordinal))?;
            }
            Some((Waits::ForPlugin(plugin), due)) => {
                self.holds.remove((plugin, due.0, event, ordinal))?;
                self.endpoint_holds.remove((endpoint, event, ordinal))?;
            }
            None => {}
        }
        Ok(())
    }
}
