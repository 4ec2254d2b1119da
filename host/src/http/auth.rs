//! Who is calling: `Authorization: Bearer hk_...`, looked up among the keys in memory.
//!
//! A missing, malformed, unknown, wrong and expired key get the same answer in about the same time. A key that is good
//! but not for the object gets what it would get if there were no such object.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::extract::{FromRef, FromRequestParts};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::Problem;
use crate::clock::Clock;
use crate::model::{ApiKey, ApiKeyRecord, Scope, TenantId, UnixMs};
use crate::store::{self, Store};

/// All API keys, in memory. Clones share them.
#[derive(Debug, Clone)]
pub struct Keys(Arc<Shared>);

/// The holder of a key that opened. As an argument of a handler it makes the handler answer 401 without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    scope: Scope,
}

#[derive(Debug)]
struct Shared {
    by_id: ArcSwap<HashMap<u128, Arc<ApiKeyRecord>>>,
    /// Stands in for the record of an unknown id, so that finding none takes as long as a wrong secret.
    decoy: ApiKeyRecord,
    clock: Clock,
}

/// Makes and stores an admin key if there is none yet. Whoever calls it shows the key once; it cannot be had again.
///
/// # Errors
/// Those of the store.
pub async fn ensure_admin_key(store: &dyn Store, clock: &Clock) -> Result<Option<ApiKey>, store::Error> {
    if store.keys().await?.iter().any(|key| key.scope == Scope::Admin) {
        return Ok(None);
    }
    let now = clock.now();
    let key = ApiKey::new(now, rand::random(), rand::random());
    store.create_key(key.record(Scope::Admin, "made at the first start", now)).await?;
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
        let by_id = records.into_iter().map(|record| (record.id, Arc::new(record))).collect();
        let decoy = ApiKey::new(UnixMs(0), 0, [0; 32]).record(Scope::EventsWrite(None), "", UnixMs(0));
        Self(Arc::new(Shared { by_id: ArcSwap::from_pointee(by_id), decoy, clock }))
    }

    /// Adds a key that was stored.
    pub fn insert(&self, record: ApiKeyRecord) {
        let record = Arc::new(record);
        self.0.by_id.rcu(|keys| {
            let mut keys = HashMap::clone(keys);
            keys.insert(record.id, Arc::clone(&record));
            keys
        });
    }

    /// Whose request this is.
    ///
    /// # Errors
    /// 401 without exactly one key that is known and not expired.
    pub fn open(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let key = bearer(headers).and_then(ApiKey::parse).ok_or_else(Problem::unauthorized)?;
        let keys = self.0.by_id.load();
        let record = keys.get(&key.id());
        let opened = record.map_or(&self.0.decoy, Arc::as_ref).is_opened_by(&key, self.0.clock.now());
        match record {
            Some(record) if opened => Ok(Caller { scope: record.scope.clone() }),
            _ => Err(Problem::unauthorized()),
        }
    }
}

impl Caller {
    /// Whether the caller may see and change what belongs to this tenant.
    #[must_use]
    pub fn manages(&self, tenant: &TenantId) -> bool {
        self.scope.manages(tenant)
    }

    /// The tenant to work for: the one that is asked for, else the caller's own, else `default`.
    ///
    /// # Errors
    /// 403 if the key does not manage it.
    pub fn managed_tenant(&self, asked: Option<TenantId>) -> Result<TenantId, Problem> {
        let tenant = asked.or_else(|| self.own_tenant().cloned()).unwrap_or_default();
        if self.manages(&tenant) { Ok(tenant) } else { Err(self.not_a_manager_of(&tenant)) }
    }

    /// The tenant to narrow a list to: the one that is asked for, else the caller's own; `None` = all of them.
    ///
    /// # Errors
    /// 403 if the key manages none, or not the one that is asked for.
    pub fn visible_tenant(&self, asked: Option<TenantId>) -> Result<Option<TenantId>, Problem> {
        match (asked, &self.scope) {
            (None, Scope::Admin) => Ok(None),
            (asked, _) => self.managed_tenant(asked).map(Some),
        }
    }

    /// The tenant to post events of: the one that is asked for, else the caller's own, else `default`.
    ///
    /// # Errors
    /// 403 if the key may not.
    pub fn posting_tenant(&self, asked: Option<TenantId>) -> Result<TenantId, Problem> {
        let tenant = asked.or_else(|| self.own_tenant().cloned()).unwrap_or_default();
        if self.scope.posts_events_of(&tenant) {
            return Ok(tenant);
        }
        Err(Problem::forbidden(format!(
            "this key may not post events of the tenant `{tenant}`; use one with the scope `events:write` for it, \
             or `admin`"
        )))
    }

    /// Whether the caller may post events of any tenant at all.
    ///
    /// # Errors
    /// 403 if the key may not; known before the body is read.
    pub fn may_post(&self) -> Result<(), Problem> {
        self.posting_tenant(None).map(drop)
    }

    /// Whether the caller may manage any tenant at all.
    ///
    /// # Errors
    /// 403 if the key may not.
    pub fn may_manage(&self) -> Result<(), Problem> {
        self.managed_tenant(None).map(drop)
    }

    fn own_tenant(&self) -> Option<&TenantId> {
        match &self.scope {
            Scope::Tenant(own) | Scope::EventsWrite(Some(own)) => Some(own),
            Scope::Admin | Scope::EventsWrite(None) => None,
        }
    }

    fn not_a_manager_of(&self, tenant: &TenantId) -> Problem {
        Problem::forbidden(format!(
            "this key may not manage the tenant `{tenant}`; use one with the scope `tenant:{tenant}` or `admin`"
        ))
    }
}

impl<S> FromRequestParts<S> for Caller
where
    Keys: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Keys::from_ref(state).open(&parts.headers)
    }
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
    use http::{HeaderValue, StatusCode};

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

    fn caller(scope: Scope) -> Caller {
        Caller { scope }
    }

    #[tokio::test]
    async fn every_key_that_does_not_open_gets_the_same_answer() {
        let (good, keys) = key(Scope::Admin, None);
        let (expired, expiring) = key(Scope::Admin, Some(UnixMs(10)));
        let wrong = ApiKey::new(UnixMs(1), 2, [4; 32]).reveal();
        let unknown = ApiKey::new(UnixMs(1), 5, [3; 32]).reveal();
        let mut twice = headers(&format!("Bearer {}", good.reveal()));
        twice.append(AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        let answers = [
            keys.open(&HeaderMap::new()),
            keys.open(&headers("Bearer ")),
            keys.open(&headers("Basic aGs6aGs=")),
            keys.open(&headers(&good.reveal())),
            keys.open(&headers(&format!("Bearer {wrong}"))),
            keys.open(&headers(&format!("Bearer {unknown}"))),
            keys.open(&twice),
            expiring.open(&headers(&format!("Bearer {}", expired.reveal()))),
        ];
        for answer in answers {
            assert_eq!(answer, Err(Problem::unauthorized()));
        }
        assert!(keys.open(&headers(&format!("bearer {}", good.reveal()))).is_ok());
    }

    #[test]
    fn a_tenant_key_works_for_its_own_tenant_and_no_other() {
        let [acme, other]: [TenantId; 2] = ["acme", "other"].map(|name| name.parse().unwrap());
        let caller = caller(Scope::Tenant(acme.clone()));
        assert_eq!(caller.managed_tenant(None), Ok(acme.clone()));
        assert_eq!(caller.visible_tenant(None), Ok(Some(acme)));
        let refused = caller.visible_tenant(Some(other)).unwrap_err();
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        assert_eq!(caller.may_post().unwrap_err().status(), StatusCode::FORBIDDEN);
    }

    #[test]
    fn a_producer_key_posts_for_its_tenant_and_manages_nothing() {
        let acme: TenantId = "acme".parse().unwrap();
        let producer = caller(Scope::EventsWrite(Some(acme.clone())));
        assert_eq!(producer.posting_tenant(None), Ok(acme));
        assert!(producer.posting_tenant(Some(TenantId::default())).is_err());
        assert!(producer.visible_tenant(None).is_err());
        assert_eq!(caller(Scope::EventsWrite(None)).posting_tenant(None), Ok(TenantId::default()));
        assert_eq!(caller(Scope::Admin).visible_tenant(None), Ok(None));
    }
}
