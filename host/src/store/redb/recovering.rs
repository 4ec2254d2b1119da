//! Recoveries: the jobs, what they find in their range, and what each of their steps does.
//!
//! A look reads a snapshot, so that a long range holds up no write; the step that follows looks again at each row that it
//! changes. A step moves the place of the job in the transaction that does its part, so a crash neither repeats nor
//! leaves out any of it.

use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable};

use super::codec::{self, EventRow};
use super::failure::Failure;
use super::resending::{add, resend};
use super::rows;
use super::schema::{DELIVERIES, ENDPOINT_LOG, EVENTS, RECOVERIES, Tables, delivery_id, delivery_key};
use super::writer::{Awaited, Batch, Change};
use crate::model::{DeliveryId, EventKey, Recovery, RecoveryId, RecoveryState, UnixMs, Wanted};
use crate::store::{
    Candidate, Candidates, Error, Reached, RecoveryFilter, RecoveryPage, RecoveryStep, Retry,
};

const TABLE: &str = "recoveries";
/// Rows that one look reads, so that a range in which there is hardly anything is walked in short steps.
const MAX_SCANNED: u64 = 5_000;

/// The verb.
pub(super) struct CreateRecovery(pub(super) Recovery);

/// The verb.
pub(super) struct CancelRecovery {
    pub(super) id: RecoveryId,
    pub(super) at: UnixMs,
}

impl Change for CreateRecovery {
    type Output = ();

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        let (tables, endpoint) = (&mut batch.tables, self.0.endpoint.as_u128());
        tables.endpoints.get(endpoint)?.ok_or(Error::NotFound)?;
        if let Some(other) = tables.recovering.get(endpoint)?.map(|row| row.value()) {
            return Err(Error::RecoveryRuns(RecoveryId::from_u128(other)).into());
        }
        put(tables, &self.0)
    }
}

impl Change for CancelRecovery {
    type Output = Recovery;

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<Recovery, Failure> {
        let mut recovery = find(&batch.tables.recoveries, self.id)?.ok_or(Error::NotFound)?;
        if recovery.state != RecoveryState::Running {
            return Err(Error::RecoveryEnded(recovery.state.name()).into());
        }
        end(&mut recovery, RecoveryState::Cancelled, self.at);
        put(&mut batch.tables, &recovery)?;
        Ok(recovery)
    }
}

impl Change for RecoveryStep {
    type Output = Recovery;

    /// The job waits for it, one step after another.
    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn bytes(&self) -> usize {
        let body = |new: &crate::store::NewDelivery| new.verdict.custom.as_ref().map_or(0, |c| c.body.len());
        self.missed.iter().map(|(_, new)| body(new)).sum()
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<Recovery, Failure> {
        let tables = &mut batch.tables;
        let mut recovery = find(&tables.recoveries, self.id)?.ok_or(Error::NotFound)?;
        if recovery.state != RecoveryState::Running || recovery.place != self.from {
            return Ok(recovery);
        }
        for retry in self.retries {
            recovery.resent += u64::from(retry_if_unchanged(tables, retry)?);
        }
        for (event, new) in self.missed {
            let endpoint = recovery.endpoint.as_u128();
            let of_event = (endpoint, event.as_u128(), 0)..=(endpoint, event.as_u128(), u16::MAX);
            if tables.endpoint_log.range(of_event)?.next().is_none() {
                let added = add(tables, event, vec![new], self.at)?;
                recovery.resent += u64::from(added.iter().any(|new| !new.state.is_final()));
            }
        }
        recovery.place = self.to;
        recovery.scanned += self.scanned;
        if let Some(state) = self.end {
            end(&mut recovery, state, self.at);
        }
        put(tables, &recovery)?;
        Ok(recovery)
    }
}

/// Says whether it is sent again: one that was judged may be dropped once more.
fn retry_if_unchanged(tables: &mut Tables<'_>, retry: Retry) -> Result<bool, Failure> {
    let Some(row) = rows::delivery(&tables.deliveries, retry.delivery)? else { return Ok(false) };
    if row.state != retry.expected || row.attempts == u16::MAX {
        return Ok(false);
    }
    Ok(!resend(tables, retry, row)?.state.is_final())
}

const fn end(recovery: &mut Recovery, state: RecoveryState, at: UnixMs) {
    recovery.state = state;
    recovery.ended_at = Some(at);
}

/// Stores a recovery, and among those that run if it does.
fn put(tables: &mut Tables<'_>, recovery: &Recovery) -> Result<(), Failure> {
    let (id, endpoint) = (recovery.id.as_u128(), recovery.endpoint.as_u128());
    if recovery.state == RecoveryState::Running {
        tables.recovering.insert(endpoint, id)?;
    } else {
        tables.recovering.remove(endpoint)?;
    }
    tables.recoveries.insert(id, codec::to_json(recovery).as_slice())?;
    Ok(())
}

fn find(
    recoveries: &impl ReadableTable<u128, &'static [u8]>,
    id: RecoveryId,
) -> Result<Option<Recovery>, Failure> {
    let Some(row) = recoveries.get(id.as_u128())? else { return Ok(None) };
    Ok(Some(codec::from_json(TABLE, row.value())?))
}

/// Those that run.
pub(super) fn running(tables: &Tables<'_>) -> Result<Vec<Recovery>, Failure> {
    let mut running = Vec::new();
    for row in tables.recovering.iter()? {
        let id = RecoveryId::from_u128(row?.1.value());
        running.extend(find(&tables.recoveries, id)?);
    }
    Ok(running)
}

/// See [`crate::store::Store::recovery`].
pub(super) fn one(transaction: &ReadTransaction, id: RecoveryId) -> Result<Option<Recovery>, Failure> {
    find(&transaction.open_table(RECOVERIES)?, id)
}

/// See [`crate::store::Store::recoveries`].
pub(super) fn page(
    transaction: &ReadTransaction,
    filter: &RecoveryFilter,
    before: Option<RecoveryId>,
    limit: usize,
) -> Result<RecoveryPage, Failure> {
    let rows = transaction.open_table(RECOVERIES)?;
    let mut page = RecoveryPage::default();
    let mut last = None;
    for row in rows.range(..before.map_or(u128::MAX, RecoveryId::as_u128))?.rev() {
        if page.rows.len() == limit {
            page.next = last;
            break;
        }
        let (id, row) = row?;
        last = Some(RecoveryId::from_u128(id.value()));
        let recovery: Recovery = codec::from_json(TABLE, row.value())?;
        if filter.passes(&recovery) {
            page.rows.push(recovery);
        }
    }
    Ok(page)
}

impl RecoveryFilter {
    fn passes(&self, recovery: &Recovery) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| *tenant == recovery.tenant)
            && self.endpoint.is_none_or(|endpoint| endpoint == recovery.endpoint)
            && self.state.is_none_or(|state| state == recovery.state)
    }
}

/// See [`crate::store::Store::candidates`]. `undispatched` is the first event that may not be fanned out.
pub(super) fn candidates(
    transaction: &ReadTransaction,
    recovery: &Recovery,
    limit: usize,
    undispatched: Option<EventKey>,
) -> Result<Candidates, Failure> {
    let end = Recovery::start(recovery.until).event;
    let (end, at_end) = match undispatched {
        Some(first) if first < end => {
            let place = recovery.place.max(DeliveryId { event: first, ordinal: 0 });
            (first, Reached::Undispatched(place))
        }
        Some(_) | None => (end, Reached::End),
    };
    let look = Look { recovery, limit, end, at_end };
    if recovery.wanted.contains(&Wanted::Missed) {
        look.along_events(transaction)
    } else {
        look.along_log(transaction)
    }
}

/// A look along the range of a recovery.
struct Look<'a> {
    recovery: &'a Recovery,
    limit: usize,
    /// The first event that is not looked at.
    end: EventKey,
    /// What was reached if all before that is done.
    at_end: Reached,
}

impl Look<'_> {
    fn is_full(&self, found: &Candidates) -> bool {
        found.found.len() >= self.limit || found.scanned >= MAX_SCANNED
    }

    const fn begin(&self) -> Candidates {
        Candidates { found: Vec::new(), scanned: 0, reached: self.at_end }
    }

    /// The deliveries of the endpoint.
    fn along_log(&self, transaction: &ReadTransaction) -> Result<Candidates, Failure> {
        let (endpoint, (event, ordinal)) =
            (self.recovery.endpoint.as_u128(), delivery_key(self.recovery.place));
        let mut found = self.begin();
        if self.recovery.place.event >= self.end {
            return Ok(found);
        }
        let range = (endpoint, event, ordinal)..(endpoint, self.end.as_u128(), 0);
        for row in transaction.open_table(ENDPOINT_LOG)?.range(range)? {
            let (_, event, ordinal) = row?.0.value();
            let id = delivery_id(event, ordinal);
            if self.is_full(&found) {
                found.reached = Reached::Place(id);
                break;
            }
            self.look_at(transaction, id, &mut found)?;
        }
        Ok(found)
    }

    /// The events of all tenants, as there is no index of one: those of this tenant with their deliveries.
    fn along_events(&self, transaction: &ReadTransaction) -> Result<Candidates, Failure> {
        let (events, log) = (transaction.open_table(EVENTS)?, transaction.open_table(ENDPOINT_LOG)?);
        let endpoint = self.recovery.endpoint.as_u128();
        let mut found = self.begin();
        if self.recovery.place.event >= self.end {
            return Ok(found);
        }
        let mut passed_by = 0;
        for row in events.range(self.recovery.place.event.as_u128()..self.end.as_u128())? {
            let (key, row) = row?;
            let event = EventKey::from_u128(key.value());
            if self.is_full(&found) || passed_by >= MAX_SCANNED {
                found.reached = Reached::Place(DeliveryId { event, ordinal: 0 });
                break;
            }
            let row = EventRow::parse(row.value())?;
            if row.tenant() != self.recovery.tenant.as_str() {
                passed_by += 1;
                continue;
            }
            let mut has_delivery = false;
            for row in log.range((endpoint, key.value(), 0)..=(endpoint, key.value(), u16::MAX))? {
                let (_, event, ordinal) = row?.0.value();
                has_delivery = true;
                self.look_at(transaction, delivery_id(event, ordinal), &mut found)?;
            }
            if !has_delivery {
                found.scanned += 1;
                if !row.is_test() {
                    found.found.push(Candidate::Missed(Arc::new(row.to_event(event)?)));
                }
            }
        }
        Ok(found)
    }

    fn look_at(
        &self,
        transaction: &ReadTransaction,
        id: DeliveryId,
        found: &mut Candidates,
    ) -> Result<(), Failure> {
        found.scanned += 1;
        // What an endpoint got is swept some time after it was removed.
        let Some(row) = rows::delivery(&transaction.open_table(DELIVERIES)?, id)? else { return Ok(()) };
        let delivery = row.into_delivery(id);
        if self.recovery.wants(&delivery) {
            let event = Arc::new(rows::event_of(&transaction.open_table(EVENTS)?, id)?);
            found.found.push(Candidate::Delivery(Box::new(delivery), event));
        }
        Ok(())
    }
}
