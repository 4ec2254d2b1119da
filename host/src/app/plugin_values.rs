//! Plugins do not know the store; this is where what they keep meets it, and is cleared away.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::directory::Directory;
use crate::model::{KvEntry, KvSpace, KvWrite, TenantId};
use crate::plugins::{KeyValues, KvFailure, KvFuture};
use crate::shutdown::Shutdown;
use crate::store::{self, Store};

/// How often what has expired is looked for, beside what each write takes out.
const EVERY: Duration = Duration::from_mins(1);
/// Keys of one transaction: a few milliseconds of the writer.
const AT_ONCE: usize = 500;

/// Keeps what plugins keep.
pub(super) struct PluginValues {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Clock,
}

impl KeyValues for PluginValues {
    fn read(&self, space: KvSpace, key: String) -> KvFuture<'_, (Option<KvEntry>, u64)> {
        let reading = self.store.kv_read(space, key);
        Box::pin(async { reading.await.map(|read| (read.entry, read.used_bytes)).map_err(failure) })
    }

    fn write(&self, writes: Vec<KvWrite>) -> KvFuture<'_, Vec<(KvSpace, u64)>> {
        let writing = self.store.kv_write(writes, self.clock.now());
        Box::pin(async { writing.await.map_err(failure) })
    }
}

fn failure(error: store::Error) -> KvFailure {
    KvFailure(error.to_string())
}

/// Takes out what has expired and what is kept of tenants that have no endpoint any more, so that nobody judges their
/// events: once a minute, part by part.
pub(super) async fn sweep(store: Arc<dyn Store>, directory: Directory, clock: Clock, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.requested() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = sweep_once(&*store, &directory, clock).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "what plugins kept and is over could not be taken out; it is tried again in a minute"
            );
        }
    }
}

async fn sweep_once(store: &dyn Store, directory: &Directory, clock: Clock) -> Result<(), store::Error> {
    let kept = store.kv_tenants().await?;
    if kept.is_empty() {
        return Ok(());
    }
    while store.kv_sweep(clock.now(), AT_ONCE).await? == AT_ONCE {}
    let there: HashSet<TenantId> =
        directory.list().into_iter().map(|endpoint| endpoint.tenant.clone()).collect();
    for tenant in kept.into_iter().filter(|tenant| !there.contains(tenant)) {
        while store.kv_clear(tenant.clone(), AT_ONCE).await? > 0 {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Settings;
    use crate::handoff;
    use crate::model::UnixMs;
    use crate::notices::Notices;
    use crate::store::conformance::fixtures::{T0, at, audit, endpoint};
    use crate::store::conformance::keeping::{put, space};
    use crate::store::redb::RedbStore;

    async fn kept(store: &dyn Store, space: &KvSpace, key: &str) -> bool {
        store.kv_read(space.clone(), key.to_owned()).await.unwrap().entry.is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn what_expired_and_what_is_kept_of_tenants_that_are_gone_is_taken_out_within_a_minute() {
        let clock = Clock::starting_at(T0);
        let store: Arc<dyn Store> = Arc::new(RedbStore::in_memory(clock, &store::redb::Options::default()));
        let there = endpoint(1, "https://example.com/1");
        store.create_endpoint(there.clone(), audit("endpoint.created")).await.unwrap();
        let (accepted, _events) = handoff::channel(1);
        let notices = Notices::new(&Settings::default().operations, clock, accepted);
        let directory = Directory::load(Arc::clone(&store), notices, Vec::new()).await.unwrap();
        let (here, gone) = (space(there.tenant.as_str(), "p"), space("gone", "p"));
        let later = Some(UnixMs(u64::MAX));
        let writes = vec![
            put(&here, "stays", "v", later),
            put(&here, "ends", "v", Some(at(30))),
            put(&gone, "stays", "v", later),
        ];
        store.kv_write(writes, T0).await.unwrap();
        let shutdown = Shutdown::new();
        let sweeping = tokio::spawn(sweep(Arc::clone(&store), directory, clock, shutdown.clone()));
        while !store.kv_tenants().await.unwrap().iter().all(|tenant| *tenant == there.tenant) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(clock.now() <= at(70), "within a minute");
        }
        assert!(kept(&*store, &here, "stays").await);
        assert!(!kept(&*store, &here, "ends").await && !kept(&*store, &gone, "stays").await);
        shutdown.request();
        sweeping.await.unwrap();
    }
}
