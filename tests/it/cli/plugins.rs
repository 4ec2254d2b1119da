//! `hookway plugin push | versions | rollback | delete`.

use std::fs;

use anyhow::{Result, ensure};
use hookway_tests::command::Hookway;
use hookway_tests::gateway::Setup;
use hookway_tests::guests::guest;
use hookway_tests::patience::eventually;
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

#[tokio::test]
async fn a_candidate_is_tried_shown_changed_promoted_and_discarded() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("tagger", guest("switchable-v1")?)).await?;
    let hookway = Hookway::of(&scene.gateway);
    scene.client.plugin_active("tagger").await?;
    scene.endpoint("/a", json!({ "plugins": [{ "plugin": "tagger" }] })).await?;
    let file = guest("switchable-v2")?.to_string_lossy().into_owned();
    let push = ["plugin", "candidate", "push", &file, "--name", "tagger"];
    hookway.ok(&push).await?.says("in shadow: running since")?;
    scene.client.send("a", &json!({})).await?;
    let compared = || async {
        let shown = hookway.json(&["plugin", "candidate", "show", "tagger"]).await?;
        Ok((shown["counts"]["different"] == 1).then_some(()))
    };
    eventually("one comparison", compared).await?;
    hookway.ok(&["plugin", "candidate", "show", "tagger"]).await?.says("\"pointer\": \"/v\"")?;
    hookway.run(&["plugin", "candidate", "set", "tagger"]).await?.ends(2, "--shadow or --percent")?;
    let set = ["plugin", "candidate", "set", "tagger", "--percent", "100"];
    hookway.ok(&set).await?.says("decides 100 % of the events")?;
    hookway.ok(&["plugin", "candidate", "promote", "tagger"]).await?.says("is live, in the place of")?;
    hookway.run(&["plugin", "candidate", "show", "tagger"]).await?.expect(3)?;
    let back = guest("switchable-v1")?.to_string_lossy().into_owned();
    hookway.ok(&["plugin", "candidate", "push", &back, "--name", "tagger", "--percent", "1"]).await?;
    hookway
        .ok(&["plugin", "candidate", "discard", "tagger"])
        .await?
        .says("discarded the candidate of tagger")?;
    hookway.run(&["plugin", "candidate", "discard", "tagger"]).await?.expect(3)?;
    Ok(())
}
