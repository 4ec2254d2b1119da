//! The API keys in memory: who may call, and when each was last used.
//!
//! A missing, malformed, unknown, wrong and expired key get the same answer in about the same time. Uses are kept in memory
//! and written down now and then: a commit per request would cost more than the request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::{Caller, Problem};
use crate::clock::Clock;
use crate::fast_map::FastMap;
use crate::model::{Actor, ApiKey, ApiKeyRecord, AuditEntry, KeyId, Scope, UnixMs};
use crate::shutdown::Shutdown;
use crate::store::{self, Store};

/// How often uses are written down: fresh enough to tell a key that nobody needs, and less than a commit a second with
/// thousands of keys.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// All API keys, in memory. Clones share them.
#[derive(Debug, Clone)]
pub struct Keys(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    by_id: ArcSwap<FastMap<KeyId, Arc<Held>>>,
    /// Stands in for the key of an unknown id, so that finding none takes as long as a wrong secret.
    decoy: Arc<Held>,
    clock: Clock,
}

#[derive(Debug)]
struct Held {
    record: ApiKeyRecord,
    /// Milliseconds since 1970 of the last use; 0 = never.
    used: AtomicU64,
    /// The one that the store knows of.
    noted: AtomicU64,
}

/// Makes and stores an admin key if there is none that opens anything. Whoever calls it shows the key once; it cannot be
/// had again.
///
/// # Errors
/// Those of the store.
pub async fn ensure_admin_key(store: &dyn Store, clock: &Clock) -> Result<Option<ApiKey>, store::Error> {
    let now = clock.now();
    let opens = |key: &ApiKeyRecord| key.scope == Scope::Admin && key.is_active(now);
    if store.keys().await?.iter().any(opens) {
        return Ok(None);
    }
    let key = ApiKey::new(now, rand::random(), rand::random());
    let audit = AuditEntry::new(now, Actor::Gateway, "key.created", key.id()).with(
        "scope",
        &Value::Null,
        &json!(Scope::Admin.to_string()),
    );
    store
        .create_key(key.record(Scope::Admin, "made at the start, as there was no admin key", now), audit)
        .await?;
    Ok(Some(key))
}

impl Keys {
    /// The keys of the store.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn load(store: &dyn Store, clock: Clock) -> Result<Self, store::Error> {
        Ok(Self::new(store.keys().await?, clock))
    }

    /// These keys.
    #[must_use]
    pub fn new(records: Vec<ApiKeyRecord>, clock: Clock) -> Self {
        let by_id = records.into_iter().map(|record| (record.id, Arc::new(Held::new(record)))).collect();
        let decoy = Arc::new(Held::new(decoy()));
        Self(Arc::new(Shared { by_id: ArcSwap::from_pointee(by_id), decoy, clock }))
    }

    /// Adds a key that was stored.
    pub fn insert(&self, record: ApiKeyRecord) {
        let held = Arc::new(Held::new(record));
        self.change(|keys| {
            keys.insert(held.record.id, Arc::clone(&held));
        });
    }

    /// Removes a key that was deleted. It opens nothing from now on.
    pub fn remove(&self, id: KeyId) {
        self.change(|keys| {
            keys.remove(&id);
        });
    }

    /// A key, with its last use.
    #[must_use]
    pub fn get(&self, id: KeyId) -> Option<ApiKeyRecord> {
        self.0.by_id.load().get(&id).map(|held| held.current())
    }

    /// All keys, by rising id, with their last use.
    #[must_use]
    pub fn list(&self) -> Vec<ApiKeyRecord> {
        let mut all: Vec<_> = self.0.by_id.load().values().map(|held| held.current()).collect();
        all.sort_by_key(|record| record.id);
        all
    }

    /// Whose request this is. An unknown id takes the same way as a wrong secret: to the one comparison there is.
    ///
    /// # Errors
    /// 401 without exactly one key that is known and not expired.
    pub fn open(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let key = bearer(headers).and_then(ApiKey::parse).ok_or_else(Problem::unauthorized)?;
        let now = self.0.clock.now();
        let keys = self.0.by_id.load();
        let held = keys.get(&key.id()).unwrap_or(&self.0.decoy);
        if !held.record.is_opened_by(&key, now) {
            return Err(Problem::unauthorized());
        }
        held.used.fetch_max(now.0, Ordering::Relaxed);
        Ok(Caller::new(held.record.id, held.record.scope.clone()))
    }

    /// Writes the uses of keys down from time to time, until shutdown. What is used after that is left to a last
    /// [`Keys::note_uses`].
    pub async fn keep_noting(self, store: Arc<dyn Store>, shutdown: Shutdown) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(NOTE_EVERY) => self.note_uses(&*store).await,
                () = shutdown.requested() => return,
            }
        }
    }

    /// Writes down the uses that the store does not know of.
    pub async fn note_uses(&self, store: &dyn Store) {
        let keys = self.0.by_id.load_full();
        let news: Vec<_> = keys.values().filter_map(|held| Some((held, held.news()?))).collect();
        if news.is_empty() {
            return;
        }
        let uses = news.iter().map(|(held, at)| (held.record.id, *at)).collect();
        match store.note_key_uses(uses).await {
            Ok(()) => news.iter().for_each(|(held, at)| held.noted.store(at.0, Ordering::Relaxed)),
            Err(error) => tracing::warn!(%error, "the last use of keys could not be written down"),
        }
    }

    fn change(&self, change: impl Fn(&mut FastMap<KeyId, Arc<Held>>)) {
        self.0.by_id.rcu(|keys| {
            let mut keys = FastMap::clone(keys);
            change(&mut keys);
            keys
        });
    }
}

impl Held {
    fn new(record: ApiKeyRecord) -> Self {
        let used = record.last_used_at.unwrap_or_default().0;
        Self { record, used: AtomicU64::new(used), noted: AtomicU64::new(used) }
    }

    fn current(&self) -> ApiKeyRecord {
        let used = self.used.load(Ordering::Relaxed);
        ApiKeyRecord { last_used_at: (used > 0).then_some(UnixMs(used)), ..self.record.clone() }
    }

    fn news(&self) -> Option<UnixMs> {
        let used = self.used.load(Ordering::Relaxed);
        (used > self.noted.load(Ordering::Relaxed)).then_some(UnixMs(used))
    }
}

/// A record that nothing opens, as it expired in 1970: whoever reads its secret here gains nothing.
fn decoy() -> ApiKeyRecord {
    let record = ApiKey::new(UnixMs(0), 0, [0; 32]).record(Scope::EventsWrite(None), "", UnixMs(0));
    ApiKeyRecord { expires_at: Some(UnixMs(0)), ..record }
}

/// The credentials of the one `Authorization: Bearer` line; the scheme in any case (RFC 9110, section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let line = lines.next().filter(|_| lines.next().is_none())?;
    let (scheme, credentials) = line.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(credentials)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn key(scope: Scope, expires_at: Option<UnixMs>) -> (ApiKey, Keys) {
        let key = ApiKey::new(UnixMs(1), 2, [3; 32]);
        let record = ApiKeyRecord { expires_at, ..key.record(scope, "", UnixMs(1)) };
        let keys = Keys::new(Vec::new(), Clock::starting_at(UnixMs(10)));
        keys.insert(record);
        (key, keys)
    }

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
    }

    #[tokio::test]
    async fn every_key_that_does_not_open_gets_the_same_answer() {
        let (good, keys) = key(Scope::Admin, None);
        let (expired, expiring) = key(Scope::Admin, Some(UnixMs(10)));
        let wrong = ApiKey::new(UnixMs(1), 2, [4; 32]).reveal();
        let unknown = ApiKey::new(UnixMs(1), 5, [3; 32]).reveal();
        let decoy = ApiKey::new(UnixMs(0), 0, [0; 32]);
        assert_eq!(decoy.id(), keys.0.decoy.record.id);
        let decoy = decoy.reveal();
        let mut twice = headers(&format!("Bearer {}", good.reveal()));
        twice.append(AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        let answers = [
            keys.open(&HeaderMap::new()),
            keys.open(&headers("Bearer ")),
            keys.open(&headers("Basic aGs6aGs=")),
            keys.open(&headers(&good.reveal())),
            keys.open(&headers(&format!("Bearer {wrong}"))),
            keys.open(&headers(&format!("Bearer {unknown}"))),
            keys.open(&headers(&format!("Bearer {decoy}"))),
            keys.open(&twice),
            expiring.open(&headers(&format!("Bearer {}", expired.reveal()))),
        ];
        for answer in answers {
            assert_eq!(answer, Err(Problem::unauthorized()));
        }
        assert!(keys.open(&headers(&format!("bearer {}", good.reveal()))).is_ok());
    }

    #[tokio::test]
    async fn a_key_that_was_removed_opens_nothing() {
        let (good, keys) = key(Scope::Admin, None);
        let headers = headers(&format!("Bearer {}", good.reveal()));
        assert!(keys.open(&headers).is_ok());
        keys.remove(good.id());
        assert_eq!(keys.open(&headers), Err(Problem::unauthorized()));
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_use_that_opened_counts_and_the_latest_is_shown() {
        let (good, keys) = key(Scope::Admin, None);
        let wrong = headers(&format!("Bearer {}", ApiKey::new(UnixMs(1), 2, [4; 32]).reveal()));
        keys.open(&wrong).unwrap_err();
        assert_eq!(keys.get(good.id()).unwrap().last_used_at, None);
        keys.open(&headers(&format!("Bearer {}", good.reveal()))).unwrap();
        assert_eq!(keys.list()[0].last_used_at, Some(UnixMs(10)));
    }

    #[tokio::test(start_paused = true)]
    async fn uses_are_written_down_after_a_minute_and_only_what_is_new() {
        let (good, keys) = key(Scope::Admin, None);
        let clock = Clock::starting_at(UnixMs(10));
        let options = store::redb::Options { cache_mib: 16, linger_ms: 0 };
        let store = Arc::new(store::redb::RedbStore::in_memory(clock, &options));
        let audit = AuditEntry::new(UnixMs(1), Actor::Gateway, "key.created", good.id());
        store.create_key(keys.get(good.id()).unwrap(), audit).await.unwrap();
        let shutdown = Shutdown::new();
        let noting = tokio::spawn(
            keys.clone().keep_noting(Arc::<store::redb::RedbStore>::clone(&store), shutdown.clone()),
        );
        keys.open(&headers(&format!("Bearer {}", good.reveal()))).unwrap();
        tokio::time::sleep(NOTE_EVERY * 2).await;
        shutdown.request();
        noting.await.unwrap();
        assert_eq!(store.keys().await.unwrap()[0].last_used_at, Some(UnixMs(10)));
        assert!(keys.0.by_id.load().values().all(|held| held.news().is_none()));
    }
}
