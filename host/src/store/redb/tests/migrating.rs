//! Stores of earlier formats: each is opened, converted and whole, also when power is lost at any moment of that; a newer one is
//! refused and left as it is.
//!
//! They are made of a store of our format by taking away what later formats brought.

use redb::ReadableTable as _;

use super::workload::{LOG, Promises, TABLES, Workload, open};
use super::*;
use crate::store::redb::endpoint_row::EndpointRow;
use crate::store::redb::images::{self, Moments, derived};
use crate::store::redb::schema::{
    BACKLOG, CUSTOM, EVENTS, FORMAT, KV, KV_EXPIRY, KV_USAGE, PLUGINS, TENANTS,
};

/// Of a row that has a checksum: the version and that.
const CHECKED_HEAD: usize = 5;

/// A store of an earlier format that a workload filled, and what was promised of it.
async fn of_format(format: u128, seed: u64) -> (Vec<u8>, Promises) {
    let (disks, history) = images::disks(&[Vec::new(), Vec::new()]);
    let mut workload = Workload::begin(disks.clone(), history, seed).unwrap();
    workload.go_on(40).await.unwrap();
    workload.store().close().unwrap();
    downgrade(&disks[TABLES], format);
    (disks[TABLES].after_kill(), workload.stop())
}

fn downgrade(disk: &Disk, format: u128) {
    let database = Database::builder().create_with_backend(disk.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut meta = transaction.open_table(META).unwrap();
    meta.insert("format", format).unwrap();
    for later in ["logged", "counted_below", "row_bytes", "overhead"] {
        meta.remove(later).unwrap();
    }
    drop(meta);
    without_checksums(&transaction);
    transaction.delete_table(BACKLOG).unwrap();
    transaction.delete_table(TENANTS).unwrap();
    transaction.delete_table(PLUGINS).unwrap();
    transaction.delete_table(KV).unwrap();
    transaction.delete_table(KV_USAGE).unwrap();
    transaction.delete_table(KV_EXPIRY).unwrap();
    if format < 4 {
        transaction.open_table(META).unwrap().remove("folded_below").unwrap();
        transaction.delete_table(BLOCKS).unwrap();
        transaction.delete_table(BLOCK_STATES).unwrap();
        transaction.delete_table(CHANGES).unwrap();
        transaction.delete_table(STATISTICS).unwrap();
        transaction.delete_table(STANDING).unwrap();
    }
    if format < 3 {
        transaction.delete_table(ORDERED).unwrap();
        transaction.delete_table(ORDERS).unwrap();
    }
    if format < 2 {
        with_secrets_in_clear(&transaction);
    }
    transaction.commit().unwrap();
    database.close().unwrap();
}

/// Rows as they were before they had a checksum: version, checksum, and the old row.
fn without_checksums(transaction: &redb::WriteTransaction) {
    let mut events = transaction.open_table(EVENTS).unwrap();
    let old = |row: &[u8]| row[CHECKED_HEAD..].to_vec();
    let rows: Vec<_> = events
        .iter()
        .unwrap()
        .map(|row| row.map(|(key, row)| (key.value(), old(row.value()))).unwrap())
        .collect();
    for (key, row) in rows {
        events.insert(key, row.as_slice()).unwrap();
    }
    let mut custom = transaction.open_table(CUSTOM).unwrap();
    let rows: Vec<_> = custom
        .iter()
        .unwrap()
        .map(|row| row.map(|(key, row)| (key.value(), old(row.value()))).unwrap())
        .collect();
    for (key, row) in rows {
        custom.insert(key, row.as_slice()).unwrap();
    }
}

fn with_secrets_in_clear(transaction: &redb::WriteTransaction) {
    let mut endpoints = transaction.open_table(ENDPOINTS).unwrap();
    let rows: Vec<_> = endpoints.iter().unwrap().map(|row| row.unwrap().1.value().to_vec()).collect();
    for row in rows {
        let endpoint = EndpointRow::from_json(&row).unwrap().open(&vault()).unwrap();
        let text = in_clear(&endpoint);
        endpoints.insert(endpoint.id.as_u128(), text.as_bytes()).unwrap();
    }
}

#[tokio::test]
async fn a_store_of_each_earlier_format_is_converted_and_whole() {
    for format in 1..FORMAT {
        let seed = rand::random();
        let (bytes, promises) = of_format(format, seed).await;
        let disks = images::disks(&[bytes, Vec::new()]).0;
        let store = open(&disks).unwrap();
        assert_eq!(promises.broken(&store, usize::MAX), Vec::<String>::new(), "format {format}, seed {seed}");
        let secrets = store.endpoints().await.unwrap().into_iter().flat_map(|endpoint| endpoint.secrets);
        assert!(secrets.count() >= 4, "format {format}");
        store.close().unwrap();
        let again = open(&disks).unwrap();
        assert_eq!(promises.broken(&again, usize::MAX), Vec::<String>::new(), "format {format}, seed {seed}");
    }
}

#[tokio::test]
async fn power_that_is_lost_at_any_moment_of_a_conversion_loses_nothing() {
    for format in 1..FORMAT {
        let seed = rand::random();
        let (bytes, promises) = of_format(format, seed).await;
        let begun_with = vec![bytes, Vec::new()];
        let (disks, history) = images::disks(&begun_with);
        drop(open(&disks).unwrap());
        let mut moments = Moments::new(begun_with, &history);
        // Opening writes little but for the file of format 1, which is compacted.
        let step = (moments.len() / 60).max(1);
        assert!(moments.len() > 10, "format {format}: {}", moments.len());
        for moment in (0..=moments.len()).step_by(step) {
            moments.go_to(moment);
            let image = moments.image(derived(seed, moment as u64));
            let store = open(&images::disks(&image).0);
            let store = store
                .unwrap_or_else(|error| panic!("format {format}, seed {seed}, moment {moment}: {error:?}"));
            let broken = promises.broken(&store, usize::MAX);
            assert_eq!(broken, Vec::<String>::new(), "format {format}, seed {seed}, moment {moment}");
        }
    }
}

#[tokio::test]
async fn a_newer_store_is_refused_and_not_a_byte_of_it_is_changed() {
    for is_closed in [true, false] {
        let disks = vec![Disk::default(), Disk::default()];
        let store = open(&disks).unwrap();
        accept(&store, new_event()).await;
        store.close().unwrap();
        let database = Database::builder().create_with_backend(disks[TABLES].clone()).unwrap();
        let transaction = crate::store::redb::writer::begin(&database).unwrap();
        transaction.open_table(META).unwrap().insert("format", FORMAT + 1).unwrap();
        transaction.commit().unwrap();
        let killed = disks[TABLES].after_kill();
        database.close().unwrap();
        let bytes = if is_closed { disks[TABLES].after_kill() } else { killed };

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hookway.redb");
        std::fs::write(&path, &bytes).unwrap();
        std::fs::write(path.with_extension("wal"), disks[LOG].after_kill()).unwrap();
        let sentence = unusable(RedbStore::open(&path, vault(), clock(), &OPTIONS));
        assert!(sentence.contains("newer Hookway"), "{sentence}");
        assert!(std::fs::read(&path).unwrap() == bytes, "closed: {is_closed}");
        assert!(std::fs::read(path.with_extension("wal")).unwrap() == disks[LOG].after_kill());
    }
}
