//! Compacting: the file is smaller and has the same rows, also when the power fails in the middle, or the disk.

use std::path::Path;

use redb::{Database, ReadableDatabase as _};

use super::{OPTIONS, on};
use crate::store::conformance::fixtures::mostly_removed;
use crate::store::redb::compacting::pack;
use crate::store::redb::faults::Disk;
use crate::store::redb::images::{self, Moments, derived};
use crate::store::redb::{open, schema};

/// How many images are made of a compaction.
const IMAGES: usize = 150;

type Row = (&'static str, Vec<u8>, Vec<u8>);

/// A store that is closed, and mostly free.
async fn image() -> Vec<u8> {
    let disk = Disk::default();
    let store = on(&disk).unwrap();
    mostly_removed(&store).await;
    store.close().unwrap();
    disk.after_kill()
}

fn opened(disk: &Disk) -> Database {
    open::verified(disk.clone(), &OPTIONS, Path::new("the disk")).unwrap()
}

fn rows(image: Vec<u8>) -> Vec<Row> {
    let database = open::backend(Disk::holding(image), &OPTIONS).unwrap();
    let mut rows = Vec::new();
    let mut keep = |table, key: &[u8], value: &[u8]| {
        rows.push((table, key.to_vec(), value.to_vec()));
        true
    };
    schema::each_row(&database.begin_read().unwrap(), &mut keep).unwrap();
    rows
}

#[tokio::test]
async fn whatever_a_power_loss_leaves_of_it_has_every_row() {
    let seed: u64 = rand::random();
    let before = image().await;
    let stored = rows(before.clone());
    let (disks, history) = images::disks(std::slice::from_ref(&before));
    pack(opened(&disks[0])).unwrap();
    let after = disks[0].after_power_loss();
    assert!(after.len() < before.len() / 2, "{} bytes became {}", before.len(), after.len());
    assert!(rows(after) == stored, "it changed a row");
    let mut moments = Moments::new(vec![before], &history);
    let all = moments.len();
    for number in 0..=IMAGES {
        moments.go_to(all * number / IMAGES);
        let [left] = moments.image(derived(seed, number as u64)).try_into().unwrap();
        assert!(rows(left) == stored, "seed {seed}: image {number} of {all} moments has other rows");
    }
}

#[tokio::test]
async fn a_disk_that_fails_in_the_middle_loses_no_row() {
    let before = image().await;
    let stored = rows(before.clone());
    for operations in [3, 10, 30] {
        let disk = Disk::holding(before.clone());
        let database = opened(&disk);
        disk.fail_after(operations);
        assert!(pack(database).is_err(), "{operations}");
        assert!(rows(disk.after_power_loss()) == stored, "{operations}");
        assert!(rows(disk.after_kill()) == stored, "{operations}");
    }
}
