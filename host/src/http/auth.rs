//! Who is calling, and what that key may do.
//!
//! A key that is good but not for the object gets what it would get if there were no such object.

use std::net::IpAddr;

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;

use super::{Keys, Problem};
use crate::model::{Actor, KeyId, Scope, TenantId};

/// The other end of the connection that a request came over, as an extension of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// The holder of a key that opened. As an argument of a handler it makes the handler answer 401 without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    key: KeyId,
    scope: Scope,
    address: Option<IpAddr>,
}

impl Caller {
    /// The holder of this key.
    pub(super) const fn new(key: KeyId, scope: Scope) -> Self {
        Self { key, scope, address: None }
    }

    /// The caller as the audit log names it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Key { id: self.key, scope: self.scope.clone(), address: self.address }
    }

    /// Whether the caller may do everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.scope == Scope::Admin
    }

    /// Makes sure that the caller may do everything.
    ///
    /// # Errors
    /// 403 if not.
    pub fn must_be_admin(&self) -> Result<(), Problem> {
        if self.is_admin() {
            return Ok(());
        }
        Err(Problem::forbidden("only a key with the scope `admin` may do this"))
    }

    /// The tenant to which the caller is confined; `None` for one that sees all of them.
    #[must_use]
    pub const fn confined_to(&self) -> Option<&TenantId> {
        self.scope.tenant()
    }

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
        let tenant = asked.or_else(|| self.scope.tenant().cloned()).unwrap_or_default();
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
        let tenant = asked.or_else(|| self.scope.tenant().cloned()).unwrap_or_default();
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

    /// Makes sure that the caller may read what the gateway counts.
    ///
    /// # Errors
    /// 403 if not.
    pub fn must_read_metrics(&self) -> Result<(), Problem> {
        if self.scope.reads_metrics() {
            return Ok(());
        }
        Err(Problem::forbidden("only a key with the scope `metrics:read` or `admin` may read the metrics"))
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
        let address = parts.extensions.get::<Peer>().map(|peer| peer.0);
        Ok(Self { address, ..Keys::from_ref(state).open(&parts.headers)? })
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::model::UnixMs;

    fn caller(scope: Scope) -> Caller {
        Caller::new(KeyId::new(UnixMs(1), 1), scope)
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
