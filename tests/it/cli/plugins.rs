//! `hookway plugin push | versions | rollback | delete`.

use std::fs;

use anyhow::{Result, ensure};
use hookway_tests::command::Hookway;
use hookway_tests::guests::guest;
use serde_json::json;

use crate::scene::Scene;

#[tokio::test]
async fn a_plugin_is_pushed_listed_gone_back_to_and_deleted() -> Result<()> {
    let scene = Scene::start().await?;
    let hookway = Hookway::of(&scene.gateway);
    let home = tempfile::tempdir()?;
    let file = home.path().join("tagger.wasm").to_string_lossy().into_owned();
    fs::copy(guest("switchable-v1")?, &file)?;
    hookway
        .ok(&["plugin", "push", &file, "--dry-run"])
        .await?
        .says("would go live, and the plugin is new")?;
    hookway.run(&["plugin", "show", "tagger"]).await?.expect(3)?;
    hookway.ok(&["plugin", "push", &file]).await?.says("is live, and the plugin is new")?;
    hookway.ok(&["plugin", "push", file.trim_end_matches(".wasm")]).await?.says("nothing changed")?;
    let first = hookway.rows(&["plugin", "versions", "tagger"]).await?[0]["version"].clone();

    fs::copy(guest("switchable-v2")?, &file)?;
    fs::write(home.path().join("tagger.toml"), "topcs = []")?;
    hookway.run(&["plugin", "push", &file]).await?.ends(1, "unknown field `topcs`")?;
    fs::write(home.path().join("tagger.toml"), "topics = [\"a\"]")?;
    let pushed = hookway.json(&["plugin", "push", &file]).await?;
    ensure!(
        pushed["previous"] == first && pushed["version"].as_str().is_some_and(|it| it.contains('+')),
        "{pushed}"
    );
    hookway.ok(&["plugin", "versions", "tagger"]).await?.says("upload")?;
    hookway.ok(&["plugin", "rollback", "tagger"]).await?.says("in the place of")?;
    ensure!(hookway.json(&["plugin", "show", "tagger"]).await?["version"] == first);
    hookway.run(&["plugin", "rollback", "tagger", "0123456789abcdef"]).await?.expect(3)?;
    let bare = ["plugin", "push", &file, "--no-manifest", "--name", "other"];
    hookway.ok(&bare).await?.says("other: ")?;

    scene.endpoint("/a", json!({ "plugins": [{ "plugin": "tagger" }] })).await?;
    hookway.run(&["plugin", "delete", "tagger"]).await?.ends(5, "is used by endpoint `ep_")?;
    hookway.ok(&["plugin", "delete", "tagger", "--force"]).await?.says("deleted tagger")?;
    hookway.run(&["plugin", "versions", "tagger"]).await?.expect(3)?;
    hookway.run(&["plugin", "push", "/nowhere/p.wasm"]).await?.ends(1, "cannot read this file")?;
    Ok(())
}
