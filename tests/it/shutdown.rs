//! SIGTERM: drains, exits with 0, loses nothing, doubles nothing.

use anyhow::Result;
use hookway_tests::gateway::Setup;
use serde_json::json;

use crate::load::{Load, all_arrive, none_twice};
use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_exits_with_0_and_loses_nothing() -> Result<()> {
    let mut scene = Scene::start().await?;
    scene.endpoint("/a", json!({})).await?;
    let load = Load::start(&scene.client, 16);
    load.reached(300).await?;
    scene.gateway.stop().await?;
    let accepted = load.finish().await?;
    scene.gateway.restart().await?;
    let requests = all_arrive(&scene.receiver, "/a", &accepted).await?;
    none_twice(&requests)
}

#[tokio::test]
async fn a_gateway_without_work_ends_at_once() -> Result<()> {
    let mut gateway = Setup::default().start().await?;
    gateway.stop().await?;
    gateway.restart().await?;
    gateway.stop().await
}

#[tokio::test]
async fn a_setting_that_does_not_exist_is_refused_by_name() -> Result<()> {
    let Err(error) = Setup::default().set("deliver.no_such=1").start().await else {
        anyhow::bail!("it started");
    };
    let text = format!("{error:#}");
    anyhow::ensure!(text.contains("no_such"), "{text}");
    Ok(())
}
