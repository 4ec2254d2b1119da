//! Retention: what is over is removed when it is old enough, or when the store has no room for more.
//!
//! - It removes a part of the log at a time, about a thousand events and deliveries, and waits for its turn in between, so nobody who
//!   sends events waits for more than one part.
//! - By age everything that is older goes. By size ([`gauge`]) it removes as much as is too much, at most twice as much as came
//!   in meanwhile: so it is faster than what comes in, however fast that is, and never takes the store for itself.
//! - The less room is left, the sooner it looks again: the limit is not passed between two looks.
//! - Its limits can change while it runs: each round goes by what they are then.
//! - What is not over stays and is looked at again later. If nothing else is left and the store is full, events are refused
//!   until there is room.

mod counted;
mod gauge;
mod options;
mod room;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

pub use self::counted::Counted;
use self::gauge::Gauge;
pub use self::options::Options;
use self::room::Room;
use crate::clock::Clock;
use crate::free_space::FreeSpace;
use crate::model::{EventKey, UnixMs};
use crate::shutdown::Shutdown;
use crate::store::{Error, Retire, Retired, Store, StoreFull, SweepPlace};

/// Between two looks while there is something to remove, or little room is left.
const BUSY: Duration = Duration::from_millis(100);
/// Between two looks otherwise: as old may be what the metrics say.
const IDLE: Duration = Duration::from_secs(1);
/// Bytes that may come in a second: the disk takes no more.
const MOST_COMES: u64 = 256 << 20;
/// After an error of the store.
const RETRY: Duration = Duration::from_mins(1);
/// What had to stay is looked at again after this, and what is a little older than it may be goes.
const AGAIN: Duration = Duration::from_mins(1);
/// Parts between two looks at the size.
const MAX_PARTS: usize = 64;
/// Bytes of rows that may go between two looks however little comes in.
const LEAST_REMOVED: u64 = 4 << 20;
/// Looks of one step of a sweep: less than a millisecond.
const SWEEP_LOOKS: usize = 2_000;
/// Steps between two looks at the size.
const MAX_SWEEPS: usize = 16;
/// Rows that are left behind, at least, before they are swept.
const SWEEP_AT: u64 = 20_000;
/// And of how many events, as a share of those that are there: what is swept together makes a good part of each leaf.
const SWEEP_SHARE: u64 = 4;
/// They are swept after this however few they are.
const SWEEP_AFTER: Duration = Duration::from_hours(1);
/// No key is below it.
const BEGIN: EventKey = EventKey::from_u128(0);
/// All keys are below it.
const END: EventKey = EventKey::from_u128(u128::MAX);

/// What removes.
pub struct Retention {
    store: Arc<dyn Store>,
    clock: Clock,
    /// What may be kept, as it is said now.
    live: Arc<ArcSwap<Options>>,
    /// The same, as this round has it.
    options: Options,
    counted: Counted,
    gauge: Gauge,
    room: Room,
    /// Where to look on.
    place: EventKey,
    /// Whether something had to stay that was looked at.
    has_kept: bool,
    /// When all is looked at again.
    again_at: UnixMs,
    sweep: Sweeping,
    /// Whether events are refused.
    is_full: bool,
    /// Bytes of rows after the last look, and when that was.
    looked: Option<(u64, Instant)>,
}

/// What lies in another order than that of time, and is swept when there is enough.
#[derive(Debug)]
struct Sweeping {
    /// Where a sweep stands.
    place: Option<SweepPlace>,
    /// Below it something may have been removed, by this run or one before it.
    below: EventKey,
    /// Rows that were left behind since the last one. What an earlier run left is not known.
    rows: u64,
    /// Of how many events.
    events: u64,
    /// When it is time in any case.
    due_at: UnixMs,
}

impl Sweeping {
    const fn none_until(due_at: UnixMs, below: EventKey) -> Self {
        Self { place: None, below, rows: 0, events: 0, due_at }
    }

    fn left_behind(&mut self, part: &Retired, until: EventKey) {
        self.rows += part.events + part.deliveries;
        self.events += part.events;
        self.below = self.below.max(until);
    }

    /// Whether there is enough for one, in a store of so many events.
    fn is_due(&self, events: u64, now: UnixMs) -> bool {
        let is_enough = self.rows >= SWEEP_AT && self.events >= events / SWEEP_SHARE;
        is_enough || (self.rows > 0 && now >= self.due_at)
    }
}

/// What a round did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Round {
    removed: u64,
    /// Whether all was looked at.
    has_ended: bool,
}

impl Retention {
    /// Of this store.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Clock,
        live: Arc<ArcSwap<Options>>,
        free_space: FreeSpace,
        counted: Counted,
    ) -> Self {
        let options = Options::clone(&live.load());
        let gauge = Gauge::new(options.max_bytes);
        Self {
            store,
            clock,
            live,
            options,
            counted,
            gauge,
            room: Room::new(free_space),
            place: BEGIN,
            has_kept: false,
            again_at: clock.now().after(AGAIN),
            sweep: Sweeping::none_until(clock.now().after(SWEEP_AFTER), BEGIN),
            is_full: false,
            looked: None,
        }
    }

    /// Removes until it is time to stop.
    pub async fn run(mut self, shutdown: Shutdown) {
        let mut wait = BUSY;
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = shutdown.requested() => return,
            }
            wait = match self.round().await {
                Ok(wait) => wait,
                Err(Error::Closed) => return,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "what is old could not be removed; trying again"
                    );
                    RETRY
                }
            };
        }
    }

    /// Looks at what there is and removes some of it; says when to look again.
    async fn round(&mut self) -> Result<Duration, Error> {
        let size = self.store.size().await?;
        self.options = Options::clone(&self.live.load());
        self.gauge.limit(self.options.max_bytes);
        self.room.check(&self.options, &size);
        let came = self.came(size.row_bytes);
        let look = self.gauge.look(&size);
        let allowed = look.too_much.min(LEAST_REMOVED.max(2 * came));
        let horizon = self.horizon();
        let cut = self.clock.now() >= self.again_at;
        if cut {
            self.again_at = self.clock.now().after(AGAIN);
            self.begin_again();
        }
        let round = self.remove(horizon, allowed, cut).await?;
        self.looked = self.looked.map(|(rows, at)| (rows.saturating_sub(round.removed), at));
        let is_short = round.has_ended && round.removed < allowed;
        self.refuse(&look, is_short);
        if is_short {
            self.begin_again();
        }
        let sweeps = self.sweep(size.events).await?;
        let lag = horizon.map_or(Duration::ZERO, |horizon| self.lag(horizon, &round));
        // What this round could not remove, either.
        let too_much = look.too_much.saturating_sub(round.removed);
        self.counted.look(&self.options, &size, &gauge::Look { too_much, ..look }, lag);
        let has_more = sweeps || (round.removed > 0 && !is_short) || (!round.has_ended && allowed > 0);
        Ok(if has_more { BUSY } else { until_full(look.left) })
    }

    /// Bytes of rows that came since the last look.
    fn came(&mut self, row_bytes: u64) -> u64 {
        let now = Instant::now();
        let Some((before, at)) = self.looked.replace((row_bytes, now)) else { return 0 };
        let came = row_bytes.saturating_sub(before);
        self.gauge.came(came, u64::try_from((now - at).as_millis()).unwrap_or(u64::MAX));
        came
    }

    /// Below it everything is too old.
    fn horizon(&self) -> Option<EventKey> {
        let max_age = self.options.max_age;
        (!max_age.is_zero()).then(|| EventKey::first_at(self.clock.now().before(max_age)))
    }

    /// How far removal by age is behind.
    fn lag(&self, horizon: EventKey, round: &Round) -> Duration {
        if round.has_ended || self.place == BEGIN {
            return Duration::ZERO;
        }
        horizon.time().since(self.place.time())
    }

    fn begin_again(&mut self) {
        if std::mem::take(&mut self.has_kept) {
            self.place = BEGIN;
        }
    }

    /// Removes what is below the horizon, and beyond that so many bytes of rows.
    async fn remove(&mut self, horizon: Option<EventKey>, allowed: u64, cut: bool) -> Result<Round, Error> {
        let mut round = Round::default();
        for _ in 0..MAX_PARTS {
            let before = if round.removed < allowed { Some(END) } else { horizon };
            let Some(before) = before.filter(|before| self.place < *before) else { break };
            let part = Retire { from: self.place, before, cut, overhead: self.gauge.overhead() };
            let retired = self.store.retire(part).await?;
            self.counted.removed(&retired);
            self.has_kept |= retired.kept > 0;
            self.sweep.left_behind(&retired, retired.next.unwrap_or(before));
            round.removed += retired.bytes;
            match retired.next {
                Some(next) => self.place = next,
                None => {
                    round.has_ended = true;
                    break;
                }
            }
        }
        Ok(round)
    }

    /// Has events refused when nothing is left that may go, and taken again when there is room.
    fn refuse(&mut self, look: &gauge::Look, is_short: bool) {
        let (bytes, limit) = (look.used, self.options.max_bytes);
        let is_full = if self.is_full { !look.has_room } else { is_short && look.is_full };
        if is_full == self.is_full {
            return;
        }
        self.is_full = is_full;
        let full = StoreFull { bytes, limit };
        if is_full {
            tracing::warn!("events are refused: {full}");
        } else {
            tracing::info!(bytes, "events are taken again: the store has room");
        }
        self.store.refuse_events(is_full.then_some(full));
    }

    /// Goes on with a sweep, or begins one if there is enough for it; says whether it has more to do.
    async fn sweep(&mut self, events: u64) -> Result<bool, Error> {
        let now = self.clock.now();
        if self.sweep.place.is_none() {
            if !self.sweep.is_due(events, now) {
                return Ok(false);
            }
            self.sweep = Sweeping::none_until(now.after(SWEEP_AFTER), self.sweep.below);
            self.sweep.place = Some(SweepPlace::default());
        }
        for _ in 0..MAX_SWEEPS {
            let Some(place) = self.sweep.place.take() else { break };
            self.sweep.place = self.store.sweep(place, self.sweep.below, SWEEP_LOOKS).await?;
        }
        Ok(self.sweep.place.is_some())
    }
}

/// How long nobody needs to look where so many bytes are left.
fn until_full(left: u64) -> Duration {
    Duration::from_millis(left.saturating_mul(1_000) / MOST_COMES).clamp(BUSY, IDLE)
}
