//! The sources of the log: events, deliveries, attempts, requests that transforms made; and the ids by which events are found.

use redb::ReadableTable as _;

use super::{Counted, Damage, Inspection};
use crate::model::{Attempt, EventKey};
use crate::store::redb::codec::{self, DeliveryRow, EventRow, Waits};
use crate::store::redb::failure::Failure;
use crate::store::redb::schema::{DeliveryKey, delivery_id};

impl Inspection<'_, '_> {
    /// Every event can be read, and is found by the id that its producer gave it.
    pub(super) fn events(&mut self) -> Result<(), Failure> {
        for row in self.tables.events.iter()? {
            self.looked();
            let (key, row) = row?;
            let key = EventKey::from_u128(key.value());
            let event = match EventRow::parse(row.value()).and_then(|row| row.to_event(key)) {
                Ok(event) => event,
                Err(corrupt) => {
                    self.found("events", Damage::Unreadable, format_args!("{key}: {corrupt}"));
                    continue;
                }
            };
            if event.id.as_str() != key.to_string() {
                let id = self.tables.ids.get((0, event.id.as_str(), event.tenant.as_str()))?;
                if id.is_none_or(|id| id.value().0 != key.as_u128()) {
                    self.found("ids", Damage::Disagrees, format_args!("the id {}", event.id));
                }
            }
        }
        Ok(())
    }

    /// Every delivery can be read, has its event and its place in what it implies. Says what there is of them.
    pub(super) fn deliveries(&mut self) -> Result<Counted, Failure> {
        let mut counted = Counted::default();
        let mut before: Option<DeliveryKey> = None;
        let tables = self.tables;
        for row in tables.deliveries.iter()? {
            self.looked();
            let (key, bytes) = row?;
            let key = key.value();
            let next =
                before.filter(|before| before.0 == key.0).map_or(0, |before| before.1.saturating_add(1));
            if key.1 != next {
                self.found("deliveries", Damage::Missing, delivery_id(key.0, next));
            }
            before = Some(key);
            match codec::decode_delivery(bytes.value()) {
                Ok(row) => self.delivery(key, &row, &mut counted)?,
                Err(corrupt) => {
                    let id = delivery_id(key.0, key.1);
                    self.found("deliveries", Damage::Unreadable, format_args!("{id}: {corrupt}"));
                }
            }
        }
        Ok(counted)
    }

    fn delivery(
        &mut self,
        key: DeliveryKey,
        row: &DeliveryRow,
        counted: &mut Counted,
    ) -> Result<(), Failure> {
        let tables = self.tables;
        let (id, endpoint) = (delivery_id(key.0, key.1), row.endpoint.as_u128());
        match tables.events.get(key.0)? {
            Some(event) => {
                if let Ok(event) = EventRow::parse(event.value()) {
                    counted.standing.add(&event, row.endpoint, row.state.status());
                    counted.backlog.changed((event.tenant(), event.data_len()), None, row.state.status());
                }
            }
            None => self.found("events", Damage::Missing, id.event),
        }
        if row.has_custom && tables.custom.get(key)?.is_none() {
            self.found("custom", Damage::Missing, id);
        }
        if tables.endpoint_log.get((endpoint, key.0, key.1))?.is_none() {
            self.found("endpoint_log", Damage::Disagrees, id);
        }
        match row.waits() {
            Some((Waits::InQueue, due)) => {
                counted.queue += 1;
                if tables.queue.get((endpoint, due.0, key.0, key.1))?.is_none() {
                    self.found("queue", Damage::Disagrees, id);
                }
            }
            Some((Waits::ForPlugin(plugin), due)) => {
                counted.holds += 1;
                if tables.holds.get((plugin, due.0, key.0, key.1))?.is_none() {
                    self.found("holds", Damage::Disagrees, id);
                }
                if tables.endpoint_holds.get((endpoint, key.0, key.1))?.is_none() {
                    self.found("endpoint_holds", Damage::Disagrees, id);
                }
            }
            None => {}
        }
        self.in_line(id, row)
    }

    /// Every attempt can be read, and its delivery knows of it.
    pub(super) fn attempts(&mut self) -> Result<(), Failure> {
        let tables = self.tables;
        let mut of: Option<(DeliveryKey, u16)> = None;
        for row in tables.attempts.iter()? {
            self.looked();
            let (key, bytes) = row?;
            let (event, ordinal, number) = key.value();
            let id = delivery_id(event, ordinal);
            if let Err(corrupt) = codec::decode::<Attempt>("attempts", bytes.value()) {
                self.found("attempts", Damage::Unreadable, format_args!("{number} of {id}: {corrupt}"));
            }
            if of.is_none_or(|(of, _)| of != (event, ordinal)) {
                let row = tables.deliveries.get((event, ordinal))?;
                // One that cannot be read was found as that.
                let attempts =
                    row.map(|row| codec::decode_delivery(row.value()).map_or(u16::MAX, |row| row.attempts));
                of = Some(((event, ordinal), attempts.unwrap_or(0)));
            }
            if of.is_some_and(|(_, attempts)| number > attempts) {
                self.found(
                    "deliveries",
                    Damage::Missing,
                    format_args!("{id}, of which there is the attempt {number}"),
                );
            }
        }
        Ok(())
    }

    /// Every request that a transform made can be read, and belongs to a delivery.
    pub(super) fn custom(&mut self) -> Result<(), Failure> {
        for row in self.tables.custom.iter()? {
            self.looked();
            let (key, bytes) = row?;
            let (event, ordinal) = key.value();
            let id = delivery_id(event, ordinal);
            if let Err(corrupt) = codec::decode_custom(bytes.value()) {
                self.found("custom", Damage::Unreadable, format_args!("{id}: {corrupt}"));
            }
            if self.tables.deliveries.get((event, ordinal))?.is_none() {
                self.found("deliveries", Damage::Missing, id);
            }
        }
        Ok(())
    }
}
