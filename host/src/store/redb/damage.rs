//! Damage to a file, for the tests of those who look at it.

use std::path::Path;

use redb::{Database, ReadableTable as _};

use super::schema::{EVENTS, QUEUE};

/// What is damaged.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Damage {
    /// A derived table is empty.
    Queue,
    /// The bytes of an event are not what was written.
    Event,
}

/// Damages the store in a file.
pub(crate) fn damage(path: &Path, damage: Damage) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    match damage {
        Damage::Queue => transaction.open_table(QUEUE).unwrap().retain(|_, ()| false).unwrap(),
        Damage::Event => {
            let mut events = transaction.open_table(EVENTS).unwrap();
            let (key, mut row) =
                events.last().unwrap().map(|(key, row)| (key.value(), row.value().to_vec())).unwrap();
            *row.last_mut().unwrap() ^= 1;
            events.insert(key, row.as_slice()).unwrap();
        }
    }
    transaction.commit().unwrap();
    database.close().unwrap();
}
