//! What the write-ahead log promises: what was answered is there after a crash, whether or not it was committed.

use redb::{ReadableDatabase as _, ReadableTableMetadata as _};

use std::borrow::Cow;

use super::*;
use crate::model::EventKey;
use crate::store::conformance::fixtures::{custom_request, verdict};
use crate::store::redb::wal::{Record, Records, Wal};
use crate::store::redb::{Flush, Vault};
use crate::store::{Accepted, NewDelivery, Verdict};

/// Two disks: the tables' and the log's.
#[derive(Default, Clone)]
struct Disks {
    tables: Disk,
    log: Disk,
}

impl Disks {
    /// A store that commits practically never by itself.
    fn open(&self) -> Result<RedbStore, Error> {
        let options = Options { linger_ms: 3_600_000, ..OPTIONS };
        let vault: Vault = vault();
        RedbStore::with_backends(self.tables.clone(), self.log.clone(), vault, clock(), &options)
    }

    fn after_power_loss(&self) -> Self {
        Self {
            tables: Disk::holding(self.tables.after_power_loss()),
            log: Disk::holding(self.log.after_power_loss()),
        }
    }

    fn after_kill(&self) -> Self {
        Self { tables: Disk::holding(self.tables.after_kill()), log: Disk::holding(self.log.after_kill()) }
    }
}

async fn undispatched(store: &RedbStore) -> Vec<EventKey> {
    store.undispatched(None, 100).await.unwrap().iter().map(|event| event.key).collect()
}

fn custom(event: EventKey) -> FanOut {
    let shaped = Verdict { custom: Some(custom_request()), ..verdict(DeliveryState::Pending, None) };
    let deliveries = vec![NewDelivery { endpoint: endpoint_id(1), line: None, verdict: shaped }];
    FanOut { event, at: T0, deliveries, durable: true }
}

#[tokio::test]
async fn an_event_that_was_answered_is_there_after_a_power_loss_with_its_id() {
    let disks = Disks::default();
    let store = disks.open().unwrap();
    let first = accept(&store, event_with_id("order-1")).await;
    let second = accept(&store, new_event()).await;
    let lost = disks.after_power_loss();
    let reopened = lost.open().unwrap();
    assert_eq!(undispatched(&reopened).await, [first.key, second.key]);
    let again = reopened.accept(vec![event_with_id("order-1")]).await.unwrap();
    assert!(again[0].duplicate && again[0].event.key == first.key);
    assert!(accept(&reopened, new_event()).await.key > second.key);

    let without_log = Disks { log: Disk::default(), ..disks.after_power_loss() };
    assert_eq!(undispatched(&without_log.open().unwrap()).await, [], "they were in the log only");
}

#[tokio::test]
async fn what_a_plugin_made_is_there_after_a_power_loss_and_what_can_be_redone_is_redone() {
    let disks = Disks::default();
    let store = disks.open().unwrap();
    let [shaped, plain] = [accept(&store, new_event()).await.key, accept(&store, new_event()).await.key];
    store.fan_out(custom(shaped)).await.unwrap();
    let deliveries = vec![pending(endpoint_id(1))];
    let redone = store.fan_out(FanOut { event: plain, at: T0, deliveries, durable: false });
    accept(&store, new_event()).await;
    redone.await.unwrap();
    let reopened = disks.after_power_loss().open().unwrap();
    let due = reopened.due(endpoint_id(1), T0, 9).await.unwrap();
    assert_eq!(due.jobs.len(), 1);
    assert_eq!((due.jobs[0].delivery, &due.jobs[0].custom), (nth(shaped, 0), &Some(custom_request())));
    assert_eq!(undispatched(&reopened).await[0], plain);
    let counted = reopened.statistics(StatisticsScope::All, T0).await.unwrap();
    assert_eq!(counted.standing, Standing { pending: 1, retrying: 0, held: 0 });
}

#[tokio::test]
async fn whoever_reads_sees_what_was_answered_and_no_crash_takes_it_back() {
    let disks = Disks::default();
    let store = disks.open().unwrap();
    let event = accept(&store, new_event()).await;
    let found = store.event(&event.tenant, &event.id).await.unwrap();
    assert!(found.is_some());
    let without_log = Disks { log: Disk::default(), ..disks.after_power_loss() };
    assert_eq!(undispatched(&without_log.open().unwrap()).await, [event.key]);
}

#[tokio::test]
async fn what_is_in_the_tables_already_is_not_repeated() {
    let disks = Disks::default();
    let mut events = Vec::new();
    // Each time the log of the run before is still there.
    for _ in 0..3 {
        let store = disks.open().unwrap();
        events.push(accept(&store, new_event()).await.key);
        let shaped = accept(&store, new_event()).await.key;
        store.fan_out(custom(shaped)).await.unwrap();
        store.close().unwrap();
        assert_eq!(undispatched(&disks.after_kill().open().unwrap()).await, events);
    }
    let store = disks.open().unwrap();
    assert_eq!(store.due(endpoint_id(1), T0, 9).await.unwrap().jobs.len(), 3);
}

#[tokio::test]
async fn a_log_of_another_store_is_not_taken_for_its_own() {
    let [one, other] = [Disks::default(), Disks::default()];
    accept(&one.open().unwrap(), new_event()).await;
    drop(other.open().unwrap());
    let mixed = Disks { tables: other.tables, log: one.log };
    assert_eq!(undispatched(&mixed.open().unwrap()).await, []);
}

#[tokio::test]
async fn a_log_beside_tables_of_an_earlier_moment_is_refused_with_a_sentence_and_a_repair_keeps_what_both_have()
 {
    let disks = Disks::default();
    let store = disks.open().unwrap();
    let mut keys = vec![accept(&store, new_event()).await.key];
    store.write(Flush).await.unwrap();
    let earlier = disks.tables.after_kill();
    for _ in 0..3 {
        keys.push(accept(&store, new_event()).await.key);
        store.write(Flush).await.unwrap();
    }
    keys.push(accept(&store, event_with_id("in-the-log-only")).await.key);
    let mixed = Disks { tables: Disk::holding(earlier.clone()), ..disks.after_kill() };
    let sentence = unusable(mixed.open());
    assert!(
        sentence.contains("newer than hookway.redb") && sentence.contains("doctor --repair"),
        "{sentence}"
    );

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hookway.redb");
    std::fs::write(&path, &earlier).unwrap();
    std::fs::write(path.with_extension("wal"), disks.log.after_kill()).unwrap();
    let [before, after] = crate::store::redb::repair(&path, &OPTIONS, &mut |_, _| {}).unwrap();
    assert!(before.problems[0].sentence.contains("newer than") && !before.is_repairable(), "{before:?}");
    assert!(after.problems.is_empty(), "{after:?}");
    let repaired = RedbStore::open(&path, vault(), clock(), &OPTIONS).unwrap();
    // What was committed in between is in neither.
    assert_eq!(undispatched(&repaired).await, [keys[0], keys[4]]);
}

#[tokio::test]
async fn whichever_operation_on_the_log_fails_nothing_acknowledged_is_lost_and_writing_stops() {
    let mut failures = 0;
    for operations in 0.. {
        let disks = Disks::default();
        let store = disks.open().unwrap();
        disks.log.fail_after(operations);
        let (acknowledged, failed) = accept_until_failure(&store, 8).await;
        if !failed {
            break;
        }
        failures += 1;
        assert!(store.accept(vec![new_event()]).await.is_err(), "writing went on after {operations}");
        for image in [disks.after_power_loss(), disks.after_kill()] {
            let reopened = image.open().unwrap();
            assert_eq!(missing(&reopened, &acknowledged).await, 0, "after operation {operations}");
            accept(&reopened, new_event()).await;
        }
    }
    assert!(failures > 10, "the loop reached {failures} operations only");
}

/// The control of the tests above: a log that did not sync would fail them.
#[tokio::test]
async fn a_log_that_lies_about_syncs_loses_what_was_acknowledged() {
    let disks = Disks { log: Disk::that_lies(), ..Disks::default() };
    let store = disks.open().unwrap();
    let (acknowledged, failed) = accept_until_failure(&store, 4).await;
    assert!(!failed && acknowledged.len() == 16);
    let reopened = disks.after_power_loss().open().unwrap();
    assert_eq!(missing(&reopened, &acknowledged).await, 16);
}

#[tokio::test]
async fn a_store_of_format_4_gets_a_log() {
    let disks = Disks::default();
    let event = {
        let store = on(&disks.tables).unwrap();
        accept(&store, new_event()).await.key
    };
    let database = Database::builder().create_with_backend(disks.tables.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert("format", 4).unwrap();
    transaction.commit().unwrap();
    database.close().unwrap();
    let store = disks.open().unwrap();
    let next = accept(&store, new_event()).await.key;
    assert_eq!(undispatched(&disks.after_power_loss().open().unwrap()).await, [event, next]);
}

/// If this fails, the change that made it fail needs a new version of the frames, and a reader of the old one.
#[test]
fn logged_bytes_never_change() {
    let disk = Disk::default();
    let mut records = Records::kept(true);
    records.add(|| Record::Event(1, "head".into(), "data".into()));
    records.add(|| Record::Id(1, "key".into(), "acme".into(), 2, 3));
    records.add(|| Record::Reserved(4));
    records.add(|| Record::FanOut(Cow::Owned(custom(EventKey::from_u128(5)))));
    let mut wal = Wal::new(disk.clone()).unwrap();
    wal.begin(7);
    wal.append(&mut records).unwrap();
    let frame = disk.after_kill();
    let hex: String = frame.iter().take(160).map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex.trim_end_matches('0'), LOGGED);
}

const LOGGED: &str = "76000000d63231e20700000000000000010001046865616404646174610101036b65790461636d6502030204030\
     5c09c9494e43101818080808080808080808080e4a1a1a18e0300000000011600ff206d6164652062792061207472616e73666f726d010a7465\
     78742f706c61696e0103782d6101e4010d686f6f6b7761792d746f70696301";

/// Dispatches these events in one commit, with so many deliveries each.
async fn dispatch_all(store: &RedbStore, events: &[Accepted], each: usize) {
    let fan_out = |event| {
        let deliveries = vec![pending(endpoint_id(1)); each];
        store.fan_out(FanOut { event, at: T0, deliveries, durable: false })
    };
    let all: Vec<_> = events.iter().map(|one| fan_out(one.event.key)).collect();
    store.write(Flush).await.unwrap();
    for done in all {
        done.await.unwrap();
    }
}

fn blocks(store: &RedbStore) -> u64 {
    store.shared.with(|database| Ok(database.begin_read()?.open_table(BLOCKS)?.len()?)).unwrap()
}

#[tokio::test]
async fn as_many_blocks_are_made_as_a_commit_has_entries_for() {
    let store = Disks::default().open().unwrap();
    let many = store.accept(vec![new_event(); 4_000]).await.unwrap();
    dispatch_all(&store, &many, 1).await;
    let blocks = blocks(&store);
    assert!(blocks >= 7, "{blocks} blocks of a thousand for 8,000 events and deliveries");
}

#[tokio::test]
async fn blocks_are_made_of_what_was_dispatched_before_an_older_event_once_that_is() {
    let store = Disks::default().open().unwrap();
    let many = store.accept(vec![new_event(); 1_200]).await.unwrap();
    // Nobody counts what an earlier run left, so the first commit looks.
    dispatch_all(&store, &many[..1], 1).await;
    dispatch_all(&store, &many[2..602], 1).await;
    assert_eq!(blocks(&store), 0, "the second event keeps all later ones out");
    dispatch_all(&store, &many[1..2], 2).await;
    assert_eq!(blocks(&store), 1);
    dispatch_all(&store, &many[602..], 1).await;
    assert_eq!(blocks(&store), 2, "of 2,401 events and deliveries");
}
