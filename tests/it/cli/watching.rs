//! What became of events: `event why`, `delivery list`, `show` and `tail`.

use anyhow::{Context, Result};
use hookway_tests::command::Hookway;
use hookway_tests::gateway::Setup;
use hookway_tests::receiver::Answer;
use serde_json::{Value, json};

use crate::scene::Scene;

#[tokio::test]
async fn why_an_event_did_not_arrive_is_said_for_each_endpoint() -> Result<()> {
    let scene = Scene::with(Setup::default().set(r#"deliver.retry=["1h"]"#)).await?;
    let hookway = Hookway::of(&scene.gateway);
    scene.receiver.script("/broken", [Answer::status(500)]);
    let works = scene.endpoint("/works", json!({ "tenant": "acme" })).await?.id;
    let broken = scene.endpoint("/broken", json!({ "tenant": "acme" })).await?.id;
    scene.endpoint("/other", json!({ "tenant": "acme", "topics": ["products/*"] })).await?;
    let filter = json!({ "data": { "total": { "$gt": 100 } } });
    scene.endpoint("/picky", json!({ "tenant": "acme", "filter": filter })).await?;
    let event =
        json!({ "event": "orders/created", "event_id": "order-42", "tenant": "acme", "data": {"total": 1} });
    scene.client.send_event(&event).await?;
    scene.client.delivery_in("order-42", &works, &["delivered"]).await?;
    scene.client.delivery_in("order-42", &broken, &["retrying"]).await?;

    let why = hookway.ok(&["event", "why", "--tenant", "acme", "order-42"]).await?;
    let why = why.says("The event order-42 (orders/created) of the tenant acme was accepted at ")?;
    let why = why.says("the receiver answered 200.")?.says("after 1 attempt; the next one is due at ")?;
    let why = why.says("answered 500.")?.says("its topics (products/*) do not accept orders/created.")?;
    why.says("It was not sent on purpose: the endpoint's filter does not let it through")?;
    let only = hookway.json(&["event", "why", "--tenant", "acme", "order-42", "--endpoint", &broken]).await?;
    assert_eq!((&only["endpoints"][0]["status"], &only["endpoints"][1]), (&json!("retrying"), &Value::Null));
    hookway.run(&["event", "why", "--tenant", "acme", "order-43"]).await?.ends(3, "log of the producer")?;
    Ok(())
}

#[tokio::test]
async fn a_delivery_is_shown_with_every_attempt() -> Result<()> {
    let scene = Scene::start().await?;
    let hookway = Hookway::of(&scene.gateway);
    let oops = Answer::status(500).header("x-why", "tired").body("\u{1b}[31moops");
    scene.receiver.script("/a", [oops, Answer::Reset, Answer::status(204)]);
    let endpoint = scene.endpoint("/a", json!({})).await?.id;
    let id = scene.client.send("orders/created", &json!({ "n": 1 })).await?;
    let delivery = scene.client.delivery_in(&id, &endpoint, &["delivered"]).await?;
    let delivery = delivery["id"].as_str().context("an id")?;
    hookway.ok(&["delivery", "list", "--status", "delivered", "--event-id", &id]).await?.says(delivery)?;
    let shown = hookway.ok(&["delivery", "show", delivery]).await?.says("delivered")?;
    let shown = shown.says("answered 500")?.says("x-why: tired")?.says(r"\u{1b}[31moops")?;
    let shown = shown.says("the connection broke")?.says("answered 204")?;
    shown.says("    \"data\": {\n      \"n\": 1\n    }\n")?;
    assert_eq!(hookway.json(&["delivery", "show", delivery]).await?, scene.client.delivery(delivery).await?);
    hookway.run(&["delivery", "show", "dlv_x"]).await?.expect(3)?;
    hookway.run(&["delivery", "list", "--status", "done"]).await?.ends(1, "status")?;
    Ok(())
}

#[tokio::test]
async fn the_log_is_followed_as_it_grows() -> Result<()> {
    let scene = Scene::start().await?;
    scene.endpoint("/a", json!({})).await?;
    let before = scene.client.send("a", &json!(1)).await?;
    scene.receiver.wait_for("/a", 1).await?;
    let mut tail = Hookway::of(&scene.gateway).start(&["delivery", "tail", "--json"])?;
    let delivered = |id: String| {
        move |line: &str| {
            let row: Value = serde_json::from_str(line).ok()?;
            (row["event_id"] == *id && row["status"] == "delivered").then_some(())
        }
    };
    tail.find("the delivery that was there", delivered(before)).await?;
    let after = scene.client.send("a", &json!(2)).await?;
    tail.find("the delivery that came later", delivered(after)).await?;
    Ok(())
}
