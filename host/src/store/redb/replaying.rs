//! What the write-ahead log has that the tables lack, into the tables, when the store is opened.
//!
//! Events first, as rows, since what waits for dispatch is found from those; then what was decided about them, by the verb.

use redb::WriteTransaction;

use super::failure::Failure;
use super::progress::Progress;
use super::schema::{META_LOGGED, Tables};
use super::upkeep::Upkeep;
use super::wal::{Damage, Record, Records, Wal};
use super::writer::{Batch, Change as _};
use crate::model::EventKey;
use crate::store::{Error, FanOut};

/// What is wrong where the log is of a later moment than the tables.
pub(super) const NEWER_LOG: &str = "the write-ahead log (hookway.wal) is newer than hookway.redb beside it: the two are not of the \
    same moment, and what was committed in between is in neither. Put both files of one moment there, or restore a backup; where \
    there is none, `hookway doctor --repair` keeps what both have";

/// Where the last run stopped, as the tables say.
pub(super) fn load(transaction: &WriteTransaction) -> Result<(Progress, Upkeep), Failure> {
    let progress = Progress::load(transaction)?;
    let upkeep = Upkeep::load(transaction, &progress)?;
    Ok((progress, upkeep))
}

/// The generation of the log that is not in the tables; random for a store that had no log yet, so that no other log is likely to
/// have it.
pub(super) fn next_generation(tables: &Tables<'_>) -> Result<u64, Failure> {
    let logged = tables.meta(META_LOGGED)?.and_then(|generation| u64::try_from(generation).ok());
    Ok(logged.unwrap_or_else(rand::random).wrapping_add(1))
}

/// Repeats what the log has, and begins it anew. Says where the last run stopped.
///
/// # Errors
/// The log is damaged, or of a later moment than the tables, with a sentence, if `salvage` does not say to take what there is of it.
pub(super) fn replay(
    transaction: &WriteTransaction,
    wal: &mut Wal,
    salvage: bool,
) -> Result<(Progress, Upkeep), Failure> {
    let mut tables = Tables::open(transaction)?;
    let mut next = next_generation(&tables)?;
    let mut logged = wal.read(next)?;
    match logged.newer {
        Some(newer) if salvage => {
            logged.records.extend(newer.records);
            next = newer.generation;
        }
        Some(_) => return Err(Error::Unusable(NEWER_LOG.to_owned()).into()),
        None => {}
    }
    match logged.damage {
        Some(damage) if salvage => logged.records.extend(damage.records),
        Some(damage) => return Err(Error::Unusable(damaged(&damage)).into()),
        None => {}
    }
    let mut fan_outs = Vec::new();
    for record in logged.records {
        match record {
            Record::FanOut(fan_out) => fan_outs.push(fan_out.into_owned()),
            row @ (Record::Event(..) | Record::Id(..) | Record::Reserved(_)) => insert(&mut tables, row)?,
        }
    }
    tables.meta.insert(META_LOGGED, u128::from(next))?;
    tables.count_row_bytes()?;
    drop(tables);
    wal.begin(next.wrapping_add(1));
    let (mut progress, mut upkeep) = load(transaction)?;
    fan_out(transaction, &mut progress, &mut upkeep, fan_outs)?;
    Ok((progress, upkeep))
}

/// What is wrong with a log of which a part in the middle was changed.
pub(super) fn damaged(damage: &Damage) -> String {
    let Damage { at, until, frames, .. } = damage;
    format!(
        "the write-ahead log (hookway.wal) was changed on the disk: bytes {at} to {until} are not what was written, and \
         {frames} frames of events and decisions are behind them; `hookway doctor` says more, `hookway doctor --repair` keeps all \
         that can be read, or restore a backup"
    )
}

fn insert(tables: &mut Tables<'_>, row: Record<'_>) -> Result<(), Failure> {
    match row {
        Record::Event(key, header, data) => {
            tables.insert_event(EventKey::from_u128(key), &header, &data)?;
        }
        Record::Id(kind, text, tenant, event, hash) => {
            tables.insert_id((kind, &text, &tenant), event, hash)?;
        }
        Record::Reserved(key) => {
            tables.reserved.insert(key, ())?;
        }
        Record::FanOut(_) => {}
    }
    Ok(())
}

fn fan_out(
    transaction: &WriteTransaction,
    progress: &mut Progress,
    upkeep: &mut Upkeep,
    fan_outs: Vec<FanOut>,
) -> Result<(), Failure> {
    let mut batch = Batch { tables: Tables::open(transaction)?, progress, records: Records::kept(false) };
    for fan_out in fan_outs {
        fan_out.apply(&mut batch)?;
    }
    batch.tables.write_deliveries()?;
    batch.progress.store(&mut batch.tables)?;
    upkeep.settle(&mut batch.tables)?;
    batch.progress.committed();
    Ok(())
}
