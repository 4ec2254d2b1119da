//! Breakers, roll-backs and poison, in virtual time: versions are published by hand, and nobody watches a directory.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::guests::{filter, filter_with_init};
use super::{binding, endpoint, event, name};
use crate::clock::Clock;
use crate::json::Subject;
use crate::model::{Binding, Endpoint, OnFailure, TenantId, UnixMs};
use crate::plugins::engine::Runtime;
use crate::plugins::load::{Files, Loader};
use crate::plugins::registry::Registry;
use crate::plugins::{Blame, Compiler, Decision, Options, PluginState, PluginStatus};

const GOOD: &str = "i32.const 0";
const TRAPS: &str = "unreachable";

struct Host {
    registry: Registry,
    loader: Loader,
    /// Each event is another one.
    events: u64,
}

impl Host {
    fn start() -> Self {
        let options = Options { deadline: Duration::from_secs(30), instances: 16, ..Options::default() };
        let runtime = Arc::new(Runtime::alone(options, Clock::starting_at(UnixMs(1_000_000))).unwrap());
        let loader = Loader::new(Arc::clone(&runtime), Compiler::InProcess, None);
        Self { registry: Registry::new(runtime).0, loader, events: 0 }
    }

    /// A version of `p` with this body goes live; returns its hash.
    async fn publish(&self, body: &str) -> String {
        self.publish_bytes(filter(body)).await
    }

    async fn publish_bytes(&self, bytes: Vec<u8>) -> String {
        let files = Files { component: bytes, manifest: None };
        let version = self.loader.load(&name("p"), files, None, &[]).await.unwrap();
        let hash = version.hash.to_string();
        self.registry.publish(version);
        hash
    }

    /// What `p` says about an event that it never saw.
    async fn judge(&mut self) -> Decision {
        let judged = endpoint(vec![binding("p", OnFailure::Hold)]);
        self.judge_for(&judged).await
    }

    async fn judge_for(&mut self, endpoint: &Arc<Endpoint>) -> Decision {
        self.events += 1;
        let subject = Subject::new(Arc::new(event(self.events, "orders/created", "1")));
        self.registry.snapshot().judge(&subject, endpoint, &[]).await.decision
    }

    /// Judges as many events as a breaker stands, and looks into what is suspected then.
    async fn fail(&mut self) {
        for _ in 0..5 {
            assert!(matches!(self.judge().await, Decision::Hold { blame: Blame::Event, .. }));
        }
        for suspicion in self.registry.suspicions().take() {
            self.registry.look_into(suspicion).await;
        }
    }

    fn status(&self) -> PluginStatus {
        self.registry.snapshot().get(&name("p")).unwrap()
    }
}

fn message(decision: Decision) -> (String, Blame) {
    let Decision::Hold { message, blame, .. } = decision else { panic!("{decision:?}") };
    (message, blame)
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_answers_without_the_guest_with_what_the_binding_says_and_closes_after_a_good_probe()
{
    let mut host = Host::start();
    host.publish(TRAPS).await;
    let mut swaps = host.registry.swaps();
    host.fail().await;
    assert_eq!(host.status().state(), PluginState::BreakerOpen);
    let calls = |host: &Host| host.status().usage.unwrap().calls();
    let before = calls(&host);
    let (said, blame) = message(host.judge().await);
    assert!(said.contains("is not asked for 5 s") && said.contains("hit `unreachable`"), "{said}");
    assert_eq!(blame, Blame::Plugin, "an event that was not looked at is not to blame");
    for (on_failure, is_sent) in [(OnFailure::Open, true), (OnFailure::Closed, false)] {
        let judged = endpoint(vec![binding("p", on_failure)]);
        assert_eq!(host.judge_for(&judged).await == Decision::Send(None), is_sent);
    }
    // Calls that were not made are counted, as what they are.
    assert_eq!(calls(&host), before + 3);

    sleep(Duration::from_secs(5)).await;
    let (said, blame) = message(host.judge().await);
    assert!(said.starts_with("it hit `unreachable`"), "the probe is a call: {said}");
    assert_eq!(blame, Blame::Plugin, "and says nothing about its event");
    let (said, _) = message(host.judge().await);
    assert!(said.contains("for 10 s"), "{said}");
    assert!(swaps.try_recv().is_err());

    // Another version has breakers of its own.
    host.publish(GOOD).await;
    assert_eq!(host.judge().await, Decision::Send(None));
    assert_eq!(host.status().state(), PluginState::Active);
    assert!(host.status().open_breakers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_one_tenant_does_opens_no_breaker_of_another() {
    let mut host = Host::start();
    host.publish_bytes(filter_with_init(GOOD)).await;
    let acme = Binding { config: Some("\"bad\"".into()), ..binding("p", OnFailure::Hold) };
    let tenant: TenantId = "acme".parse().unwrap();
    let acme = Arc::new(Endpoint { tenant: tenant.clone(), ..Endpoint::clone(&endpoint(vec![acme])) });
    for _ in 0..5 {
        let (said, blame) = message(host.judge_for(&acme).await);
        assert!(said.contains("refused the configuration"), "{said}");
        assert_eq!(blame, Blame::Plugin);
    }
    let (said, _) = message(host.judge_for(&acme).await);
    assert!(said.contains("is not asked"), "{said}");
    assert_eq!(host.judge().await, Decision::Send(None));
    let open = host.status().open_breakers;
    assert_eq!(open.iter().map(|open| &open.tenant).collect::<Vec<_>>(), [&tenant]);
}

#[tokio::test(start_paused = true)]
async fn the_same_event_again_and_again_opens_nothing() {
    let host = Host::start();
    host.publish(TRAPS).await;
    let judged = endpoint(vec![binding("p", OnFailure::Hold)]);
    let subject = Subject::new(Arc::new(event(1, "orders/created", "1")));
    for _ in 0..50 {
        let decision = host.registry.snapshot().judge(&subject, &judged, &[]).await.decision;
        assert_eq!(message(decision).1, Blame::Event);
    }
    assert_eq!(host.status().state(), PluginState::Active);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_fails_soon_on_what_the_one_before_can_judge_gives_way_to_it() {
    let mut host = Host::start();
    let good = host.publish(GOOD).await;
    assert_eq!(host.judge().await, Decision::Send(None));
    sleep(Duration::from_hours(1)).await;
    let bad = host.publish(TRAPS).await;
    let mut swaps = host.registry.swaps();
    sleep(Duration::from_secs(59)).await;
    host.registry.sweep();
    host.fail().await;
    assert_eq!(swaps.try_recv(), Ok(name("p")), "what was held is judged again");
    assert_eq!(host.judge().await, Decision::Send(None));
    let status = host.status();
    assert_eq!((status.state(), status.version.as_ref()), (PluginState::RolledBack, Some(&good)));
    let rejected = status.rejected.unwrap();
    assert!(rejected.was_live && rejected.version == bad, "{rejected:?}");
    assert!(rejected.reason.contains("hit `unreachable`"), "{}", rejected.reason);
    assert!(host.registry.was_rolled_back(&name("p"), &bad));
    // Whatever comes next is a version like any other.
    let next = host.publish("(nop) i32.const 0").await;
    let status = host.status();
    assert_eq!((status.state(), status.version, status.rejected), (PluginState::Active, Some(next), None));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_fails_later_stays() {
    let mut host = Host::start();
    host.publish(GOOD).await;
    host.judge().await;
    let bad = host.publish(TRAPS).await;
    sleep(Duration::from_secs(60)).await;
    host.registry.sweep();
    host.fail().await;
    let status = host.status();
    assert_eq!((status.state(), status.version), (PluginState::BreakerOpen, Some(bad)));
}

#[tokio::test(start_paused = true)]
async fn what_the_version_before_cannot_judge_either_is_not_the_new_ones_fault() {
    let mut host = Host::start();
    host.publish("(nop) unreachable").await;
    let new = host.publish(TRAPS).await;
    host.fail().await;
    assert_eq!(host.status().version, Some(new));
}

#[tokio::test(start_paused = true)]
async fn of_several_versions_in_a_minute_the_one_that_worked_comes_back() {
    for (second_works, expected) in [(false, 0), (true, 1)] {
        let mut host = Host::start();
        let mut versions = vec![host.publish(GOOD).await];
        host.judge().await;
        versions.push(host.publish("(nop) i32.const 0").await);
        if second_works {
            host.judge().await;
        }
        versions.push(host.publish(TRAPS).await);
        host.fail().await;
        assert_eq!(host.status().version.as_ref(), Some(&versions[expected]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_version_has_nothing_to_go_back_to() {
    let mut host = Host::start();
    let only = host.publish(TRAPS).await;
    host.fail().await;
    assert_eq!(host.status().version, Some(only));
}
