//! Whether what is stored agrees with itself: every row can be read, and every table says what the others say.
//!
//! Two kinds of tables. *Sources* have what was accepted and decided, which nothing else has: events, deliveries, attempts, endpoints
//! and what else people wrote. All others are *derived*: they can be made anew from the sources, which is what
//! [`super::repairing`] does. So what is wrong with a derived table is a repair, and what is wrong with a source is a loss.
//!
//! Reads all rows, in their order where it can, and keeps counts in memory but no rows: a large store is inspected in the
//! memory of a small one.

mod derived;
mod log;
mod records;
mod waiting;

use std::collections::BTreeMap;
use std::fmt;

use redb::ReadableTableMetadata as _;

use super::backlogs;
use super::failure::Failure;
use super::schema::Tables;
use super::statistics;

/// Rows between two calls of a [`Watch`].
const WATCHED: u64 = 4_096;
/// The tables that can be made anew, and what they are for.
const DERIVED: [(&str, &str); 15] = [
    ("ids", "the ids of producers, by which a repeat is found"),
    ("queue", "what waits for an attempt"),
    ("holds", "what waits for a plugin"),
    ("endpoint_holds", "what waits for a plugin, by endpoint"),
    ("ordered", "the lines of ordered endpoints"),
    ("endpoint_log", "what each endpoint got"),
    ("blocks", "what lists are filtered by"),
    ("rosters", "which events wait for dispatch, so that a start need not read them"),
    ("changes", "the journal of the newest changes"),
    ("statistics", "what was counted, by time"),
    ("standing", "how many deliveries wait"),
    ("backlog", "the undelivered work of each tenant"),
    ("urls", "the endpoint of each URL"),
    ("kv_usage", "what plugins take of their quota, and what expires"),
    ("row_bytes", "how much the store has, by which `retention.max_bytes` is kept"),
];

/// Told how many rows were looked at so far.
pub(super) type Watch<'w> = &'w mut dyn FnMut(u64);

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Findings(BTreeMap<(&'static str, Damage), Found>);

/// What is wrong with rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Damage {
    /// They are not what any version wrote.
    Unreadable,
    /// Others name them and they are not there.
    Missing,
    /// They say something else than the tables from which they are made.
    Disagrees,
}

#[derive(Debug)]
struct Found {
    rows: u64,
    first: String,
}

/// What one walk over the deliveries found out for the tables that are made of them.
#[derive(Debug, Default)]
struct Counted {
    queue: u64,
    holds: u64,
    standing: statistics::Counted,
    backlog: backlogs::Differences,
}

/// The walk so far.
struct Inspection<'t, 'w> {
    tables: &'t Tables<'t>,
    findings: Findings,
    rows: u64,
    watch: Watch<'w>,
}

/// Looks at everything.
pub(super) fn inspect(tables: &Tables<'_>, watch: Watch<'_>) -> Result<Findings, Failure> {
    let mut inspection = Inspection { tables, findings: Findings::default(), rows: 0, watch };
    inspection.events()?;
    let counted = inspection.deliveries()?;
    inspection.attempts()?;
    inspection.custom()?;
    inspection.waiting(&counted)?;
    inspection.ordered()?;
    inspection.endpoint_log()?;
    // What it is made of must be readable.
    if inspection.findings.sources_are_whole() {
        inspection.blocks()?;
        inspection.rosters()?;
        inspection.journal(&counted)?;
    }
    inspection.statistics()?;
    inspection.size()?;
    inspection.records()?;
    inspection.kv()?;
    inspection.audit()?;
    Ok(inspection.findings)
}

/// How many rows [`inspect`] looks at, about.
pub(super) fn rows(tables: &Tables<'_>) -> Result<u64, Failure> {
    let lengths = [
        tables.events.len()?,
        tables.deliveries.len()?,
        tables.attempts.len()?,
        tables.custom.len()?,
        tables.ordered.len()?,
        tables.audit.len()?,
    ];
    Ok(lengths.iter().sum())
}

impl Inspection<'_, '_> {
    fn looked(&mut self) {
        self.rows += 1;
        if self.rows.is_multiple_of(WATCHED) {
            (self.watch)(self.rows);
        }
    }

    fn found(&mut self, table: &'static str, damage: Damage, row: impl fmt::Display) {
        self.findings.note(table, damage, row);
    }
}

impl Findings {
    /// Whether something is wrong with a table.
    pub(super) fn has(&self, table: &str) -> bool {
        self.0.keys().any(|(of, _)| *of == table)
    }

    /// A sentence for each kind of thing that is wrong, and whether a repair makes it right.
    pub(super) fn sentences(&self) -> Vec<(String, bool)> {
        let sentence = |((table, damage), found): (&(&'static str, Damage), &Found)| {
            (sentence(table, *damage, found), purpose(table).is_some())
        };
        self.0.iter().map(sentence).collect()
    }

    fn note(&mut self, table: &'static str, damage: Damage, row: impl fmt::Display) {
        let found =
            self.0.entry((table, damage)).or_insert_with(|| Found { rows: 0, first: row.to_string() });
        found.rows += 1;
    }

    fn sources_are_whole(&self) -> bool {
        !self.has("events") && !self.has("deliveries")
    }
}

/// What a derived table is for.
fn purpose(table: &str) -> Option<&'static str> {
    DERIVED.iter().find(|(derived, _)| *derived == table).map(|(_, purpose)| *purpose)
}

fn sentence(table: &str, damage: Damage, Found { rows, first }: &Found) -> String {
    let (rows, are) = if *rows == 1 { ("1 row".to_owned(), "is") } else { (format!("{rows} rows"), "are") };
    let what = match damage {
        Damage::Unreadable => format!("{rows} of `{table}` cannot be read (the first: {first})"),
        Damage::Missing => format!("{rows} of `{table}` {are} missing (the first: {first})"),
        Damage::Disagrees => format!("{rows} of `{table}` {are} missing or wrong (the first: {first})"),
    };
    match purpose(table) {
        Some(purpose) => format!("{what}: {purpose}; it can be made anew from the rest"),
        None => format!("{what}: nothing else has what was in there, a backup may"),
    }
}

#[cfg(test)]
pub(super) mod tests;
