//! A store whose file was changed on the disk: what cannot be sent any more says so, and everything else goes on.

use std::fs;

use anyhow::{Context, Result, ensure};
use hookway_tests::command::Hookway;
use http::StatusCode;
use serde_json::json;

use crate::scene::Scene;

const CHANGED: &str = "a payload that is changed";

/// Changes a byte of this text wherever the store has it.
fn change(scene: &Scene, text: &str) -> Result<()> {
    let path = scene.gateway.home().join("data/hookway.redb");
    let mut bytes = fs::read(&path)?;
    let found = bytes.windows(text.len()).enumerate().filter(|(_, window)| *window == text.as_bytes());
    let places: Vec<_> = found.map(|(at, _)| at).collect();
    ensure!(!places.is_empty(), "the store has no {text:?}");
    places.into_iter().for_each(|at| bytes[at] ^= 1);
    fs::write(path, bytes).context("the store can be written")
}

#[tokio::test]
async fn a_payload_that_was_changed_on_the_disk_is_given_up_with_a_reason_and_holds_up_nothing() -> Result<()>
{
    let mut scene = Scene::start().await?;
    // An order would wait for it for ever.
    let endpoint = scene.endpoint("/a", json!({ "ordering": "fifo" })).await?;
    let path = format!("/v1/endpoints/{}", endpoint.id);
    scene.client.post(&format!("{path}/deactivate"), &json!({})).await?.expect(StatusCode::OK)?;
    let lost = scene.client.send("a", &json!(CHANGED)).await?;
    let kept = scene.client.send("a", &json!("a payload that stays")).await?;
    for event in [&lost, &kept] {
        scene.client.delivery_in(event, &endpoint.id, &["held"]).await?;
    }
    scene.gateway.stop().await?;
    change(&scene, CHANGED)?;
    scene.gateway.restart().await?;
    scene.client.post(&format!("{path}/activate"), &json!({})).await?.expect(StatusCode::OK)?;
    assert_eq!(scene.receiver.wait_for("/a", 1).await?[0].id(), kept);
    let failed = scene.client.delivery_in(&lost, &endpoint.id, &["failed"]).await?;
    ensure!(failed["reason"].as_str().is_some_and(|why| why.contains("changed on the disk")), "{failed}");
    scene.client.delivery_in(&kept, &endpoint.id, &["delivered"]).await?;
    assert_eq!(scene.receiver.requests("/a").len(), 1);

    // It is in every list, without what nobody can vouch for.
    assert_eq!(scene.client.deliveries("").await?.len(), 2);
    let listed = scene.client.get("/v1/events").await?.expect(StatusCode::OK)?.body;
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(2));
    let shown = scene.client.get(&format!("/v1/events/{lost}")).await?.expect_problem(500, "a backup may")?;
    assert_eq!(shown.body["code"], "damaged");
    let metrics = scene.client.get("/metrics").await?.expect(StatusCode::OK)?.body;
    ensure!(metrics.as_str().is_some_and(|text| text.contains("\nhookway_store_damaged_total 1\n")));
    ensure!(scene.gateway.log_tail().contains("is given up; run `hookway doctor`"));
    scene.gateway.stop().await?;
    let data = scene.gateway.home().join("data").display().to_string();
    let examined = Hookway::default().run(&["doctor", "--data-dir", &data]).await?;
    examined
        .expect(10)?
        .says("pages of hookway.redb were changed")?
        .says("1 row of `events` cannot be read")?;
    Ok(())
}
