//! The log as people ask it: events that nobody wanted, deliveries that were dropped and by whom, what was wrong, and how
//! many of how many arrived.

use anyhow::{Context as _, Result, ensure};
use hookway_tests::command::Hookway;
use hookway_tests::gateway::Setup;
use hookway_tests::patience::eventually;
use hookway_tests::receiver::Answer;
use serde_json::{Value, json};

use crate::scene::Scene;

async fn events(scene: &Scene, query: &str) -> Result<Vec<Value>> {
    let path = format!("/v1/events?{query}");
    let page = scene.client.get(&path).await?.expect(http::StatusCode::OK)?.body;
    Ok(page["data"].as_array().context("a list has `data`")?.clone())
}

#[tokio::test]
async fn events_are_listed_whether_or_not_somebody_wanted_them() -> Result<()> {
    let scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({ "topics": ["orders/*"], "tenant": "acme" })).await?.id;
    let send = async |id: &str, topic: &str| {
        let event = json!({ "event": topic, "event_id": id, "tenant": "acme", "data": {} });
        scene.client.send_event(&event).await
    };
    send("wanted", "orders/created").await?;
    send("unwanted", "products/created").await?;
    scene.client.delivery_in("wanted", &endpoint, &["delivered"]).await?;
    let unmatched = eventually("it is known that nobody wants it", || async {
        Ok(events(&scene, "tenant=acme&matched=false").await?.pop())
    })
    .await?;
    ensure!(unmatched["event_id"] == "unwanted" && unmatched["matched"] == false, "{unmatched}");
    let matched = events(&scene, "tenant=acme&matched=true").await?;
    ensure!(matched.len() == 1 && matched[0]["event_id"] == "wanted", "{matched:?}");
    ensure!(matched[0]["deliveries"][0]["endpoint_id"] == endpoint && matched[0]["delivery_count"] == 1);
    let ids: Vec<_> =
        events(&scene, "tenant=acme").await?.iter().map(|event| event["event_id"].clone()).collect();
    assert_eq!(ids, ["unwanted", "wanted"], "newest first");
    let hookway = Hookway::of(&scene.gateway);
    hookway.ok(&["event", "list"]).await?.says("nobody wanted it")?.says("1 delivered")?;
    let listed = hookway.rows(&["event", "list", "--matched", "false"]).await?;
    ensure!(listed.len() == 1 && listed[0]["event_id"] == "unwanted", "{listed:?}");
    let by_topic = events(&scene, "topic=orders/created").await?;
    ensure!(by_topic.len() == 1 && by_topic[0]["event_id"] == "wanted");
    let first = scene.client.get("/v1/events?limit=1").await?.body;
    let cursor = first["next_cursor"].as_str().context("there is one more")?;
    send("later", "orders/created").await?;
    let second = events(&scene, &format!("limit=1&cursor={cursor}")).await?;
    ensure!(second[0]["event_id"] == "wanted", "a page stays where it was: {second:?}");
    for (query, word) in [("matched=maybe", "matched"), ("cursor=1", "cursor"), ("status=held", "status")] {
        scene.client.get(&format!("/v1/events?{query}")).await?.expect_refusal(word)?;
    }
    Ok(())
}

#[tokio::test]
async fn statistics_say_how_many_arrived_how_fast_and_what_was_wrong_last() -> Result<()> {
    let scene = Scene::with(Setup::default().set(r#"deliver.retry=["10ms"]"#)).await?;
    let hookway = Hookway::of(&scene.gateway);
    scene.receiver.script("/flaky", [Answer::status(503), Answer::status(200)]);
    scene.receiver.script("/broken", [Answer::status(500), Answer::Reset]);
    let filter = json!({ "data": { "n": { "$gt": 100 } } });
    let flaky = scene.endpoint("/flaky", json!({ "tenant": "acme" })).await?.id;
    let broken = scene.endpoint("/broken", json!({ "tenant": "acme" })).await?.id;
    let picky = scene.endpoint("/picky", json!({ "tenant": "acme", "filter": filter })).await?.id;
    let event = json!({ "event": "orders/created", "event_id": "one", "tenant": "acme", "data": { "n": 1 } });
    scene.client.send_event(&event).await?;
    for (endpoint, status) in [(&flaky, "delivered"), (&broken, "failed"), (&picky, "filtered")] {
        scene.client.delivery_in("one", endpoint, &[status]).await?;
    }
    let stats =
        async |path: &str| anyhow::Ok(scene.client.get(path).await?.expect(http::StatusCode::OK)?.body);
    let of_endpoint = stats(&format!("/v1/endpoints/{broken}/stats")).await?;
    for window in ["1h", "24h", "7d"] {
        let window = &of_endpoint["windows"][window];
        let counts = ["created", "delivered", "failed", "filtered"].map(|name| window[name].as_i64());
        assert_eq!(counts, [Some(1), Some(0), Some(1), Some(0)], "{window}");
        let attempts = &window["attempts"];
        ensure!(
            attempts["total"] == 2 && attempts["failed"] == 2 && attempts["p50_ms"].is_f64(),
            "{attempts}"
        );
        ensure!(window["delivery_rate"] == 0.0, "{window}");
    }
    let last = &of_endpoint["last_error"];
    ensure!(last["class"] == "protocol" && last["attempt"] == 2 && last["message"].is_string(), "{last}");
    for path in ["/v1/stats", "/v1/stats?tenant=acme", "/v1/stats?topic=orders/created"] {
        let all = stats(path).await?;
        let hour = &all["windows"]["1h"];
        let counts = ["created", "delivered", "failed", "filtered"].map(|name| hour[name].as_i64());
        assert_eq!(counts, [Some(3), Some(1), Some(1), Some(1)], "{path}: {hour}");
        ensure!(hour["delivery_rate"] == 0.5 && hour["attempts"]["total"] == 4, "{hour}");
    }
    let nothing = stats("/v1/stats?tenant=umbrella").await?;
    ensure!(
        nothing["windows"]["7d"]["delivery_rate"].is_null() && nothing["last_error"].is_null(),
        "{nothing}"
    );

    let said = hookway.ok(&["stats", "--tenant", "acme"]).await?.says("50.0%")?;
    said.says("waiting: 0 pending, 0 retrying, 0 held")?.says("last error: ")?;
    hookway.ok(&["endpoint", "stats", &flaky]).await?.says("100.0%")?.says("the receiver answered 503")?;
    assert_eq!(hookway.json(&["endpoint", "stats", &picky]).await?["windows"]["1h"]["filtered"], 1);
    hookway.run(&["endpoint", "stats", "ep_x"]).await?.expect(3)?;
    Ok(())
}

#[tokio::test]
async fn what_waits_for_an_inactive_endpoint_is_counted_as_held_and_found_as_such() -> Result<()> {
    let scene = Scene::with(Setup::default().set(r#"deliver.retry=["1h"]"#)).await?;
    scene.receiver.script("/a", [Answer::status(500)]);
    let endpoint = scene.endpoint("/a", json!({})).await?.id;
    let id = scene.client.send("a", &json!(1)).await?;
    scene.client.delivery_in(&id, &endpoint, &["retrying"]).await?;
    let path = format!("/v1/endpoints/{endpoint}");
    let waiting = async || {
        let stats = scene.client.get(&format!("{path}/stats")).await?.expect(http::StatusCode::OK)?.body;
        anyhow::Ok(stats["waiting"].clone())
    };
    assert_eq!(waiting().await?, json!({ "pending": 0, "retrying": 1, "held": 0 }));
    let mut held = scene.client.tail("status=held&recent=5", None).await?;
    scene.client.post(&format!("{path}/deactivate"), &json!({})).await?.expect(http::StatusCode::OK)?;
    assert_eq!(waiting().await?, json!({ "pending": 0, "retrying": 0, "held": 1 }));
    ensure!(scene.client.deliveries("status=retrying").await?.is_empty());
    ensure!(scene.client.deliveries("status=held").await?.len() == 1);
    let next = scene.client.send("a", &json!(2)).await?;
    let row = held.find(|row| row["event_id"] == next).await?;
    ensure!(row["status"] == "held", "{row}");
    Ok(())
}

#[tokio::test]
async fn a_row_of_a_delivery_without_an_answer_says_what_was_wrong() -> Result<()> {
    let scene = Scene::with(Setup::default().set(r#"deliver.retry=["1h"]"#)).await?;
    scene.receiver.script("/a", [Answer::Reset]);
    let endpoint = scene.endpoint("/a", json!({})).await?.id;
    let id = scene.client.send("a", &json!(1)).await?;
    let row = scene.client.delivery_in(&id, &endpoint, &["retrying"]).await?;
    ensure!(row["last_error"]["class"] == "protocol", "{row}");
    ensure!(row["last_error"]["message"].as_str().is_some_and(|message| message.contains(' ')), "{row}");
    Ok(())
}
