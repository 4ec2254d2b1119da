//! Operational events lead to no others, and telling of them repeats nothing: the whole flow without its listener, over
//! days of virtual time, with receivers that never take anything.

use std::sync::atomic::{self, AtomicUsize};
use std::time::Duration;

use super::*;
use crate::deliver::{Post, SendFuture, Sent};
use crate::lanes;
use crate::model::{
    AttemptOutcome, Binding, Delivery, DeliveryState, DeliveryStatus, Endpoint, FailReason, InactiveReason,
    Ordering, RetrySchedule, TenantId,
};
use crate::plugins::tests::guests;
use crate::store::conformance::fixtures::{T0, audit, endpoint, new_event};
use crate::store::redb::{self, RedbStore};
use crate::store::{DeliveryFilter, NewEvent};

const EXHAUSTED: &str = "hookway.delivery.exhausted";
const STOPPED: [&str; 2] = ["hookway.endpoint.failed", "hookway.endpoint.deactivated"];

/// Answers everything with one status, and counts.
struct Always {
    status: u16,
    posts: Arc<AtomicUsize>,
}

impl Transport for Always {
    fn send<'a>(&'a self, _: &'a Post) -> SendFuture<'a> {
        self.posts.fetch_add(1, atomic::Ordering::SeqCst);
        let outcome = AttemptOutcome::Answered {
            status: self.status,
            headers: Vec::new(),
            body: bytes::Bytes::new(),
            truncated: false,
        };
        Box::pin(async move { Sent { outcome, took: Duration::ZERO } })
    }
}

/// The stages of an [`App`] on a store in memory.
struct Flow {
    store: Arc<dyn Store>,
    directory: Directory,
    accepted: handoff::Sender<Arc<Event>>,
    posts: Arc<AtomicUsize>,
    shutdown: Shutdown,
    _home: tempfile::TempDir,
}

/// An endpoint for everything whose secret does not expire.
fn everything(n: u128, tenant: &str) -> Endpoint {
    let mut endpoint = endpoint(n, &format!("https://example.com/{n}"));
    endpoint.secrets[0].expires_at = None;
    Endpoint { tenant: tenant.parse().unwrap(), ..endpoint }
}

impl Flow {
    async fn start(status: u16, retry: RetrySchedule, endpoints: Vec<Endpoint>) -> Self {
        Self::with_plugins(status, retry, endpoints, &[]).await
    }

    async fn with_plugins(
        status: u16,
        retry: RetrySchedule,
        endpoints: Vec<Endpoint>,
        plugins: &[(&str, Vec<u8>)],
    ) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("plugins")).unwrap();
        for (name, bytes) in plugins {
            std::fs::write(home.path().join("plugins").join(format!("{name}.wasm")), bytes).unwrap();
        }
        let mut settings = Settings { data_dir: home.path().to_owned(), ..Settings::default() };
        settings.operations.tenant = Some("ops".parse().unwrap());
        settings.deliver.retry = retry;
        let (clock, shutdown, watching) = (Clock::starting_at(T0), Shutdown::new(), Shutdown::new());
        let options = redb::Options { linger_ms: 0, ..redb::Options::default() };
        let store: Arc<dyn Store> = Arc::new(RedbStore::in_memory(clock, &options));
        for endpoint in endpoints {
            store.create_endpoint(endpoint, audit("endpoint.created")).await.unwrap();
        }
        let mut app = App::start(settings, Arc::clone(&store), Compiler::InProcess, clock, watching.clone())
            .await
            .unwrap();
        // Nobody looks at the plugin directory every 2 s of virtual time; the lanes go on.
        watching.request();
        let posts = Arc::<AtomicUsize>::default();
        app.transport = Arc::new(Always { status, posts: Arc::clone(&posts) });
        let (options, directory) = (lanes::Options::default(), app.directory.clone());
        app.lanes = Lanes::start(options, Arc::clone(&store), directory.clone(), clock, shutdown.clone())
            .await
            .unwrap();
        shutdown.spawn(deliver::run(app.deliver(), shutdown.clone()));
        let (dispatch, accepted) = (app.dispatch(), app.accepted.clone());
        shutdown.spawn(dispatch.run(app.events, shutdown.clone()));
        Self { store, directory, accepted, posts, shutdown, _home: home }
    }

    async fn send(&self, tenant: &str) {
        let tenant = tenant.parse().unwrap();
        let accepted = self.store.accept(vec![NewEvent { tenant, ..new_event() }]).await.unwrap();
        self.accepted.offer(Arc::clone(&accepted[0].event));
    }

    async fn send_topic(&self, topic: &str) {
        let event =
            NewEvent { tenant: "shop".parse().unwrap(), topic: topic.parse().unwrap(), ..new_event() };
        let accepted = self.store.accept(vec![event]).await.unwrap();
        self.accepted.offer(Arc::clone(&accepted[0].event));
    }

    /// The deliveries of a topic, the oldest first.
    async fn deliveries(&self, topic: &str) -> Vec<Delivery> {
        let filter = DeliveryFilter { topic: Some(topic.parse().unwrap()), ..DeliveryFilter::default() };
        let page = self.store.deliveries(filter, None, 100).await.unwrap();
        page.rows.into_iter().rev().map(|row| row.delivery).collect()
    }

    /// Lets days pass.
    async fn days(&self, days: u32) {
        tokio::time::sleep(Duration::from_hours(24) * days).await;
    }

    /// The topics of all events of the tenant that gets operational events, the oldest first.
    async fn told(&self) -> Vec<String> {
        let tenant: TenantId = "ops".parse().unwrap();
        let filter = DeliveryFilter { tenant: Some(tenant), ..DeliveryFilter::default() };
        let page = self.store.deliveries(filter, None, 1_000).await.unwrap();
        let topics = page.rows.iter().rev().map(|row| row.event.topic.to_string());
        topics.filter(|topic| topic != new_event().topic.as_str()).collect()
    }
}

fn every_four_hours() -> RetrySchedule {
    RetrySchedule::new(vec![Duration::from_hours(4); 50])
}

fn one_retry() -> RetrySchedule {
    RetrySchedule::new(vec![Duration::from_hours(1)])
}

#[tokio::test(start_paused = true)]
async fn what_operational_events_cause_is_not_told() {
    for (case, status, retry, from, expected) in [
        ("both are deactivated by 410", 410, every_four_hours(), "shop", STOPPED.to_vec()),
        ("both fail for three days", 500, every_four_hours(), "shop", STOPPED.to_vec()),
        ("the deliveries of both are exhausted", 500, one_retry(), "shop", vec![EXHAUSTED]),
        ("the endpoint that is told is the one that fails", 500, one_retry(), "ops", vec![EXHAUSTED]),
        ("the endpoint that is told is gone", 410, one_retry(), "ops", STOPPED.to_vec()),
    ] {
        let flow = Flow::start(status, retry, vec![everything(1, "shop"), everything(2, "ops")]).await;
        flow.send(from).await;
        flow.days(8).await;
        assert_eq!(flow.told().await, expected, "{case}");
        flow.shutdown.request();
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_operational_events_deactivate_is_deactivated_all_the_same() {
    let flow = Flow::start(410, one_retry(), vec![everything(1, "shop"), everything(2, "ops")]).await;
    flow.send("shop").await;
    flow.days(1).await;
    for endpoint in flow.directory.list() {
        let crate::model::Activity::Inactive { reason, .. } = endpoint.activity else {
            panic!("{} is active", endpoint.tenant);
        };
        assert_eq!(reason, InactiveReason::Gone);
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_a_plugin_never_judged_is_told() {
    let absent =
        Binding { plugin: "absent".parse().unwrap(), config: None, topics: Vec::new(), on_failure: None };
    let held = Endpoint { plugins: vec![absent], ..everything(1, "shop") };
    let flow = Flow::start(200, one_retry(), vec![held, everything(2, "ops")]).await;
    flow.send("shop").await;
    flow.days(6).await;
    assert_eq!(flow.told().await, [EXHAUSTED]);
}

/// The plugin always traps, and is asked about one topic only: to the endpoint it works otherwise.
fn poisoned(ordering: Ordering) -> Endpoint {
    let trap = Binding {
        plugin: "trap".parse().unwrap(),
        config: None,
        topics: vec!["poison".parse().unwrap()],
        on_failure: None,
    };
    Endpoint { plugins: vec![trap], ordering, ..everything(1, "shop") }
}

#[tokio::test(start_paused = true)]
async fn poison_is_given_up_after_five_tries_and_only_an_order_waits_for_it() {
    for (ordering, waits) in [(Ordering::None, false), (Ordering::Fifo, true)] {
        let trap = [("trap", guests::filter("unreachable"))];
        let flow = Flow::with_plugins(200, one_retry(), vec![poisoned(ordering)], &trap).await;
        flow.send_topic("poison").await;
        flow.send_topic("good").await;
        tokio::time::sleep(Duration::from_hours(1)).await;
        let poison = &flow.deliveries("poison").await[0];
        let DeliveryState::Failed(FailReason::PluginFailed { message, .. }) = &poison.state else {
            panic!("{:?}", poison.state)
        };
        assert!(message.starts_with("it hit `unreachable`"), "{message}");
        let took = poison.finished_at.unwrap().since(poison.created_at);
        // 5 s, 30 s, 2 min and 10 min, each a fifth more or less.
        assert!((Duration::from_secs(600)..Duration::from_secs(910)).contains(&took), "{took:?}");
        let good = &flow.deliveries("good").await[0];
        assert_eq!(good.state, DeliveryState::Delivered);
        // Sending takes no virtual time.
        assert_eq!(good.finished_at >= poison.finished_at, waits, "{ordering:?}");
        flow.shutdown.request();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_under_way_when_dispatch_reads_the_store_is_not_sent_twice() {
    const EVENTS: usize = 1_000;
    let flow = Flow::start(200, one_retry(), vec![everything(1, "shop")]).await;
    for _ in 0..EVENTS {
        flow.send("shop").await;
        flow.accepted.note_missed();
    }
    let delivered = DeliveryFilter { state: Some(DeliveryStatus::Delivered), ..DeliveryFilter::default() };
    while flow.store.deliveries(delivered.clone(), None, EVENTS).await.unwrap().rows.len() < EVENTS {
        tokio::task::yield_now().await;
    }
    flow.shutdown.request();
    assert!(flow.shutdown.finished(Duration::from_secs(30)).await);
    assert_eq!(flow.posts.load(atomic::Ordering::SeqCst), EVENTS);
}
