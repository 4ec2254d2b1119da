//! What needs no gateway: `listen`, `sign`, `verify`, `completions`.

use anyhow::{Context, Result};
use hookway_tests::command::Hookway;
use serde_json::{Value, json};

use crate::scene::Scene;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const BODY: &str = r#"{"test": 2432232314}"#;
/// From the tests of the reference libraries.
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

#[tokio::test]
async fn a_delivery_is_heard_and_verified_and_answered_as_told() -> Result<()> {
    let scene = Scene::start().await?;
    let listen = [
        "listen",
        "--port",
        "0",
        "--secret",
        SECRET,
        "--fail-first",
        "1",
        "--status",
        "202",
        "--delay",
        "1ms",
    ];
    let mut listening = Hookway::default().start(&listen)?;
    let address =
        listening.find("it listens", |line| line.strip_prefix("listening on ").map(str::to_owned)).await?;
    let endpoint = json!({ "url": format!("{address}/hook"), "topics": ["**"], "secret": SECRET });
    let endpoint = scene.client.create_endpoint(&endpoint).await?;
    let id = scene.client.send("orders/created", &json!({ "n": 1 })).await?;
    listening.find("a request", |line| line.starts_with("POST /hook").then_some(())).await?;
    listening.find("its signature", |line| (line == "  signature verified").then_some(())).await?;
    listening.find("its body", |line| (line == "      \"n\": 1").then_some(())).await?;
    let delivery = scene.client.delivery_in(&id, &endpoint.id, &["delivered"]).await?;
    assert_eq!((&delivery["attempts"], &delivery["last_status"]), (&json!(2), &json!(202)));
    Ok(())
}

#[tokio::test]
async fn answers_are_given_one_after_the_other() -> Result<()> {
    let listen =
        ["listen", "--port", "0", "--fail-first", "1", "--status", "201,404,204", "--delay", "1ms,0s"];
    let mut listening = Hookway::default().start(&listen)?;
    let address =
        listening.find("it listens", |line| line.strip_prefix("listening on ").map(str::to_owned)).await?;
    let receiver = hookway_tests::client::Client::new(address, "hk_none");
    for status in [500, 201, 404, 204, 204] {
        assert_eq!(receiver.get("/").await?.status, status);
    }
    Hookway::default().run(&["listen", "--status", "200,oops"]).await?.ends(2, "--status")?;
    Ok(())
}

#[tokio::test]
async fn signatures_are_made_and_verified_by_hand() -> Result<()> {
    let hookway = Hookway::default();
    let sign = ["sign", "--secret", SECRET, "--id", ID, "--timestamp", "1614265330", "--json"];
    let signed: Value = serde_json::from_str(&hookway.run_with(&sign, BODY).await?.expect(0)?.out)?;
    assert_eq!(signed["webhook-signature"], SIGNATURE);
    let verify = async |signature: &str, tolerance: &str, body: &str| {
        let request = ["verify", "--secret", SECRET, "--id", ID, "--timestamp", "1614265330"];
        hookway
            .run_with(&[&request[..], &["--signature", signature, "--tolerance", tolerance]].concat(), body)
            .await
    };
    verify(SIGNATURE, "0s", BODY).await?.expect(0)?.says("verified")?;
    verify(SIGNATURE, "0s", "{}").await?.ends(7, "no signature is that of this secret")?;
    verify("v2,x", "0s", BODY).await?.ends(7, "v1")?;
    verify(SIGNATURE, "5m", BODY).await?.ends(7, "before the time of this machine")?;
    let now = hookway.run_with(&["sign", "--secret", SECRET, "--id", ID], BODY).await?.expect(0)?.out;
    let header = |name: &str| {
        let line = now.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.context("three headers")
    };
    let (timestamp, signature) = (header("webhook-timestamp")?, header("webhook-signature")?);
    let fresh =
        ["verify", "--secret", SECRET, "--id", ID, "--timestamp", timestamp, "--signature", signature];
    hookway.run_with(&fresh, BODY).await?.expect(0)?;
    hookway.run(&["sign", "--id", ID]).await?.ends(2, "--secret-file")?;
    hookway.run(&["sign", "--id", ID, "--secret", "whsec_"]).await?.expect(2)?;
    Ok(())
}

#[tokio::test]
async fn completions_name_the_nouns() -> Result<()> {
    for shell in ["bash", "zsh", "fish"] {
        Hookway::default().ok(&["completions", shell]).await?.says("delivery")?;
    }
    Ok(())
}
