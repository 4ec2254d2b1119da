//! The rules of every store, in memory and in a file; then what is particular to this one: what a failing or forgetful
//! disk leaves, and the file's format.

mod compacting;
mod corrupted;
mod failing;
mod logged;
mod migrating;
mod opening;
mod power_loss;
mod unwritten;
mod workload;

use std::collections::BTreeSet;

use redb::backends::InMemoryBackend;
use redb::{Database, TableDefinition};

use super::faults::Disk;
use super::images::Moments;
use super::schema::{BLOCK_STATES, BLOCKS, CHANGES, ENDPOINTS, META, ORDERED, ORDERS, STANDING, STATISTICS};
use super::{Options, RedbStore};
use crate::clock::Clock;
use crate::model::{
    DeliveryState, DeliveryStatus, Endpoint, EventId, EventKey, OrderId, Ordering, TenantId, UnixMs,
};
use crate::store::conformance::fixtures::{
    T0, accept, audit, delivered, dispatched, endpoint, endpoint_id, event_with_id, new_event, nth, pending,
    retrying, state,
};
use crate::store::conformance::{self, ordering, persistence};
use crate::store::{
    DeliveryFilter, DueInOrder, Error, FanOut, NewEvent, Resealed, Standing, StatisticsScope, Store as _,
};
use crate::vault::Vault;

/// Nothing here is about how long a write that can wait does wait.
const OPTIONS: Options = Options { cache_mib: 16, linger_ms: 0 };

fn clock() -> Clock {
    Clock::starting_at(T0)
}

/// One key, the same each time, so that a store that is opened again opens its secrets.
fn vault() -> Vault {
    keys(&["one"])
}

fn keys(ids: &[&str]) -> Vault {
    let lines: Vec<_> =
        ids.iter().map(|id| format!("{id} AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")).collect();
    Vault::new(lines.join("\n").parse().unwrap())
}

/// A number that `cargo xtask soak` gives to a test.
pub(super) fn soak_number(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "a test that is told how long it is")]
    std::env::var(format!("HOOKWAY_SOAK_{name}")).ok().and_then(|text| text.parse().ok())
}

fn in_memory() -> RedbStore {
    RedbStore::with_backend(InMemoryBackend::new(), vault(), clock(), &OPTIONS).unwrap()
}

fn on(disk: &Disk) -> Result<RedbStore, Error> {
    RedbStore::with_backend(disk.clone(), vault(), clock(), &OPTIONS)
}

mod memory {
    use super::conformance;

    macro_rules! run {
        ($($group:ident::$rule:ident,)*) => {
            $(#[tokio::test]
            async fn $rule() {
                conformance::$group::$rule(&super::in_memory()).await;
            })*
        };
    }
    conformance::for_every_rule!(run);
}

/// With a log, as it runs.
mod file {
    use super::{OPTIONS, Options, RedbStore, clock, conformance, vault};

    const LOGGED: Options = Options { linger_ms: 5, ..OPTIONS };

    macro_rules! run {
        ($($group:ident::$rule:ident,)*) => {
            $(#[tokio::test]
            async fn $rule() {
                let directory = tempfile::tempdir().unwrap();
                let path = directory.path().join("store.redb");
                let store = RedbStore::open(&path, vault(), clock(), &LOGGED).unwrap();
                conformance::$group::$rule(&store).await;
            })*
        };
    }
    conformance::for_every_rule!(run);
}

#[tokio::test]
async fn everything_is_there_after_the_file_was_closed_and_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let store = RedbStore::open(&path, vault(), clock(), &OPTIONS).unwrap();
    let written = persistence::write(&store).await;
    store.close().unwrap();
    let reopened = RedbStore::open(&path, vault(), clock(), &OPTIONS).unwrap();
    persistence::check(&reopened, &written).await;
}

#[tokio::test]
async fn everything_is_there_after_a_power_loss() {
    let disk = Disk::default();
    let store = on(&disk).unwrap();
    let written = persistence::write(&store).await;
    let reopened = on(&Disk::holding(disk.after_power_loss())).unwrap();
    persistence::check(&reopened, &written).await;
}

#[tokio::test]
async fn what_was_called_before_close_is_committed_and_what_comes_after_is_refused() {
    let disk = Disk::default();
    let store = on(&disk).unwrap();
    let calls: Vec<_> = (0..20).map(|_| store.accept(vec![new_event()])).collect();
    store.close().unwrap();
    assert!(!store.is_writable());
    for call in calls {
        call.await.unwrap();
    }
    assert!(matches!(store.accept(vec![new_event()]).await, Err(Error::Closed)));
    assert!(matches!(store.endpoints().await, Err(Error::Closed)));
    let reopened = on(&Disk::holding(disk.after_power_loss())).unwrap();
    assert_eq!(reopened.undispatched(None, 100).await.unwrap().len(), 20);
}

#[tokio::test]
async fn a_call_that_is_dropped_is_done_all_the_same_and_in_its_place() {
    let store = in_memory();
    let event = accept(&store, new_event()).await.key;
    let deliveries = vec![pending(endpoint_id(1))];
    let fan_out = FanOut { event, at: T0, deliveries, durable: false };
    drop(store.fan_out(fan_out));
    store.finish_attempt(delivered(nth(event, 0), 1)).await.unwrap();
    assert_eq!(state(&store, nth(event, 0)).await, DeliveryState::Delivered);
}

#[tokio::test]
async fn a_refused_command_leaves_the_others_of_its_batch_alone() {
    let store = in_memory();
    accept(&store, event_with_id("order-1")).await;
    let calls: Vec<_> = (0..30)
        .map(|n| match n % 3 {
            0 => store.accept(vec![NewEvent { data: "0".into(), ..event_with_id("order-1") }]),
            _ => store.accept(vec![event_with_id(&format!("other-{n}"))]),
        })
        .collect();
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.is_err(), n % 3 == 0, "{n}");
    }
    assert_eq!(store.undispatched(None, 100).await.unwrap().len(), 21);
}

/// A store whose writes wait practically for ever for an urgent one.
fn patient() -> RedbStore {
    let options = Options { linger_ms: 3_600_000, ..OPTIONS };
    RedbStore::with_backend(InMemoryBackend::new(), vault(), clock(), &options).unwrap()
}

#[tokio::test]
async fn a_write_that_can_wait_rides_along_with_one_that_cannot() {
    let store = patient();
    let event = accept(&store, new_event()).await.key;
    let deferred = store.fan_out(FanOut { event, at: T0, deliveries: Vec::new(), durable: false });
    accept(&store, new_event()).await;
    deferred.await.unwrap();
    assert_eq!(store.undispatched(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn closing_waits_for_no_one_to_ride_along_with() {
    let store = patient();
    let event = accept(&store, new_event()).await.key;
    let deferred = store.fan_out(FanOut { event, at: T0, deliveries: Vec::new(), durable: false });
    store.close().unwrap();
    deferred.await.unwrap();
}

#[tokio::test]
async fn a_filter_that_nothing_passes_looks_at_a_part_of_the_log_per_call() {
    let store = in_memory();
    // One that is not dispatched keeps all later ones out of the blocks.
    accept(&store, new_event()).await;
    dispatched(&store, new_event(), vec![pending(endpoint_id(1)); 10_001]).await;
    let filter = DeliveryFilter { state: Some(DeliveryStatus::Failed), ..DeliveryFilter::default() };
    let first = store.deliveries(filter.clone(), None, 5).await.unwrap();
    assert!(first.rows.is_empty() && first.next.is_some());
    let second = store.deliveries(filter, first.next, 5).await.unwrap();
    assert!(second.rows.is_empty() && second.next.is_none());
}

#[tokio::test]
async fn an_event_with_more_deliveries_than_numbers_is_refused_and_still_waits() {
    let store = in_memory();
    let event = accept(&store, new_event()).await.key;
    let deliveries = vec![pending(endpoint_id(1)); (1 << 16) + 1];
    let refused = store.fan_out(FanOut { event, at: T0, deliveries, durable: true }).await.unwrap_err();
    assert!(matches!(refused, Error::TooManyDeliveries(65_537)), "{refused}");
    assert_eq!(store.undispatched(None, 10).await.unwrap().len(), 1);
}

/// Accepts events from several tasks' worth of calls and returns the ids answered and whether any call failed.
async fn accept_until_failure(store: &RedbStore, rounds: usize) -> (Vec<EventId>, bool) {
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        let calls: Vec<_> =
            (0..4).map(|n| store.accept(vec![event_with_id(&format!("e-{round}-{n}"))])).collect();
        let mut failed = false;
        for call in calls {
            match call.await {
                Ok(answer) => acknowledged.push(answer[0].event.id.clone()),
                Err(_) => failed = true,
            }
        }
        if failed {
            return (acknowledged, true);
        }
    }
    (acknowledged, false)
}

async fn missing(store: &RedbStore, ids: &[EventId]) -> usize {
    let mut missing = 0;
    for id in ids {
        missing += usize::from(store.event(&TenantId::default(), id).await.unwrap().is_none());
    }
    missing
}

#[tokio::test]
async fn whichever_disk_operation_fails_nothing_acknowledged_is_lost_and_writing_stops() {
    let mut failures = 0;
    for operations in 0.. {
        let disk = Disk::default();
        let store = on(&disk).unwrap();
        disk.fail_after(operations);
        let (acknowledged, failed) = accept_until_failure(&store, 8).await;
        if !failed {
            break;
        }
        failures += 1;
        assert!(disk.has_failed());
        assert!(
            store.accept(vec![new_event()]).await.is_err(),
            "writing went on after operation {operations}"
        );
        assert!(store.finish_attempt(delivered(nth(EventKey::new(T0, 1), 0), 1)).await.is_err());
        for image in [disk.after_power_loss(), disk.after_kill()] {
            let reopened = on(&Disk::holding(image)).unwrap();
            assert_eq!(missing(&reopened, &acknowledged).await, 0, "after operation {operations}");
            accept(&reopened, new_event()).await;
        }
    }
    assert!(failures > 20, "the loop reached {failures} operations only");
}

#[tokio::test]
async fn a_power_loss_at_any_time_loses_nothing_that_was_acknowledged() {
    let disk = Disk::default();
    let store = on(&disk).unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..20 {
        let event =
            dispatched(&store, event_with_id(&format!("e-{round}")), vec![pending(endpoint_id(1))]).await;
        store.finish_attempt(delivered(nth(event, 0), 1)).await.unwrap();
        acknowledged.push(format!("e-{round}").parse().unwrap());
        // Behind this one, more is on its way to the disk.
        let on_their_way: Vec<_> = (0..3).map(|_| store.accept(vec![new_event()])).collect();
        let reopened = on(&Disk::holding(disk.after_power_loss())).unwrap();
        assert_eq!(missing(&reopened, &acknowledged).await, 0, "round {round}");
        assert_eq!(state(&reopened, nth(event, 0)).await, DeliveryState::Delivered);
        drop(on_their_way);
    }
}

/// The control of the two tests above: a store that did not sync would fail them.
#[tokio::test]
async fn a_disk_that_lies_about_syncs_loses_what_was_acknowledged() {
    let disk = Disk::that_lies();
    let store = on(&disk).unwrap();
    let (acknowledged, failed) = accept_until_failure(&store, 4).await;
    assert!(!failed && acknowledged.len() == 16);
    let reopened = on(&Disk::holding(disk.after_power_loss())).unwrap();
    assert_eq!(missing(&reopened, &acknowledged).await, 16);
}

#[tokio::test]
async fn a_watermark_keeps_dispatched_events_out_of_the_next_start() {
    let disk = Disk::default();
    let store = on(&disk).unwrap();
    for _ in 0..5 {
        dispatched(&store, new_event(), Vec::new()).await;
    }
    let waiting = accept(&store, new_event()).await;
    dispatched(&store, new_event(), Vec::new()).await;
    let matched = dispatched(&store, new_event(), vec![pending(endpoint_id(1))]).await;
    store.close().unwrap();
    let reopened = on(&Disk::holding(disk.after_power_loss())).unwrap();
    let again: BTreeSet<_> =
        reopened.undispatched(None, 10).await.unwrap().iter().map(|event| event.key).collect();
    assert!(again.contains(&waiting.key) && !again.contains(&matched));
    assert!(again.len() <= 2, "only what lies above the one that waits is looked at again: {again:?}");
}

fn unusable(result: Result<RedbStore, Error>) -> String {
    match result {
        Err(Error::Unusable(sentence)) => sentence,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it opened"),
    }
}

#[test]
fn a_newer_format_is_refused_with_what_to_do() {
    let disk = Disk::default();
    on(&disk).unwrap().close().unwrap();
    let database = Database::builder().create_with_backend(disk.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert("format", 6).unwrap();
    transaction.commit().unwrap();
    database.close().unwrap();
    let sentence = unusable(on(&disk));
    assert!(sentence.contains("newer Hookway") && sentence.contains("format 5"), "{sentence}");
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    std::fs::write(&path, "not a store\n".repeat(1_000)).unwrap();
    let sentence = unusable(RedbStore::open(&path, vault(), clock(), &OPTIONS));
    assert!(sentence.contains("notes.txt"), "{sentence}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "not a store\n".repeat(1_000));

    let disk = Disk::default();
    let database = Database::builder().create_with_backend(disk.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TableDefinition::<u64, u64>::new("others")).unwrap();
    transaction.commit().unwrap();
    database.close().unwrap();
    let before = disk.after_kill();
    assert!(unusable(on(&disk)).contains("not a store of Hookway"));
    assert_eq!(before.len(), disk.after_kill().len());
}

/// What a crash left of a file that was created is made anew; the file has its name when it is whole.
#[test]
fn a_file_that_was_not_created_to_its_end_is_created_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    std::fs::write(path.with_extension("redb.new"), [0; 9_000]).unwrap();
    RedbStore::open(&path, vault(), clock(), &OPTIONS).unwrap().close().unwrap();
    assert!(path.exists() && !path.with_extension("redb.new").exists());
    RedbStore::open(&path, vault(), clock(), &OPTIONS).unwrap();
}

#[test]
fn a_store_that_another_one_has_open_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let _first = RedbStore::open(&path, vault(), clock(), &OPTIONS).unwrap();
    let sentence = unusable(RedbStore::open(&path, vault(), clock(), &OPTIONS));
    assert!(sentence.contains("in use by another process"), "{sentence}");
}

/// The bytes of the key that every endpoint of the fixtures has.
const CLEAR: [u8; 32] = [7; 32];

fn shows_a_secret(path: &std::path::Path) -> bool {
    let bytes = std::fs::read(path).unwrap();
    let as_json = CLEAR.map(|byte| byte.to_string()).join(",");
    bytes.windows(CLEAR.len()).any(|window| window == CLEAR)
        || bytes.windows(as_json.len()).any(|window| window == as_json.as_bytes())
}

#[tokio::test]
async fn no_secret_lies_in_the_file_in_clear() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let store = RedbStore::open(&path, vault(), clock(), &OPTIONS).unwrap();
    let endpoint = endpoint(1, "https://example.com/1");
    store.create_endpoint(endpoint.clone(), audit("endpoint.created")).await.unwrap();
    store.update_endpoint(endpoint.clone(), Vec::new(), audit("endpoint.updated")).await.unwrap();
    store.close().unwrap();
    assert!(!shows_a_secret(&path));
    let reopened = RedbStore::open(&path, vault(), clock(), &OPTIONS).unwrap();
    assert_eq!(reopened.endpoints().await.unwrap(), [endpoint]);
}

#[tokio::test]
async fn a_store_whose_key_is_missing_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let store = RedbStore::open(&path, vault(), clock(), &OPTIONS).unwrap();
    store.create_endpoint(endpoint(1, "https://example.com/1"), audit("endpoint.created")).await.unwrap();
    store.close().unwrap();
    let before = std::fs::read(&path).unwrap();
    let sentence = unusable(RedbStore::open(&path, keys(&["two"]), clock(), &OPTIONS));
    assert!(sentence.contains("`one`") && sentence.contains("secrets.keys_file"), "{sentence}");
    let impostor = Vault::new("one ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=".parse().unwrap());
    let sentence = unusable(RedbStore::open(&path, impostor, clock(), &OPTIONS));
    assert!(sentence.contains("another key"), "{sentence}");
    assert!(std::fs::read(&path).unwrap() == before, "the file was changed");
    RedbStore::open(&path, vault(), clock(), &OPTIONS).unwrap();
}

#[tokio::test]
async fn after_a_new_first_key_everything_is_sealed_with_it_and_the_old_one_can_go() {
    let disk = Disk::default();
    let open = |vault| RedbStore::with_backend(disk.clone(), vault, clock(), &OPTIONS);
    let store = open(vault()).unwrap();
    for n in 1..=5 {
        store
            .create_endpoint(endpoint(n, &format!("https://example.com/{n}")), audit("endpoint.created"))
            .await
            .unwrap();
    }
    assert_eq!(store.reseal(9).await.unwrap(), Resealed::Done(Vec::new()));
    let written = store.endpoints().await.unwrap();
    store.close().unwrap();
    let store = open(keys(&["two", "one"])).unwrap();
    assert_eq!(store.endpoints().await.unwrap(), written);
    let mut done = Vec::new();
    while done.last().is_none_or(|last| matches!(last, Resealed::Some(_))) {
        done.push(store.reseal(2).await.unwrap());
    }
    let some = |count| Resealed::Some(count);
    assert_eq!(done, [some(2), some(2), some(1), Resealed::Done(vec!["one".parse().unwrap()])]);
    store.close().unwrap();
    let store = open(keys(&["two"])).unwrap();
    assert_eq!(store.endpoints().await.unwrap(), written);
    drop(store);
    unusable(open(vault()));
}

#[tokio::test]
async fn an_ordered_endpoint_of_format_2_is_indexed_before_it_is_read() {
    let disk = Disk::default();
    let store = on(&disk).unwrap();
    let ordered = Endpoint { ordering: Ordering::Fifo, ..endpoint(1, "https://example.com/1") };
    store.create_endpoint(ordered, audit("endpoint.created")).await.unwrap();
    let waits = nth(dispatched(&store, new_event(), vec![pending(endpoint_id(1))]).await, 0);
    store.close().unwrap();
    let database = Database::builder().create_with_backend(disk.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert("format", 2).unwrap();
    transaction.delete_table(ORDERED).unwrap();
    transaction.delete_table(ORDERS).unwrap();
    transaction.commit().unwrap();
    database.close().unwrap();
    let store = on(&disk).unwrap();
    assert!(matches!(ordering::look(&store, T0).await, DueInOrder::NotIndexed));
    ordering::index(&store, OrderId::WHOLE).await;
    let DueInOrder::WithoutLine(found) = ordering::look(&store, T0).await else {
        panic!("it has no line yet")
    };
    assert_eq!(found[0].0, waits);
}

#[tokio::test]
async fn what_a_store_of_format_3_has_is_listed_and_counted() {
    let disk = Disk::default();
    let store = on(&disk).unwrap();
    for _ in 0..2 {
        dispatched(&store, new_event(), vec![pending(endpoint_id(1)); 700]).await;
    }
    let event = dispatched(&store, new_event(), vec![pending(endpoint_id(1)); 3]).await;
    store.finish_attempt(retrying(nth(event, 0), 1, T0)).await.unwrap();
    store.finish_attempt(delivered(nth(event, 1), 1)).await.unwrap();
    store.close().unwrap();
    let database = Database::builder().create_with_backend(disk.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut meta = transaction.open_table(META).unwrap();
    meta.insert("format", 3).unwrap();
    meta.remove("folded_below").unwrap();
    drop(meta);
    for table in [BLOCKS, BLOCK_STATES] {
        transaction.delete_table(table).unwrap();
    }
    transaction.delete_table(CHANGES).unwrap();
    transaction.delete_table(STATISTICS).unwrap();
    transaction.delete_table(STANDING).unwrap();
    transaction.commit().unwrap();
    database.close().unwrap();
    let store = on(&disk).unwrap();
    let filter = DeliveryFilter { state: Some(DeliveryStatus::Retrying), ..DeliveryFilter::default() };
    let page = store.deliveries(filter, None, 5).await.unwrap();
    assert_eq!(page.rows.iter().map(|row| row.delivery.id).collect::<Vec<_>>(), [nth(event, 0)]);
    let counted = store.statistics(StatisticsScope::Endpoint(endpoint_id(1)), T0).await.unwrap();
    assert_eq!(counted.standing, Standing { pending: 1_401, retrying: 1, held: 0 });
    store.finish_attempt(delivered(nth(event, 0), 2)).await.unwrap();
    let counted = store.statistics(StatisticsScope::All, T0).await.unwrap();
    assert_eq!(counted.standing, Standing { pending: 1_401, retrying: 0, held: 0 });
}

/// How many bytes of the journal there are is bounded, and what falls out of it is counted all the same.
#[tokio::test]
async fn the_journal_keeps_its_newest_part_and_statistics_the_sum_of_all() {
    let disk = Disk::default();
    let store = on(&disk).unwrap();
    let events = 20;
    for _ in 0..events {
        let event = dispatched(&store, new_event(), vec![pending(endpoint_id(1)); 2_000]).await;
        let calls: Vec<_> = (0..2_000).map(|n| store.finish_attempt(delivered(nth(event, n), 1))).collect();
        for call in calls {
            call.await.unwrap();
        }
    }
    let changes = events * 4_000;
    assert_eq!(*store.latest_change().borrow(), changes);
    let filter = DeliveryFilter::default;
    let old = store.changed(filter(), 0, 10).await.unwrap();
    assert!(old.gap && old.upto > 10, "the oldest changes are gone: {}", old.upto);
    let recent = store.changed(filter(), changes - super::changes::KEPT, 10).await.unwrap();
    assert!(!recent.gap && recent.upto == changes - super::changes::KEPT + 10);
    store.close().unwrap();
    let store = on(&disk).unwrap();
    assert_eq!(*store.latest_change().borrow(), changes);
    let counted = store.statistics(StatisticsScope::All, T0).await.unwrap();
    for (window, _, tally) in counted.windows {
        assert_eq!((tally.created, tally.delivered), (40_000, 40_000), "{window:?}");
        assert_eq!(tally.latencies.count(), 40_000);
    }
    assert_eq!(counted.standing, Standing::default());
}

/// The row of an endpoint as format 1 had it.
fn in_clear(endpoint: &Endpoint) -> String {
    let secrets: Vec<_> = endpoint
        .secrets
        .iter()
        .map(|secret| {
            let id = secret.id.as_u128();
            let (created, expires) = (secret.created_at.0, secret.expires_at.unwrap().0);
            format!(r#"{{"id":{id},"key":{CLEAR:?},"created_at":{created},"expires_at":{expires}}}"#)
                .replace(", ", ",")
        })
        .collect();
    let text = serde_json::to_string(endpoint).unwrap();
    text.replacen(r#""created_at""#, &format!(r#""secrets":[{}],"created_at""#, secrets.join(",")), 1)
}

#[tokio::test]
async fn secrets_that_format_1_had_in_clear_are_sealed_when_it_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let written = endpoint(1, "https://example.com/1");
    let text = in_clear(&written);
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert("format", 1).unwrap();
    transaction.open_table(ENDPOINTS).unwrap().insert(written.id.as_u128(), text.as_bytes()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(shows_a_secret(&path));
    let store = RedbStore::open(&path, vault(), clock(), &OPTIONS).unwrap();
    assert_eq!(store.endpoints().await.unwrap(), [written]);
    store.close().unwrap();
    assert!(!shows_a_secret(&path), "a clear secret is left in a free page");
}
