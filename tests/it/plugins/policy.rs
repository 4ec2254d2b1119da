//! What the gateway does with plugins that fail: breakers, roll-backs, poison; and how all of that is seen.

use anyhow::{Context, Result, ensure};
use hookway_tests::client::Client;
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{guest, install, plugin};
use hookway_tests::patience::eventually;
use hookway_tests::receiver::Received;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::{Scene, run_of};

/// On a busy machine a guest needs time to meet its deadline.
fn patient() -> Setup {
    Setup::default().set("plugins.deadline=5s")
}

async fn tenant_client(scene: &Scene, tenant: &str) -> Result<Client> {
    let made = scene.client.post("/v1/keys", &json!({ "scope": format!("tenant:{tenant}") })).await?;
    let key = made.expect(StatusCode::CREATED)?.body["key"].as_str().context("a key")?.to_owned();
    Ok(scene.client.with_key(Some(&key)))
}

async fn send_poison(scene: &Scene, tenant: &str, events: usize) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for _ in 0..events {
        let event = json!({ "event": "a", "data": { "poison": true }, "tenant": tenant });
        ids.push(scene.client.send_event(&event).await?);
    }
    Ok(ids)
}

#[tokio::test]
async fn a_breaker_opens_for_the_tenant_whose_events_fail_and_closes_when_they_do_no_longer() -> Result<()> {
    let setup = patient().set("operations.tenant=ops").plugin("trap", guest("trap")?);
    let scene = Scene::with(setup).await?;
    scene.endpoint("/ops", json!({ "tenant": "ops", "topics": ["hookway.plugin.*"] })).await?;
    for tenant in ["acme", "other"] {
        let with = json!({ "tenant": tenant, "plugins": [{ "plugin": "trap" }] });
        scene.endpoint(&format!("/{tenant}"), with).await?;
    }
    let poison = send_poison(&scene, "acme", 5).await?;
    let is_open = |status: &Value| status["state"] == "breaker_open";
    let open = scene.client.plugin_when("trap", "its breaker is open", is_open).await?;
    assert_eq!(open["open_breakers"][0]["tenant"], "acme", "{open}");
    ensure!(open["reason"].as_str().is_some_and(|reason| reason.contains("acme")), "{open}");
    ensure!(open["last_error"]["outcome"] == "trap" && open["usage"]["outcomes"]["trap"] == 5, "{open}");
    let sentence = open["last_error"]["message"].as_str().unwrap_or_default();
    ensure!(sentence.contains("in function `trap::refuse_poison` <- `"), "names of functions: {sentence}");

    // What comes now is held without a call, and is no other tenant's concern.
    let good = scene.client.send_event(&json!({ "event": "a", "data": 1, "tenant": "acme" })).await?;
    let other = scene.client.send_event(&json!({ "event": "a", "data": 1, "tenant": "other" })).await?;
    assert_eq!(scene.receiver.wait_for("/other", 1).await?[0].id(), other);
    let acme = tenant_client(&scene, "acme").await?;
    let held = eventually("the good event is judged", || async {
        let path = format!("/v1/deliveries?event_id={good}");
        let row = acme.get(&path).await?.expect(StatusCode::OK)?.body["data"][0].clone();
        Ok(row.is_object().then_some(row))
    })
    .await?;
    if held["status"] == "held" {
        let run = run_of(&held, "trap");
        ensure!(run["detail"].as_str().is_some_and(|detail| detail.contains("is not asked")), "{held}");
        ensure!(run["version"] == open["version"], "{held}");
    }

    // A tenant sees its own, and no counts.
    let own = acme.get("/v1/plugins/trap").await?.expect(StatusCode::OK)?.body;
    ensure!(own["usage"].is_null() && own["last_error"]["tenant"] == "acme", "{own}");
    let stranger = tenant_client(&scene, "other").await?.get("/v1/plugins/trap").await?.body;
    ensure!(stranger["state"] == "active" && stranger["last_error"].is_null(), "{stranger}");
    ensure!(stranger["open_breakers"] == json!([]), "{stranger}");

    // After the pause one event is a probe; the good one gets through and closes the breaker. The poison is judged again then,
    // and is known to be no fault of the plugin.
    let is_sent = |requests: &[Received]| requests.iter().any(|request| request.id() == good);
    scene.receiver.wait_until("/acme", "the good event", is_sent).await?;
    scene.client.plugin_when("trap", "its breaker is closed", |status| status["state"] == "active").await?;
    for id in &poison {
        ensure!(scene.receiver.requests("/acme").iter().all(|request| request.id() != id), "poison went out");
    }
    let told = scene.receiver.wait_for("/ops", 2).await?;
    let topics: Vec<Value> =
        told.iter().map(|one| one.json().map(|body| body["event"].clone())).collect::<Result<_>>()?;
    assert_eq!(topics, ["hookway.plugin.breaker_opened", "hookway.plugin.breaker_closed"]);
    assert_eq!(told[0].json()?["data"]["tenant"], "acme");
    Ok(())
}

#[tokio::test]
async fn a_bad_version_is_rolled_back_and_what_it_held_is_delivered() -> Result<()> {
    let setup = patient().set("operations.tenant=ops").plugin("judge", guest("switchable-v1")?);
    let scene = Scene::with(setup).await?;
    scene.endpoint("/ops", json!({ "tenant": "ops", "topics": ["hookway.plugin.*"] })).await?;
    scene.endpoint_with("/a", "judge", json!({})).await?;
    let good = scene.client.plugin_active("judge").await?["version"].clone();
    scene.client.send("a", &json!(0)).await?;
    scene.receiver.wait_for("/a", 1).await?;

    install(&guest("trap")?, &scene.gateway.plugins_dir(), "judge")?;
    scene.client.plugin_when("judge", "the bad version is live", |status| status["version"] != good).await?;
    let held = send_poison(&scene, "default", 5).await?;
    let is_back = |status: &Value| status["state"] == "rolled_back";
    let status = scene.client.plugin_when("judge", "it is rolled back", is_back).await?;
    assert_eq!(status["version"], good, "{status}");
    ensure!(
        status["rejected_version"].is_string() && status["previous"] == status["rejected_version"],
        "{status}"
    );
    ensure!(status["reason"].as_str().is_some_and(|reason| reason.contains("unreachable")), "{status}");
    let all = |requests: &[Received]| held.iter().all(|id| requests.iter().any(|one| one.id() == id));
    scene.receiver.wait_until("/a", "all that was held", all).await?;
    let told = scene.receiver.wait_until("/ops", "an operational event", |told| {
        told.iter().any(|one| one.json().is_ok_and(|body| body["event"] == "hookway.plugin.rolled_back"))
    });
    told.await?;

    // The same bytes, written again, are not tried again; another version is.
    install(&guest("trap")?, &scene.gateway.plugins_dir(), "judge")?;
    install(&plugin("redact")?, &scene.gateway.plugins_dir(), "marker")?;
    scene.client.plugin_active("marker").await?;
    let status = scene.client.get("/v1/plugins/judge").await?.body;
    ensure!(status["state"] == "rolled_back" && status["version"] == good, "{status}");
    install(&guest("switchable-v2")?, &scene.gateway.plugins_dir(), "judge")?;
    let next =
        scene.client.plugin_when("judge", "the next version", |status| status["state"] == "active").await?;
    ensure!(next["version"] != good, "{next}");
    Ok(())
}

#[tokio::test]
async fn ten_thousand_held_deliveries_are_released_by_a_good_version() -> Result<()> {
    const HELD: usize = 10_000;
    let setup = Setup::default().plugin("judge", guest("switchable-v1")?);
    let scene = Scene::with(setup).await?;
    scene.endpoint_with("/a", "judge", json!({})).await?;
    std::fs::remove_file(scene.gateway.plugins_dir().join("judge.wasm"))?;
    eventually("the plugin is gone", || async {
        let status = scene.client.get("/v1/plugins/judge").await?.status;
        Ok((status == StatusCode::NOT_FOUND).then_some(()))
    })
    .await?;
    let lines: String =
        (0..HELD).map(|number| format!("{{\"event\":\"a\",\"data\":{{\"n\":{number}}}}}\n")).collect();
    let ndjson = [("content-type", "application/x-ndjson")];
    let posted = scene.client.call(Method::POST, "/v1/events", &ndjson, Some(lines.into())).await?;
    posted.expect(StatusCode::ACCEPTED)?;
    let waiting = async || -> Result<u64> {
        let stats = scene.client.get("/v1/stats").await?.expect(StatusCode::OK)?.body;
        Ok(stats["waiting"]["held"].as_u64().unwrap_or_default())
    };
    eventually("all are held", || async { Ok((waiting().await? == HELD as u64).then_some(())) }).await?;
    install(&guest("switchable-v2")?, &scene.gateway.plugins_dir(), "judge")?;
    // A busy machine takes its time, but it goes on.
    for count in (1_000..HELD).step_by(1_000) {
        scene.receiver.wait_for("/a", count).await?;
    }
    let requests = scene.receiver.wait_for("/a", HELD).await?;
    ensure!(
        requests.iter().all(|one| one.json().is_ok_and(|body| body["v"] == 2)),
        "the new version judged all"
    );
    eventually("none is held", || async { Ok((waiting().await? == 0).then_some(())) }).await?;
    assert_eq!(scene.receiver.requests("/a").len(), HELD, "each once");
    Ok(())
}

#[tokio::test]
async fn logs_are_read_by_level_and_number_and_a_tenant_sees_those_of_its_own_calls() -> Result<()> {
    let scene = Scene::with(patient().plugin("trap", guest("trap")?)).await?;
    for tenant in ["acme", "other"] {
        let with = json!({ "tenant": tenant, "plugins": [{ "plugin": "trap" }] });
        scene.endpoint(&format!("/{tenant}"), with).await?;
        // The message of the panic goes to standard error.
        send_poison(&scene, tenant, 1).await?;
    }
    let path = "/v1/plugins/trap/logs";
    let said = |logs: &Value, tenant: &str| {
        let lines = logs["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        lines.iter().any(|line| {
            line["tenant"] == tenant
                && line["message"].as_str().is_some_and(|text| text.contains("this event is poison"))
        })
    };
    let all = eventually("both panics are in the log", || async {
        let logs = scene.client.get(path).await?.expect(StatusCode::OK)?.body;
        Ok((said(&logs, "acme") && said(&logs, "other")).then_some(logs))
    })
    .await?;
    let acme = tenant_client(&scene, "acme").await?;
    let own = acme.get(path).await?.expect(StatusCode::OK)?.body;
    ensure!(
        said(&own, "acme")
            && own["data"].as_array().is_some_and(|lines| lines.iter().all(|line| line["tenant"] == "acme")),
        "{own}"
    );
    acme.get(&format!("{path}?tenant=other")).await?.expect_problem(403, "tenant")?;
    let last = all["last"].as_u64().context("a number")?;
    let none = scene.client.get(&format!("{path}?after={last}")).await?.expect(StatusCode::OK)?.body;
    ensure!(none["data"] == json!([]) && none["last"] == last, "{none}");
    let first = scene.client.get(&format!("{path}?after=0&limit=1")).await?.expect(StatusCode::OK)?.body;
    ensure!(first["data"][0]["number"] == 1 && first["last"] == 1, "{first}");
    let loud = scene.client.get(&format!("{path}?level=error")).await?.expect(StatusCode::OK)?.body;
    ensure!(loud["data"] == json!([]), "a panic is a warning: {loud}");
    scene.client.get(&format!("{path}?level=loud")).await?.expect_problem(400, "loud")?;
    scene.client.get("/v1/plugins/absent/logs").await?.expect_problem(404, "plugin")?;
    Ok(())
}
