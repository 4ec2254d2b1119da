//! The command line: the nouns of the API, exit codes, profiles, and what is written where.

mod authoring;
mod backtest;
mod compact;
mod declared;
mod dev;
mod doctor;
mod local;
mod nouns;
mod plugins;
mod sending;
mod watching;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::Result;
use hookway_tests::command::Hookway;
use hookway_tests::gateway::Gateway;
use hookway_tests::receiver::Answer;
use serde_json::json;

use crate::scene::Scene;

#[tokio::test]
async fn exit_codes_say_what_went_wrong() -> Result<()> {
    let scene = Scene::start().await?;
    let hookway = Hookway::of(&scene.gateway);
    let url = scene.receiver.url("/a");
    hookway.ok(&["endpoint", "create", &url, "--topic", "**"]).await?;
    let run = async |args: &[&str]| hookway.run(args).await;
    run(&["endpoint", "create", &url, "--topic", "**"]).await?.ends(5, "has this URL already")?;
    run(&["endpoint", "create", &url, "--topic", "a b"]).await?.ends(1, "(at /topics/0)")?;
    run(&["endpoint", "get", "ep_x"]).await?.ends(3, "endpoint")?;
    run(&["endpoint", "get"]).await?.ends(2, "<ID>")?;
    run(&["endpoint", "list", "--address", "nowhere"]).await?.ends(2, "no address of a gateway")?;
    run(&["endpoint", "list", "--address", "http://127.0.0.1:1"]).await?.ends(6, "does the gateway run")?;
    run(&["endpoint", "list", "--address", &scene.receiver.url("")]).await?.ends(1, "not as expected")?;
    let stranger = hookway.clone().set("HOOKWAY_KEY", "hk_wrong");
    stranger.run(&["endpoint", "list"]).await?.ends(4, "API key")?;
    hookway.ok(&["--help"]).await?.says("6 no answer from the gateway")?;
    Ok(())
}

#[tokio::test]
async fn health_is_asked_without_a_key() -> Result<()> {
    let scene = Scene::start().await?;
    let hookway = Hookway::default().set("HOOKWAY_ADDRESS", &scene.gateway.base());
    hookway.ok(&["health"]).await?.says("takes events")?;
    assert_eq!(hookway.json(&["health"]).await?["status"], "ok");
    let stopping =
        json!({ "status": 503, "code": "not_ready", "title": "", "detail": "the gateway is stopping" });
    scene.receiver.script("/readyz", [Answer::status(503).body(stopping.to_string())]);
    let hookway = hookway.set("HOOKWAY_ADDRESS", &scene.receiver.url(""));
    hookway.run(&["health"]).await?.ends(1, "the gateway is stopping")?;
    hookway.set("HOOKWAY_ADDRESS", "http://127.0.0.1:1").run(&["health"]).await?.ends(6, "no answer")?;
    Ok(())
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for() -> Result<()> {
    let scene = Scene::start().await?;
    scene.receiver.script("/v1/keys", [Answer::Hang]);
    let hookway = Hookway::default().set("HOOKWAY_ADDRESS", &scene.receiver.url(""));
    hookway.run(&["key", "list", "--request-timeout", "50ms"]).await?.ends(6, "no answer")?;
    Ok(())
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_key() -> Result<()> {
    let scene = Scene::start().await?;
    let away = Answer::status(307).header("location", &scene.receiver.url("/away"));
    scene.receiver.script("/v1/tenants", [away]);
    let hookway = Hookway::of(&scene.gateway).set("HOOKWAY_ADDRESS", &scene.receiver.url(""));
    hookway.run(&["tenant", "list"]).await?.ends(1, "307")?;
    assert!(scene.receiver.requests("/away").is_empty());
    Ok(())
}

#[tokio::test]
async fn a_profile_names_gateway_and_key() -> Result<()> {
    let gateway = Gateway::start().await?;
    let config = gateway.home().join(".config/hookway");
    fs::create_dir_all(&config)?;
    let file = config.join("profiles.toml");
    let profile =
        |name: &str| format!("[{name}]\naddress = '{}'\nkey = '{}'\n", gateway.base(), gateway.key());
    fs::write(&file, profile("default") + &profile("test"))?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    let hookway = Hookway::at_home(gateway.home());
    hookway.run(&["key", "list"]).await?.ends(2, "chmod 600")?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    hookway.ok(&["key", "list"]).await?.says("admin")?;
    hookway.ok(&["key", "list", "--profile", "test"]).await?.says("admin")?;
    hookway.run(&["key", "list", "--profile", "none"]).await?.ends(2, "has no profile `none`")?;
    let flags = ["key", "list", "--address", &gateway.base(), "--key", gateway.key()];
    Hookway::default().run(&flags).await?.ends(0, "other processes can see flags")?;
    Ok(())
}

#[tokio::test]
async fn lists_are_followed_to_their_end_on_request() -> Result<()> {
    let scene = Scene::start().await?;
    let hookway = Hookway::of(&scene.gateway);
    for n in 0..5 {
        scene.endpoint(&format!("/{n}"), json!({})).await?;
    }
    let page = hookway.run(&["endpoint", "list", "--limit", "2", "--json"]).await?.ends(0, "--cursor ep_")?;
    assert_eq!(page.rows()?.len(), 2);
    let cursor = page.err.trim().rsplit(' ').next().unwrap_or_default();
    let next = hookway.rows(&["endpoint", "list", "--limit", "2", "--cursor", cursor]).await?;
    let all = hookway.rows(&["endpoint", "list", "--all"]).await?;
    assert_eq!((next[0]["id"].clone(), all.len()), (all[2]["id"].clone(), 5));
    let table = hookway.ok(&["endpoint", "list", "--all"]).await?;
    assert!(table.out.starts_with("ID ") && table.out.lines().count() == 6, "{}", table.out);
    hookway.run(&["endpoint", "list", "--tenant", "nobody"]).await?.ends(0, "nothing found")?;
    Ok(())
}
