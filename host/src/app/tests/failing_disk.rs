//! A disk whose `fsync` fails, once or more often: nothing more is accepted and readiness says so at once, until the store was opened
//! again, which has all that was answered.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use ::redb::StorageBackend;
use ::redb::backends::InMemoryBackend;

use super::*;
use crate::vault::{KeyRing, Vault};

const OPTIONS: Options = Options { cache_mib: 16, linger_ms: 0 };

/// A disk in memory. Clones are the same disk.
#[derive(Debug, Clone, Default)]
struct Disk {
    bytes: Arc<InMemoryBackend>,
    fails: Arc<AtomicBool>,
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.bytes.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.bytes.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.bytes.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.fails.load(Ordering::SeqCst) {
            true => Err(io::Error::other("the sync failed")),
            false => self.bytes.sync_data(),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.bytes.write(offset, data)
    }
}

fn open(disk: &Disk, vault: &Vault) -> Arc<RedbStore> {
    Arc::new(RedbStore::with_backend(disk.clone(), vault.clone(), Clock::system(), &OPTIONS).unwrap())
}

async fn post(gateway: &Gateway, key: &str, id: &str) -> StatusCode {
    let event = json!({ "event": "a/b", "event_id": id, "data": 1 });
    gateway.call(Method::POST, "/v1/events", key, &event).await.0
}

#[tokio::test]
async fn after_a_sync_that_failed_nothing_is_accepted_until_the_store_was_opened_again() {
    let (disk, vault) = (Disk::default(), Vault::new(KeyRing::random()));
    let store = open(&disk, &vault);
    let gateway = gateway_on(Arc::<RedbStore>::clone(&store), Vec::new()).await;
    let key = gateway.admin.clone();
    assert_eq!(post(&gateway, &key, "answered").await, StatusCode::ACCEPTED);
    disk.fails.store(true, Ordering::SeqCst);
    assert_eq!(post(&gateway, &key, "nobody-knows").await, StatusCode::SERVICE_UNAVAILABLE);
    let (status, ready) = gateway.call(Method::GET, "/readyz", &key, &Value::Null).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{ready}");
    let checks = ready["checks"].as_array().unwrap();
    assert!(checks.iter().any(|check| check["name"] == "store" && check["ok"] == false), "{ready}");
    // It works again, and what it holds is not known all the same.
    disk.fails.store(false, Ordering::SeqCst);
    for id in ["one", "two", "three"] {
        assert_eq!(post(&gateway, &key, id).await, StatusCode::SERVICE_UNAVAILABLE);
    }
    gateway.shutdown.request();
    // What it says was said before.
    let _ = store.close();

    let gateway = gateway_on(open(&disk, &vault), Vec::new()).await;
    assert_eq!(gateway.call(Method::GET, "/readyz", &key, &Value::Null).await.0, StatusCode::OK);
    assert_eq!(gateway.call(Method::GET, "/v1/events/answered", &key, &Value::Null).await.0, StatusCode::OK);
    for id in ["one", "two", "three"] {
        let path = format!("/v1/events/{id}");
        assert_eq!(gateway.call(Method::GET, &path, &key, &Value::Null).await.0, StatusCode::NOT_FOUND);
        assert_eq!(post(&gateway, &key, id).await, StatusCode::ACCEPTED);
    }
}
