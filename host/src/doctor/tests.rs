//! What the command says and which code it ends with, for stores that are whole, need a repair, or have lost something.

use std::path::PathBuf;

use super::*;
use crate::clock::Clock;
use crate::store::conformance::fixtures::{T0, dispatched, endpoint_id, event_with_id, pending};
use crate::store::redb::RedbStore;
use crate::store::redb::damage::{Damage, damage};
use crate::vault::{KeyRing, Vault};

struct Store {
    directory: tempfile::TempDir,
}

impl Store {
    async fn filled() -> Self {
        let store = Self { directory: tempfile::tempdir().unwrap() };
        let open = store.open();
        dispatched(&open, event_with_id("order-1"), vec![pending(endpoint_id(1)); 3]).await;
        open.close().unwrap();
        store
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("hookway.redb")
    }

    fn open(&self) -> RedbStore {
        let vault = Vault::new(KeyRing::random());
        // It commits when it is closed: until then its file stands still.
        let options = Options { linger_ms: 3_600_000, ..Options::default() };
        RedbStore::open(&self.path(), vault, Clock::starting_at(T0), &options).unwrap()
    }

    fn doctor(&self, arguments: &[&str]) -> (Result<u8, String>, String) {
        let args =
            DoctorArgs { repair: arguments.contains(&"--repair"), json: arguments.contains(&"--json") };
        let mut out = Vec::new();
        let code = run(&args, &self.path(), &Options::default(), &mut out);
        (code, String::from_utf8(out).unwrap())
    }
}

#[tokio::test]
async fn a_store_that_is_whole_is_said_to_be_and_not_a_byte_is_changed() {
    let store = Store::filled().await;
    let before = std::fs::read(store.path()).unwrap();
    for arguments in [&[][..], &["--repair"], &["--json"]] {
        let (code, said) = store.doctor(arguments);
        assert_eq!(code, Ok(0), "{said}");
        match arguments.first() {
            Some(&"--json") => {
                let said: serde_json::Value = serde_json::from_str(&said).unwrap();
                assert_eq!(said["store"]["problems"], serde_json::json!([]));
                assert_eq!(said["store"]["rows"][1], serde_json::json!({"of": "deliveries", "count": 3}));
            }
            _ => assert!(said.contains("3 deliveries") && said.ends_with("nothing is wrong.\n"), "{said}"),
        }
    }
    assert!(std::fs::read(store.path()).unwrap() == before);
}

#[tokio::test]
async fn a_store_that_was_killed_is_whole_and_the_log_is_told_of() {
    let store = Store::filled().await;
    let open = store.open();
    dispatched(&open, event_with_id("order-2"), Vec::new()).await;
    let killed = tempfile::tempdir().unwrap();
    for file in ["hookway.redb", "hookway.wal"] {
        std::fs::copy(store.directory.path().join(file), killed.path().join(file)).unwrap();
    }
    let (in_use, _) = store.doctor(&[]);
    assert!(in_use.unwrap_err().contains("in use by another process"));
    drop(open);
    let (code, said) = Store { directory: killed }.doctor(&[]);
    assert_eq!(code, Ok(0), "{said}");
    assert!(said.contains("not closed") && said.contains("2 events"), "{said}");
}

#[tokio::test]
async fn what_can_be_repaired_is_explained_then_repaired() {
    let store = Store::filled().await;
    damage(&store.path(), Damage::Queue);
    let damaged = std::fs::read(store.path()).unwrap();
    let (code, said) = store.doctor(&[]);
    assert_eq!(code, Ok(REPAIRABLE), "{said}");
    assert!(said.contains("of `queue` are missing or wrong") && said.contains("--repair"), "{said}");
    assert!(std::fs::read(store.path()).unwrap() == damaged, "looking changes nothing");
    let (code, said) = store.doctor(&["--repair"]);
    assert_eq!(code, Ok(0), "{said}");
    assert!(said.contains("All of it is repaired"), "{said}");
    let (code, said) = store.doctor(&[]);
    assert_eq!(code, Ok(0), "{said}");
    assert!(said.contains("3 waiting for an attempt"), "{said}");
}

#[tokio::test]
async fn what_is_lost_is_said_to_be_lost() {
    let store = Store::filled().await;
    damage(&store.path(), Damage::Event);
    for arguments in [&[][..], &["--repair"]] {
        let (code, said) = store.doctor(arguments);
        assert_eq!(code, Ok(LOST), "{said}");
        assert!(said.contains("1 row of `events` cannot be read") && said.contains("a backup may"), "{said}");
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_or_no_store_is_said_in_a_sentence() {
    let store = Store { directory: tempfile::tempdir().unwrap() };
    assert!(store.doctor(&[]).0.unwrap_err().contains("hookway.redb cannot be opened"));
    std::fs::write(store.path(), "not a store\n".repeat(1_000)).unwrap();
    let told = store.doctor(&[]).0.unwrap_err();
    assert!(told.contains("hookway.redb"), "{told}");
}
