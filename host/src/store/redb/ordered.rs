//! The index of what waits for ordered endpoints: kept with each delivery, built when an endpoint gets an order, and walked
//! for what is due.
//!
//! A row of `ordered` is true as long as it is there, whatever became of the order. So an order that is given up leaves rows
//! that go away with their deliveries, and one that is taken up again finds them.

use std::collections::{HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable as _};

use super::codec::{DeliveryRow, Waits};
use super::failure::Failure;
use super::giving_up::{Damaged, readable};
use super::schema::{EVENTS, ORDERED, ORDERS, Tables, delivery_id, delivery_key};
use super::writer::{Awaited, Batch, Change};
use super::{rows, waiting};
use crate::model::{DeliveryId, EndpointId, EventKey, Job, Line, OrderId, UnixMs};
use crate::store::{DueInOrder, InOrder, IndexPlace, Lookout, QueuePlace};

/// The due time of what waits for a plugin.
const NOT_DUE: u64 = u64::MAX;
/// The order of a delivery whose line nobody has said.
const WITHOUT_LINE: u64 = 0;
/// Lines that are passed by before the walk ends: what it keeps in memory, 32 bytes each.
const MAX_PASSED: usize = 16_384;

impl Tables<'_> {
    /// An endpoint has this order from now on, or none. What waits for it is not indexed by it yet.
    pub(super) fn begin_order(
        &mut self,
        endpoint: EndpointId,
        order: Option<OrderId>,
    ) -> Result<(), Failure> {
        match order {
            Some(order) => self.orders.insert(endpoint.as_u128(), (order.as_u64(), false))?,
            None => self.orders.remove(endpoint.as_u128())?,
        };
        Ok(())
    }

    /// Puts a delivery at its place in its line, if it waits.
    pub(super) fn put_in_line(
        &mut self,
        id: DeliveryId,
        row: &DeliveryRow,
        line: Line,
    ) -> Result<(), Failure> {
        if let Some(due) = due_time(row) {
            self.ordered.insert(key(row.endpoint, id), (line.order.as_u64(), line.key, due))?;
        }
        Ok(())
    }

    /// Keeps the place of a delivery that waits as its row says, and gives up that of one that waits no longer. One that
    /// has no place gets one if its endpoint has an order.
    pub(super) fn keep_in_line(&mut self, id: DeliveryId, row: &DeliveryRow) -> Result<(), Failure> {
        let key = key(row.endpoint, id);
        let before = self.ordered.get(key)?.map(|row| row.value());
        let place = match (before, due_time(row)) {
            (Some((_, _, before)), Some(due)) if before == due => return Ok(()),
            (Some((order, line, _)), Some(due)) => (order, line, due),
            (Some(_), None) => {
                self.ordered.remove(key)?;
                return Ok(());
            }
            (None, Some(due)) if self.orders.get(row.endpoint.as_u128())?.is_some() => (WITHOUT_LINE, 0, due),
            (None, _) => return Ok(()),
        };
        self.ordered.insert(key, place)?;
        Ok(())
    }
}

/// The verb.
pub(super) struct IndexOrder {
    pub(super) endpoint: EndpointId,
    pub(super) order: OrderId,
    pub(super) after: Option<IndexPlace>,
    pub(super) limit: usize,
}

impl Change for IndexOrder {
    type Output = Option<IndexPlace>;

    /// The endpoint waits for it, one batch after another.
    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<Self::Output, Failure> {
        let tables = &mut batch.tables;
        let endpoint = self.endpoint.as_u128();
        let state = tables.orders.get(endpoint)?.map(|row| row.value());
        if state != Some((self.order.as_u64(), false)) {
            return Ok(None);
        }
        let mut found = Vec::new();
        let place = match self.after {
            None => self.next_attempts(tables, None, &mut found)?,
            Some(IndexPlace::Attempt(after)) => self.next_attempts(tables, Some(after), &mut found)?,
            Some(IndexPlace::Hold(after)) => self.next_holds(tables, after, &mut found)?,
        };
        for (id, due) in found {
            let key = key(self.endpoint, id);
            if tables.ordered.get(key)?.is_none() {
                tables.ordered.insert(key, (WITHOUT_LINE, 0, due))?;
            }
        }
        if place.is_none() {
            tables.orders.insert(endpoint, (self.order.as_u64(), true))?;
        }
        Ok(place)
    }
}

impl IndexOrder {
    /// The next that wait for an attempt. The holds come after the last of them.
    fn next_attempts(
        &self,
        tables: &Tables<'_>,
        after: Option<QueuePlace>,
        found: &mut Vec<(DeliveryId, u64)>,
    ) -> Result<Option<IndexPlace>, Failure> {
        let endpoint = self.endpoint.as_u128();
        let from = after.map_or((endpoint, 0, 0, 0), |QueuePlace { due_at, delivery }| {
            (endpoint, due_at.0, delivery.event.as_u128(), delivery.ordinal)
        });
        let range = (Bound::Excluded(from), Bound::Included((endpoint, u64::MAX, u128::MAX, u16::MAX)));
        let mut place = IndexPlace::Hold(delivery_id(0, 0));
        for row in tables.queue.range(range)?.take(self.limit) {
            let (_, due, event, ordinal) = row?.0.value();
            let delivery = delivery_id(event, ordinal);
            found.push((delivery, due));
            place = IndexPlace::Attempt(QueuePlace { due_at: UnixMs(due), delivery });
        }
        Ok(Some(place))
    }

    /// The next that are held; `None` when there are no more.
    fn next_holds(
        &self,
        tables: &Tables<'_>,
        after: DeliveryId,
        found: &mut Vec<(DeliveryId, u64)>,
    ) -> Result<Option<IndexPlace>, Failure> {
        let from = Bound::Excluded(key(self.endpoint, after));
        let end = Bound::Included((self.endpoint.as_u128(), u128::MAX, u16::MAX));
        for row in tables.endpoint_holds.range((from, end))?.take(self.limit) {
            let (_, event, ordinal) = row?.0.value();
            found.push((delivery_id(event, ordinal), NOT_DUE));
        }
        Ok(found.last().map(|(id, _)| IndexPlace::Hold(*id)))
    }
}

/// The verb.
pub(super) struct SetLines {
    pub(super) endpoint: EndpointId,
    pub(super) lines: Vec<(DeliveryId, Line)>,
}

impl Change for SetLines {
    type Output = ();

    /// The endpoint waits for it.
    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        for (id, line) in self.lines {
            let key = key(self.endpoint, id);
            let due = batch.tables.ordered.get(key)?.map(|row| row.value().2);
            if let Some(due) = due {
                batch.tables.ordered.insert(key, (line.order.as_u64(), line.key, due))?;
            }
        }
        Ok(())
    }
}

/// See [`crate::store::Store::due_in_order`]. `dispatched_below` is the first event that may not be fanned out.
///
/// Reads narrow rows, and events of those that it takes only. Also returns those that cannot be read: where there are any, it is
/// to be asked again when they are given up.
pub(super) fn due(
    transaction: &ReadTransaction,
    endpoint: EndpointId,
    lookout: Lookout,
    (now, limit): (UnixMs, usize),
    dispatched_below: EventKey,
) -> Result<(DueInOrder, Vec<Damaged>), Failure> {
    let state = transaction.open_table(ORDERS)?.get(endpoint.as_u128())?.map(|row| row.value());
    if state != Some((lookout.order.as_u64(), true)) {
        return Ok((DueInOrder::NotIndexed, Vec::new()));
    }
    let from = key(endpoint, lookout.after.unwrap_or(delivery_id(0, 0)));
    let range = (Bound::Excluded(from), Bound::Included((endpoint.as_u128(), u128::MAX, u16::MAX)));
    let mut walk = Walk::new(lookout, now, limit);
    let mut without_line = Vec::new();
    for row in transaction.open_table(ORDERED)?.range(range)? {
        let (place, value) = row?;
        let ((_, event, ordinal), (order, key, due)) = (place.value(), value.value());
        let id = delivery_id(event, ordinal);
        if id.event >= dispatched_below {
            walk.found.awaits_dispatch = true;
            break;
        }
        let goes_on = if order == walk.order.as_u64() {
            without_line.is_empty() && walk.pass(id, Line { order: walk.order, key }, due)
        } else {
            without_line.push(id);
            without_line.len() < limit
        };
        if !goes_on {
            break;
        }
    }
    let mut damaged = Vec::new();
    if !without_line.is_empty() {
        let (events, mut found) = (transaction.open_table(EVENTS)?, Vec::new());
        for delivery in without_line {
            match readable(rows::event_of(&events, delivery))? {
                Ok(event) => found.push((delivery, Arc::new(event))),
                Err(why) => damaged.push(Damaged { endpoint, delivery, why }),
            }
        }
        return Ok((DueInOrder::WithoutLine(found), damaged));
    }
    let Walk { mut found, taken, .. } = walk;
    for (delivery, line) in taken {
        match readable(waiting::job(transaction, endpoint, delivery))? {
            Ok(job) => found.jobs.push(Job { line: Some(line), ..job }),
            Err(why) => damaged.push(Damaged { endpoint, delivery, why }),
        }
    }
    Ok((DueInOrder::Due(found), damaged))
}

/// A walk along the index, in the order of acceptance.
struct Walk {
    order: OrderId,
    now: UnixMs,
    limit: usize,
    known: HashMap<DeliveryId, Line>,
    /// The lines of `known`.
    busy: HashSet<Line>,
    taken: Vec<(DeliveryId, Line)>,
    taken_of: HashMap<Line, usize>,
    found: InOrder,
}

impl Walk {
    fn new(lookout: Lookout, now: UnixMs, limit: usize) -> Self {
        let Lookout { order, after, known, passed } = lookout;
        let busy = known.values().copied().collect();
        let found = InOrder { passed, looked_to: after, ..InOrder::default() };
        Self { order, now, limit, known, busy, taken: Vec::new(), taken_of: HashMap::new(), found }
    }

    /// Takes a delivery or passes it by; false if the walk ends before it.
    fn pass(&mut self, id: DeliveryId, line: Line, due: u64) -> bool {
        if !self.known.contains_key(&id) && !self.found.passed.contains(&line) {
            let taken = self.taken_of.entry(line).or_default();
            let is_due = due <= self.now.0;
            let is_free = is_due && !self.busy.contains(&line);
            if is_free && self.taken.len() == self.limit {
                self.found.more = true;
                return false;
            }
            if !is_free || *taken == self.order.share(self.limit) {
                if self.found.passed.len() == MAX_PASSED {
                    return false;
                }
                self.found.passed.insert(line);
                let at = (!is_due && due != NOT_DUE).then_some(UnixMs(due));
                self.found.next = self.found.next.into_iter().chain(at).min();
            } else {
                *taken += 1;
                self.taken.push((id, line));
            }
        }
        self.found.looked_to = Some(id);
        // What is behind can only be passed by.
        !(self.order == OrderId::WHOLE && self.found.passed.contains(&line))
    }
}

/// When a delivery is due, if it waits.
pub(super) fn due_time(row: &DeliveryRow) -> Option<u64> {
    row.waits().map(|(place, due)| match place {
        Waits::InQueue => due.0,
        Waits::ForPlugin(_) => NOT_DUE,
    })
}

const fn key(endpoint: EndpointId, id: DeliveryId) -> (u128, u128, u16) {
    let (event, ordinal) = delivery_key(id);
    (endpoint.as_u128(), event, ordinal)
}
