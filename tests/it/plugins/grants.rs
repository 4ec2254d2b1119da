//! Grants: what a plugin gets that author and operator agree on, and nothing else.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::guests::guest;
use hookway_tests::receiver::{Answer, RawReceiver, Received, Receiver};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::scene::{Scene, run_of};

/// On a busy machine a guest may wait for its turn.
const PATIENT: &str = "plugins.deadline=5s";
const SECRET: &str = "planted-in-an-env-grant";

/// A gateway in which the plugin `granted` is this guest, with a manifest, and with what the operator says of it.
fn setup(name: &str, manifest: &str, consent: &str) -> Result<Setup> {
    let setup = Setup::default().set(PATIENT).plugin("granted", guest(name)?).manifest("granted", manifest);
    Ok(if consent.is_empty() {
        setup
    } else {
        setup.set(&format!("plugins.grants={{granted={{{consent}}}}}"))
    })
}

impl Scene {
    async fn granted(name: &str, manifest: &str, consent: &str) -> Result<Self> {
        let scene = Self::with(setup(name, manifest, consent)?).await?;
        scene.endpoint_with("/granted", "granted", json!({})).await?;
        Ok(scene)
    }

    /// What the plugin made of an event with this data.
    async fn made_of(&self, data: &Value) -> Result<Value> {
        self.made_of_event(&json!({ "event": "a", "data": data })).await
    }

    async fn made_of_event(&self, event: &Value) -> Result<Value> {
        let id = self.client.send_event(event).await?;
        let path = if event["tenant"].is_string() { "/other" } else { "/granted" };
        let what = format!("the event {event}");
        let has_it = |requests: &[Received]| requests.iter().any(|request| request.id() == id);
        let requests = self.receiver.wait_until(path, &what, has_it).await?;
        let request = requests.iter().find(|request| request.id() == id).context("it is there")?;
        Ok(serde_json::from_slice(&request.body)?)
    }

    /// Why the plugin is not loaded.
    async fn refusal(&self) -> Result<String> {
        let is_refused = |plugin: &Value| plugin["state"] == "degraded";
        let plugin = self.client.plugin_when("granted", "it is refused", is_refused).await?;
        Ok(plugin["reason"].as_str().unwrap_or_default().to_owned())
    }
}

#[tokio::test]
async fn variables_are_seen_by_the_plugin_they_were_granted_to_and_shown_to_nobody() -> Result<()> {
    let manifest = r#"grants.env = ["REGION", "TOKEN"]"#;
    let consent = r#"env={REGION="eu",TOKEN={env="TOKEN_OF_PLUGIN"}}"#;
    let setup = setup("env-reader", manifest, consent)?.env("TOKEN_OF_PLUGIN", SECRET);
    let mut scene = Scene::with(setup.clone().plugin("plain", guest("env-reader")?)).await?;
    scene.endpoint_with("/granted", "granted", json!({})).await?;
    let seen = scene.made_of(&json!({})).await?;
    assert_eq!(seen, json!({ "env": { "REGION": "eu", "TOKEN": SECRET }, "arguments": [] }));

    let plugin = scene.client.get("/v1/plugins/granted").await?.expect(StatusCode::OK)?.body;
    assert_eq!(plugin["grants"], json!({ "env": ["REGION", "TOKEN"], "http": null, "kv": null }));
    let list = scene.client.get("/v1/plugins").await?.expect(StatusCode::OK)?.body;
    ensure!(!plugin.to_string().contains(SECRET) && !list.to_string().contains(SECRET));
    let key = scene.client.post("/v1/keys", &json!({ "scope": "tenant:default" })).await?;
    let key = key.expect(StatusCode::CREATED)?.body;
    let tenant = scene.client.with_key(key["key"].as_str());
    let seen = tenant.get("/v1/plugins/granted").await?.expect(StatusCode::OK)?.body;
    assert_eq!(seen["grants"], Value::Null, "what is granted is the operator's business");

    scene.endpoint("/plain", json!({ "plugins": [{ "plugin": "plain" }] })).await?;
    scene.client.send("a", &json!({})).await?;
    let plain = scene.receiver.wait_for("/plain", 1).await?;
    assert_eq!(serde_json::from_slice::<Value>(&plain[0].body)?["env"], json!({}));

    let log = fs::read_to_string(scene.gateway.home().join("gateway.log"))?;
    ensure!(log.contains("variables: ") && !log.contains(SECRET), "{log}");

    scene.gateway.stop().await?;
    scene.gateway.restart_with(setup.env("TOKEN_OF_PLUGIN", "another")).await?;
    assert_eq!(scene.made_of(&json!({})).await?["env"]["TOKEN"], "another");
    Ok(())
}

#[tokio::test]
async fn what_only_one_side_says_is_refused_by_a_sentence() -> Result<()> {
    for (guest, manifest, consent, says) in [
        ("env-reader", r#"grants.env = ["REGION"]"#, "", "set `plugins.grants.granted.env.REGION`"),
        ("env-reader", "", r#"env={REGION="eu"}"#, "add it to `grants.env` in granted.toml"),
        ("kv-user", "", "", "the component imports `hookway:plugin/kv@1.0.0` and has no grant for it"),
        ("http-caller", "", "", "imports `wasi:http/"),
        ("kv-user", "grants.kv = {}", "", "set `plugins.grants.granted.kv`"),
        (
            "http-caller",
            r#"grants.http.hosts = ["a.example"]"#,
            r#"http={hosts=["b.example"]}"#,
            "`a.example:443`",
        ),
    ] {
        let scene = Scene::with(setup(guest, manifest, consent)?).await?;
        let reason = scene.refusal().await?;
        ensure!(reason.contains(says), "{guest} {manifest} {consent}: {reason}");
    }
    Ok(())
}

/// The plugin `granted` may ask these hosts, in two requests of at most 64 KiB within a second.
async fn may_ask(hosts: &[String]) -> Result<Scene> {
    let limits = "timeout_ms = 1000, max_requests = 2, max_response_kb = 64";
    let manifest = format!("grants.http = {{ hosts = {hosts:?}, {limits} }}");
    Scene::granted("http-caller", &manifest, &format!("http={{hosts={hosts:?}}}")).await
}

fn host(url: &str) -> String {
    url.trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_listed_host_is_asked_and_no_other() -> Result<()> {
    let (api, elsewhere) = (Receiver::start().await?, Receiver::start().await?);
    api.script("/rates", [Answer::status(200).header("x-rates", "1").body("1.25")]);
    api.script("/moved", [Answer::status(302).header("location", &elsewhere.url("/hidden-path"))]);
    let scene = may_ask(&[host(&api.url("/")), "10.0.0.1:443".into(), "169.254.169.254:80".into()]).await?;
    let made = scene.made_of(&json!({ "urls": [api.url("/rates"), api.url("/moved")] })).await?;
    let [rates, moved] = [&made["answers"][0], &made["answers"][1]];
    assert_eq!((&rates["status"], &rates["body"]), (&json!(200), &json!("1.25")), "{made}");
    ensure!(rates["headers"].as_array().is_some_and(|names| names.contains(&json!("x-rates"))), "{made}");
    assert_eq!(moved["status"], 302, "a redirect is an answer: {made}");
    for (url, error) in [
        (elsewhere.url("/hidden-path"), "HttpRequestDenied"),
        (api.url("/").replace("127.0.0.1", "localhost"), "HttpRequestDenied"),
        ("https://10.0.0.1/".to_owned(), "DestinationIpProhibited"),
        ("http://169.254.169.254:80/latest/meta-data".to_owned(), "DestinationIpProhibited"),
        (api.url("/").replace("http://", "http://user@"), "DestinationIpProhibited"),
    ] {
        let made = scene.made_of(&json!({ "urls": [url] })).await?;
        let said = made["answers"][0]["error"].as_str().unwrap_or_default();
        ensure!(said.contains(error), "{url}: {made}");
    }
    assert_eq!((elsewhere.connections(), api.requests("/").len()), (0, 0));
    for name in ["Host", "connection", "transfer-encoding", "te", "proxy-authorization"] {
        let forged =
            json!({ "urls": [api.url("/rates")], "header": { "name": name, "value": "evil.example" } });
        let made = scene.made_of(&forged).await?;
        ensure!(made["answers"][0]["error"].as_str().is_some_and(|e| e.contains("cannot be sent")), "{made}");
    }
    let asked = &api.requests("/rates")[0];
    assert_eq!(
        (&asked.method, asked.headers["host"].to_str()?),
        (&Method::GET, host(&api.url("/")).as_str())
    );
    let log = fs::read_to_string(scene.gateway.home().join("gateway.log"))?;
    ensure!(log.contains("http: nothing was sent to"), "a refusal stands in the log: {log}");
    ensure!(!log.contains("/hidden-path") && !log.contains("meta-data"), "paths do not: {log}");
    Ok(())
}

#[tokio::test]
async fn requests_have_limits_of_size_number_and_time() -> Result<()> {
    let endless = RawReceiver::start(|mut peer| async move {
        peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        peer.flood(chunk).await;
    })
    .await?;
    let drip = RawReceiver::start(|mut peer| async move {
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await;
        while peer.write("x").await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await?;
    let api = Receiver::start().await?;
    api.script("/hang", [Answer::Hang]);
    let hosts = [endless.url("/"), drip.url("/"), api.url("/")].map(|url| host(&url));
    let scene = may_ask(&hosts).await?;
    for (data, error) in [
        (json!({ "urls": [endless.url("/")] }), "HttpResponseBodySize"),
        (json!({ "urls": [drip.url("/")] }), "HttpResponseTimeout"),
        (json!({ "urls": [api.url("/hang")] }), "HttpResponseTimeout"),
        (json!({ "urls": [api.url("/")], "method": "POST", "body_bytes": 70_000 }), "HttpRequestBodySize"),
    ] {
        let made = scene.made_of(&data).await?;
        let said = made["answers"][0]["error"].as_str().unwrap_or_default();
        ensure!(said.contains(error), "{data}: {made}");
    }
    let three =
        json!({ "urls": [api.url("/1"), api.url("/2"), api.url("/3")], "method": "POST", "body_bytes": 6 });
    let made = scene.made_of(&three).await?;
    assert_eq!((&made["answers"][0]["status"], &made["answers"][1]["status"]), (&json!(200), &json!(200)));
    ensure!(made["answers"][2]["error"].as_str().is_some_and(|e| e.contains("HttpRequestDenied")), "{made}");
    assert_eq!(api.requests("/2")[0].body, "xxxxxx");
    assert_eq!(api.requests("/3").len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_slow_host_takes_time_from_nobody_and_no_deadline_is_longer_for_it() -> Result<()> {
    let api = Receiver::start().await?;
    api.script("/hang", [Answer::Hang]);
    let hosts = [host(&api.url("/"))];
    let limits = "timeout_ms = 500, max_requests = 1";
    let manifest = format!("grants.http = {{ hosts = {hosts:?}, {limits} }}");
    let setup =
        setup("http-caller", &manifest, &format!("http={{hosts={hosts:?}}}"))?.set("plugins.deadline=1s");
    let scene = Scene::with(setup).await?;
    let endpoint = scene.endpoint_with("/granted", "granted", json!({})).await?;
    scene.endpoint("/other", json!({})).await?;
    let id = scene.client.send("a", &json!({ "urls": [api.url("/hang")], "spin": true })).await?;
    let delivery = scene.client.delivery_in(&id, &endpoint.id, &["held"]).await?;
    let run = run_of(&delivery, "granted");
    ensure!(run["detail"].as_str().is_some_and(|m| m.contains("past its deadline of 1 s")), "{delivery}");
    let others = |requests: &[Received]| requests.iter().any(|r| r.id() == id);
    scene.receiver.wait_until("/other", "the same event elsewhere", others).await?;
    let made = scene.made_of(&json!({ "urls": [api.url("/")] })).await?;
    assert_eq!(made["answers"][0]["status"], 200, "the next event is served: {made}");
    Ok(())
}

const KV: &str = "grants.kv = { max_kb = 4, ttl_s = 3600 }";

fn steps(steps: &[Value]) -> Value {
    json!({ "steps": steps })
}

#[tokio::test]
async fn what_a_plugin_keeps_outlives_its_call_apart_for_each_tenant_and_plugin() -> Result<()> {
    let setup = setup("kv-user", KV, "kv={}},second={kv={}")?;
    let setup = setup.plugin("second", guest("kv-user")?).manifest("second", KV);
    let mut scene = Scene::with(setup).await?;
    scene.endpoint_with("/granted", "granted", json!({})).await?;
    scene.endpoint("/other", json!({ "tenant": "other", "plugins": [{ "plugin": "granted" }] })).await?;
    scene.endpoint("/second", json!({ "plugins": [{ "plugin": "second" }] })).await?;
    let set = json!({ "op": "set", "key": "a", "value": "of default" });
    let (get, add) =
        (json!({ "op": "get", "key": "a" }), json!({ "op": "increment", "key": "n", "delta": 2 }));
    let made = scene.made_of(&steps(&[get.clone(), set, get.clone(), add.clone(), add.clone()])).await?;
    assert_eq!(made, json!({ "results": [null, null, "of default", 2, 4] }));
    let seen_by_other =
        json!({ "event": "a", "tenant": "other", "data": steps(&[get.clone(), add.clone()]) });
    assert_eq!(scene.made_of_event(&seen_by_other).await?, json!({ "results": [null, 2] }));
    let second = scene.receiver.wait_for("/second", 1).await?;
    let second: Value = serde_json::from_slice(&second[0].body)?;
    assert_eq!(second["results"], json!([null, null, "of default", 2, 4]), "its own, from the beginning");

    scene.gateway.stop().await?;
    scene.gateway.restart().await?;
    let delete = json!({ "op": "delete", "key": "a" });
    let made = scene.made_of(&steps(&[get.clone(), add, delete, get])).await?;
    assert_eq!(made, json!({ "results": ["of default", 6, null, null] }), "a stop writes what is on its way");
    Ok(())
}

#[tokio::test]
async fn what_kv_cannot_take_is_an_error_of_the_step_or_of_the_call() -> Result<()> {
    let scene = Scene::with(setup("kv-user", KV, "kv={}")?).await?;
    let endpoint = scene.endpoint_with("/granted", "granted", json!({})).await?;
    let step = |op: &str, with: Value| {
        let mut step = json!({ "op": op, "key": "k" });
        if let (Some(step), Value::Object(with)) = (step.as_object_mut(), with) {
            step.extend(with);
        }
        step
    };
    let made = scene
        .made_of(&steps(&[
            step("set", json!({ "key_bytes": 1_000_000 })),
            step("set", json!({ "value_bytes": 65_537 })),
            step("set", json!({ "ttl": -1 })),
            step("set", json!({ "ttl": 9_000_000_000_000_000_u64 })),
            step("set", json!({ "ttl": 0 })),
            step("set", json!({ "value_bytes": 3_900 })),
            step("set", json!({ "key": "l", "value_bytes": 100 })),
            step("increment", json!({})),
            step("increment", json!({ "key": "n", "delta": i64::MAX })),
            step("get", json!({ "key": "none", "times": 92 })),
        ]))
        .await?;
    let results = made["results"].as_array().context("a list")?;
    let says = |n: usize, word: &str| {
        let error = results[n]["error"].as_str().unwrap_or_default();
        ensure!(error.contains(word), "{n}: {}", results[n]);
        Ok(())
    };
    says(0, "a key has 1 to 256 bytes; this one has 1000000")?;
    says(1, "at most 65536 bytes")?;
    for n in 2..=4 {
        says(n, "1 to 2592000 seconds")?;
    }
    assert_eq!(results[5], Value::Null);
    says(6, "this takes 165 bytes, and 3965 of 4096 are taken")?;
    says(7, "is no number")?;
    ensure!(results[8].is_i64() || results[8].is_u64(), "{}", results[8]);
    says(results.len() - 1, "may call `kv` 100 times")?;

    for (bad, word) in [
        (step("bad-utf-8", json!({})), "malformed"),
        (step("set", json!({ "value_bytes": 3_000_000 })), "over the limit of 1 MiB"),
    ] {
        let id = scene.client.send("a", &steps(&[bad])).await?;
        let delivery = scene.client.delivery_in(&id, &endpoint.id, &["held"]).await?;
        let message = run_of(&delivery, "granted")["detail"].as_str().unwrap_or_default().to_owned();
        ensure!(message.contains(word), "{delivery}");
    }
    let made = scene.made_of(&steps(&[step("get", json!({ "key": "l" }))])).await?;
    assert_eq!(made, json!({ "results": [null] }), "the next event is served, and nothing was set");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn increments_of_events_at_the_same_time_are_exact() -> Result<()> {
    const EVENTS: usize = 300;
    let scene = Scene::granted("kv-user", KV, "kv={}").await?;
    let add = steps(&[json!({ "op": "increment", "key": "n" })]);
    let events: Vec<String> = (0..EVENTS).map(|_| json!({ "event": "a", "data": add }).to_string()).collect();
    let ndjson = [("content-type", "application/x-ndjson")];
    let body = events.join("\n");
    scene
        .client
        .call(Method::POST, "/v1/events", &ndjson, Some(body.into()))
        .await?
        .expect(StatusCode::ACCEPTED)?;
    let requests = scene.receiver.wait_for("/granted", EVENTS).await?;
    let sum = |request: &Received| -> Result<u64> {
        let body: Value = serde_json::from_slice(&request.body)?;
        body["results"][0].as_u64().with_context(|| format!("a number: {body}"))
    };
    let mut sums = requests.iter().map(sum).collect::<Result<Vec<_>>>()?;
    sums.sort_unstable();
    assert_eq!(sums, (1..=EVENTS as u64).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_kept_a_while_ago_survives_kill_9() -> Result<()> {
    // It is stored within a tenth of a second and the next commit.
    const A_WHILE: Duration = Duration::from_secs(1);
    let mut scene = Scene::granted("kv-user", KV, "kv={}").await?;
    let add = steps(&[json!({ "op": "increment", "key": "n" })]);
    let (began, mut events) = (Instant::now(), 0_i64);
    while began.elapsed() < A_WHILE {
        events += 1;
        assert_eq!(scene.made_of(&add).await?, json!({ "results": [events] }));
    }
    scene.gateway.kill().await?;
    scene.gateway.restart().await?;
    let made = scene.made_of(&add).await?;
    let n = made["results"][0].as_i64().context("a number")?;
    ensure!((events / 2..=events + 1).contains(&n), "only the last moments may be lost: {n}");
    Ok(())
}
