//! In virtual time, over a store in memory: what its rows take stands for the file.

use super::*;
use crate::metrics::{Format, Metrics};
use crate::model::TenantId;
use crate::store::conformance::fixtures::{T0, at, delivered, endpoint_id, new_event, nth, pending};
use crate::store::redb::{self, RedbStore};
use crate::store::{BacklogFull, EventFilter, FanOut, NewEvent};

struct Scene {
    store: Arc<dyn Store>,
    clock: Clock,
    metrics: Metrics,
    shutdown: Shutdown,
    live: Arc<ArcSwap<Options>>,
}

impl Scene {
    fn new(options: Options) -> Self {
        let clock = Clock::starting_at(T0);
        let kept = redb::Options { linger_ms: 0, ..redb::Options::default() };
        let store: Arc<dyn Store> = Arc::new(RedbStore::in_memory(clock, &kept));
        let (metrics, shutdown) = (Metrics::default(), Shutdown::new());
        let counted = Counted::in_metrics(&metrics);
        let live = Arc::new(ArcSwap::from_pointee(options));
        let free_space = FreeSpace::endless();
        let retention = Retention::new(Arc::clone(&store), clock, Arc::clone(&live), free_space, counted);
        shutdown.spawn(retention.run(shutdown.clone()));
        Self { store, clock, metrics, shutdown, live }
    }

    /// Events of a kilobyte with a delivery each.
    async fn add(&self, events: usize) -> Vec<EventKey> {
        let new = NewEvent {
            received_at: self.clock.now(),
            data: format!("\"{}\"", "x".repeat(1_000)).into(),
            ..new_event()
        };
        let accepted = self.store.accept(vec![new; events]).await.unwrap();
        let keys: Vec<_> = accepted.iter().map(|one| one.event.key).collect();
        let fan_out = |event| {
            let deliveries = vec![pending(endpoint_id(1))];
            self.store.fan_out(FanOut { event, at: self.clock.now(), deliveries, durable: false })
        };
        for write in keys.iter().map(|key| fan_out(*key)).collect::<Vec<_>>() {
            write.await.unwrap();
        }
        keys
    }

    async fn deliver(&self, keys: &[EventKey]) {
        let ends: Vec<_> =
            keys.iter().map(|key| self.store.finish_attempt(delivered(nth(*key, 0), 1))).collect();
        for end in ends {
            end.await.unwrap();
        }
    }

    async fn events(&self) -> u64 {
        self.store.size().await.unwrap().events
    }

    /// Waits until there are no more than so many, for at most two minutes.
    async fn wait_for(&self, events: u64) {
        let until = self.clock.now().after(Duration::from_mins(2));
        while self.events().await > events {
            assert!(self.clock.now() < until, "{} are left", self.events().await);
            tokio::time::sleep(BUSY).await;
        }
    }

    async fn stop(self) {
        self.shutdown.request();
        assert!(self.shutdown.finished(Duration::from_secs(1)).await);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_over_is_removed_within_a_minute_of_its_age() {
    let scene = Scene::new(Options { max_age: Duration::from_hours(1), max_bytes: 0 });
    let first = scene.add(1_500).await;
    scene.deliver(&first).await;
    tokio::time::sleep(Duration::from_mins(30)).await;
    let second = scene.add(10).await;
    scene.deliver(&second).await;
    let waits = scene.add(3).await;
    tokio::time::sleep(Duration::from_mins(29)).await;
    assert_eq!(scene.events().await, 1_513, "nothing is old enough");
    scene.wait_for(13).await;
    tokio::time::sleep(Duration::from_mins(27)).await;
    assert_eq!(scene.events().await, 13);
    tokio::time::sleep(Duration::from_mins(4)).await;
    assert_eq!(scene.events().await, 3, "what waits stays");
    scene.deliver(&waits).await;
    scene.wait_for(0).await;
    let text = scene.metrics.to_text(Format::Prometheus);
    assert!(text.contains("hookway_retention_removed_events_total 1513\n"), "{text}");
    scene.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_oldest_make_room_for_what_comes() {
    let scene = Scene::new(Options { max_age: Duration::ZERO, max_bytes: 8 << 20 });
    let mut all = Vec::new();
    for _ in 0..20 {
        let keys = scene.add(1_000).await;
        scene.deliver(&keys).await;
        all.extend(keys);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let size = scene.store.size().await.unwrap();
        assert!(size.row_bytes <= 8 << 20, "{size:?}");
    }
    let size = scene.store.size().await.unwrap();
    assert!(size.row_bytes > 6 << 20, "no more than that: {size:?}");
    let page = scene.store.events(EventFilter::default(), None, 250).await.unwrap();
    let newest: Vec<_> = page.events.iter().map(|record| record.event.key).collect();
    let expected: Vec<_> = all.iter().rev().take(250).copied().collect();
    assert_eq!(newest, expected, "the newest stay");
    scene.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_full_of_what_waits_refuses_events_until_some_is_delivered() {
    let scene = Scene::new(Options { max_age: Duration::ZERO, max_bytes: 4 << 20 });
    let done = scene.add(500).await;
    scene.deliver(&done).await;
    let waits = scene.add(4_000).await;
    let full = || scene.store.backlog_full(&TenantId::default());
    let until = at(120);
    while full().is_none() {
        assert!(scene.clock.now() < until);
        tokio::time::sleep(BUSY).await;
    }
    assert!(matches!(full(), Some(BacklogFull::Store(_))));
    assert_eq!(scene.events().await, 4_000, "what was over went first");
    scene.deliver(&waits[..1_000]).await;
    while full().is_some() {
        assert!(scene.clock.now() < until);
        tokio::time::sleep(BUSY).await;
    }
    assert!(scene.events().await >= 3_000, "and nothing that waits");
    scene.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_everything_stays() {
    let scene = Scene::new(Options::default());
    let keys = scene.add(1_500).await;
    scene.deliver(&keys).await;
    tokio::time::sleep(Duration::from_hours(24)).await;
    assert_eq!(scene.events().await, 1_500);
    scene.stop().await;
}

#[tokio::test(start_paused = true)]
async fn other_limits_count_as_soon_as_they_are_set() {
    let scene = Scene::new(Options::default());
    let keys = scene.add(4_000).await;
    scene.deliver(&keys).await;
    tokio::time::sleep(Duration::from_hours(2)).await;
    assert_eq!(scene.events().await, 4_000);
    scene.live.store(Arc::new(Options { max_age: Duration::ZERO, max_bytes: 4 << 20 }));
    scene.wait_for(3_900).await;
    assert!(scene.events().await > 2_000, "only as many as are too much");
    scene.live.store(Arc::new(Options { max_age: Duration::from_hours(1), max_bytes: 0 }));
    scene.wait_for(0).await;
    let text = scene.metrics.to_text(Format::Prometheus);
    assert!(text.contains("hookway_retention_max_age_seconds 3600\n"), "{text}");
    scene.stop().await;
}
