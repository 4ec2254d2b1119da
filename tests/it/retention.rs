//! Retention in the real binary: what is over goes, what is not stays, and both can be seen.

use anyhow::{Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::patience::eventually;
use hookway_tests::receiver::Answer;
use http::StatusCode;
use serde_json::json;

use crate::scene::Scene;

#[tokio::test]
async fn what_is_over_is_gone_after_its_age_and_what_waits_is_there() -> Result<()> {
    let setup = Setup::default().set("retention.max_age=1s").set("retention.max_bytes=67108864");
    let mut scene = Scene::with(setup.set(r#"deliver.retry=["1h"]"#)).await?;
    scene.endpoint("/a", json!({ "topics": ["a/*"] })).await?;
    scene.receiver.script("/down", [Answer::status(500)]);
    scene.endpoint("/down", json!({ "topics": ["b/*"] })).await?;
    let event = json!({ "event": "a/b", "event_id": "order-1", "data": 1 });
    scene.client.send_event(&event).await?;
    scene.receiver.wait_for("/a", 1).await?;
    let waits = scene.client.send("b/c", &json!(2)).await?;
    let only_what_waits = async || {
        let page = scene.client.get("/v1/events").await?.expect(StatusCode::OK)?.body;
        let ids: Vec<_> =
            page["data"].as_array().into_iter().flatten().map(|one| one["event_id"].clone()).collect();
        Ok((ids == [json!(waits)]).then_some(()))
    };
    eventually("the first is removed", only_what_waits).await?;
    scene.client.get("/v1/events/order-1").await?.expect_problem(404, "event")?;
    let again = scene.client.post("/v1/events", &event).await?.expect(StatusCode::ACCEPTED)?.body;
    ensure!(again["duplicate"] == false, "what is not known any more is new: {again}");
    scene.receiver.wait_for("/a", 2).await?;
    scene.gateway.kill().await?;
    scene.gateway.restart().await?;
    eventually("it is removed again", only_what_waits).await?;
    let metrics = scene.client.get("/metrics").await?;
    ensure!(metrics.status == StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn limits_that_the_disk_has_no_room_for_are_told_at_the_start() -> Result<()> {
    let setup = Setup::default().set("retention.max_bytes=4000000000000000000");
    let scene = Scene::with(setup).await?;
    eventually("the log says so", || async {
        let log = scene.gateway.log_tail();
        Ok(log.contains("together are more than the disk has for the store").then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_limit_that_is_too_low_is_refused_with_a_sentence() -> Result<()> {
    let mut scene = Scene::start().await?;
    scene.gateway.stop().await?;
    let low = Setup::default().set("retention.max_bytes=1000");
    let refused = scene.gateway.restart_with(low).await.unwrap_err();
    ensure!(format!("{refused:?}").contains("at least 67108864 bytes"), "{refused:?}");
    Ok(())
}
