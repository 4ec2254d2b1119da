//! `"ordering": "fifo"`: events arrive one after another as they were accepted, whatever fails, hangs on the way or dies.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{guest, install};
use hookway_tests::receiver::{Answer, Received};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::Scene;

const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

/// Posts events with the numbers from..to, in one call. Every seventh is poison for the guests.
async fn send_numbers(scene: &Scene, numbers: std::ops::Range<u64>) -> Result<()> {
    let event = |n| json!({ "event": "a", "data": { "n": n, "poison": n % 7 == 3 } });
    let lines: String = numbers.map(|n| format!("{}\n", event(n))).collect();
    let posted = scene.client.call(Method::POST, "/v1/events", &[NDJSON], Some(lines.into())).await?;
    posted.expect(StatusCode::ACCEPTED)?;
    Ok(())
}

fn number(request: &Received) -> Option<u64> {
    request.json().ok()?["data"]["n"].as_u64()
}

/// Waits until the event `last` arrived; returns the numbers of all that arrived.
async fn arrive_until(scene: &Scene, last: u64) -> Result<Vec<u64>> {
    let has_last = |requests: &[Received]| requests.iter().any(|request| number(request) == Some(last));
    let requests = scene.receiver.wait_until("/fifo", "the last event", has_last).await?;
    requests.iter().map(|request| number(request).context("a numbered event")).collect()
}

/// Checks that the events 0..=last arrived for the first time in that order.
fn in_order(arrived: &[u64], last: u64) -> Result<()> {
    let mut first = Vec::new();
    for n in arrived {
        if !first.contains(n) {
            first.push(*n);
        }
    }
    ensure!(first.iter().copied().eq(0..=last), "arrived as {first:?}");
    Ok(())
}

fn fails_twice_in_three() -> impl Iterator<Item = Answer> {
    [500, 503, 200].into_iter().cycle().take(600).map(Answer::status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_delivery_is_not_overtaken() -> Result<()> {
    let setup = Setup::default().set(r#"deliver.retry=["10ms","10ms"]"#).set("lanes.lane_buffer=4");
    let scene = Scene::with(setup).await?;
    scene.receiver.script("/fifo", fails_twice_in_three());
    scene.endpoint("/fifo", json!({ "ordering": "fifo" })).await?;
    for part in 0..4 {
        send_numbers(&scene, part * 10..(part + 1) * 10).await?;
    }
    let arrived = arrive_until(&scene, 39).await?;
    in_order(&arrived, 39)?;
    ensure!(arrived.is_sorted(), "each is repeated until it is delivered: {arrived:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_is_under_way_at_a_time() -> Result<()> {
    let open = Duration::from_millis(30);
    let scene = Scene::start().await?;
    scene.receiver.script("/fifo", [Answer::status(200).after(open)]);
    scene.endpoint("/fifo", json!({ "ordering": "fifo" })).await?;
    send_numbers(&scene, 0..20).await?;
    in_order(&arrive_until(&scene, 19).await?, 19)?;
    let requests = scene.receiver.requests("/fifo");
    for two in requests.windows(2) {
        ensure!(two[1].at.duration_since(two[0].at) >= open, "two were open at the same time");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_long_with_its_plugins_is_not_overtaken() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("spin-forever", guest("spin-forever")?)).await?;
    let plugins = json!([{ "plugin": "spin-forever", "on_failure": "open" }]);
    scene.endpoint("/fifo", json!({ "ordering": "fifo", "plugins": plugins })).await?;
    send_numbers(&scene, 0..30).await?;
    let arrived = arrive_until(&scene, 29).await?;
    in_order(&arrived, 29)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_a_plugin_holds_holds_up_those_behind_it() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("trap", guest("trap")?)).await?;
    let plugins = json!([{ "plugin": "trap" }]);
    let fifo = scene.endpoint("/fifo", json!({ "ordering": "fifo", "plugins": plugins })).await?;
    scene.endpoint("/other", json!({})).await?;
    send_numbers(&scene, 0..6).await?;
    scene.receiver.wait_for("/other", 6).await?;
    in_order(&arrive_until(&scene, 2).await?, 2)?;
    let held = scene.client.deliveries(&format!("endpoint={}&status=held", fifo.id)).await?;
    assert_eq!(held.len(), 1);
    install(&guest("switchable-v1")?, &scene.gateway.plugins_dir(), "trap")?;
    in_order(&arrive_until(&scene, 5).await?, 5)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_order_kept_back_goes_at_once_when_the_endpoint_is_free_again() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("trap", guest("trap")?)).await?;
    let plugins = json!([{ "plugin": "trap" }]);
    let fifo = scene.endpoint("/fifo", json!({ "ordering": "fifo", "plugins": plugins })).await?;
    send_numbers(&scene, 0..6).await?;
    assert_eq!(arrive_until(&scene, 2).await?, [0, 1, 2]);
    let path = format!("/v1/endpoints/{}", fifo.id);
    scene.client.patch(&path, &json!({ "ordering": "none" })).await?.expect(StatusCode::OK)?;
    scene.receiver.wait_for("/fifo", 5).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_filtered_or_given_up_lets_the_next_go() -> Result<()> {
    let setup = Setup::default().set(r#"deliver.retry=["10ms"]"#).plugin("trap", guest("trap")?);
    let scene = Scene::with(setup).await?;
    scene.receiver.script("/fifo", [500, 500, 200].map(Answer::status));
    let plugins = json!([{ "plugin": "trap", "on_failure": "closed" }]);
    scene.endpoint("/fifo", json!({ "ordering": "fifo", "plugins": plugins })).await?;
    send_numbers(&scene, 0..6).await?;
    assert_eq!(arrive_until(&scene, 5).await?, [0, 0, 1, 2, 4, 5]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_survives_kill_9() -> Result<()> {
    let setup = Setup::default().set(r#"deliver.retry=["10ms","20ms"]"#).set("lanes.lane_buffer=8");
    let mut scene = Scene::with(setup).await?;
    scene.receiver.script("/fifo", fails_twice_in_three());
    scene.endpoint("/fifo", json!({ "ordering": "fifo" })).await?;
    for kills in 1..=3 {
        send_numbers(&scene, (kills - 1) * 30..kills * 30).await?;
        arrive_until(&scene, kills * 30 - 20).await?;
        scene.gateway.kill().await?;
        scene.gateway.restart().await?;
    }
    in_order(&arrive_until(&scene, 89).await?, 89)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_becomes_ordered_and_free_again_without_losing_an_event() -> Result<()> {
    let scene = Scene::start().await?;
    let answers = fails_twice_in_three().take(150).chain([Answer::status(200)]);
    scene.receiver.script("/fifo", answers);
    let endpoint = scene.endpoint("/fifo", json!({})).await?;
    for part in 0..8 {
        send_numbers(&scene, part * 10..(part + 1) * 10).await?;
        let ordering = if part % 2 == 0 { "fifo" } else { "none" };
        let path = format!("/v1/endpoints/{}", endpoint.id);
        let shown =
            scene.client.patch(&path, &json!({ "ordering": ordering })).await?.expect(StatusCode::OK)?;
        assert_eq!(shown.body["ordering"], ordering);
    }
    let all = |requests: &[Received]| (0..80).all(|n| requests.iter().any(|one| number(one) == Some(n)));
    scene.receiver.wait_until("/fifo", "all events", all).await?;
    Ok(())
}

/// Posts events of these numbers, each of the customer that `customer` says.
async fn send_of(
    scene: &Scene,
    numbers: std::ops::Range<u64>,
    customer: impl Fn(u64) -> Value,
) -> Result<()> {
    let event = |n| json!({ "event": "a", "data": { "n": n, "customer": { "id": customer(n) } } });
    let lines: String = numbers.map(|n| format!("{}\n", event(n))).collect();
    let posted = scene.client.call(Method::POST, "/v1/events", &[NDJSON], Some(lines.into())).await?;
    posted.expect(StatusCode::ACCEPTED)?;
    Ok(())
}

fn by_customer() -> Value {
    json!({ "ordering": "fifo", "ordering_key": "/customer/id" })
}

/// Checks that of the events 0..count all arrived, and those of one customer for the first time in their order.
fn in_order_per(arrived: &[u64], count: u64, customers: u64) -> Result<()> {
    for customer in 0..customers {
        let mut first = Vec::new();
        for n in arrived.iter().filter(|n| *n % customers == customer) {
            if !first.contains(n) {
                first.push(*n);
            }
        }
        let expected = (0..count).filter(|n| n % customers == customer);
        ensure!(first.iter().copied().eq(expected), "of customer {customer} arrived {first:?}");
    }
    Ok(())
}

/// Waits until all events 0..count arrived; returns the numbers of all that arrived.
async fn arrive_all(scene: &Scene, count: u64) -> Result<Vec<u64>> {
    let all = |requests: &[Received]| {
        let seen: std::collections::HashSet<_> = requests.iter().filter_map(number).collect();
        (0..count).all(|n| seen.contains(&n))
    };
    let requests = scene.receiver.wait_until("/fifo", "all events", all).await?;
    requests.iter().map(|request| number(request).context("a numbered event")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_keys_is_in_order_over_failures_and_kill_9() -> Result<()> {
    const CUSTOMERS: u64 = 20;
    const EVENTS: u64 = CUSTOMERS * 50;
    let retry = format!("deliver.retry={:?}", ["10ms"; 20]);
    let setup = Setup::default().set(&retry).set("lanes.lane_buffer=64");
    let mut scene = Scene::with(setup).await?;
    let answers = [200, 503, 200, 500].into_iter().cycle().take(800).map(Answer::status);
    scene.receiver.script("/fifo", answers.chain([Answer::status(200)]));
    scene.endpoint("/fifo", by_customer()).await?;
    for part in 0..4 {
        send_of(&scene, part * EVENTS / 4..(part + 1) * EVENTS / 4, |n| json!(n % CUSTOMERS)).await?;
        if part == 1 {
            scene.receiver.wait_for("/fifo", 300).await?;
            scene.gateway.kill().await?;
            scene.gateway.restart().await?;
        }
    }
    let arrived = arrive_all(&scene, EVENTS).await?;
    in_order_per(&arrived, EVENTS, CUSTOMERS)?;
    let has_others_between = arrived.iter().enumerate().any(|(at, n)| {
        let again = arrived[at + 1..].iter().position(|later| later == n);
        again.is_some_and(|distance| distance > 0)
    });
    ensure!(has_others_between, "one that failed held up all others");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_slow_with_one_key_gets_the_others_meanwhile() -> Result<()> {
    let scene = Scene::start().await?;
    let slow = Answer::status(200).after(Duration::from_secs(5));
    scene.receiver.script("/fifo", [slow, Answer::status(200)]);
    scene.endpoint("/fifo", by_customer()).await?;
    send_of(&scene, 0..1, |_| json!("slow")).await?;
    scene.receiver.wait_for("/fifo", 1).await?;
    // Those behind the slow one, then others, each with a value of its own.
    send_of(&scene, 1..20, |n| if n < 10 { json!("slow") } else { json!(n) }).await?;
    let arrived = arrive_all(&scene, 20).await?;
    assert_eq!(arrived.iter().copied().filter(|n| *n < 10).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    let last_of_others = arrived.iter().rposition(|n| *n >= 10);
    ensure!(last_of_others < arrived.iter().position(|n| *n == 1), "they waited: {arrived:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_is_put_in_order_by_another_key_without_losing_an_event() -> Result<()> {
    let setup = Setup::default().set(r#"deliver.retry=["10ms","10ms","10ms"]"#).set("lanes.lane_buffer=16");
    let mut scene = Scene::with(setup).await?;
    let endpoint = scene.endpoint("/fifo", json!({})).await?;
    let path = format!("/v1/endpoints/{}", endpoint.id);
    scene.client.post(&format!("{path}/deactivate"), &json!({})).await?.expect(StatusCode::OK)?;
    send_of(&scene, 0..400, |n| json!(n % 8)).await?;
    scene.client.patch(&path, &json!({ "ordering": "fifo" })).await?.expect(StatusCode::OK)?;
    let shown = scene.client.patch(&path, &by_customer()).await?.expect(StatusCode::OK)?;
    assert_eq!(shown.body["ordering_key"], "/customer/id");
    scene.gateway.kill().await?;
    scene.gateway.restart().await?;
    scene.client.post(&format!("{path}/activate"), &json!({})).await?.expect(StatusCode::OK)?;
    in_order_per(&arrive_all(&scene, 400).await?, 400, 8)
}

#[tokio::test]
async fn an_ordering_key_that_is_none_is_refused() -> Result<()> {
    let scene = Scene::start().await?;
    for key in ["customer", "/a~2", &format!("/{}", "a".repeat(300)), &"/a".repeat(33)] {
        let endpoint = scene.described("/a", json!({ "ordering": "fifo", "ordering_key": key }));
        scene.client.post("/v1/endpoints", &endpoint).await?.expect_refusal("ordering_key")?;
    }
    let without_fifo = scene.described("/a", json!({ "ordering_key": "/a" }));
    scene.client.post("/v1/endpoints", &without_fifo).await?.expect_refusal("ordering_key")?;
    Ok(())
}

#[tokio::test]
async fn an_ordering_that_is_none_is_refused() -> Result<()> {
    let scene = Scene::start().await?;
    for ordering in [json!("lifo"), json!(1), json!({ "fifo": {} }), Value::String(String::new())] {
        let endpoint = scene.described("/a", json!({ "ordering": ordering }));
        scene.client.post("/v1/endpoints", &endpoint).await?.expect_refusal("ordering")?;
    }
    Ok(())
}
