//! What guests do with `kv`, over a storage in memory whose every write the test lets through.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::*;
use crate::clock::Clock;
use crate::json::{Rehearsal, Subject};
use crate::model::{EnvelopeCache, Event, EventKey, UnixMs};
use crate::plugins::bindings::kv::Error;
use crate::shutdown::Shutdown;

const QUOTA: u64 = 1_000;
const DAY: Duration = Duration::from_hours(24);

/// Keeps values in memory. A write takes a permit of `may_write`.
struct Memory {
    rows: Mutex<BTreeMap<(KvSpace, String), KvEntry>>,
    may_write: Semaphore,
    writes: Mutex<Vec<usize>>,
    is_broken: bool,
}

impl Memory {
    fn used(rows: &BTreeMap<(KvSpace, String), KvEntry>, space: &KvSpace) -> u64 {
        rows.iter().filter(|((of, _), _)| of == space).map(|((_, key), entry)| entry.cost(key)).sum()
    }
}

impl KeyValues for Memory {
    fn read(&self, space: KvSpace, key: String) -> KvFuture<'_, (Option<KvEntry>, u64)> {
        Box::pin(async move {
            let rows = self.rows.lock().unwrap();
            Ok((rows.get(&(space.clone(), key)).cloned(), Self::used(&rows, &space)))
        })
    }

    fn write(&self, writes: Vec<KvWrite>) -> KvFuture<'_, Vec<(KvSpace, u64)>> {
        Box::pin(async move {
            self.may_write.acquire().await.unwrap().forget();
            if self.is_broken {
                return Err(KvFailure("the disk is gone".to_owned()));
            }
            self.writes.lock().unwrap().push(writes.len());
            let mut rows = self.rows.lock().unwrap();
            let mut spaces = Vec::new();
            for KvWrite { space, key, entry } in writes {
                spaces.push(space.clone());
                match entry {
                    Some(entry) => rows.insert((space, key), entry),
                    None => rows.remove(&(space, key)),
                };
            }
            Ok(spaces.into_iter().map(|space| (space.clone(), Self::used(&rows, &space))).collect())
        })
    }
}

/// Plugins that keep things, and the storage behind them.
struct Scene {
    memory: Arc<Memory>,
    spaces: Arc<Spaces>,
}

impl Scene {
    fn new() -> Self {
        Self::with(Semaphore::MAX_PERMITS, false)
    }

    fn with(permits: usize, is_broken: bool) -> Self {
        let memory = Arc::new(Memory {
            rows: Mutex::default(),
            may_write: Semaphore::new(permits),
            writes: Mutex::default(),
            is_broken,
        });
        let clock = Clock::starting_at(UnixMs(1_000_000));
        let spaces = Arc::new(Spaces::new(Arc::clone(&memory) as _, clock, Shutdown::new()));
        Self { memory, spaces }
    }

    fn plugin(&self, name: &str) -> KvGuest {
        let access = KvAccess {
            plugin: name.parse().unwrap(),
            max_bytes: QUOTA,
            ttl: DAY,
            spaces: Arc::clone(&self.spaces),
        };
        let mut guest = KvGuest::new(Some(Arc::new(access)));
        guest.begin_call();
        guest
    }

    /// Until nothing is on its way to the storage.
    async fn flushed(&self) {
        while self.spaces.count() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

fn tenant(name: &str) -> Subject {
    Subject::new(Arc::new(event(name)))
}

fn event(tenant: &str) -> Event {
    Event {
        key: EventKey::new(UnixMs(1), 1),
        id: "evt_1".parse().unwrap(),
        tenant: tenant.parse().unwrap(),
        topic: "orders/created".parse().unwrap(),
        timestamp: "2024-03-15T14:30:00Z".parse().unwrap(),
        accepted_at: UnixMs(1),
        data: "{}".into(),
        test_of: None,
        trace: None,
        envelope: EnvelopeCache::default(),
    }
}

async fn get(guest: &mut KvGuest, key: &str) -> Option<String> {
    let value = guest.call(Some(&tenant("acme")), key).unwrap().get(key).await.unwrap();
    value.map(|value| String::from_utf8(value).unwrap())
}

async fn set(guest: &mut KvGuest, key: &str, value: &str, ttl_s: Option<u64>) -> Result<(), Error> {
    guest.call(Some(&tenant("acme")), key)?.set(key, value.into(), ttl_s).await
}

async fn increment(guest: &mut KvGuest, key: &str, delta: i64, ttl_s: Option<u64>) -> Result<i64, Error> {
    guest.call(Some(&tenant("acme")), key)?.increment(key, delta, ttl_s).await
}

fn sentence(error: Error) -> String {
    match error {
        Error::Invalid(text) | Error::Full(text) | Error::Unavailable(text) => text,
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_seen_before_it_is_written_and_after() {
    let scene = Scene::with(0, false);
    let (mut first, mut second) = (scene.plugin("p"), scene.plugin("p"));
    set(&mut first, "k", "1", None).await.unwrap();
    assert_eq!(get(&mut second, "k").await.as_deref(), Some("1"), "another instance of the same plugin");
    sleep(Duration::from_millis(1)).await;
    set(&mut second, "k", "2", None).await.unwrap();
    assert_eq!(get(&mut first, "k").await.as_deref(), Some("2"), "over one that is being written");
    scene.memory.may_write.add_permits(2);
    scene.flushed().await;
    assert_eq!(get(&mut first, "k").await.as_deref(), Some("2"), "from the storage");
    let call = first.call(Some(&tenant("acme")), "k").unwrap();
    call.delete("k").await.unwrap();
    assert_eq!(get(&mut second, "k").await, None, "deleted, and still in the storage");
    scene.memory.may_write.add_permits(1);
    scene.flushed().await;
    assert!(scene.memory.rows.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn changes_that_come_while_one_is_written_are_written_together() {
    let scene = Scene::with(0, false);
    let mut guest = scene.plugin("p");
    increment(&mut guest, "n", 1, None).await.unwrap();
    sleep(Duration::from_millis(1)).await;
    for _ in 0..50 {
        increment(&mut guest, "n", 1, None).await.unwrap();
    }
    scene.memory.may_write.add_permits(9);
    scene.flushed().await;
    assert_eq!(*scene.memory.writes.lock().unwrap(), [1, 1]);
    assert_eq!(get(&mut guest, "n").await.as_deref(), Some("51"));
}

#[tokio::test]
async fn increments_of_many_calls_at_the_same_time_are_all_there() {
    let scene = Scene::new();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let mut guest = scene.plugin("p");
        tasks.spawn(async move {
            for _ in 0..MAX_CALLS {
                increment(&mut guest, "n", 1, None).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(get(&mut scene.plugin("p"), "n").await.as_deref(), Some("2000"));
}

#[tokio::test(start_paused = true)]
async fn plugins_and_tenants_do_not_see_each_other() {
    let scene = Scene::new();
    let (mut one, mut other) = (scene.plugin("one"), scene.plugin("other"));
    set(&mut one, "k", "secret", None).await.unwrap();
    for _ in 0..2 {
        assert_eq!(get(&mut other, "k").await, None);
        assert_eq!(one.call(Some(&tenant("globex")), "k").unwrap().get("k").await.unwrap(), None);
        scene.flushed().await;
    }
    assert_eq!(get(&mut one, "k").await.as_deref(), Some("secret"));
}

#[tokio::test(start_paused = true)]
async fn a_key_is_gone_after_its_time_or_that_of_the_manifest() {
    let scene = Scene::new();
    let mut guest = scene.plugin("p");
    set(&mut guest, "short", "v", Some(60)).await.unwrap();
    set(&mut guest, "manifest", "v", None).await.unwrap();
    sleep(Duration::from_millis(59_990)).await;
    assert!(get(&mut guest, "short").await.is_some());
    sleep(Duration::from_millis(10)).await;
    assert_eq!(get(&mut guest, "short").await, None);
    sleep(DAY - Duration::from_secs(61)).await;
    assert!(get(&mut guest, "manifest").await.is_some());
    sleep(Duration::from_secs(1)).await;
    assert_eq!(get(&mut guest, "manifest").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_counter_keeps_the_end_of_its_window_and_begins_anew_after_it() {
    let scene = Scene::new();
    let mut guest = scene.plugin("p");
    assert_eq!(increment(&mut guest, "n", 1, Some(60)).await.unwrap(), 1);
    sleep(Duration::from_secs(40)).await;
    assert_eq!(increment(&mut guest, "n", 5, Some(60)).await.unwrap(), 6);
    sleep(Duration::from_secs(20)).await;
    assert_eq!(increment(&mut guest, "n", -2, Some(60)).await.unwrap(), -2);
}

#[tokio::test(start_paused = true)]
async fn a_quota_is_for_one_space_and_what_grows_no_more_fits() {
    let scene = Scene::new();
    let (mut guest, big) = (scene.plugin("p"), "v".repeat(400));
    for key in ["a", "b"] {
        set(&mut guest, key, &big, None).await.unwrap();
    }
    let full = set(&mut guest, "c", &big, None).await.unwrap_err();
    assert!(matches!(&full, Error::Full(_)));
    assert_eq!(sentence(full), "this takes 465 bytes, and 930 of 1000 are taken");
    scene.flushed().await;
    assert!(set(&mut guest, "c", &big, None).await.is_err(), "after it was written as well");
    set(&mut guest, "a", &big, None).await.unwrap();
    set(&mut scene.plugin("q"), "c", &big, None).await.unwrap();
    let other = guest.call(Some(&tenant("globex")), "c").unwrap();
    other.set("c", big.clone().into(), None).await.unwrap();
    guest.call(Some(&tenant("acme")), "a").unwrap().delete("a").await.unwrap();
    set(&mut guest, "c", &big, None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_is_refused_in_a_sentence_and_changes_nothing() {
    let scene = Scene::new();
    let mut guest = scene.plugin("p");
    let (long, huge) = ("k".repeat(257), "v".repeat((64 << 10) + 1));
    for (error, says) in [
        (set(&mut guest, "", "v", None).await, "1 to 256 bytes; this one has 0"),
        (set(&mut guest, &long, "v", None).await, "this one has 257"),
        (set(&mut guest, "k", &huge, None).await, "at most 65536 bytes; this one has 65537"),
        (set(&mut guest, "k", "v", Some(0)).await, "1 to 2592000 seconds, not 0"),
        (set(&mut guest, "k", "v", Some(2_592_001)).await, "not 2592001"),
        (set(&mut guest, "k", "v", Some(u64::MAX)).await, "not 18446744073709551615"),
    ] {
        let error = error.unwrap_err();
        assert!(matches!(error, Error::Invalid(_)));
        let sentence = sentence(error);
        assert!(sentence.contains(says), "{sentence}");
    }
    assert_eq!(get(&mut guest, "k").await, None);
    set(&mut guest, "text", "x", None).await.unwrap();
    set(&mut guest, "most", &i64::MAX.to_string(), None).await.unwrap();
    assert!(sentence(increment(&mut guest, "text", 1, None).await.unwrap_err()).contains("no number"));
    assert!(sentence(increment(&mut guest, "most", 1, None).await.unwrap_err()).contains("64 bits"));
    assert_eq!(get(&mut guest, "most").await.unwrap(), i64::MAX.to_string());
}

#[tokio::test(start_paused = true)]
async fn without_an_event_without_the_grant_and_too_often_there_is_no_answer() {
    let scene = Scene::new();
    let mut guest = scene.plugin("p");
    let unavailable = |guest: &mut KvGuest, subject: Option<&Subject>| match guest.call(subject, "k") {
        Err(Error::Unavailable(why)) => why,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it answers"),
    };
    assert!(unavailable(&mut guest, None).contains("while an event is judged"));
    assert!(unavailable(&mut KvGuest::default(), Some(&tenant("acme"))).contains("no grant"));
    for _ in 0..MAX_CALLS {
        get(&mut guest, "k").await;
    }
    assert!(unavailable(&mut guest, Some(&tenant("acme"))).contains("100 times"));
    guest.begin_call();
    assert_eq!(get(&mut guest, "k").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_fails_takes_no_more_and_what_was_said_is_still_seen() {
    let scene = Scene::with(9, true);
    let mut guest = scene.plugin("p");
    set(&mut guest, "k", "v", None).await.unwrap();
    sleep(Duration::from_millis(1)).await;
    let refused = set(&mut guest, "k", "w", None).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
    assert_eq!(get(&mut guest, "k").await.as_deref(), Some("v"));
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_changes_nothing_and_a_sample_finds_nothing() {
    let scene = Scene::new();
    let mut guest = scene.plugin("p");
    increment(&mut guest, "n", 5, None).await.unwrap();
    for (rehearsal, first) in [(Rehearsal::Preview, 6), (Rehearsal::Sample, 1)] {
        let subject = Subject::rehearsed(Arc::new(event("acme")), rehearsal);
        for _ in 0..2 {
            guest.begin_call();
            for sum in [first, first + 1] {
                let call = guest.call(Some(&subject), "n").unwrap();
                assert_eq!(call.increment("n", 1, None).await.unwrap(), sum, "{rehearsal:?}");
            }
            guest.call(Some(&subject), "n").unwrap().delete("n").await.unwrap();
            assert_eq!(guest.call(Some(&subject), "n").unwrap().get("n").await.unwrap(), None);
        }
    }
    guest.begin_call();
    assert_eq!(get(&mut guest, "n").await.as_deref(), Some("5"));
}
