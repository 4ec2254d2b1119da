//! Which time it is for what is stored.
//!
//! Due times were said by the clock of an earlier run. If it was set back since, what is due would wait for as long as it was set back.
//! So the clock goes on from the last time that is known: no attempt comes earlier than its schedule says, as that much time has
//! gone by, and none waits for more than its schedule says from then on.

use std::time::Duration;

use redb::{ReadableTable as _, WriteTransaction};

use super::changes;
use super::failure::Failure;
use super::schema::{CHANGES, EVENTS};
use crate::clock::Clock;
use crate::model::{EventKey, UnixMs};

/// No clock is off by so much: a time that is further ahead was damaged.
const MOST: Duration = Duration::from_hours(31 * 24);
/// Whoever sets clocks by a network steps them by less.
const NOTABLE: Duration = Duration::from_mins(1);

/// The last time at which an event was accepted or something became of a delivery. All due times were said by then.
pub(super) fn last_known(transaction: &WriteTransaction) -> Result<UnixMs, Failure> {
    let accepted =
        transaction.open_table(EVENTS)?.last()?.map(|(key, _)| EventKey::from_u128(key.value()).time());
    let changed = changes::last_time(&transaction.open_table(CHANGES)?)?;
    Ok(accepted.max(changed).unwrap_or_default())
}

/// The clock, which goes on from that time.
pub(super) fn going_on(clock: Clock, last: UnixMs) -> Clock {
    let ahead = last.since(clock.now());
    if ahead > MOST {
        tracing::warn!(last = %last, "what was stored last is of a time that no clock shows; it is left out of account");
        return clock;
    }
    if ahead > NOTABLE {
        tracing::warn!(
            last = %last,
            ahead_ms = ahead.as_millis(),
            "the system clock was set back; times go on from those that are stored, until a start after it has caught up"
        );
    }
    clock.not_before(last)
}
