//! Events and endpoints in: what is bad is refused with a sentence and changes nothing; what is repeated is stored once.

use anyhow::{Result, ensure};
use hookway_tests::events::ORDER_CREATED;
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{guest, plugin};
use hookway_tests::patience::eventually;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::Scene;

const JSON: (&str, &str) = ("content-type", "application/json");
const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");
const MIB: usize = 1 << 20;

impl Scene {
    async fn post_raw(
        &self,
        headers: &[(&str, &str)],
        body: impl Into<bytes::Bytes>,
    ) -> Result<hookway_tests::client::Answer> {
        self.client.call(Method::POST, "/v1/events", headers, Some(body.into())).await
    }

    /// Proves that what was tried before left nothing: one good event is the only one that ever arrives.
    async fn nothing_was_stored(&self, path: &str) -> Result<()> {
        let id = self.client.send("last/one", &json!(1)).await?;
        let requests = self.receiver.wait_for(path, 1).await?;
        ensure!(requests.len() == 1 && requests[0].id() == id, "something else arrived: {requests:?}");
        let log = eventually("the event is in the log", || async {
            let log = self.client.deliveries("").await?;
            Ok((!log.is_empty()).then_some(log))
        })
        .await?;
        ensure!(log.len() == 1, "something else is in the log: {log:?}");
        Ok(())
    }
}

#[tokio::test]
async fn a_bad_event_is_refused_with_a_sentence_that_names_the_field_and_nothing_is_stored() -> Result<()> {
    let scene = Scene::start().await?;
    scene.endpoint("/all", json!({})).await?;
    let long = format!(r#"{{"event":"{}","data":1}}"#, "a".repeat(300));
    let deep = format!(r#"{{"event":"a","data":{}1{}}}"#, "[".repeat(100), "]".repeat(100));
    let cases = [
        ("", "JSON"),
        (r#"{"event":"a","data":"#, "JSON"),
        (r#"{"event":"a","data":1} x"#, "JSON"),
        ("[1]", ""),
        ("null", ""),
        (r#"{"data":1}"#, "event"),
        (r#"{"event":"a"}"#, "data"),
        (r#"{"event":"a","dta":1}"#, "dta"),
        (r#"{"event":7,"data":1}"#, "event"),
        (r#"{"event":"orders//created","data":1}"#, "/event"),
        (r#"{"event":"orders/*","data":1}"#, "/event"),
        (&long, "/event"),
        (r#"{"event":"a","data":1,"event_id":"evt.1"}"#, "/event_id"),
        (r#"{"event":"a","data":1,"event_id":""}"#, "/event_id"),
        (r#"{"event":"a","data":1,"timestamp":"yesterday"}"#, "/timestamp"),
        (r#"{"event":"a","data":1,"tenant":"a b"}"#, "/tenant"),
        (&deep, "deep"),
    ];
    for (body, word) in cases {
        let refused = scene.post_raw(&[JSON], body.to_owned()).await?.expect_refusal(word);
        refused.map_err(|error| error.context(format!("for {body:.80}")))?;
    }
    scene.post_raw(&[JSON], &b"{\"event\":\"a\",\"data\":\"\xff\"}"[..]).await?.expect_refusal("UTF-8")?;
    scene.nothing_was_stored("/all").await
}

#[tokio::test]
async fn a_request_in_the_wrong_form_is_refused_by_its_own_status() -> Result<()> {
    let scene = Scene::start().await?;
    scene.endpoint("/all", json!({})).await?;
    let event = r#"{"event":"a","data":1}"#;
    scene.post_raw(&[("content-type", "text/xml")], event).await?.expect_problem(415, "application/json")?;
    scene.post_raw(&[JSON, ("content-encoding", "br")], event).await?.expect_problem(415, "ncod")?;
    scene.post_raw(&[JSON, ("content-encoding", "gzip")], event).await?.expect_problem(400, "gzip")?;
    let large = format!(r#"{{"event":"a","data":"{}"}}"#, "x".repeat(MIB));
    scene.post_raw(&[JSON], large).await?.expect_problem(413, "bytes")?;
    scene.client.get("/v1/nothing").await?.expect_problem(404, "")?;
    scene.client.delete("/v1/events").await?.expect_problem(405, "")?;
    scene.nothing_was_stored("/all").await
}

#[tokio::test]
async fn a_missing_or_wrong_key_opens_nothing() -> Result<()> {
    let scene = Scene::start().await?;
    scene.endpoint("/all", json!({})).await?;
    let key = scene.gateway.key();
    let (other_end, shorter) = (format!("{}x", &key[..key.len() - 1]), &key[..key.len() - 1]);
    for key in [None, Some(""), Some("hk_"), Some("hk_a_b"), Some(other_end.as_str()), Some(shorter)] {
        let client = scene.client.with_key(key);
        let answer = client.post("/v1/events", &json!({ "event": "a", "data": 1 })).await?;
        let answer = answer.expect_problem(401, "Bearer")?;
        ensure!(answer.headers.contains_key("www-authenticate"), "a 401 says how to log in");
        for path in ["/v1/endpoints", "/v1/deliveries", "/v1/plugins", "/v1/events/evt_1"] {
            client.get(path).await?.expect_problem(401, "Bearer")?;
        }
    }
    scene.client.with_key(None).get("/healthz").await?.expect(StatusCode::OK)?;
    scene.client.with_key(None).get("/readyz").await?.expect(StatusCode::OK)?;
    scene.nothing_was_stored("/all").await
}

#[tokio::test]
async fn a_bad_endpoint_is_refused_with_a_sentence_that_names_the_field_and_nothing_is_stored() -> Result<()>
{
    let setup = Setup::default()
        .plugin("refuse-config", guest("refuse-config")?)
        .plugin("cel-filter", plugin("cel-filter")?)
        .plugin("jq-transform", plugin("jq-transform")?)
        .plugin("mqtt-topics", plugin("mqtt-topics")?);
    let scene = Scene::with(setup).await?;
    let uses = |plugin: &str, config: Value| json!({ "plugins": [{ "plugin": plugin, "config": config }] });
    let cases = [
        (json!({ "url": "not a url" }), "/url"),
        (json!({ "url": "ftp://example.com/a" }), "/url"),
        (json!({ "url": "http://10.0.0.1/a" }), "/url"),
        (json!({ "url": null }), "url"),
        (json!({ "topics": [] }), "/topics"),
        (json!({ "topics": ["a", "order*"] }), "/topics/1"),
        (json!({ "topics": "a" }), "topics"),
        (json!({ "secret": "whsec_c2hvcnQ=" }), "/secret"),
        (json!({ "secret": "plain" }), "/secret"),
        (json!({ "topcs": ["a"] }), "topcs"),
        (uses("no-such-plugin", json!({})), "no-such-plugin"),
        (uses("refuse-config", json!({ "refuse": "this" })), "`refuse` is this: remove it"),
        (uses("cel-filter", json!({ "expr": "data.a ==" })), "/plugins/0/config"),
        (uses("cel-filter", json!({})), "expr"),
        (uses("jq-transform", json!({ "program": "{" })), "/plugins/0/config"),
        (uses("mqtt-topics", json!({})), "/plugins/0"),
        (json!({ "plugins": [{ "plugin": "cel-filter", "on_failure": "maybe" }] }), "on_failure"),
        (json!({ "matcher": "mqtt-topics", "topics": ["a/#/b"] }), "#"),
        (json!({ "matcher": "cel-filter" }), "matcher"),
        (json!({ "description": "x".repeat(5000) }), "/description"),
    ];
    for (with, word) in cases {
        let refused = scene.client.post("/v1/endpoints", &scene.described("/a", with.clone())).await?;
        refused.expect_refusal(word).map_err(|error| error.context(format!("for {with}")))?;
    }
    let list = scene.client.get("/v1/endpoints").await?.expect(StatusCode::OK)?;
    assert_eq!(list.body["data"], json!([]));
    Ok(())
}

#[tokio::test]
async fn a_tenant_has_one_endpoint_per_url() -> Result<()> {
    let scene = Scene::start().await?;
    scene.endpoint("/a", json!({})).await?;
    let again = scene.described("/a", json!({}));
    scene.client.post("/v1/endpoints", &again).await?.expect_problem(409, "/url")?;
    scene.endpoint("/a", json!({ "tenant": "other" })).await?;
    Ok(())
}

#[tokio::test]
async fn plain_http_and_private_addresses_are_refused_unless_the_operator_allows_them() -> Result<()> {
    let setup = Setup::default().set("deliver.allow_http=false").set("deliver.allow_networks=[]");
    let scene = Scene::with(setup).await?;
    for url in ["http://example.com/", "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/"] {
        let refused = scene.client.post("/v1/endpoints", &json!({ "url": url, "topics": ["**"] })).await?;
        refused.expect_refusal("/url").map_err(|error| error.context(url))?;
    }
    Ok(())
}

#[tokio::test]
async fn the_same_event_id_again_is_the_same_event() -> Result<()> {
    let scene = Scene::start().await?;
    scene.endpoint("/all", json!({})).await?;
    for duplicate in [false, true, true] {
        let answer = scene.post_raw(&[JSON], ORDER_CREATED).await?.expect(StatusCode::ACCEPTED)?;
        assert_eq!(answer.body, json!({ "event_id": "evt_a1b2c3d4", "duplicate": duplicate }));
    }
    let other = ORDER_CREATED.replace("Acme", "Other");
    scene.post_raw(&[JSON], other).await?.expect_problem(409, "evt_a1b2c3d4")?;
    scene.client.send("last/one", &json!(1)).await?;
    assert_eq!(scene.receiver.wait_for("/all", 2).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn the_same_idempotency_key_again_gets_the_same_answer() -> Result<()> {
    let scene = Scene::start().await?;
    scene.endpoint("/all", json!({})).await?;
    let headers = [JSON, ("idempotency-key", "order-17")];
    let event = r#"{"event":"orders/created","data":{"n":1}}"#;
    let first = scene.post_raw(&headers, event).await?.expect(StatusCode::ACCEPTED)?.body;
    let again = scene.post_raw(&headers, event).await?.expect(StatusCode::ACCEPTED)?.body;
    assert_eq!(first["event_id"], again["event_id"]);
    assert_eq!((&first["duplicate"], &again["duplicate"]), (&json!(false), &json!(true)));
    let other = r#"{"event":"orders/created","data":{"n":2}}"#;
    scene.post_raw(&headers, other).await?.expect_problem(409, "idempotency")?;
    scene.client.send("last/one", &json!(1)).await?;
    assert_eq!(scene.receiver.wait_for("/all", 2).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn many_events_in_one_request_are_accepted_together() -> Result<()> {
    let scene = Scene::start().await?;
    scene.endpoint("/all", json!({})).await?;
    let lines: Vec<_> =
        (0..250).map(|n| format!(r#"{{"event":"a/b","event_id":"evt_{n}","data":{n}}}"#)).collect();
    let answer = scene.post_raw(&[NDJSON], lines.join("\n")).await?.expect(StatusCode::ACCEPTED)?.body;
    assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(250), &json!(0)));
    assert_eq!(answer["events"][249], json!({ "event_id": "evt_249", "duplicate": false }));
    let arrived = scene.receiver.wait_for("/all", 250).await?;
    crate::load::none_twice(&arrived)?;
    let answer = scene.post_raw(&[NDJSON], lines[..3].join("\n")).await?.expect(StatusCode::ACCEPTED)?.body;
    assert_eq!(answer["duplicates"], 3);
    Ok(())
}

#[tokio::test]
async fn one_bad_line_refuses_all_lines_and_is_named() -> Result<()> {
    let scene = Scene::start().await?;
    scene.endpoint("/all", json!({})).await?;
    let good = r#"{"event":"a","data":1}"#;
    for (bad, word) in [(r#"{"event":"a b","data":1}"#, "/event"), (r#"{"event":"#, "JSON"), ("[]", "")] {
        let body = format!("{good}\n{good}\n{bad}\n{good}\n");
        let refused = scene.post_raw(&[NDJSON], body).await?.expect_refusal(word)?;
        assert_eq!(refused.body["line"], 3, "{bad}");
    }
    let keyed = [NDJSON, ("idempotency-key", "k")];
    scene.post_raw(&keyed, good).await?.expect_refusal("event_id")?;
    scene.nothing_was_stored("/all").await
}
