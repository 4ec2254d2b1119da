//! The projects of `hookway plugin new`: in each language each kind is loaded with its manifest, whose samples come out, and does the same.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookway_tests::command::Hookway;
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{install, install_manifest};
use hookway_tests::templates::{Project, projects};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::scene::{Scene, run_of};

/// An interpreter is compiled for 15 s, and there are six; for longer beside other tests.
const FOR_INTERPRETERS: Duration = Duration::from_mins(8);

async fn active(scene: &Scene, plugin: &str) -> Result<()> {
    let asking = async {
        loop {
            let status = scene.client.get(&format!("/v1/plugins/{plugin}")).await?.body;
            ensure!(status["state"] != "degraded", "{plugin}: {status}");
            if status["state"] == "active" {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(FOR_INTERPRETERS, asking).await.with_context(|| format!("waited long for {plugin}"))?
}

/// A filter that drops orders below `minimum`.
async fn filters(scene: &Scene, plugin: &str) -> Result<()> {
    let path = format!("/{plugin}");
    refuses(scene, plugin, json!({ "minimum": "many" }), "`minimum` must be a number").await?;
    refuses(scene, plugin, json!({}), "`minimum` is missing").await?;
    let endpoint = scene.endpoint_with(&path, plugin, json!({ "minimum": 100 })).await?;
    for too_small in [json!({ "total": 99.5 }), json!({ "total": "100" }), json!([])] {
        let id = scene.client.send("orders/created", &too_small).await?;
        let dropped = scene.client.delivery_in(&id, &endpoint.id, &["filtered"]).await?;
        let reason = dropped["reason"].as_str().unwrap_or_default();
        ensure!(reason.contains("the total is below 100"), "{plugin}: {dropped}");
    }
    let id = scene.client.send("orders/created", &json!({ "total": 100 })).await?;
    let sent = scene.receiver.wait_for(&path, 1).await?;
    assert_eq!((sent[0].id(), &sent[0].json()?["data"]), (id.as_str(), &json!({ "total": 100 })), "{plugin}");
    let delivered = scene.client.delivery_in(&id, &endpoint.id, &["delivered"]).await?;
    ensure!(run_of(&delivered, plugin) != &Value::Null, "{delivered}");
    Ok(())
}

/// A transform that sends the bare data of the event, with its topic in a header.
async fn transforms(scene: &Scene, plugin: &str) -> Result<()> {
    let path = format!("/{plugin}");
    refuses(scene, plugin, json!({ "header": 7 }), "`header` must be a text").await?;
    refuses(scene, plugin, json!({}), "`header` is missing").await?;
    scene.endpoint_with(&path, plugin, json!({ "header": "x-about" })).await?;
    let order = json!({ "total": 100, "note": "\u{1F60E} ü \" \u{0}" });
    scene.client.send("orders/created", &order).await?;
    let sent = scene.receiver.wait_for(&path, 1).await?;
    assert_eq!(sent[0].json()?, order, "{plugin} sends the bare data");
    assert_eq!(
        (sent[0].header("x-about"), sent[0].header("content-type")),
        ("orders/created", "application/json")
    );
    takes_many_large_events(scene, plugin).await
}

/// As many bytes as make every language collect its garbage, whatever it does at that moment.
async fn takes_many_large_events(scene: &Scene, plugin: &str) -> Result<()> {
    const EVENTS: usize = 100;
    let path = format!("/{plugin}");
    let before = scene.receiver.requests(&path).len();
    let order = json!({ "total": 100, "note": "n".repeat(200_000) });
    for _ in 0..EVENTS {
        scene.client.send("orders/large", &order).await?;
    }
    scene.receiver.wait_for(&path, before + EVENTS).await?;
    let status = scene.client.get(&format!("/v1/plugins/{plugin}")).await?.body;
    ensure!(status["usage"]["errors"] == 0, "{plugin}: {status}");
    Ok(())
}

/// A matcher by how topics begin.
async fn matches(scene: &Scene, plugin: &str) -> Result<()> {
    let path = format!("/{plugin}");
    let with = |topics: &[&str]| json!({ "matcher": plugin, "topics": topics });
    let refused = scene.client.post("/v1/endpoints", &scene.described(&path, with(&["orders/", ""]))).await?;
    refused
        .expect_refusal("pattern 2 is empty")
        .with_context(|| format!("{plugin} speaks of its patterns"))?;
    scene.endpoint(&path, with(&["orders/", "stock/up"])).await?;
    let mut wanted = Vec::new();
    for (topic, is_wanted) in
        [("orders/created", true), ("orders", false), ("returns/created", false), ("stock/updated", true)]
    {
        let id = scene.client.send(topic, &json!(1)).await?;
        wanted.extend(is_wanted.then_some(id));
    }
    let mut sent: Vec<_> =
        scene.receiver.wait_for(&path, 2).await?.iter().map(|request| request.id().to_owned()).collect();
    wanted.sort_unstable();
    sent.sort_unstable();
    assert_eq!(sent, wanted, "{plugin}");
    Ok(())
}

async fn refuses(scene: &Scene, plugin: &str, config: Value, sentence: &str) -> Result<()> {
    let with = json!({ "plugins": [{ "plugin": plugin, "config": config }] });
    let refused = scene.client.post("/v1/endpoints", &scene.described("/refused", with)).await?;
    refused.expect_refusal(sentence).map(drop).with_context(|| format!("{plugin} speaks of its config"))
}

#[tokio::test]
async fn a_new_project_in_each_language_does_what_it_says_and_starts_warm() -> Result<()> {
    let setup = Setup::default().set("plugins.deadline=5s").set("plugins.max_deadline=5s");
    let mut scene = Scene::with(setup).await?;
    let mut built: Vec<Project> = Vec::new();
    for project in projects() {
        if let Some(component) = project.find()? {
            let (name, folder) = (project.name(), scene.gateway.plugins_dir());
            // The samples run beside other tests on a machine that is busy.
            let manifest = project.manifest()?.replace("deadline_ms = 50 ", "deadline_ms = 5000 ");
            // A start would wait for all that is compiled.
            install(&component, &folder, &name)?;
            install_manifest(&manifest, &folder, &name)?;
            built.push(project);
        }
    }
    for project in &built {
        let name = project.name();
        active(&scene, &name).await?;
        match project.kind {
            "filter" => filters(&scene, &name).await?,
            "transform" => transforms(&scene, &name).await?,
            _ => matches(&scene, &name).await?,
        }
    }
    scene.gateway.stop().await?;
    let started = tokio::time::Instant::now();
    scene.gateway.restart().await?;
    for project in &built {
        active(&scene, &project.name()).await?;
    }
    eprintln!("{} plugins were live {} ms after the start", built.len(), started.elapsed().as_millis());
    let log = std::fs::read_to_string(scene.gateway.home().join("gateway.log"))?;
    assert_eq!(log.matches("plugin is compiled").count(), built.len(), "the second start compiles nothing");
    Ok(())
}

#[tokio::test]
async fn a_project_that_cannot_be_is_refused_in_a_sentence() -> Result<()> {
    let home = tempfile::tempdir()?;
    std::fs::write(home.path().join("mine"), "")?;
    let path = home.path().to_string_lossy().into_owned();
    let hookway = Hookway::default();
    let new = ["plugin", "new"];
    let run = async |args: &[&str]| hookway.run(&[&new[..], args].concat()).await;
    run(&["Big", "--lang", "c"]).await?.ends(2, "a plugin is named by 1 to 63 characters")?;
    run(&["big", "--lang", "cobol"]).await?.ends(2, "possible values: rust, js, python, go, c")?;
    run(&["big", "--lang", "c", "--path", &path]).await?.ends(1, "name another with --path")?;
    run(&["big", "--lang", "go", "--sdk", &path]).await?.ends(1, "--sdk names the SDK for Rust")?;
    run(&["big", "--lang", "rust", "--sdk", &path]).await?.ends(1, "there is no crate `hookway-plugin`")?;
    assert_eq!(std::fs::read_dir(home.path())?.count(), 1, "nothing was written");
    Ok(())
}
