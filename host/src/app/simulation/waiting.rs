//! What waits for an endpoint costs nothing, and ends when somebody says so.

use ::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::gateway::endpoint_id;
use super::receiver::Mode;
use super::run::run;
use super::script::{Action, Batch, Plan, Setup, Step};
use super::*;

/// A read of the store every few minutes is nothing.
const FEW: u64 = 2_000;
const DAYS: Duration = Duration::from_hours(72);
const BATCH: Batch = Batch { tenant: "acme", topic: "orders/created", events: 3, own_ids: true };

fn setup() -> Setup {
    let plan = Plan { tenant: "acme", ..Plan::of_operations() };
    Setup::narrow(plan)
}

#[test]
fn a_recovery_of_an_endpoint_that_is_inactive_or_down_does_not_read_the_store_on_and_on() {
    let fixture = Fixture::new();
    for in_the_way in [Action::Deactivate(0), Action::Receiver(0, Mode::Refuses)] {
        let cancelled = [Action::Post(BATCH), Action::Receiver(0, Mode::Status(500)), Action::Post(BATCH)];
        let then = [Action::Cancel(0), in_the_way.clone(), Action::Recover(0)];
        let mut steps: Vec<_> = cancelled
            .into_iter()
            .chain(then)
            .map(|action| Step { after: Duration::from_secs(3), action })
            .collect();
        steps.push(Step { after: DAYS, action: Action::Post(BATCH) });
        let script = Script { seed: 1, setup: setup(), steps };
        let ran = run(&script, &fixture, None);
        let history = ran.world.history();
        assert!(history.lines.contains("recovery 202"), "none was made: {}", history.lines);
        assert!(history.reads < FEW, "{} reads in three days: {in_the_way:?}", history.reads);
        check(&script, &history, &ran.outcome.unwrap()).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_recovery_that_waits_ends_when_it_is_cancelled() {
    let (setup, fixture) = (setup(), Fixture::in_runtime().await);
    let world = Arc::new(World::new(1, &setup, None));
    let mut machine = Machine::new(1, None);
    let gateway = Gateway::start(&mut machine, &setup, &world, &fixture, None).await.unwrap();
    gateway.create_endpoints(&setup, None, &[]).await.unwrap();
    let endpoint = format!("/v1/endpoints/{}", endpoint_id(0));
    let post = async |path: &str, body: Value| {
        let (status, _, answer) =
            gateway.call(Method::POST, path, ("application/json", body.to_string())).await;
        // What is done beside the answer is done by then.
        tokio::time::sleep(Duration::from_secs(5)).await;
        (status, answer)
    };
    assert_eq!(post(&format!("{endpoint}/deactivate"), Value::Null).await.0, StatusCode::OK);
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let (status, recovery) =
        post(&format!("{endpoint}/recover"), json!({ "since": "2001-01-01T00:00:00Z" })).await;
    assert_eq!((status, tasks()), (StatusCode::ACCEPTED, before + 1), "{recovery}");
    let cancel = format!("/v1/recoveries/{}/cancel", recovery["id"].as_str().unwrap());
    assert_eq!(post(&cancel, Value::Null).await.0, StatusCode::OK);
    assert_eq!(tasks(), before, "it still waits");
}
