//! Traces as a collector gets them and receivers are told of them.

mod collector;

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::guests;
use hookway_tests::patience::eventually;
use hookway_tests::receiver::{Answer, Received};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use self::collector::{Collector, Span, named, only};
use crate::scene::Scene;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PRODUCER: &str = "00f067aa0ba902b7";
const STATE: &str = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7";
const INGEST: &str = "POST /v1/events";
const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const PRODUCING: i32 = 4;

fn parent(flags: &str) -> String {
    format!("00-{TRACE}-{PRODUCER}-{flags}")
}

/// Posts a body with headers beside its type.
async fn post(scene: &Scene, kind: &str, headers: &[(&str, &str)], body: String) -> Result<Value> {
    let all = [&[("content-type", kind)], headers].concat();
    let answer = scene.client.call(Method::POST, "/v1/events", &all, Some(body.into())).await?;
    Ok(answer.expect(StatusCode::ACCEPTED)?.body)
}

async fn post_one(scene: &Scene, headers: &[(&str, &str)]) -> Result<String> {
    let body = json!({ "event": "orders/created", "data": { "card": "PAYLOAD" } }).to_string();
    let answer = post(scene, "application/json", headers, body).await?;
    Ok(answer["event_id"].as_str().context("a 202 names the event")?.to_owned())
}

/// The span that a receiver was told of.
fn told(request: &Received, spans: &[Span]) -> Result<Span> {
    let found = spans.iter().find(|span| span.traceparent() == request.header("traceparent"));
    found.cloned().with_context(|| format!("no span is {}: {spans:#?}", request.header("traceparent")))
}

async fn counted(scene: &Scene, result: &str) -> Result<f64> {
    let text = scene.client.get("/metrics").await?.expect(StatusCode::OK)?.body;
    let series = format!("hookway_trace_spans_total{{result=\"{result}\"}} ");
    let value = text.as_str().and_then(|text| text.lines().find_map(|line| line.strip_prefix(&series)));
    value.with_context(|| format!("no {series}"))?.parse().context("a number")
}

#[tokio::test]
async fn one_trace_leads_from_the_producer_to_each_attempt() -> Result<()> {
    let collector = Collector::start().await?;
    let setup = Setup::default()
        .set(&collector.setting())
        .set(r#"traces.headers={ x-api-key = "of-the-collector" }"#)
        .plugin("cel-filter", guests::plugin("cel-filter")?);
    let scene = Scene::with(setup).await?;
    scene.receiver.script("/a", [Answer::status(500), Answer::status(200)]);
    let plugins = json!([{ "plugin": "cel-filter", "config": { "expr": "data.card != ''" } }]);
    let endpoint = scene.endpoint("/a?token=SECRET", json!({ "plugins": plugins })).await?;
    let event = post_one(&scene, &[("traceparent", &parent("01")), ("tracestate", STATE)]).await?;
    let requests = scene.receiver.wait_for("/a", 2).await?;
    let spans = collector.when_named(&[(INGEST, 1), ("dispatch", 1), ("POST", 2)]).await?;

    let ingest = only(&spans, INGEST)?;
    assert_eq!((ingest.parent.as_str(), ingest.kind), (PRODUCER, SERVER));
    assert_eq!(ingest.get("http.response.status_code"), "202");
    let dispatch = only(&spans, "dispatch")?;
    assert_eq!((&dispatch.parent, dispatch.kind), (&ingest.id, INTERNAL));
    assert_eq!(dispatch.get("hookway.deliveries"), "1");
    let plugin = only(&spans, "plugin cel-filter")?;
    assert_eq!((&plugin.parent, plugin.kind), (&dispatch.id, INTERNAL));
    assert_eq!(plugin.get("hookway.plugin.outcome"), "passed");
    assert!(plugin.time.0 >= dispatch.time.0 && plugin.time.1 <= dispatch.time.1);

    let attempts = named(&spans, "POST");
    for (number, attempt) in ["1", "2"].into_iter().zip(&attempts) {
        assert_eq!((attempt.parent.as_str(), attempt.kind), (dispatch.id.as_str(), CLIENT));
        assert_eq!(attempt.get("hookway.attempt"), number);
        assert_eq!(attempt.get("hookway.endpoint.id"), endpoint.id);
        assert_eq!(attempt.get("server.address"), "127.0.0.1");
    }
    assert!(attempts[0].failed && attempts[0].get("error.type") == "500");
    assert_eq!(attempts[0].get("hookway.delivery.state"), "retrying");
    assert!(!attempts[1].failed && attempts[1].get("http.response.status_code") == "200");
    assert_eq!(attempts[1].get("http.request.resend_count"), "1");
    assert!(attempts[0].time.1 <= attempts[1].time.0, "nothing is open while it waits");
    for (request, attempt) in requests.iter().zip(&attempts) {
        assert_eq!(told(request, &spans)?.id, attempt.id);
        assert_eq!(request.header("tracestate"), STATE);
    }
    for span in &spans {
        assert_eq!((span.trace.as_str(), span.state.as_str()), (TRACE, STATE));
        ensure!(span.name.starts_with("plugin") || span.get("hookway.event.id") == event, "{span:?}");
    }
    for request in collector.requests() {
        assert_eq!(request.header("x-api-key"), "of-the-collector");
        let text = String::from_utf8_lossy(&request.body).into_owned();
        for secret in ["PAYLOAD", "SECRET", "whsec_", "v1,"] {
            ensure!(!text.contains(secret), "`{secret}` was exported");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_retry_after_a_restart_is_in_the_same_trace() -> Result<()> {
    let collector = Collector::start().await?;
    let setup = Setup::default().set(&collector.setting()).set(r#"deliver.retry=["3s", "1s", "1s"]"#);
    let mut scene = Scene::with(setup).await?;
    scene.receiver.script("/a", [Answer::status(500), Answer::status(200)]);
    scene.endpoint("/a", json!({})).await?;
    post_one(&scene, &[]).await?;
    scene.receiver.wait_for("/a", 1).await?;
    // What it has is sent before it ends.
    scene.gateway.stop().await?;
    let before = collector.when_named(&[(INGEST, 1), ("dispatch", 1), ("POST", 1)]).await?;
    scene.gateway.restart().await?;
    let requests = scene.receiver.wait_for("/a", 2).await?;
    let spans = collector.when_named(&[("POST", 2)]).await?;
    let (ingest, dispatch) = (only(&before, INGEST)?, only(&spans, "dispatch")?);
    assert_eq!((ingest.parent.as_str(), &dispatch.parent), ("", &ingest.id));
    let attempts = requests.iter().map(|request| told(request, &spans)).collect::<Result<Vec<_>>>()?;
    for attempt in &attempts {
        assert_eq!((&attempt.trace, &attempt.parent), (&ingest.trace, &dispatch.id));
    }
    ensure!(attempts[0].id != attempts[1].id, "each is a span of its own");
    Ok(())
}

#[tokio::test]
async fn without_traces_what_came_is_handed_on_over_retries_and_restarts() -> Result<()> {
    let mut scene = Scene::with(Setup::default().set(r#"deliver.retry=["2s", "1s"]"#)).await?;
    scene.receiver.script("/a", [Answer::status(500), Answer::status(200)]);
    scene.endpoint("/a", json!({})).await?;
    post_one(&scene, &[("traceparent", &parent("01")), ("tracestate", STATE)]).await?;
    scene.receiver.wait_for("/a", 1).await?;
    scene.gateway.stop().await?;
    scene.gateway.restart().await?;
    for request in scene.receiver.wait_for("/a", 2).await? {
        assert_eq!(request.header("traceparent"), parent("01"));
        assert_eq!(request.header("tracestate"), STATE);
    }
    post_one(&scene, &[]).await?;
    post_one(&scene, &[("traceparent", "00-malformed"), ("tracestate", STATE)]).await?;
    for request in &scene.receiver.wait_for("/a", 4).await?[2..] {
        ensure!(!request.headers.contains_key("traceparent") && !request.headers.contains_key("tracestate"));
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_sampled_is_told_to_receivers_and_not_exported() -> Result<()> {
    let collector = Collector::start().await?;
    let scene = Scene::with(Setup::default().set(&collector.setting()).set("traces.sample_ratio=0")).await?;
    scene.endpoint("/a", json!({})).await?;
    post_one(&scene, &[("traceparent", &parent("00"))]).await?;
    post_one(&scene, &[("traceparent", "ff-malformed")]).await?;
    let requests = scene.receiver.wait_for("/a", 2).await?;
    for request in &requests {
        let told = request.header("traceparent");
        ensure!(told.ends_with("-00") && !told.contains(PRODUCER), "{told}");
    }
    let of_producer = |request: &&Received| request.header("traceparent").contains(TRACE);
    assert_eq!(requests.iter().filter(of_producer).count(), 1);
    // By its producer's word this one is, and it comes after them.
    let sampled = post_one(&scene, &[("traceparent", &parent("01"))]).await?;
    let spans = collector.when_named(&[(INGEST, 1), ("dispatch", 1), ("POST", 1)]).await?;
    for span in spans {
        assert_eq!(span.get("hookway.event.id"), sampled);
    }
    Ok(())
}

#[tokio::test]
async fn receivers_are_told_nothing_if_the_operator_says_so() -> Result<()> {
    let scene = Scene::with(Setup::default().set("traces.reach_receivers=false")).await?;
    scene.endpoint("/a", json!({})).await?;
    post_one(&scene, &[("traceparent", &parent("01")), ("tracestate", STATE)]).await?;
    let request = scene.receiver.wait_for("/a", 1).await?.remove(0);
    ensure!(!request.headers.contains_key("traceparent") && !request.headers.contains_key("tracestate"));
    Ok(())
}

#[tokio::test]
async fn of_many_events_each_has_a_span_of_its_own() -> Result<()> {
    let collector = Collector::start().await?;
    let scene = Scene::with(Setup::default().set(&collector.setting())).await?;
    let lines = ["a", "b"].map(|topic| format!("{}\n", json!({ "event": topic, "data": 1 }))).concat();
    post(&scene, "application/x-ndjson", &[("traceparent", &parent("01"))], lines.clone()).await?;
    let spans = collector.when_named(&[(INGEST, 1), ("accept", 2), ("dispatch", 2)]).await?;
    let request = only(&spans, INGEST)?;
    assert_eq!((request.parent.as_str(), request.get("hookway.events")), (PRODUCER, "2".to_owned()));
    for accept in named(&spans, "accept") {
        assert_eq!((&accept.parent, accept.kind, accept.trace.as_str()), (&request.id, PRODUCING, TRACE));
        ensure!(named(&spans, "dispatch").iter().any(|dispatch| dispatch.parent == accept.id));
    }

    // Nobody says where they stand: each has a trace of its own, which knows of the request.
    post(&scene, "application/x-ndjson", &[], lines).await?;
    let spans = collector.when_named(&[(INGEST, 2), ("accept", 4)]).await?;
    let request = named(&spans, INGEST).pop().context("there are two")?;
    let own: Vec<_> = named(&spans, "accept").into_iter().filter(|accept| accept.parent.is_empty()).collect();
    ensure!(own.len() == 2 && own[0].trace != own[1].trace, "{own:?}");
    for accept in own {
        assert_eq!(accept.links, [(request.trace.clone(), request.id.clone())]);
    }
    Ok(())
}

#[tokio::test]
async fn a_cloud_event_may_have_a_trace_of_its_own() -> Result<()> {
    let collector = Collector::start().await?;
    let scene = Scene::with(Setup::default().set(&collector.setting())).await?;
    scene.endpoint("/a", json!({})).await?;
    let other = parent("01").replace(TRACE, "0af7651916cd43dd8448eb211c80319c");
    let event = |id: &str, with: Value| {
        let mut event = json!({ "specversion": "1.0", "type": "a", "source": "/s", "id": id, "data": 1 });
        if let (Some(event), Value::Object(with)) = (event.as_object_mut(), with) {
            event.extend(with);
        }
        event
    };
    let batch = json!([
        event("1", json!({ "traceparent": other, "tracestate": STATE })),
        event("2", json!({ "traceparent": 5 })),
    ]);
    let kind = "application/cloudevents-batch+json";
    post(&scene, kind, &[("traceparent", &parent("01"))], batch.to_string()).await?;
    let requests = scene.receiver.wait_for("/a", 2).await?;
    let of = |trace: &str| requests.iter().filter(|one| one.header("traceparent").contains(trace)).count();
    assert_eq!((of(TRACE), of("0af7651916cd43dd8448eb211c80319c")), (1, 1));
    collector.when_named(&[("accept", 2), ("POST", 2)]).await?;
    Ok(())
}

#[tokio::test]
async fn whoever_has_something_sent_again_has_a_trace_of_their_own_that_knows_of_the_first() -> Result<()> {
    let collector = Collector::start().await?;
    let scene = Scene::with(Setup::default().set(&collector.setting())).await?;
    scene.endpoint("/a", json!({})).await?;
    let event = post_one(&scene, &[]).await?;
    let first = scene.receiver.wait_for("/a", 1).await?.remove(0);
    let delivery = eventually("the delivery is over", || async {
        let found = scene.client.deliveries("status=delivered").await?;
        Ok(found.first().and_then(|delivery| delivery["id"].as_str().map(str::to_owned)))
    })
    .await?;
    let asker = parent("01");
    let asked = [("traceparent", asker.as_str())];
    for path in [format!("/v1/deliveries/{delivery}/retry"), format!("/v1/events/{event}/replay")] {
        scene.client.call(Method::POST, &path, &asked, None).await?.expect(StatusCode::ACCEPTED)?;
    }
    scene.receiver.wait_for("/a", 3).await?;
    let (retry, replay) = ("POST /v1/deliveries/{id}/retry", "POST /v1/events/{id}/replay");
    let spans = collector.when_named(&[(retry, 1), (replay, 1), ("POST", 3)]).await?;
    let dispatch = only(&spans, "dispatch")?;
    for name in [retry, replay] {
        let span = only(&spans, name)?;
        assert_eq!((span.trace.as_str(), span.parent.as_str()), (TRACE, PRODUCER));
        assert_eq!(span.links, [(dispatch.trace.clone(), dispatch.id.clone())]);
    }
    for attempt in named(&spans, "POST") {
        assert_eq!((&attempt.trace, &attempt.parent), (&told(&first, &spans)?.trace, &dispatch.id));
    }
    Ok(())
}

#[tokio::test]
async fn what_is_refused_is_seen_too() -> Result<()> {
    let collector = Collector::start().await?;
    let scene = Scene::with(Setup::default().set(&collector.setting())).await?;
    scene
        .client
        .post("/v1/events", &json!({ "event": "a b", "data": 1 }))
        .await?
        .expect(StatusCode::UNPROCESSABLE_ENTITY)?;
    let span = only(&collector.when_named(&[(INGEST, 1)]).await?, INGEST)?;
    assert_eq!(span.get("http.response.status_code"), "422");
    assert_eq!(span.get("hookway.problem"), "invalid_field");
    ensure!(!span.failed, "that is the client's mistake");
    scene.endpoint("/a", json!({ "filter": { "data": { "card": "other" } } })).await?;
    post_one(&scene, &[]).await?;
    let spans = collector.when_named(&[("dispatch", 1)]).await?;
    assert_eq!(only(&spans, "dispatch")?.events, ["filtered"]);
    Ok(())
}

#[tokio::test]
async fn a_collector_that_is_away_or_slow_holds_nothing_up() -> Result<()> {
    let collector = Collector::start().await?;
    // It never answers, and then says that it does not want them.
    collector.script([Answer::Hang]);
    let mut scene = Scene::with(Setup::default().set(&collector.setting())).await?;
    scene.endpoint("/a", json!({})).await?;
    for _ in 0..20 {
        post_one(&scene, &[]).await?;
    }
    scene.receiver.wait_for("/a", 20).await?;
    // It does not keep the gateway from ending either.
    scene.gateway.stop().await?;
    collector.script([Answer::status(400)]);
    scene.gateway.restart().await?;
    post_one(&scene, &[]).await?;
    eventually("spans are refused", || async { Ok((counted(&scene, "refused").await? > 0.0).then_some(())) })
        .await?;
    // Away for a moment: they arrive all the same.
    collector.script([Answer::status(503).header("retry-after", "1"), Answer::Reset, Answer::status(200)]);
    post_one(&scene, &[]).await?;
    eventually("spans are exported", || async {
        Ok((counted(&scene, "exported").await? > 0.0).then_some(()))
    })
    .await?;
    // Away for good.
    collector.script([Answer::status(503)]);
    post_one(&scene, &[]).await?;
    eventually("spans are dropped", || async {
        Ok((counted(&scene, "unreachable").await? > 0.0).then_some(()))
    })
    .await?;
    scene.receiver.wait_for("/a", 23).await?;
    Ok(())
}
