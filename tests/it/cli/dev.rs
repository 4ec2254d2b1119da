//! `hookway plugin dev`: from a change of the source to a plugin at work.

use std::fs;

use anyhow::{Result, ensure};
use hookway_tests::command::Hookway;
use hookway_tests::gateway::Setup;
use hookway_tests::guests::guest;
use hookway_tests::patience::eventually;
use serde_json::{Value, json};

use crate::scene::Scene;

#[tokio::test]
async fn a_change_is_built_compared_and_put_to_work_and_a_broken_one_is_waited_out() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("tag", guest("switchable-v1")?)).await?;
    scene.endpoint_with("/a", "tag", json!({})).await?;
    scene.client.send("orders/created", &json!({ "n": 1 })).await?;
    scene.receiver.wait_for("/a", 1).await?;
    let before = scene.client.plugin_active("tag").await?["version"].clone();

    let home = tempfile::tempdir()?;
    let source = home.path().join("source");
    fs::copy(guest("switchable-v1")?, &source)?;
    let folder = home.path().to_string_lossy();
    // What is not a component yet fails to build, as a compiler would.
    let build = "test ! -e broken && cp source tag.wasm";
    let args = ["plugin", "dev", &folder, "--build", build];
    let mut dev = Hookway::of(&scene.gateway).start(&args)?;
    let says = |words: &'static str| move |line: &str| line.contains(words).then_some(());
    dev.find("what it builds with", says("$ test ! -e broken && cp source tag.wasm")).await?;
    dev.find("that nothing is different", says("1 judgements: 1 the same")).await?;
    dev.find("what is live", says("was live already; nothing changed")).await?;
    assert_eq!(scene.client.plugin_active("tag").await?["version"], before);

    fs::write(home.path().join("broken"), "")?;
    dev.find("that it builds again", says("$ test")).await?;
    fs::copy(guest("switchable-v2")?, &source)?;
    dev.find("that it builds again", says("$ test")).await?;
    assert_eq!(scene.client.plugin_active("tag").await?["version"], before, "what is broken goes nowhere");
    fs::remove_file(home.path().join("broken"))?;
    dev.find("what is different", says("+ /v  2")).await?;
    dev.find("what is live", says("is live, in the place of")).await?;
    let is_other = |plugin: &Value| plugin["version"] != before;
    scene.client.plugin_when("tag", "the new version is live", is_other).await?;
    eventually("an event meets it", || async {
        scene.client.send("orders/created", &json!({ "n": 2 })).await?;
        let all = scene.receiver.requests("/a");
        Ok(all.iter().any(|request| request.body.starts_with(br#"{"v":2,"#)).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_plugin_that_is_new_goes_into_a_directory_with_its_manifest() -> Result<()> {
    let scene = Scene::start().await?;
    let home = tempfile::tempdir()?;
    fs::copy(guest("switchable-v1")?, home.path().join("source"))?;
    let sample =
        "[[samples]]\nevent = { topic = \"orders/created\", data = { n = 1 } }\nexpect = \"deliver\"\n";
    fs::write(home.path().join("big-orders.toml"), format!("topics = [\"orders/*\"]\n{sample}"))?;
    fs::write(home.path().join("build.sh"), "mkdir -p dist && cp source dist/big_orders.wasm\n")?;
    let (folder, into) = (home.path().to_string_lossy(), scene.gateway.plugins_dir());
    let into = into.to_string_lossy().into_owned();
    let mut dev = Hookway::of(&scene.gateway).start(&["plugin", "dev", &folder, "--into", &into])?;
    let is_in = |line: &str| line.contains("big-orders is in ").then_some(());
    dev.find("where it went", is_in).await?;
    let plugin = scene.client.plugin_active("big-orders").await?;
    ensure!(plugin["version"].as_str().is_some_and(|version| version.contains('+')), "{plugin}");
    Ok(())
}

#[tokio::test]
async fn what_cannot_begin_says_what_is_missing() -> Result<()> {
    let home = tempfile::tempdir()?;
    let folder = home.path().to_string_lossy();
    let hookway = Hookway::default();
    hookway.run(&["plugin", "dev", &folder]).await?.ends(2, "say what builds it with --build")?;
    hookway.run(&["plugin", "dev", "/nonexistent", "--build", "true"]).await?.ends(2, "no folder")?;
    Ok(())
}
