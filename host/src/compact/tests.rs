//! What the command says of stores that have something to give back, have nothing, or are left alone.

use std::path::PathBuf;

use super::*;
use crate::clock::Clock;
use crate::store::Retention as _;
use crate::store::conformance::fixtures::{T0, mostly_removed};
use crate::store::redb::RedbStore;
use crate::store::redb::damage::{Damage, damage};
use crate::vault::{KeyRing, Vault};

struct Store {
    directory: tempfile::TempDir,
    vault: Vault,
}

impl Store {
    async fn mostly_free() -> Self {
        let (directory, vault) = (tempfile::tempdir().unwrap(), Vault::new(KeyRing::random()));
        let store = Self { directory, vault };
        let open = store.open();
        mostly_removed(&open).await;
        open.close().unwrap();
        store
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join(RedbStore::FILE_NAME)
    }

    fn open(&self) -> RedbStore {
        let (vault, clock) = (self.vault.clone(), Clock::starting_at(T0));
        RedbStore::open(&self.path(), vault, clock, &Options::default()).unwrap()
    }

    fn compact(&self, json: bool) -> Result<String, String> {
        let mut out = Vec::new();
        run(&CompactArgs { json }, &self.path(), &Options::default(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }
}

#[tokio::test]
async fn what_is_free_is_given_back_and_what_was_stored_is_there() {
    let store = Store::mostly_free().await;
    let before = std::fs::metadata(store.path()).unwrap().len();
    let said = store.compact(false).unwrap();
    assert!(said.contains("given back"), "{said}");
    let after = std::fs::metadata(store.path()).unwrap().len();
    assert!(after < before / 2, "{before} bytes became {after}");
    let open = store.open();
    assert_eq!(open.size().await.unwrap().events, 20);
    let in_use = store.compact(false).unwrap_err();
    assert!(in_use.contains("in use by another process"), "{in_use}");
    open.close().unwrap();
}

#[tokio::test]
async fn bytes_are_told_as_json() {
    let store = Store::mostly_free().await;
    let told: serde_json::Value = serde_json::from_str(&store.compact(true).unwrap()).unwrap();
    assert!(told["bytes_after"].as_u64() < told["bytes_before"].as_u64(), "{told}");
}

#[tokio::test]
async fn what_is_damaged_is_left_as_it_is() {
    let store = Store::mostly_free().await;
    let mut bytes = std::fs::read(store.path()).unwrap();
    let payload = b"xxxxxxxxxxxxxxxx";
    let places: Vec<_> = memchr::memmem::find_iter(&bytes, payload).collect();
    places.into_iter().for_each(|at| bytes[at] = b'y');
    std::fs::write(store.path(), &bytes).unwrap();
    let refused = store.compact(false).unwrap_err();
    assert!(refused.contains("run `hookway doctor`"), "{refused}");
    assert!(std::fs::read(store.path()).unwrap() == bytes, "it was not left as it is");
}

#[tokio::test]
async fn what_is_wrong_with_rows_is_none_of_its_business() {
    let store = Store::mostly_free().await;
    damage(&store.path(), Damage::Event);
    assert!(store.compact(false).unwrap().contains("given back"));
}

#[test]
fn a_store_that_is_not_there_or_no_store_is_said_in_a_sentence() {
    let (directory, vault) = (tempfile::tempdir().unwrap(), Vault::new(KeyRing::random()));
    let store = Store { directory, vault };
    assert!(store.compact(false).unwrap_err().contains("hookway.redb cannot be opened"));
    assert!(!store.path().exists(), "it was made");
    let other = "not a store\n".repeat(1_000);
    std::fs::write(store.path(), &other).unwrap();
    assert!(store.compact(false).unwrap_err().contains("hookway.redb"));
    assert_eq!(std::fs::read_to_string(store.path()).unwrap(), other);
}
