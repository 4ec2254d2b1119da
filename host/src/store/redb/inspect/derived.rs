//! What is made of the log for those who ask it: blocks, the journal, statistics and counts.

use redb::ReadableTable as _;

use super::{Counted, Damage, Inspection};
use crate::model::Tally;
use crate::store::redb::blocks::Block;
use crate::store::redb::changes;
use crate::store::redb::codec::roster::Roster;
use crate::store::redb::codec::{self, EventRow};
use crate::store::redb::failure::Failure;
use crate::store::redb::schema::{META_DISPATCHED_BELOW, META_ROW_BYTES};

impl Inspection<'_, '_> {
    /// Blocks follow each other, no event is between them, and each is the one that would be made now.
    pub(super) fn blocks(&mut self) -> Result<(), Failure> {
        let mut end = 0;
        for row in self.tables.blocks.iter()? {
            let (first, row) = row?;
            let first = first.value();
            let Ok(block) = Block::parse(row.value()) else {
                self.found("blocks", Damage::Unreadable, first);
                return Ok(());
            };
            let states = self.tables.block_states.get(first)?;
            let follows = end <= first && self.tables.events.range(end..first)?.next().is_none();
            let (expected, expected_states) = self.tables.block(first, block.end)?;
            let is_right = follows
                && expected == row.value()
                && states.is_some_and(|states| states.value() == expected_states);
            if !is_right {
                self.found("blocks", Damage::Disagrees, first);
            }
            end = block.end;
        }
        Ok(())
    }

    /// What is written down of events that wait is what they say themselves.
    pub(super) fn rosters(&mut self) -> Result<(), Failure> {
        let below = self.tables.meta(META_DISPATCHED_BELOW)?.unwrap_or(0);
        for row in self.tables.rosters.iter()? {
            let (first, row) = row?;
            let Ok(roster) = Roster::decode(row.value()) else {
                self.found("rosters", Damage::Unreadable, first.value());
                continue;
            };
            for (key, weight) in roster.waiting.iter().filter(|(key, _)| key.as_u128() >= below) {
                let event = self.tables.events.get(key.as_u128())?;
                let found = event.and_then(|event| EventRow::parse(event.value()).ok()?.weight().ok());
                if found.as_ref() != Some(weight) {
                    self.found("rosters", Damage::Disagrees, key);
                }
            }
        }
        Ok(())
    }

    /// The journal has no gap, and what is counted with it is what there is.
    pub(super) fn journal(&mut self, counted: &Counted) -> Result<(), Failure> {
        let mut next = None;
        for row in self.tables.changes.iter()? {
            let (number, row) = row?;
            let number = number.value();
            if next.is_some_and(|next| next != number) {
                self.found("changes", Damage::Disagrees, number);
            }
            let mut count = 0;
            for change in changes::parse(row.value()) {
                count += 1;
                if change.is_err() {
                    self.found("changes", Damage::Unreadable, number);
                }
            }
            next = Some(number + count);
        }
        if self.findings.has("changes") {
            return Ok(());
        }
        if let Some(scope) = self.tables.miscounted(&counted.standing)? {
            self.found("standing", Damage::Disagrees, format_args!("of `{scope}`"));
        }
        if let Some(tenant) = self.tables.misjudged_backlog(&counted.backlog)? {
            self.found("backlog", Damage::Disagrees, format_args!("of the tenant `{tenant}`"));
        }
        Ok(())
    }

    /// The rows take what they are said to take.
    pub(super) fn size(&mut self) -> Result<(), Failure> {
        let said = self.tables.meta(META_ROW_BYTES)?;
        let found = self.tables.all_row_bytes()?;
        if said.is_some_and(|said| i128::try_from(said).ok() != Some(i128::from(found))) {
            self.found("row_bytes", Damage::Disagrees, format_args!("{found} bytes"));
        }
        Ok(())
    }

    /// What was counted can be read. Whether it is right nothing says: what it counts may be gone.
    pub(super) fn statistics(&mut self) -> Result<(), Failure> {
        for row in self.tables.statistics.iter()? {
            let (key, row) = row?;
            if codec::decode::<Tally>("statistics", row.value()).is_err() {
                self.found("statistics", Damage::Unreadable, key.value().1);
            }
        }
        Ok(())
    }
}
