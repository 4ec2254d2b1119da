//! `hookway doctor`, of a gateway that runs, was killed and was stopped; and of a log that was changed on the disk.

use std::fs;

use anyhow::{Context as _, Result};
use hookway_tests::command::Hookway;
use serde_json::json;

use crate::scene::Scene;

#[tokio::test]
async fn the_data_of_a_gateway_that_was_killed_is_looked_at_and_left_as_it_is() -> Result<()> {
    let mut scene = Scene::start().await?;
    let data = scene.gateway.home().join("data");
    let directory = data.to_str().context("a path that is text")?.to_owned();
    let doctor = ["doctor", "--data-dir", directory.as_str()];
    let hookway = Hookway::default();
    scene.endpoint("/a", json!({})).await?;
    for n in 0..20 {
        scene.client.send("orders/created", &json!({ "n": n })).await?;
    }
    hookway.run(&doctor).await?.ends(1, "in use by another process")?;
    scene.gateway.kill().await?;
    let read = |file: &str| fs::read(data.join(file));
    let before = (read("hookway.redb")?, read("hookway.wal")?);
    hookway.run(&doctor).await?.expect(0)?.says("20 events")?.says("nothing is wrong")?;
    let found = hookway.run(&[&doctor[..], &["--json"]].concat()).await?.expect(0)?.out;
    let found: serde_json::Value = serde_json::from_str(&found)?;
    assert_eq!(found["store"]["closed"], json!(false));
    assert!((read("hookway.redb")?, read("hookway.wal")?) == before, "looking changed a file");
    scene.gateway.restart().await?;
    scene.gateway.stop().await?;
    hookway.run(&doctor).await?.expect(0)?.says(", closed")?;
    hookway.run(&["doctor", "--data-dir", "/nowhere"]).await?.ends(1, "cannot be opened")?;
    Ok(())
}
