//! The whole stage with lanes and a store in memory, over days of virtual time.

use std::sync::atomic::{AtomicU16, Ordering};

use bytes::Bytes;
use tokio::sync::watch;

use super::*;
use crate::chance::Chance;
use crate::lanes;
use crate::model::{AttemptOutcome, DeliveryId, EventKey, Health, RetrySchedule};
use crate::store::conformance::fixtures::{T0, accept, audit, endpoint, new_event, pending};
use crate::store::redb::{self, RedbStore};
use crate::store::{AuditFilter, FanOut, NewEvent};

const FAIL_AFTER: Duration = Duration::from_hours(72);

/// Answers with the status of the moment and keeps when it was asked, for which event.
struct Receiver {
    clock: Clock,
    status: AtomicU16,
    posts: watch::Sender<Vec<(UnixMs, String)>>,
}

impl Transport for Receiver {
    fn send<'a>(&'a self, post: &'a Post) -> SendFuture<'a> {
        let id = post.headers.iter().find(|header| header.name == "webhook-id").unwrap();
        let id = String::from_utf8(id.value.to_vec()).unwrap();
        self.posts.send_modify(|posts| posts.push((self.clock.now(), id)));
        let status = self.status.load(Ordering::SeqCst);
        let outcome =
            AttemptOutcome::Answered { status, headers: Vec::new(), body: Bytes::new(), truncated: false };
        Box::pin(async move { Sent { outcome, took: Duration::ZERO } })
    }
}

struct Stage {
    clock: Clock,
    deliver: Deliver,
    receiver: Arc<Receiver>,
    endpoint: Endpoint,
}

/// Retries for longer than three days whatever the jitter, so that the attempt that deactivates is never the last one.
fn options() -> Arc<ArcSwap<Options>> {
    let retry = RetrySchedule::new(vec![Duration::from_hours(4); 50]);
    Arc::new(ArcSwap::from_pointee(Options { retry, fail_after: FAIL_AFTER, ..Options::default() }))
}

impl Stage {
    async fn start(status: u16) -> Self {
        let clock = Clock::starting_at(T0);
        let store = RedbStore::in_memory(clock, &redb::Options::default());
        let store = Arc::new(store);
        let mut endpoint = endpoint(1, "https://example.com/hook");
        endpoint.secrets[0].expires_at = None;
        store.create_endpoint(endpoint.clone(), audit("endpoint.created")).await.unwrap();
        let directory = Directory::load(store.clone(), Notices::off(), Vec::new()).await.unwrap();
        let shutdown = Shutdown::default();
        let limits = lanes::Options { max_in_flight_per_endpoint: 1, ..lanes::Options::default() };
        let lanes = Lanes::start(limits, store.clone(), directory.clone(), clock, shutdown.clone());
        let lanes = lanes.await.unwrap();
        let receiver =
            Arc::new(Receiver { clock, status: AtomicU16::new(status), posts: watch::Sender::default() });
        let (chance, counts) = (Chance::of_machine(), Counts::default());
        let traces = Traces::default();
        let attempts =
            Attempts { transport: receiver.clone(), clock, options: options(), chance, counts, traces };
        let deliver = Deliver { lanes, directory, store, notices: Notices::off(), attempts };
        tokio::spawn(run(deliver.clone(), shutdown));
        Self { clock, deliver, receiver, endpoint }
    }

    /// An event with a delivery that waits for its first attempt.
    async fn send(&self) -> EventKey {
        let at = self.clock.now();
        let event = accept(&*self.deliver.store, NewEvent { received_at: at, ..new_event() }).await.key;
        let deliveries = vec![pending(self.endpoint.id)];
        self.deliver.store.fan_out(FanOut { event, at, deliveries, durable: true }).await.unwrap();
        self.deliver.lanes.stored(self.endpoint.id, at);
        event
    }

    fn posts(&self) -> Vec<(UnixMs, String)> {
        self.receiver.posts.borrow().clone()
    }

    /// The posts, once there are so many.
    async fn wait_for(&self, n: usize) -> Vec<(UnixMs, String)> {
        self.receiver.posts.subscribe().wait_for(|posts| posts.len() >= n).await.unwrap().clone()
    }

    /// Lets days pass.
    async fn days(&self, days: u32) {
        tokio::time::sleep(Duration::from_hours(24) * days).await;
    }

    fn activity(&self) -> Activity {
        self.deliver.directory.get(self.endpoint.id).unwrap().activity
    }

    /// Lets time pass until the endpoint is deactivated.
    async fn deactivated(&self) -> InactiveReason {
        let mut changes = self.deliver.directory.changes();
        loop {
            match self.activity() {
                Activity::Active => drop(changes.recv().await.unwrap()),
                Activity::Inactive { reason, .. } => return reason,
            }
        }
    }

    async fn activate(&self) {
        let active = |now: &Arc<Endpoint>| {
            let active = Endpoint { activity: Activity::Active, ..Endpoint::clone(now) };
            Ok::<_, Error>((active, audit("endpoint.activated")))
        };
        self.deliver.directory.change(self.endpoint.id, active).await.unwrap();
    }

    async fn state(&self, event: EventKey) -> DeliveryState {
        let record = self.deliver.store.delivery(DeliveryId { event, ordinal: 0 }).await.unwrap();
        record.unwrap().delivery.state
    }
}

#[tokio::test(start_paused = true)]
async fn three_days_of_failures_deactivate_and_nothing_more_is_sent_until_it_is_activated() {
    let stage = Stage::start(500).await;
    let event = stage.send().await;
    assert_eq!(stage.deactivated().await, InactiveReason::Failing);
    assert_eq!(stage.activity().health(), Health::Failed);
    let posts = stage.posts();
    let failed_for = |n: usize| posts[n].0.since(posts[0].0);
    assert!(failed_for(posts.len() - 1) >= FAIL_AFTER && failed_for(posts.len() - 2) < FAIL_AFTER);
    assert_eq!(stage.state(event).await, DeliveryState::Retrying, "nothing is given up");
    let audit = stage.deliver.store.audit(AuditFilter::default(), None, 1).await.unwrap();
    let row = &audit.rows[0].entry;
    assert_eq!((row.action.as_str(), &row.actor), ("endpoint.deactivated", &Actor::Gateway));
    assert_eq!(
        (row.target.clone(), row.tenant.as_ref()),
        (stage.endpoint.id.to_string(), Some(&stage.endpoint.tenant))
    );
    assert_eq!(
        (&row.changes["state"].new, &row.changes["inactive_reason"].new),
        (&json!("inactive"), &json!("failing"))
    );

    stage.days(10).await;
    assert_eq!(stage.posts().len(), posts.len());
    stage.receiver.status.store(200, Ordering::SeqCst);
    stage.activate().await;
    stage.wait_for(posts.len() + 1).await;
    while stage.state(event).await != DeliveryState::Delivered {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.posts().len(), posts.len() + 1);
}

#[tokio::test(start_paused = true)]
async fn one_success_in_three_days_keeps_an_endpoint_active() {
    let stage = Stage::start(500).await;
    for _ in 0..4 {
        stage.receiver.status.store(500, Ordering::SeqCst);
        stage.send().await;
        stage.days(2).await;
        stage.receiver.status.store(200, Ordering::SeqCst);
        stage.send().await;
        stage.days(1).await;
    }
    assert_eq!(stage.activity(), Activity::Active);
}

#[tokio::test(start_paused = true)]
async fn after_an_activation_the_three_days_begin_anew() {
    let stage = Stage::start(500).await;
    stage.send().await;
    stage.deactivated().await;
    let before = stage.posts().len();
    stage.activate().await;
    stage.wait_for(before + 1).await;
    stage.days(1).await;
    assert_eq!(stage.activity(), Activity::Active, "the first failure after it does not deactivate");
}

#[tokio::test(start_paused = true)]
async fn a_410_stops_everything_and_what_waits_is_sent_in_the_order_of_acceptance() {
    let stage = Stage::start(500).await;
    let mut events = Vec::new();
    for _ in 0..3 {
        events.push(stage.send().await);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    stage.receiver.status.store(410, Ordering::SeqCst);
    assert_eq!(stage.deactivated().await, InactiveReason::Gone);
    let before = stage.posts().len();
    for _ in 0..3 {
        events.push(stage.send().await);
    }
    stage.days(10).await;
    assert_eq!(stage.posts().len(), before, "one 410 and no more");

    stage.receiver.status.store(200, Ordering::SeqCst);
    stage.activate().await;
    let sent: Vec<_> = stage.wait_for(before + 6).await.into_iter().skip(before).map(|(_, id)| id).collect();
    let accepted: Vec<_> = events.iter().map(ToString::to_string).collect();
    assert_eq!(sent, accepted);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_was_moved_is_not_blamed_for_its_old_receiver() {
    let stage = Stage::start(410).await;
    let moved = |now: &Arc<Endpoint>| {
        let url = "https://example.com/new".parse().unwrap();
        Ok::<_, Error>((Endpoint { url, ..Endpoint::clone(now) }, audit("endpoint.updated")))
    };
    let old = stage.deliver.directory.get(stage.endpoint.id).unwrap();
    stage.deliver.directory.change(stage.endpoint.id, moved).await.unwrap();
    stage.deliver.deactivate(&stage.deliver.directory, &old, InactiveReason::Gone, T0).await;
    assert_eq!(stage.activity(), Activity::Active);
}
