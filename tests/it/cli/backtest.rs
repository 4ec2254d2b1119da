//! `hookway plugin backtest`: a version that is not live, on the events of a gateway.

use std::fs;

use anyhow::{Result, ensure};
use hookway_tests::command::Hookway;
use hookway_tests::gateway::Setup;
use hookway_tests::guests::guest;
use serde_json::{Value, json};

use crate::scene::Scene;

#[tokio::test]
async fn differences_are_shown_with_what_differs_and_decide_the_exit_code() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("tag", guest("switchable-v1")?)).await?;
    let hookway = Hookway::of(&scene.gateway);
    let home = tempfile::tempdir()?;
    let path = |name: &str| home.path().join(name).to_string_lossy().into_owned();
    let (same, other) = (path("tag.wasm"), path("other.wasm"));
    fs::copy(guest("switchable-v1")?, &same)?;
    fs::copy(guest("switchable-v2")?, &other)?;
    let nobody = hookway.ok(&["plugin", "backtest", &same]).await?;
    nobody.says("so there was nothing to judge")?;
    scene.endpoint_with("/a", "tag", json!({})).await?;
    for n in 0..3 {
        scene.client.send("orders/created", &json!({ "n": n })).await?;
    }
    scene.receiver.wait_for("/a", 3).await?;

    let equal = hookway.ok(&["plugin", "backtest", &same, "--fail-on-difference"]).await?;
    equal.says("3 judgements: 3 the same, 0 of the same meaning, 0 different (0.00 %)")?;
    let named = ["plugin", "backtest", &other, "--name", "tag"];
    let told = hookway.ok(&named).await?.says("1 change in the JSON\n- /v  1\n+ /v  2\n")?;
    let told = told.says("3 different (100.00 %)")?.says("VERSION")?;
    assert_eq!(told.out.matches("- /v  1").count(), 3, "{}", told.out);
    let few = hookway.run(&[&named[..], &["--show", "1", "--fail-on-difference"]].concat()).await?;
    ensure!(few.code == 8 && few.out.matches("- /v  1").count() == 1, "{few:?}");
    ensure!(few.err.contains("2 differences more are not shown"), "{few:?}");
    let limited = hookway.ok(&[&named[..], &["--limit", "2"]].concat()).await?;
    limited.says("2 events, back to ")?.says("; there are older ones (--limit)")?;

    // One that was live, after the other one is.
    let before = scene.client.plugin_active("tag").await?["version"].as_str().unwrap_or_default().to_owned();
    hookway.ok(&["plugin", "push", &other, "--name", "tag"]).await?;
    let kept = hookway.ok(&["plugin", "backtest", "tag", "--version", &before]).await?;
    kept.says("- /v  2\n+ /v  1\n")?;
    let none = hookway.run(&["plugin", "backtest", "tag", "--version", "0123456789abcdef"]).await?;
    none.ends(3, "this version is not kept")?;
    hookway.ok(&["plugin", "rollback", "tag", &before]).await?;
    // A manifest goes with its component: this one is for no event that came.
    fs::write(path("other.toml"), "topics = [\"stock/*\"]\n")?;
    hookway.ok(&named).await?.says("- /v  1\n")?;
    fs::remove_file(path("other.toml"))?;

    let lines = hookway.ok(&[&named[..], &["--json", "--show", "0"]].concat()).await?.out;
    let lines = lines.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let types: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap_or_default()).collect();
    assert_eq!(types, ["start", "difference", "difference", "difference", "summary"]);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_compared_says_why() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("tag", guest("switchable-v1")?)).await?;
    let hookway = Hookway::of(&scene.gateway);
    let home = tempfile::tempdir()?;
    let bad = home.path().join("tag.wasm").to_string_lossy().into_owned();
    fs::write(&bad, "text")?;
    hookway.run(&["plugin", "backtest", &bad]).await?.ends(1, "the file is not WebAssembly")?;
    hookway.run(&["plugin", "backtest", &bad, "--name", "none"]).await?.ends(3, "no plugin of this name")?;
    hookway.run(&["plugin", "backtest", "/nonexistent.wasm"]).await?.ends(1, "cannot read this file")?;
    hookway.run(&["plugin", "backtest", &bad, "--since", "today"]).await?.ends(1, "RFC 3339")?;
    Ok(())
}
