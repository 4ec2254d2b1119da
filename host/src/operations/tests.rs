//! Secrets in virtual time, plugins in a real directory; a store in memory that outlives what watches.

use std::fs;

use super::*;
use crate::handoff;
use crate::model::{Endpoint, Event, SecretId, UnixMs};
use crate::notices::Options;
use crate::plugins::{self, Compiler, Means, Places, Unrecorded};
use crate::store::conformance::fixtures::{T0, audit, endpoint};
use crate::store::redb::{self, RedbStore};

const DAY: Duration = Duration::from_hours(24);
/// Between the moment that something is due and the moment that it is accepted.
const SLACK: Duration = Duration::from_mins(1);

struct Scene {
    operations: Operations,
    shutdown: Shutdown,
    home: tempfile::TempDir,
}

impl Scene {
    /// Nothing is watched yet, and no file of a plugin either: `plugins` follows the directory until it is told to stop.
    async fn new(plugins_stop: &Shutdown) -> Self {
        let clock = Clock::starting_at(T0);
        let options = redb::Options { linger_ms: 0, ..redb::Options::default() };
        let store: Arc<dyn Store> = Arc::new(RedbStore::in_memory(clock, &options));
        let home = tempfile::tempdir().unwrap();
        let (dispatch, _) = handoff::channel(1);
        let notices = Notices::new(&Options { tenant: Some("ops".parse().unwrap()) }, clock, dispatch);
        let directory = Directory::load(Arc::clone(&store), notices.clone(), Vec::new()).await.unwrap();
        let places = Places {
            plugins: home.path().to_owned(),
            cache: None,
            versions: home.path().join(".versions"),
            compiler: Compiler::InProcess,
            means: Means::default(),
            records: Arc::new(Unrecorded),
        };
        let plugins = Plugins::start(places, plugins::Options::default(), clock, plugins_stop).await.unwrap();
        let operations = Operations { store, directory, plugins, notices, clock };
        Self { operations, shutdown: Shutdown::new(), home }
    }

    /// One for virtual time, in which nobody may look at the plugin directory every 2 s.
    async fn of_secrets() -> Self {
        let stopped = Shutdown::new();
        stopped.request();
        Self::new(&stopped).await
    }

    fn start(&self) {
        start(&self.operations, &self.shutdown);
    }

    /// Ends the watching, as a stop of the gateway does.
    async fn stop(&mut self) {
        self.shutdown.request();
        assert!(self.shutdown.finished(DAY).await);
        self.shutdown = Shutdown::new();
    }

    /// Lets time pass.
    async fn until(&self, at: UnixMs) {
        tokio::time::sleep(at.since(self.operations.clock.now())).await;
    }

    /// What was told so far; nobody dispatches here.
    async fn told(&self) -> Vec<Arc<Event>> {
        let told = self.operations.store.undispatched(None, 100).await.unwrap();
        assert!(told.iter().all(|event| event.tenant.as_str() == "ops"), "{told:?}");
        told
    }

    /// The same once there are so many.
    async fn wait_for(&self, n: usize) -> Vec<Arc<Event>> {
        loop {
            let told = self.told().await;
            if told.len() >= n {
                return told;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn secret_until(&self, expires_at: Option<UnixMs>) -> Arc<Endpoint> {
        let mut new = endpoint(1, "https://example.com/hook");
        new.secrets[0].expires_at = expires_at;
        self.operations.directory.create(new, audit("endpoint.created")).await.unwrap()
    }

    async fn expire(&self, endpoint: &Endpoint, expires_at: UnixMs) {
        let later = |now: &Arc<Endpoint>| {
            let mut after = Endpoint::clone(now);
            after.secrets[0].expires_at = Some(expires_at);
            Ok::<_, Error>((after, audit("endpoint.updated")))
        };
        self.operations.directory.change(endpoint.id, later).await.unwrap();
    }

    /// Puts a file in the plugin directory whole and waits until it was looked at. Returns why it was refused.
    async fn install(&self, bytes: &[u8]) -> String {
        let plugin = "broken".parse().unwrap();
        let mut changes = self.operations.plugins.changes();
        let rejected = || self.operations.plugins.get(&plugin).and_then(|status| status.rejected);
        let before = rejected().map(|rejected| rejected.at);
        fs::write(self.home.path().join("new"), bytes).unwrap();
        fs::rename(self.home.path().join("new"), self.home.path().join("broken.wasm")).unwrap();
        loop {
            match rejected() {
                Some(now) if Some(now.at) != before => return now.reason,
                _ => changes.changed().await.unwrap(),
            }
        }
    }
}

/// When each was accepted, as the time that was left until the expiry.
fn left(told: &[Arc<Event>], expires_at: UnixMs) -> Vec<Duration> {
    told.iter().map(|event| expires_at.since(event.accepted_at)).collect()
}

fn is_about(left: Duration, wanted: Duration) -> bool {
    left <= wanted && wanted - left < SLACK
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_told_7_days_and_1_day_before_it_expires() {
    let mut scene = Scene::of_secrets().await;
    scene.start();
    let expires_at = T0.after(30 * DAY);
    let endpoint = scene.secret_until(Some(expires_at)).await;
    scene.until(T0.after(40 * DAY)).await;
    scene.stop().await;
    let told = scene.told().await;
    let left = left(&told, expires_at);
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(is_about(left[0], 7 * DAY) && is_about(left[1], DAY), "{left:?}");
    for event in told {
        let data: serde_json::Value = serde_json::from_slice(&event.data).unwrap();
        assert_eq!(event.topic.as_str(), "hookway.secret.expiring");
        assert_eq!(data["endpoint_id"], endpoint.id.to_string());
        assert_eq!(data["secret_id"], SecretId::new(T0, 1).to_string());
        assert_eq!((&data["expires_at"], &data["is_last"]), (&expires_at.to_string().into(), &true.into()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_repeats_nothing_and_says_what_came_due_meanwhile() {
    let mut scene = Scene::of_secrets().await;
    let expires_at = T0.after(10 * DAY);
    scene.secret_until(Some(expires_at)).await;
    // Down at the 7-day mark.
    scene.until(T0.after(5 * DAY)).await;
    for _ in 0..3 {
        scene.start();
        scene.wait_for(1).await;
        scene.until(scene.operations.clock.now().after(DAY)).await;
        scene.stop().await;
        assert_eq!(scene.told().await.len(), 1);
    }
    // Down at the 1-day mark.
    scene.until(T0.after(10 * DAY - DAY / 2)).await;
    for _ in 0..2 {
        scene.start();
        scene.wait_for(2).await;
        scene.stop().await;
        assert_eq!(scene.told().await.len(), 2);
    }
    let left = left(&scene.told().await, expires_at);
    assert!(is_about(left[0], 5 * DAY) && is_about(left[1], DAY / 2), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn of_two_marks_that_have_passed_only_the_nearer_is_told_and_none_of_an_expired_secret() {
    let mut scene = Scene::of_secrets().await;
    let endpoint = scene.secret_until(Some(T0.after(DAY / 2))).await;
    scene.start();
    scene.wait_for(1).await;
    scene.until(T0.after(DAY)).await;
    scene.stop().await;
    assert_eq!(scene.told().await.len(), 1);
    scene.expire(&endpoint, T0.after(2 * DAY)).await;
    scene.until(T0.after(3 * DAY)).await;
    scene.start();
    scene.until(T0.after(4 * DAY)).await;
    scene.stop().await;
    assert_eq!(scene.told().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_expiry_is_told_anew() {
    let mut scene = Scene::of_secrets().await;
    let endpoint = scene.secret_until(Some(T0.after(DAY / 2))).await;
    scene.start();
    scene.wait_for(1).await;
    let expires_at = T0.after(20 * DAY);
    scene.expire(&endpoint, expires_at).await;
    scene.until(T0.after(30 * DAY)).await;
    scene.stop().await;
    let left = left(&scene.told().await[1..], expires_at);
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(is_about(left[0], 7 * DAY) && is_about(left[1], DAY), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_of_a_secret_that_never_expires_or_when_nobody_is_named() {
    let mut scene = Scene::of_secrets().await;
    let endpoint = scene.secret_until(None).await;
    scene.start();
    scene.until(T0.after(30 * DAY)).await;
    scene.stop().await;
    scene.operations.notices = Notices::off();
    scene.expire(&endpoint, T0.after(31 * DAY)).await;
    scene.start();
    scene.until(T0.after(32 * DAY)).await;
    scene.stop().await;
    assert!(scene.told().await.is_empty());
}

#[tokio::test]
async fn a_file_that_cannot_be_loaded_is_told_once_whatever_happens() {
    let follow = Shutdown::new();
    let mut scene = Scene::new(&follow).await;
    scene.start();
    let reason = scene.install(b"this is no component").await;
    let told = scene.wait_for(1).await;
    let data: serde_json::Value = serde_json::from_slice(&told[0].data).unwrap();
    assert_eq!(told[0].topic.as_str(), "hookway.plugin.degraded");
    assert_eq!((&data["plugin"], &data["message"]), (&"broken".into(), &reason.into()));
    assert!(data["version"].as_str().is_some_and(|version| version.len() == 16), "{data}");
    scene.install(b"this is no component").await;
    scene.stop().await;
    scene.start();
    scene.install(b"this is no component either").await;
    scene.wait_for(2).await;
    scene.install(b"this is no component").await;
    scene.install(b"").await;
    scene.wait_for(3).await;
    scene.stop().await;
    assert_eq!(scene.told().await.len(), 3, "one for each of three files");
    follow.request();
}
