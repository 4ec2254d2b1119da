//! Rules of what plugins keep.

use super::fixtures::{T0, at};
use crate::model::{KvEntry, KvSpace, KvWrite, UnixMs};
use crate::store::{KvRead, Store};

const LIMIT: usize = 1_000;

pub(crate) fn space(tenant: &str, plugin: &str) -> KvSpace {
    KvSpace { tenant: tenant.parse().unwrap(), plugin: plugin.parse().unwrap() }
}

pub(crate) fn put(space: &KvSpace, key: &str, value: &'static str, expires_at: Option<UnixMs>) -> KvWrite {
    let entry = KvEntry { value: value.into(), expires_at };
    KvWrite { space: space.clone(), key: key.to_owned(), entry: Some(entry) }
}

fn delete(space: &KvSpace, key: &str) -> KvWrite {
    KvWrite { space: space.clone(), key: key.to_owned(), entry: None }
}

async fn read(store: &dyn Store, space: &KvSpace, key: &str) -> KvRead {
    store.kv_read(space.clone(), key.to_owned()).await.unwrap()
}

async fn value(store: &dyn Store, space: &KvSpace, key: &str) -> Option<String> {
    let entry = read(store, space, key).await.entry;
    entry.map(|entry| String::from_utf8(entry.value.to_vec()).unwrap())
}

pub(crate) async fn what_a_plugin_keeps_is_read_back_and_deleted(store: &dyn Store) {
    let dedup = space("acme", "dedup");
    assert_eq!(read(store, &dedup, "a").await, KvRead { entry: None, used_bytes: 0 });
    let written = put(&dedup, "a", "one", Some(at(60)));
    let used = store.kv_write(vec![written.clone(), put(&dedup, "b", "", None)], T0).await.unwrap();
    let cost = 64 + 1 + 3 + 64 + 1;
    assert_eq!(used, [(dedup.clone(), cost)]);
    assert_eq!(read(store, &dedup, "a").await, KvRead { entry: written.entry, used_bytes: cost });
    assert_eq!(value(store, &dedup, "b").await.as_deref(), Some(""));
    store.kv_write(vec![delete(&dedup, "a"), delete(&dedup, "b"), delete(&dedup, "c")], T0).await.unwrap();
    assert_eq!(read(store, &dedup, "a").await, KvRead { entry: None, used_bytes: 0 });
    assert_eq!(store.kv_tenants().await.unwrap(), []);
    assert_eq!(store.kv_sweep(at(100), LIMIT).await.unwrap(), 0, "a deleted key does not expire");
}

pub(crate) async fn spaces_are_apart_and_each_counts_its_own(store: &dyn Store) {
    let spaces = [space("a", "p"), space("a", "p2"), space("ab", "p"), space("b", "p")];
    for (n, one) in spaces.iter().enumerate() {
        let value = ["", "1", "22", "333"][n];
        store.kv_write(vec![put(one, "k", value, None)], T0).await.unwrap();
    }
    for (n, one) in spaces.iter().enumerate() {
        assert_eq!(value(store, one, "k").await.unwrap().len(), n, "{one:?}");
        assert_eq!(read(store, one, "other").await.used_bytes, 65 + n as u64, "{one:?}");
    }
    let tenants = store.kv_tenants().await.unwrap();
    assert_eq!(tenants.iter().map(|tenant| tenant.as_str()).collect::<Vec<_>>(), ["a", "ab", "b"]);
}

pub(crate) async fn of_two_changes_of_one_key_the_later_stays(store: &dyn Store) {
    let one = space("acme", "counter");
    let (first, second) = (put(&one, "k", "1", Some(at(1))), put(&one, "k", "22", None));
    store.kv_write(vec![first.clone(), second], T0).await.unwrap();
    assert_eq!(value(store, &one, "k").await.as_deref(), Some("22"));
    assert_eq!(read(store, &one, "k").await.used_bytes, 64 + 1 + 2);
    assert_eq!(store.kv_sweep(at(9), LIMIT).await.unwrap(), 0, "it stays by now");
    store.kv_write(vec![first, delete(&one, "k")], T0).await.unwrap();
    assert_eq!(read(store, &one, "k").await, KvRead { entry: None, used_bytes: 0 });
}

pub(crate) async fn what_has_expired_is_swept_the_earliest_first_and_no_more_than_asked(store: &dyn Store) {
    let one = space("acme", "window");
    let writes = [("late", 30), ("first", 10), ("second", 20)];
    let writes: Vec<_> = writes.iter().map(|(key, s)| put(&one, key, "v", Some(at(*s)))).collect();
    store.kv_write(writes, T0).await.unwrap();
    assert_eq!(store.kv_sweep(at(9), LIMIT).await.unwrap(), 0);
    assert_eq!(store.kv_sweep(at(20), 1).await.unwrap(), 1);
    assert_eq!(value(store, &one, "first").await, None);
    assert!(value(store, &one, "second").await.is_some(), "expired, and not swept yet");
    assert_eq!(store.kv_sweep(at(20), LIMIT).await.unwrap(), 1);
    assert_eq!(read(store, &one, "late").await.used_bytes, 64 + 4 + 1);
    store.kv_write(vec![put(&one, "next", "v", None)], at(30)).await.unwrap();
    assert_eq!(value(store, &one, "late").await, None, "a write sweeps on its way");
}

pub(crate) async fn a_key_that_is_set_anew_expires_when_it_says_now(store: &dyn Store) {
    let one = space("acme", "window");
    store.kv_write(vec![put(&one, "k", "1", Some(at(10)))], T0).await.unwrap();
    store.kv_write(vec![put(&one, "k", "2", Some(at(20)))], T0).await.unwrap();
    assert_eq!(store.kv_sweep(at(19), LIMIT).await.unwrap(), 0);
    assert_eq!(value(store, &one, "k").await.as_deref(), Some("2"));
    assert_eq!(store.kv_sweep(at(20), LIMIT).await.unwrap(), 1);
}

pub(crate) async fn a_tenant_is_cleared_part_by_part_and_no_other(store: &dyn Store) {
    let (gone, other, stays) = (space("gone", "a"), space("gone", "b"), space("gone2", "a"));
    let keys = ["1", "2", "3"];
    let writes = [&gone, &other, &stays]
        .into_iter()
        .flat_map(|one| keys.iter().map(|key| put(one, key, "v", Some(at(5)))));
    store.kv_write(writes.collect(), T0).await.unwrap();
    let tenant = gone.tenant.clone();
    let mut steps = Vec::new();
    while steps.last() != Some(&0) {
        steps.push(store.kv_clear(tenant.clone(), 4).await.unwrap());
    }
    assert_eq!(steps, [4, 2, 0]);
    let left = store.kv_tenants().await.unwrap();
    assert!(left.len() == 1 && left[0] == stays.tenant, "{left:?}");
    assert_eq!(read(store, &gone, "1").await, KvRead { entry: None, used_bytes: 0 });
    assert_eq!(store.kv_sweep(at(9), LIMIT).await.unwrap(), 3, "those of the other tenant");
}
