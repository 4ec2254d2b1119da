//! Makes derived tables anew from the sources ([`super::inspect`]): those with which something is wrong, in one transaction.
//!
//! Nothing that was accepted or decided is changed or dropped. What cannot be read in the sources is left as it is, and
//! whatever is made of it is left out.

use redb::ReadableTable as _;

use super::codec::{self, DeliveryRow, EventRow, Waits};
use super::endpoint_row::EndpointRow;
use super::failure::Failure;
use super::ids;
use super::inspect::Findings;
use super::kv;
use super::ordered::due_time;
use super::schema::{DeliveryKey, META_DISPATCHED_BELOW, META_FOLDED_BELOW, Tables, delivery_id};
use super::statistics;
use crate::model::{EventKey, Tally};
use crate::store::NewEvent;

/// Rows that are in memory at once. A large store is repaired in the memory of a small one.
const PAGE: usize = 10_000;
/// Of events, which have payloads.
const EVENTS_PAGE: usize = 100;

/// Some rows, and the key of the next one; `None` behind the last.
type Page<K, T> = (Vec<(K, T)>, Option<K>);

/// Repairs what was found, as far as it can be.
pub(super) fn repair(tables: &mut Tables<'_>, findings: &Findings) -> Result<(), Failure> {
    if ["queue", "holds", "endpoint_holds"].iter().any(|table| findings.has(table)) {
        tables.wait_anew()?;
    }
    if findings.has("endpoint_log") {
        tables.log_anew()?;
    }
    if findings.has("ordered") {
        tables.line_up_anew()?;
    }
    if findings.has("ids") {
        tables.identify_anew()?;
    }
    if findings.has("blocks") {
        tables.seal_anew()?;
    }
    if findings.has("rosters") {
        tables.rosters.retain(|_, _| false)?;
    }
    if findings.has("changes") {
        tables.changes.retain(|_, _| false)?;
        tables.meta.remove(META_FOLDED_BELOW)?;
    }
    if findings.has("statistics") {
        tables.statistics.retain(|_, row| codec::decode::<Tally>("statistics", row).is_ok())?;
    }
    if findings.has("changes") || findings.has("standing") {
        let counted = tables.count_standing()?;
        tables.restand(&counted)?;
    }
    if findings.has("changes") || findings.has("backlog") {
        tables.forget_backlog()?;
    }
    if findings.has("urls") {
        tables.own_urls_anew()?;
    }
    if findings.has("kv_usage") {
        kv::judge_anew(tables)?;
    }
    tables.measure_anew()
}

impl Tables<'_> {
    /// Calls with each delivery that can be read, by rising key.
    fn each_delivery(
        &mut self,
        mut each: impl FnMut(&mut Self, DeliveryKey, DeliveryRow) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut from = Some((0, 0));
        while let Some(start) = from {
            let (page, next) = self.readable_deliveries(start)?;
            page.into_iter().try_for_each(|(key, row)| each(self, key, row))?;
            from = next;
        }
        Ok(())
    }

    /// Some deliveries from this key on, and where those behind them begin.
    fn readable_deliveries(&self, from: DeliveryKey) -> Result<Page<DeliveryKey, DeliveryRow>, Failure> {
        let mut found = Vec::new();
        for row in self.deliveries.range(from..)? {
            let (key, row) = row?;
            if found.len() == PAGE {
                return Ok((found, Some(key.value())));
            }
            if let Ok(row) = codec::decode_delivery(row.value()) {
                found.push((key.value(), row));
            }
        }
        Ok((found, None))
    }

    fn wait_anew(&mut self) -> Result<(), Failure> {
        self.queue.retain(|_, ()| false)?;
        self.holds.retain(|_, ()| false)?;
        self.endpoint_holds.retain(|_, ()| false)?;
        self.each_delivery(|tables, (event, ordinal), row| {
            let endpoint = row.endpoint.as_u128();
            match row.waits() {
                Some((Waits::InQueue, due)) => {
                    tables.queue.insert((endpoint, due.0, event, ordinal), ())?;
                }
                Some((Waits::ForPlugin(plugin), due)) => {
                    tables.holds.insert((plugin, due.0, event, ordinal), ())?;
                    tables.endpoint_holds.insert((endpoint, event, ordinal), ())?;
                }
                None => {}
            }
            Ok(())
        })
    }

    fn log_anew(&mut self) -> Result<(), Failure> {
        self.endpoint_log.retain(|_, ()| false)?;
        self.each_delivery(|tables, (event, ordinal), row| {
            tables.endpoint_log.insert((row.endpoint.as_u128(), event, ordinal), ())?;
            Ok(())
        })
    }

    /// Places that are right stay; those that are missing get no line, which the gateway finds out when it needs it.
    fn line_up_anew(&mut self) -> Result<(), Failure> {
        let Self { ordered, deliveries, .. } = self;
        let mut failed = None;
        ordered.retain(|(endpoint, event, ordinal), (_, _, at)| {
            let row = deliveries.get((event, ordinal)).map_err(|error| failed = Some(error)).ok().flatten();
            let row = row.and_then(|row| codec::decode_delivery(row.value()).ok());
            row.is_some_and(|row| row.endpoint.as_u128() == endpoint && due_time(&row) == Some(at))
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        self.each_delivery(|tables, (event, ordinal), row| {
            tables.keep_in_line(delivery_id(event, ordinal), &row)
        })
    }

    /// Ids that producers gave. An `Idempotency-Key` that is lost stays lost: no other row has it.
    fn identify_anew(&mut self) -> Result<(), Failure> {
        let mut from = Some(0);
        while let Some(start) = from {
            let (missing, next) = self.without_id(start)?;
            for (key, event) in missing {
                let hash = ids::content_hash(&event);
                for claim in ids::Claim::of(&event) {
                    self.insert_id(claim.row(), key, hash)?;
                }
            }
            from = next;
        }
        Ok(())
    }

    /// Some events from this key on that are not found by the id that they have, and where those behind them begin.
    fn without_id(&self, from: u128) -> Result<Page<u128, NewEvent>, Failure> {
        let mut missing = Vec::new();
        for row in self.events.range(from..)? {
            let (key, row) = row?;
            let key = key.value();
            if missing.len() == EVENTS_PAGE {
                return Ok((missing, Some(key)));
            }
            let Ok(row) = EventRow::parse(row.value()) else { continue };
            let (Some(id), Ok(event)) = (row.own_id(), row.to_event(EventKey::from_u128(key))) else {
                continue;
            };
            if self.ids.get((0, id, row.tenant()))?.is_none_or(|found| found.value().0 != key) {
                let timestamp = row.has_timestamp().then_some(event.timestamp);
                let event = NewEvent {
                    id: Some(event.id),
                    idempotency_key: None,
                    tenant: event.tenant,
                    topic: event.topic,
                    timestamp,
                    received_at: event.accepted_at,
                    data: event.data,
                    test_of: event.test_of,
                    trace: event.trace,
                };
                missing.push((key, event));
            }
        }
        Ok((missing, None))
    }

    fn seal_anew(&mut self) -> Result<(), Failure> {
        self.blocks.retain(|_, _| false)?;
        self.block_states.retain(|_, _| false)?;
        self.noted.sealed_below = 0;
        let below = self.meta(META_DISPATCHED_BELOW)?.unwrap_or(0);
        self.seal_all(EventKey::from_u128(below))
    }

    fn count_standing(&self) -> Result<statistics::Counted, Failure> {
        let mut counted = statistics::Counted::default();
        for row in self.deliveries.iter()? {
            let (key, row) = row?;
            let Ok(row) = codec::decode_delivery(row.value()) else { continue };
            if let Some(event) = self.events.get(key.value().0)?
                && let Ok(event) = EventRow::parse(event.value())
            {
                counted.add(&event, row.endpoint, row.state.status());
            }
        }
        Ok(counted)
    }

    /// Where two endpoints have one URL the newer one has it.
    fn own_urls_anew(&mut self) -> Result<(), Failure> {
        self.urls.retain(|_, _| false)?;
        for row in self.endpoints.iter()? {
            let (id, row) = row?;
            if let Ok(EndpointRow { endpoint, .. }) = EndpointRow::from_json(row.value()) {
                self.urls.insert((endpoint.tenant.as_str(), endpoint.url.as_str()), id.value())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use redb::ReadableTableMetadata as _;

    use super::super::inspect::inspect;
    use super::super::inspect::tests::filled;
    use super::super::writer::begin;
    use super::*;

    /// All rows of the tables that are derived, those of which the repair makes something else left out.
    fn rows(tables: &Tables<'_>) -> Vec<Vec<String>> {
        macro_rules! rows {
            ($($table:ident),*) => {
                vec![$(tables.$table.iter().unwrap().map(|row| {
                    let (key, value) = row.unwrap();
                    format!("{:?} {:?}", key.value(), value.value())
                }).collect()),*]
            };
        }
        rows!(ids, queue, holds, endpoint_holds, endpoint_log, urls, kv_usage, kv_expiry)
    }

    #[tokio::test]
    async fn what_is_derived_is_made_anew_as_it_was() {
        let store = filled().await;
        let repaired = store.shared.with(|database| {
            let transaction = begin(database)?;
            let mut tables = Tables::open(&transaction)?;
            let (before, standing) = (rows(&tables), tables.standing.len()?);
            tables.ids.retain(|(kind, ..), _| kind != 0)?;
            tables.queue.retain(|_, ()| false)?;
            tables.holds.retain(|_, ()| false)?;
            tables.endpoint_holds.insert((1, 2, 3), ())?;
            tables.endpoint_log.retain(|_, ()| false)?;
            tables.ordered.retain(|_, _| false)?;
            tables.ordered.insert((1, 2, 3), (0, 0, 0))?;
            tables.block_states.retain(|_, _| false)?;
            let last = tables.changes.last()?.map(|(number, _)| number.value());
            tables.changes.insert(last.unwrap(), [9].as_slice())?;
            tables.standing.insert([0].as_slice(), (7, 7, 7))?;
            tables.urls.retain(|_, _| false)?;
            tables.kv_usage.insert(("acme", "p"), 1)?;
            tables.kv_expiry.retain(|_, ()| false)?;
            let findings = inspect(&tables, &mut |_| {})?;
            assert!(findings.sentences().iter().all(|(_, is_repairable)| *is_repairable), "{findings:?}");
            repair(&mut tables, &findings)?;
            assert_eq!(inspect(&tables, &mut |_| {})?.sentences(), Vec::new());
            assert_eq!(rows(&tables), before);
            assert!(standing == 0 && tables.standing.len()? > 0, "without the journal it has all");
            Ok(())
        });
        repaired.unwrap();
    }
}
