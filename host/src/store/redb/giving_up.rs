//! What waits and cannot be sent because its rows were changed on the disk: it ends, so that nothing waits behind it.
//!
//! Those who read what waits (`due`, `due_in_order`, `plugin_holds`, `undispatched`) pass such rows by and say which they are.
//! [`RedbStore::give_up`] ends them in a transaction: a delivery is `failed` with the reason, an event that is not dispatched is
//! dispatched to nobody. Each is a line of the log of the gateway, and is counted.

use std::sync::Arc;

use super::codec::{self, Corrupt, DeliveryRow};
use super::failure::Failure;
use super::progress::Undispatched;
use super::schema::{Tables, delivery_key};
use super::writer::{Awaited, Batch, Change};
use super::{RedbStore, cost, ordered, rows, waiting};
use crate::model::{DeliveryId, DeliveryState, EndpointId, Event, EventKey, FailReason, PluginName, UnixMs};
use crate::store::{Due, DueInOrder, Error, FanOut, HoldPlace, InOrder, Lookout, PluginHold, StoreFuture};

/// A delivery that waits and cannot be read as a whole.
#[derive(Debug)]
pub(super) struct Damaged {
    pub(super) endpoint: EndpointId,
    pub(super) delivery: DeliveryId,
    pub(super) why: Corrupt,
}

/// Events that wait for dispatch and cannot be read, each with the reason.
pub(super) type DamagedEvents = Vec<(EventKey, Corrupt)>;

/// The change.
struct GiveUp {
    damaged: Vec<Damaged>,
    at: UnixMs,
}

/// What was read, or why it cannot be. Fails if it is the storage that fails.
pub(super) fn readable<T>(read: Result<T, Failure>) -> Result<Result<T, Corrupt>, Failure> {
    match read {
        Ok(read) => Ok(Ok(read)),
        Err(Failure::Damaged(why)) => Ok(Err(why)),
        Err(other) => Err(other),
    }
}

/// The verbs that read what waits.
impl RedbStore {
    /// See [`crate::store::Store::undispatched`].
    pub(super) fn read_undispatched(
        &self,
        after: Option<EventKey>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<Arc<Event>>> {
        let look = move |undispatched: &Undispatched| undispatched.after(after, limit);
        let read = move || self.read_beside(look, |transaction, keys| waiting::events(transaction, &keys));
        let reading = read();
        Box::pin(async move {
            let (mut events, mut damaged) = reading.await?;
            // Less than there may be would mean that there is no more.
            while !damaged.is_empty() {
                self.give_up_events(damaged).await?;
                (events, damaged) = read().await?;
            }
            Ok(events)
        })
    }

    /// See [`crate::store::Store::plugin_holds`].
    pub(super) fn read_plugin_holds(
        &self,
        now: UnixMs,
        released: Option<PluginName>,
        after: Option<HoldPlace>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<PluginHold>> {
        let read = move || {
            let released = released.clone();
            self.read(move |transaction| {
                waiting::plugin_holds(transaction, now, released.as_ref(), after, limit)
            })
        };
        let reading = read();
        Box::pin(async move {
            let (mut holds, mut damaged) = reading.await?;
            // None would mean that there are no more.
            while !damaged.is_empty() {
                self.give_up(damaged).await?;
                (holds, damaged) = read().await?;
            }
            Ok(holds)
        })
    }

    /// See [`crate::store::Store::due`].
    pub(super) fn read_due(&self, endpoint: EndpointId, now: UnixMs, limit: usize) -> StoreFuture<'_, Due> {
        let reading = self.read(move |transaction| waiting::due(transaction, endpoint, now, limit));
        Box::pin(async move {
            let (due, damaged) = reading.await?;
            self.give_up(damaged).await?;
            Ok(due)
        })
    }

    /// See [`crate::store::Store::due_in_order`].
    pub(super) fn read_due_in_order(
        &self,
        endpoint: EndpointId,
        lookout: Lookout,
        now: UnixMs,
        limit: usize,
    ) -> StoreFuture<'_, DueInOrder> {
        let reading =
            self.read_beside(Undispatched::dispatched_below, move |transaction, dispatched_below| {
                ordered::due(transaction, endpoint, lookout, (now, limit), dispatched_below)
            });
        Box::pin(async move {
            let (found, damaged) = reading.await?;
            if damaged.is_empty() {
                return Ok(found);
            }
            self.give_up(damaged).await?;
            // Without a place it was looked to: the next look is from the beginning, as of now.
            Ok(DueInOrder::Due(InOrder { next: Some(now), ..InOrder::default() }))
        })
    }

    /// Ends these deliveries, if there are any.
    async fn give_up(&self, damaged: Vec<Damaged>) -> Result<(), Error> {
        if damaged.is_empty() {
            return Ok(());
        }
        for Damaged { endpoint, delivery, why } in &damaged {
            tracing::error!(
                %delivery, %endpoint, %why,
                "what a delivery needs was changed on the disk, so it is given up; run `hookway doctor`, which says what else was"
            );
            self.counts.damaged();
        }
        self.write(GiveUp { damaged, at: self.clock.now() }).await
    }

    /// Takes these events, that wait for dispatch, for dispatched.
    async fn give_up_events(&self, damaged: DamagedEvents) -> Result<(), Error> {
        for (event, why) in damaged {
            tracing::error!(
                %event, %why,
                "an event was changed on the disk before it was dispatched, so nobody gets it; run `hookway doctor`, which says \
                 what else was"
            );
            self.counts.damaged();
            let at = self.clock.now();
            self.write(FanOut { event, at, deliveries: Vec::new(), durable: true }).await?;
        }
        Ok(())
    }
}

impl Change for GiveUp {
    type Output = ();

    /// Its lane waits for it.
    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        for damaged in self.damaged {
            batch.tables.give_up(&damaged, self.at)?;
        }
        Ok(())
    }
}

impl Tables<'_> {
    fn give_up(&mut self, damaged: &Damaged, at: UnixMs) -> Result<(), Failure> {
        let id = damaged.delivery;
        let mut row = match readable(rows::indexed_delivery(&self.deliveries, id))? {
            Ok(row) => row,
            Err(_) => self.replace_unreadable(id, damaged.endpoint)?,
        };
        if row.state.is_final() {
            return Ok(());
        }
        self.stop_waiting(id, &row)?;
        let reason = FailReason::Damaged { message: damaged.why.to_string() };
        row.enter(DeliveryState::Failed(reason), None, at);
        self.store_delivery(id, &row)
    }

    /// Puts a row in the place of one that cannot be read: as it was when the delivery began. Where that waits its row would
    /// have said, so it is looked for.
    fn replace_unreadable(&mut self, id: DeliveryId, endpoint: EndpointId) -> Result<DeliveryRow, Failure> {
        let (event, ordinal) = delivery_key(id);
        let of = endpoint.as_u128();
        let all = (of, 0, 0, 0)..=(of, u64::MAX, u128::MAX, u16::MAX);
        self.queue.retain_in(all, |(_, _, key, number), ()| (key, number) != (event, ordinal))?;
        if self.endpoint_holds.remove((of, event, ordinal))?.is_some() {
            self.holds.retain(|(_, _, key, number), ()| (key, number) != (event, ordinal))?;
        }
        let mut row = DeliveryRow::new(endpoint, id.event.time());
        row.due_at = Some(id.event.time());
        let bytes = codec::encode_delivery(&row);
        let before = self.deliveries.insert((event, ordinal), bytes.as_slice())?;
        let less = before.map_or(0, |row| cost::delivery(row.value().len()));
        self.noted.row_bytes += cost::delivery(bytes.len()) - less;
        Ok(row)
    }
}
