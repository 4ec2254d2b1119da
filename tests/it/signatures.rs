//! What a receiver verifies beside symmetric Standard Webhooks signatures: ed25519, and the forms of earlier senders.
//! Checked with `ring`, which the gateway does not sign with.

use std::fs;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookway_tests::gateway::Setup;
use hookway_tests::receiver::{Answer, Received};
use http::StatusCode;
use ring::{hmac, signature};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::scene::Scene;
use crate::secrets_at_rest::files;

/// A key pair that Svix publishes.
const PRIVATE: &str =
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
const PUBLIC: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
/// A secret of a home-grown sender, of GitHub's documentation.
const OLD: &[u8] = b"It's a Secret to Everybody";

fn symmetric(bytes: &[u8]) -> String {
    format!("whsec_{}", STANDARD.encode(bytes))
}

/// The signatures of a version in `webhook-signature`.
fn of_version<'a>(request: &'a Received, version: &str) -> Vec<&'a str> {
    let all = request.header("webhook-signature").split(' ');
    all.filter_map(|one| one.split_once(',')).filter(|(of, _)| *of == version).map(|(_, text)| text).collect()
}

/// Whether this public key made one of the `v1a` signatures of this body.
fn verifies(public: &str, request: &Received, body: &[u8]) -> Result<bool> {
    let key = STANDARD.decode(public.strip_prefix("whpk_").context("a public key")?)?;
    let key = signature::UnparsedPublicKey::new(&signature::ED25519, key);
    let head = format!("{}.{}.", request.header("webhook-id"), request.header("webhook-timestamp"));
    let message = [head.as_bytes(), body].concat();
    let made = of_version(request, "v1a").into_iter().map(|text| STANDARD.decode(text));
    Ok(made.collect::<Result<Vec<_>, _>>()?.iter().any(|made| key.verify(&message, made).is_ok()))
}

fn hmac_hex(secret: &[u8], message: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Creates an endpoint and returns what the API answered.
async fn create(scene: &Scene, path: &str, with: Value) -> Result<Value> {
    let answer = scene.client.post("/v1/endpoints", &scene.described(path, with)).await?;
    Ok(answer.expect(StatusCode::CREATED)?.body)
}

fn id(of: &Value) -> Result<&str> {
    of["id"].as_str().context("an id")
}

#[tokio::test]
async fn an_ed25519_key_signs_what_its_public_half_verifies_until_it_expires() -> Result<()> {
    let mut scene = Scene::start().await?;
    let made = create(&scene, "/a", json!({ "secrets": [{ "type": "ed25519" }, {}] })).await?;
    let [pair, shared] = [0, 1].map(|n| made["secrets"][n].clone());
    let public = pair["public_key"].as_str().context("a public key")?;
    ensure!(pair["type"] == "ed25519" && pair.get("value").is_none(), "{pair}");
    ensure!(shared["type"] == "hmac-sha256" && shared.get("public_key").is_none(), "{shared}");
    let path = format!("/v1/endpoints/{}/secrets", id(&made)?);
    let given = scene.client.post(&path, &json!({ "value": PRIVATE })).await?.expect(StatusCode::CREATED)?;
    ensure!(given.body["public_key"] == PUBLIC && given.body.get("value").is_none(), "{}", given.body);
    scene.gateway.kill().await?;
    scene.gateway.restart().await?;
    scene.client.send("a", &json!({ "n": 1 })).await?;
    let first = scene.receiver.wait_for("/a", 1).await?.remove(0);
    let versions: Vec<_> =
        first.header("webhook-signature").split(' ').filter_map(|one| one.split_once(',')).collect();
    assert_eq!(versions.iter().map(|(version, _)| *version).collect::<Vec<_>>(), ["v1a", "v1a", "v1"]);
    for public in [public, PUBLIC] {
        ensure!(verifies(public, &first, &first.body)? && !verifies(public, &first, b"{}")?, "{public}");
    }
    let shared = shared["value"].as_str().context("the symmetric secret is shown, once")?;
    Webhook::new(shared)?.verify(&first.body, &first.headers)?;
    let expire = format!("{path}/{}/expire", id(&pair)?);
    scene.client.post(&expire, &json!({})).await?.expect(StatusCode::OK)?;
    scene.client.send("a", &json!({ "n": 2 })).await?;
    let second = scene.receiver.wait_for("/a", 2).await?.remove(1);
    ensure!(!verifies(public, &second, &second.body)? && verifies(PUBLIC, &second, &second.body)?);
    assert_eq!(of_version(&second, "v1a").len(), 1);
    let shown = scene.client.get(&path).await?.expect(StatusCode::OK)?.body;
    assert_eq!(shown["data"][0]["public_key"], PUBLIC, "the public half is always shown: {shown}");
    Ok(())
}

#[tokio::test]
async fn a_private_key_is_in_no_answer_no_file_and_no_log() -> Result<()> {
    let mut scene = Scene::with(Setup::default().set("log.level=trace")).await?;
    let made = create(&scene, "/a", json!({ "secrets": [{ "value": PRIVATE }] })).await?;
    let encoded = PRIVATE.strip_prefix("whsk_").context("a private key")?;
    let seed = &STANDARD.decode(encoded)?[..32];
    let one = format!("/v1/endpoints/{}", id(&made)?);
    let mut shown = vec![made.to_string()];
    for path in [&one, &format!("{one}/secrets"), "/v1/endpoints", "/v1/audit"] {
        shown.push(scene.client.get(path).await?.expect(StatusCode::OK)?.body.to_string());
    }
    for text in shown {
        ensure!(text.contains(PUBLIC) && !text.contains("whsk_") && !text.contains(&encoded[..32]), "{text}");
    }
    scene.client.send("a", &json!(1)).await?;
    scene.receiver.wait_for("/a", 1).await?;
    scene.gateway.stop().await?;
    for path in files(scene.gateway.home())? {
        let bytes = fs::read(&path)?;
        for form in [seed, &encoded.as_bytes()[..32]] {
            let hit = bytes.windows(form.len()).any(|window| window == form);
            ensure!(!hit, "the private key is in {}", path.display());
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_receiver_of_an_earlier_sender_verifies_what_it_always_did_and_can_move_over() -> Result<()> {
    let scene = Scene::start().await?;
    let other: &[u8] = b"another secret of 28 bytes..";
    let secrets = json!([{ "value": symmetric(other) }, { "value": symmetric(OLD) }]);
    let hex = json!({ "style": "hmac-hex", "header": "X-Hub-Signature-256", "prefix": "sha256=" });
    let timestamped = json!({ "style": "timestamped", "header": "Stripe-Signature" });
    let one = create(&scene, "/hex", json!({ "secret": symmetric(OLD), "signature": hex })).await?;
    create(&scene, "/stamped", json!({ "secrets": secrets, "signature": timestamped })).await?;
    assert_eq!(one["signature"]["header"], "x-hub-signature-256");
    scene.client.send("a", &json!({ "ü": 1 })).await?;
    let request = scene.receiver.wait_for("/hex", 1).await?.remove(0);
    let expected = format!("sha256={}", hmac_hex(OLD, &request.body));
    assert_eq!(request.header("x-hub-signature-256"), expected);
    Webhook::new(&symmetric(OLD))?.verify(&request.body, &request.headers)?;
    let stamped = scene.receiver.wait_for("/stamped", 1).await?.remove(0);
    let at = stamped.header("webhook-timestamp");
    let message = [at.as_bytes(), b".", &stamped.body].concat();
    let [new, old] = [other, OLD].map(|secret| hmac_hex(secret, &message));
    assert_eq!(stamped.header("stripe-signature"), format!("t={at},v1={new},v1={old}"));
    let path = format!("/v1/endpoints/{}", id(&one)?);
    let moved = scene.client.patch(&path, &json!({ "signature": null })).await?.expect(StatusCode::OK)?;
    assert_eq!(moved.body["signature"], json!({ "style": "standard" }));
    scene.client.send("a", &json!(2)).await?;
    let request = scene.receiver.wait_for("/hex", 2).await?.remove(1);
    ensure!(!request.headers.contains_key("x-hub-signature-256"));
    Webhook::new(&symmetric(OLD))?.verify(&request.body, &request.headers)?;
    Ok(())
}

#[tokio::test]
async fn a_style_without_a_symmetric_secret_holds_deliveries_until_one_of_them_changes() -> Result<()> {
    let scene = Scene::start().await?;
    let style = json!({ "style": "timestamped", "header": "x-signature" });
    let pair = json!({ "secrets": [{ "type": "ed25519" }], "signature": style });
    for (path, restyle) in [("/a", true), ("/b", false)] {
        let made = create(&scene, path, pair.clone()).await?;
        let endpoint = format!("/v1/endpoints/{}", id(&made)?);
        let event = scene.client.send("a", &json!(1)).await?;
        let held = scene.client.delivery_in(&event, id(&made)?, &["held"]).await?;
        ensure!(held["reason"].as_str().is_some_and(|reason| reason.contains("secret")), "{held}");
        ensure!(scene.receiver.requests(path).is_empty(), "nothing goes out without its signatures");
        if restyle {
            scene.client.patch(&endpoint, &json!({ "signature": null })).await?.expect(StatusCode::OK)?;
        } else {
            let added = scene.client.post(&format!("{endpoint}/secrets"), &json!({})).await?;
            added.expect(StatusCode::CREATED)?;
        }
        let request = scene.receiver.wait_for(path, 1).await?.remove(0);
        assert_eq!(of_version(&request, "v1a").len(), 1);
        assert_eq!(request.headers.contains_key("x-signature"), !restyle);
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_sign_is_refused_with_its_pointer_and_changes_nothing() -> Result<()> {
    let scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({ "headers": { "X-Mine": "1" } })).await?;
    let one = format!("/v1/endpoints/{}", endpoint.id);
    let before = scene.client.get(&one).await?.body;
    let misfit = PRIVATE.replace("whsk_6X", "whsk_7X");
    for (body, pointer) in [
        (json!({ "value": misfit }), "/value"),
        (json!({ "value": PUBLIC }), "/value"),
        (json!({ "value": symmetric(&[7; 23]) }), "/value"),
        (json!({ "value": symmetric(&[7; 65]) }), "/value"),
        (json!({ "type": "ed25519", "value": symmetric(OLD) }), "/type"),
        (json!({ "type": "rsa" }), "/type"),
    ] {
        let answer = scene.client.post(&format!("{one}/secrets"), &body).await?;
        assert_eq!(answer.body["pointer"], pointer, "{body}");
        answer.expect_problem(422, "")?;
    }
    for (signature, pointer) in [
        (json!({}), "/signature/style"),
        (json!({ "style": "md5" }), "/signature/style"),
        (json!({ "style": "hmac-hex" }), "/signature/header"),
        (json!({ "style": "timestamped", "header": "webhook-signature" }), "/signature/header"),
        (json!({ "style": "timestamped", "header": "Host" }), "/signature/header"),
        (json!({ "style": "timestamped", "header": "a\r\nb" }), "/signature/header"),
        (json!({ "style": "timestamped", "header": "x-mine" }), "/signature/header"),
        (json!({ "style": "hmac-hex", "header": "x-a", "prefix": "a\r\nb: c" }), "/signature/prefix"),
    ] {
        let answer = scene.client.patch(&one, &json!({ "signature": signature })).await?;
        assert_eq!(answer.body["pointer"], pointer, "{signature}");
        answer.expect_problem(422, "")?;
    }
    assert_eq!(scene.client.get(&one).await?.body, before, "a refusal changes nothing");
    Ok(())
}

#[tokio::test]
async fn every_attempt_has_the_same_id_and_bytes_and_the_time_of_its_own() -> Result<()> {
    let scene = Scene::start().await?;
    scene.receiver.script("/a", [Answer::status(500), Answer::status(200)]);
    let style = json!({ "style": "timestamped", "header": "x-signature" });
    let endpoint = scene.endpoint("/a", json!({ "retry": ["2s"], "signature": style })).await?;
    let event = scene.client.send("a", &json!({ "n": 1 })).await?;
    let delivery = scene.client.delivery_in(&event, &endpoint.id, &["delivered"]).await?;
    let requests = scene.receiver.wait_for("/a", 2).await?;
    assert_eq!((requests[0].id(), &requests[0].body), (requests[1].id(), &requests[1].body));
    assert_ne!(requests[0].header("webhook-timestamp"), requests[1].header("webhook-timestamp"));
    let log = scene.client.delivery(id(&delivery)?).await?;
    for (n, request) in requests.iter().enumerate() {
        Webhook::new(&endpoint.secret)?.verify(&request.body, &request.headers)?;
        let started_at: jiff::Timestamp =
            log["attempt_log"][n]["started_at"].as_str().context("a time")?.parse()?;
        let seconds = started_at.as_second().to_string();
        assert_eq!(request.header("webhook-timestamp"), seconds, "it is that of the attempt");
        ensure!(request.header("x-signature").starts_with(&format!("t={seconds},v1=")));
    }
    Ok(())
}
