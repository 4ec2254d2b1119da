//! The lane of one endpoint: what the schedule knows of it, and what follows from that alone.

use std::collections::VecDeque;
use std::time::Duration;

use super::lines::Lines;
use super::window::Window;
use crate::fast_map::FastMap;
use crate::model::{DeliveryId, Job, Line, OrderId, TenantId, UnixMs};
use crate::store::Lookout;

/// Rounds of attempts that a load brings: those that wait long wait in the store, and leave the memory to others.
const ROUNDS: usize = 4;
/// The same for a lane that is fast: a read of the store costs a commit of all that was answered.
const MOST_ROUNDS: usize = 64;
/// What a load brings should last for so long at least.
const SHORT: Duration = Duration::from_millis(200);
/// The part of a load that may wait when the next one begins, so that the lane does not stand still meanwhile.
const LEFT: usize = 4;

/// What waits for one endpoint in memory, and what of it is under way.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Whose it is; not known before something waits here.
    pub(super) tenant: Option<TenantId>,
    /// Those that may start, in their order.
    pub(super) ready: VecDeque<Job>,
    /// Bytes of what waits here, roughly.
    pub(super) bytes: usize,
    /// Attempts under way.
    pub(super) in_flight: usize,
    /// How many may be, by what the receiver did with those before.
    pub(super) window: Window,
    /// Deliveries that are ready, behind one in a line, in flight or not recorded yet, each with its line: what the store
    /// must not hand out again.
    pub(super) known: FastMap<DeliveryId, Option<Line>>,
    /// Those of `known` that were recorded while a load was under way: it may have seen them as they were before.
    /// With each, whether it has ended.
    pub(super) recorded_during_load: Vec<(DeliveryId, bool)>,
    /// When the earliest delivery that is in the store and not in `known` is due.
    pub(super) stored: Option<UnixMs>,
    /// Whether the store is being read for it.
    pub(super) loading: bool,
    /// How much it reads at a time.
    pub(super) appetite: Appetite,
    /// Whether it is among the turns.
    pub(super) has_turn: bool,
    /// The order that it goes by, if it has one.
    pub(super) order: Option<OrderId>,
    /// What it knows of its lines, if it has an order.
    pub(super) lines: Lines,
    /// The lane's entry in `paced`.
    pub(super) paced: Option<UnixMs>,
}

/// How much a lane reads from the store at a time, learnt from how long that lasts.
#[derive(Debug, Default)]
pub(super) struct Appetite {
    rounds: usize,
    /// Deliveries that the last load was for, and when.
    last: Option<(usize, UnixMs)>,
}

impl Appetite {
    /// How many deliveries the next load is for, which is wanted now: some rounds of `round`, at least one and at most `most`.
    pub(super) fn next(&mut self, round: usize, most: usize, now: UnixMs) -> usize {
        self.rounds = match self.last {
            Some((_, at)) if now.since(at) < SHORT => (self.rounds * 2).min(MOST_ROUNDS),
            Some(_) => (self.rounds / 2).max(ROUNDS),
            None => ROUNDS,
        };
        let limit = (self.rounds * round).min(most).max(1);
        self.last = Some((limit, now));
        limit
    }

    /// So many that wait are few.
    fn is_low(&self, waiting: usize) -> bool {
        waiting <= self.last.map_or(0, |(limit, _)| limit / LEFT)
    }
}

impl Lane {
    /// Whether what it has in memory is soon used up. One with an order waits for the end of that: only what is recorded says
    /// what comes next.
    pub(super) fn has_room_to_load(&self) -> bool {
        self.ready.is_empty() || self.order.is_none() && self.appetite.is_low(self.ready.len())
    }

    /// Whether it has something to give and may: with fewer than `most` in flight, and not before its rate lets it.
    pub(super) fn can_use_a_turn(&self, most: usize) -> bool {
        !self.has_turn
            && self.paced.is_none()
            && !self.ready.is_empty()
            && self.in_flight < most.min(self.window.size())
    }

    /// Whether it need not be kept: a new one would be no different.
    pub(super) fn is_idle(&self) -> bool {
        self.known.is_empty()
            && self.in_flight == 0
            && self.stored.is_none()
            && !self.loading
            && !self.has_turn
            && self.lines.has_none()
    }

    /// Whether something of another order is not settled: it is still in the store, and what comes after it in this one
    /// must not be taken for the first.
    pub(super) fn has_others_in_flight(&self) -> bool {
        self.order.is_some() && self.known.values().any(|line| line.map(|line| line.order) != self.order)
    }

    /// What the store is asked next by this order.
    pub(super) fn lookout(&mut self, order: OrderId, now: UnixMs) -> Lookout {
        let (after, passed) = self.lines.look(now);
        let known = self.known.iter().filter_map(|(id, line)| Some((*id, (*line)?))).collect();
        Lookout { order, after, known, passed }
    }

    /// Whether something waits here, or was passed by in the store.
    pub(super) fn has_waiting(&self) -> bool {
        !self.ready.is_empty() || !self.lines.has_none()
    }

    /// An attempt is over. If its delivery is too, the next of its line may start; if not, those behind it are given up.
    /// Returns the bytes of those.
    pub(super) fn end(&mut self, delivery: DeliveryId, is_final: bool) -> usize {
        let line = self.known.get(&delivery).copied().flatten();
        match line.filter(|line| self.order == Some(line.order)) {
            Some(line) if is_final => {
                self.ready.extend(self.lines.next(line));
                0
            }
            Some(line) => {
                let behind = self.lines.give_up(line);
                self.give_up(behind)
            }
            None => 0,
        }
    }

    /// Takes a delivery out that waits here, and with it all that waits here of its line; returns their bytes. It stays
    /// known, the others are read again. `None` if it does not wait: it is under way, or not recorded yet.
    pub(super) fn withdraw(&mut self, delivery: DeliveryId) -> Option<usize> {
        let line = self.known.get(&delivery).copied()?;
        let is_ready = self.ready.iter().any(|job| job.delivery == delivery);
        if !is_ready && !line.is_some_and(|line| self.lines.has_behind(line, delivery)) {
            return None;
        }
        let is_taken = |job: &Job| job.delivery == delivery || line.is_some() && job.line == line;
        let ready = std::mem::take(&mut self.ready);
        let (mut taken, ready): (VecDeque<Job>, VecDeque<Job>) = ready.into_iter().partition(is_taken);
        self.ready = ready;
        if let Some(line) = line {
            taken.extend(self.lines.give_up(line));
            self.lines.pass(line);
        }
        let bytes = self.give_up(taken);
        self.known.insert(delivery, line);
        Some(bytes)
    }

    /// Gives up all that waits here; returns its bytes. What is in flight ends by itself.
    pub(super) fn clear(&mut self) -> usize {
        let mut waiting = std::mem::take(&mut self.ready);
        waiting.extend(std::mem::take(&mut self.lines).into_followers());
        self.give_up(waiting)
    }

    fn give_up(&mut self, waiting: VecDeque<Job>) -> usize {
        waiting.iter().for_each(|job| {
            self.known.remove(&job.delivery);
        });
        let bytes = waiting.iter().map(size).sum();
        self.bytes -= bytes;
        bytes
    }

    /// Forgets a delivery that was settled; true if it has ended, and of its line there is more in the store and nothing
    /// here. One that has not ended is what its line waits for in the store.
    pub(super) fn forget(&mut self, delivery: DeliveryId, has_ended: bool) -> bool {
        let Some(Some(line)) = self.known.remove(&delivery) else { return false };
        if !has_ended && self.order == Some(line.order) {
            self.lines.pass(line);
        }
        has_ended && self.lines.has_passed(line) && !self.known.values().any(|other| *other == Some(line))
    }
}

/// What a waiting delivery keeps in memory, roughly.
pub(super) fn size(job: &Job) -> usize {
    const OVERHEAD: usize = 256;
    OVERHEAD + job.event.data.len() + job.custom.as_ref().map_or(0, |custom| custom.body.len())
}
