//! All endpoints in memory, and the only way to change them.
//!
//! A change is durable and indexed when its call returns: the next event is matched by it, the next attempt uses it.
//! Readers take a snapshot and never wait; writers go one after another. Filters are compiled here, once per change.
//! A change that operations are told of is written with its operational event.

mod settings;
mod shards;
mod tenant;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, broadcast};

use self::shards::Shards;
pub use self::tenant::Tenant;
use crate::model::{AuditEntry, Binding, Endpoint, EndpointId, Event, TenantId, TenantSettings};
use crate::notices::Notices;
use crate::store::{Error, Store};

/// Changes that a listener may be behind before it has to look at everything again.
const CHANGES_KEPT: usize = 1024;

/// The endpoints. Clones share them.
#[derive(Clone)]
pub struct Directory {
    store: Arc<dyn Store>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    writer: Arc<Mutex<()>>,
    changes: broadcast::Sender<EndpointId>,
    notices: Notices,
    /// The plugins that all endpoints of all tenants have.
    global: Arc<[Binding]>,
}

#[derive(Default, Clone)]
struct Snapshot {
    endpoints: Shards<EndpointId, Arc<Endpoint>>,
    tenants: Shards<TenantId, Arc<Tenant>>,
    /// Of those about whom something is said.
    settings: HashMap<TenantId, Arc<TenantSettings>>,
}

impl Directory {
    /// The directory of what is in the store; `global` are the plugins that all endpoints have.
    ///
    /// # Errors
    /// The store's.
    pub async fn load(store: Arc<dyn Store>, notices: Notices, global: Vec<Binding>) -> Result<Self, Error> {
        let mut snapshot = Snapshot::default();
        for settings in store.tenants().await? {
            snapshot.settings.insert(settings.tenant.clone(), Arc::new(settings));
        }
        let mut tenants = HashMap::<TenantId, Vec<Arc<Endpoint>>>::new();
        for endpoint in store.endpoints().await?.into_iter().map(Arc::new) {
            tenants.entry(endpoint.tenant.clone()).or_default().push(Arc::clone(&endpoint));
            snapshot.endpoints.insert(endpoint.id, endpoint);
        }
        for (tenant, all) in tenants {
            let inherited = snapshot.inherited(&global, &tenant);
            snapshot.tenants.insert(tenant, Arc::new(Tenant::new(all, inherited, None)));
        }
        Ok(Self {
            store,
            snapshot: Arc::new(ArcSwap::from_pointee(snapshot)),
            writer: Arc::default(),
            changes: broadcast::Sender::new(CHANGES_KEPT),
            notices,
            global: global.into(),
        })
    }

    /// The same directory for changes that this event causes: operations are not told what an operational event causes.
    #[must_use]
    pub fn because_of(&self, event: &Event) -> Self {
        let notices = if event.topic.is_reserved() { Notices::off() } else { self.notices.clone() };
        Self { notices, ..self.clone() }
    }

    /// An endpoint.
    #[must_use]
    pub fn get(&self, id: EndpointId) -> Option<Arc<Endpoint>> {
        self.snapshot.load().endpoints.get(&id).cloned()
    }

    /// All endpoints of all tenants, by rising id.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Endpoint>> {
        let mut all: Vec<_> = self.snapshot.load().endpoints.values().cloned().collect();
        all.sort_by_key(|endpoint| endpoint.id);
        all
    }

    /// The endpoints that are inactive.
    #[must_use]
    pub fn inactive(&self) -> HashSet<EndpointId> {
        let snapshot = self.snapshot.load();
        snapshot.endpoints.values().filter(|e| !e.activity.is_active()).map(|e| e.id).collect()
    }

    /// Whether an endpoint is there and inactive.
    #[must_use]
    pub fn is_inactive(&self, id: EndpointId) -> bool {
        self.snapshot.load().endpoints.get(&id).is_some_and(|endpoint| !endpoint.activity.is_active())
    }

    /// A tenant's endpoints with their index and filters, as they are now; `None` when it has none.
    #[must_use]
    pub fn tenant(&self, tenant: &TenantId) -> Option<Arc<Tenant>> {
        self.snapshot.load().tenants.get(tenant).cloned()
    }

    /// Tells which endpoints were created, changed or deleted from now on.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<EndpointId> {
        self.changes.subscribe()
    }

    /// Adds an endpoint.
    ///
    /// # Errors
    /// [`Error::UrlTaken`], and the store's.
    pub async fn create(&self, endpoint: Endpoint, audit: AuditEntry) -> Result<Arc<Endpoint>, Error> {
        let _turn = self.writer.lock().await;
        self.store.create_endpoint(endpoint.clone(), audit).await?;
        Ok(self.put(endpoint))
    }

    /// Changes an endpoint as it is now: nobody else changes it in between. A change that changes nothing writes nothing,
    /// not even its audit entry.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::UrlTaken`], the store's, and those of `change`.
    pub async fn change<E: From<Error>>(
        &self,
        id: EndpointId,
        change: impl FnOnce(&Arc<Endpoint>) -> Result<(Endpoint, AuditEntry), E>,
    ) -> Result<Arc<Endpoint>, E> {
        let _turn = self.writer.lock().await;
        let before = self.get(id).ok_or(Error::NotFound)?;
        let (after, audit) = change(&before)?;
        if after == *before {
            return Ok(before);
        }
        let notices = self.notices.of_change(&before, &after);
        let told = !notices.is_empty();
        self.store.update_endpoint(after.clone(), notices, audit).await?;
        let after = self.put(after);
        if told {
            self.notices.ring();
        }
        Ok(after)
    }

    /// Deletes an endpoint as it is now, and returns it. Its deliveries stay in the log; those that wait are cancelled
    /// soon after.
    ///
    /// # Errors
    /// [`Error::NotFound`], the store's, and those of `audit`.
    pub async fn delete<E: From<Error>>(
        &self,
        id: EndpointId,
        audit: impl FnOnce(&Endpoint) -> Result<AuditEntry, E>,
    ) -> Result<Arc<Endpoint>, E> {
        let _turn = self.writer.lock().await;
        let endpoint = self.get(id).ok_or(Error::NotFound)?;
        self.store.delete_endpoint(id, audit(&endpoint)?).await?;
        self.swap(&endpoint, None);
        Ok(endpoint)
    }

    fn put(&self, endpoint: Endpoint) -> Arc<Endpoint> {
        let endpoint = Arc::new(endpoint);
        self.swap(&endpoint, Some(&endpoint));
        endpoint
    }

    /// Puts an endpoint in the place of the one with its id, or nothing, and tells of it. Called with `writer` held, so no other swap
    /// can come between the load and the store.
    fn swap(&self, endpoint: &Endpoint, after: Option<&Arc<Endpoint>>) {
        let mut snapshot = Snapshot::clone(&self.snapshot.load());
        let (id, tenant) = (endpoint.id, &endpoint.tenant);
        match after {
            Some(after) => snapshot.endpoints.insert(id, Arc::clone(after)),
            None => snapshot.endpoints.remove(&id),
        }
        let others = snapshot.of(tenant).iter().filter(|other| other.id != id);
        let all = others.chain(after).cloned().collect();
        snapshot.renew(tenant, all, &self.global);
        self.snapshot.store(Arc::new(snapshot));
        // Nobody listening is fine: listeners come and go with the stages.
        let _ = self.changes.send(id);
    }
}

impl Snapshot {
    /// The endpoints of a tenant.
    fn of(&self, tenant: &TenantId) -> &[Arc<Endpoint>] {
        self.tenants.get(tenant).map_or(&[], |tenant| tenant.index().endpoints())
    }

    /// What was worked out for a tenant, from its settings and these, which are all of its endpoints now.
    fn renew(&mut self, tenant: &TenantId, endpoints: Vec<Arc<Endpoint>>, global: &[Binding]) {
        if endpoints.is_empty() {
            self.tenants.remove(tenant);
            return;
        }
        let before = self.tenants.get(tenant).map(Arc::as_ref);
        let after = Tenant::new(endpoints, self.inherited(global, tenant), before);
        self.tenants.insert(tenant.clone(), Arc::new(after));
    }

    /// The plugins that all endpoints of a tenant have: those of the gateway, then its own.
    fn inherited(&self, global: &[Binding], tenant: &TenantId) -> Vec<Binding> {
        let own = self.settings.get(tenant).map(|settings| settings.plugins.as_slice());
        global.iter().chain(own.unwrap_or_default()).cloned().collect()
    }
}
