//! What is said about tenants: read and changed as endpoints are.

use std::sync::Arc;

use super::Directory;
use crate::model::{AuditEntry, Binding, TenantId, TenantSettings};
use crate::store::Error;

impl Directory {
    /// The plugins that all endpoints of all tenants have.
    #[must_use]
    pub fn global(&self) -> &[Binding] {
        &self.global
    }

    /// What is said about a tenant, perhaps nothing.
    #[must_use]
    pub fn settings(&self, tenant: &TenantId) -> Arc<TenantSettings> {
        let said = self.snapshot.load().settings.get(tenant).cloned();
        said.unwrap_or_else(|| Arc::new(TenantSettings::none(tenant.clone())))
    }

    /// What is said about tenants, by their names.
    #[must_use]
    pub fn all_settings(&self) -> Vec<Arc<TenantSettings>> {
        let mut all: Vec<_> = self.snapshot.load().settings.values().cloned().collect();
        all.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        all
    }

    /// Changes what is said about a tenant as it is now: nobody else changes it in between. A change that changes nothing
    /// writes nothing, not even its audit entry.
    ///
    /// # Errors
    /// The store's, and those of `change`.
    pub async fn change_settings<E: From<Error>>(
        &self,
        tenant: &TenantId,
        change: impl FnOnce(&Arc<TenantSettings>) -> Result<(TenantSettings, AuditEntry), E>,
    ) -> Result<Arc<TenantSettings>, E> {
        let _turn = self.writer.lock().await;
        let before = self.settings(tenant);
        let (after, audit) = change(&before)?;
        if after == *before {
            return Ok(before);
        }
        self.store.set_tenant(after.clone(), audit).await?;
        let after = Arc::new(after);
        let mut snapshot = super::Snapshot::clone(&self.snapshot.load());
        if after.is_empty() {
            snapshot.settings.remove(tenant);
        } else {
            snapshot.settings.insert(tenant.clone(), Arc::clone(&after));
        }
        let endpoints = snapshot.of(tenant).to_vec();
        snapshot.renew(tenant, endpoints, &self.global);
        self.snapshot.store(Arc::new(snapshot));
        Ok(after)
    }
}
