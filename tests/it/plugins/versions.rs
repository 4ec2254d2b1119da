//! Versions over the API: uploaded under load, refused, gone back to, deleted, and whole after `kill -9`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hookway_tests::client::{Answer, Client};
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{guest, install, plugin};
use hookway_tests::patience::{eventually, within};
use hookway_tests::receiver::Received;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::load::{Load, all_arrive, none_twice};
use crate::scene::Scene;

const WASM: &str = "application/wasm";
/// Each kill hits another moment of an upload.
const KILLS: usize = 4;

async fn push(client: &Client, name: &str, bytes: Vec<u8>) -> Result<Answer> {
    let path = format!("/v1/plugins/{name}");
    client.call(Method::PUT, &path, &[("content-type", WASM)], Some(Bytes::from(bytes))).await
}

/// A form with these parts.
async fn push_form(client: &Client, name: &str, parts: &[(&str, &[u8])]) -> Result<Answer> {
    let mut form = Vec::new();
    for (name, bytes) in parts {
        form.extend(format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n").into_bytes());
        form.extend_from_slice(bytes);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(b"--x--\r\n");
    let path = format!("/v1/plugins/{name}");
    let headers = [("content-type", "multipart/form-data; boundary=x")];
    client.call(Method::PUT, &path, &headers, Some(form.into())).await
}

fn tagger(version: u32) -> Result<Vec<u8>> {
    Ok(fs::read(guest(&format!("switchable-v{version}"))?)?)
}

async fn versions(client: &Client, name: &str) -> Result<Vec<Value>> {
    let answer = client.get(&format!("/v1/plugins/{name}/versions")).await?.expect(StatusCode::OK)?;
    Ok(answer.body["data"].as_array().cloned().unwrap_or_default())
}

fn text(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("not a text: {value}"))
}

/// The files that are kept of versions, drafts included.
fn kept(scene: &Scene) -> Result<Vec<PathBuf>> {
    let folder = scene.gateway.home().join("data/plugin-versions");
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

#[tokio::test]
async fn a_plugin_comes_changes_goes_back_and_goes_over_the_api_alone() -> Result<()> {
    let scene = Scene::start().await?;
    let pushed = push(&scene.client, "tagger", tagger(1)?).await?.expect(StatusCode::CREATED)?.body;
    ensure!(pushed["changed"] == true && pushed["previous"].is_null(), "{pushed}");
    let first = text(&pushed["version"])?;
    let endpoint = scene.endpoint("/a", json!({ "plugins": [{ "plugin": "tagger" }] })).await?;
    scene.client.send("a", &json!({})).await?;
    ensure!(scene.receiver.wait_for("/a", 1).await?[0].json()?["v"] == 1);
    let again = push(&scene.client, "tagger", tagger(1)?).await?.expect(StatusCode::OK)?.body;
    ensure!(again["changed"] == false && again["version"] == first.as_str(), "{again}");

    let manifest = b"topics = [\"a\"]";
    let parts: [(&str, &[u8]); 2] = [("manifest", manifest), ("component", &tagger(2)?)];
    let pushed = push_form(&scene.client, "tagger", &parts).await?.expect(StatusCode::OK)?.body;
    ensure!(pushed["previous"] == first.as_str(), "{pushed}");
    scene.client.send("a", &json!({})).await?;
    ensure!(scene.receiver.wait_for("/a", 2).await?[1].json()?["v"] == 2);
    ensure!(fs::read(scene.gateway.plugins_dir().join("tagger.toml"))? == manifest);

    let back = format!("/v1/plugins/tagger/versions/{first}/rollback");
    let back = scene.client.post(&back, &json!({})).await?.expect(StatusCode::OK)?.body;
    ensure!(back["version"] == first.as_str() && back["previous"] == pushed["version"], "{back}");
    scene.client.send("a", &json!({})).await?;
    ensure!(scene.receiver.wait_for("/a", 3).await?[2].json()?["v"] == 1);
    ensure!(!scene.gateway.plugins_dir().join("tagger.toml").exists(), "the version has no manifest");
    let all = versions(&scene.client, "tagger").await?;
    let shown: Vec<_> = all.iter().map(|one| (&one["version"], &one["live"], &one["origin"])).collect();
    let (live, old) = (json!(true), json!(false));
    let expected =
        [(&back["version"], &live, &json!("rollback")), (&pushed["version"], &old, &json!("upload"))];
    ensure!(shown == expected, "{all:?}");
    ensure!(all[0]["key"].as_str().is_some_and(|key| key.starts_with("key_")), "{all:?}");

    let in_use = scene.client.delete("/v1/plugins/tagger").await?.expect_problem(409, &endpoint.id)?;
    ensure!(in_use.body["code"] == "plugin_in_use", "{in_use:?}");
    let settings = json!({ "plugins": [{ "plugin": "tagger" }] });
    scene.client.patch("/v1/tenants/acme", &settings).await?.expect(StatusCode::OK)?;
    scene.client.delete("/v1/plugins/tagger").await?.expect_problem(409, "all endpoints of tenant `acme`")?;
    scene.client.delete("/v1/plugins/tagger?force=true").await?.expect(StatusCode::NO_CONTENT)?;
    scene.client.get("/v1/plugins/tagger").await?.expect_problem(404, "plugin")?;
    scene.client.get("/v1/plugins/tagger/versions").await?.expect_problem(404, "plugin")?;
    ensure!(kept(&scene)?.is_empty() && !scene.gateway.plugins_dir().join("tagger.wasm").exists());
    let audit = scene.client.get("/v1/audit?limit=20").await?.expect(StatusCode::OK)?.body;
    let rows = audit["data"].as_array().context("a list has `data`")?.iter();
    let rows: Vec<_> = rows.filter(|row| row["target"] == "tagger").map(|row| &row["action"]).collect();
    let expected = ["plugin.deleted", "plugin.rolled_back", "plugin.installed", "plugin.installed"];
    ensure!(rows == expected, "{audit}");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_with_a_sentence_and_changes_nothing() -> Result<()> {
    let setup =
        Setup::default().plugin("tagger", guest("switchable-v1")?).set("plugins.max_file_bytes=200000");
    let scene = Scene::with(setup).await?;
    let live = scene.client.plugin_active("tagger").await?;
    let good = tagger(2)?;
    let large = vec![0; 200_001];
    let client = &scene.client;
    push(client, "tagger", b"hello".to_vec()).await?.expect_problem(422, "not WebAssembly")?;
    push(client, "tagger", Vec::new()).await?.expect_problem(422, "empty")?;
    push(client, "tagger", good[..good.len() / 2].to_vec()).await?.expect_problem(422, "component")?;
    push(client, "Tagger", good.clone()).await?.expect_problem(422, "a-z")?;
    push(client, "tagger", large.clone()).await?.expect_problem(413, "plugins.max_file_bytes")?;
    push_form(client, "tagger", &[("component", &large)])
        .await?
        .expect_problem(413, "plugins.max_file_bytes")?;
    push_form(client, "tagger", &[("manifest", &vec![b'#'; 300_000])])
        .await?
        .expect_problem(413, "manifest")?;
    push_form(client, "tagger", &[("manifest", b"topcs = []")]).await?.expect_problem(422, "topcs")?;
    push_form(client, "tagger", &[("file", &good)]).await?.expect_problem(400, "component")?;
    push_form(client, "tagger", &[("component", &good), ("component", &good)])
        .await?
        .expect_problem(400, "once")?;
    push_form(client, "tagger", &[]).await?.expect_problem(400, "")?;
    push_form(client, "other", &[("manifest", b"topics = []")]).await?.expect_problem(422, "other.wasm")?;
    let put = async |headers: &[(&str, &str)]| {
        client.call(Method::PUT, "/v1/plugins/tagger", headers, Some(good.clone().into())).await
    };
    put(&[("content-type", "application/json")]).await?.expect_problem(415, "application/wasm")?;
    put(&[("content-type", "multipart/form-data")]).await?.expect_problem(415, "boundary")?;
    put(&[("content-type", WASM), ("content-encoding", "gzip")]).await?.expect_problem(415, "compressed")?;
    put(&[("content-type", "multipart/form-data; boundary=x")]).await?.expect_problem(400, "form")?;
    client
        .post("/v1/plugins/tagger/versions/x/rollback", &json!({}))
        .await?
        .expect_problem(404, "not kept")?;
    client.delete("/v1/plugins/nothing").await?.expect_problem(404, "plugin")?;
    let tried = client.call(
        Method::PUT,
        "/v1/plugins/tagger?dry_run=true",
        &[("content-type", WASM)],
        Some(good.clone().into()),
    );
    ensure!(tried.await?.expect(StatusCode::OK)?.body["changed"] == true);

    half_of_one(&scene, &good).await?;
    let one_left = async || Ok((kept(&scene)?.len() == 1).then_some(()));
    eventually("nothing is left of what was refused", one_left).await?;
    let now = client.plugin_active("tagger").await?;
    ensure!(now["version"] == live["version"] && now["loaded_at"] == live["loaded_at"], "{now}");
    ensure!(versions(client, "tagger").await?.len() == 1);
    ensure!(fs::read(scene.gateway.plugins_dir().join("tagger.wasm"))? == tagger(1)?);
    ensure!(fs::read_dir(scene.gateway.plugins_dir())?.count() == 1);
    Ok(())
}

/// Half of an upload, and then nobody.
async fn half_of_one(scene: &Scene, good: &[u8]) -> Result<()> {
    let mut broken = TcpStream::connect(scene.gateway.address()).await?;
    let head = format!(
        "PUT /v1/plugins/tagger HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: {WASM}\r\n\
         content-length: {}\r\n\r\n",
        scene.gateway.key(),
        good.len()
    );
    broken.write_all(head.as_bytes()).await?;
    broken.write_all(&good[..good.len() / 2]).await?;
    drop(broken);
    Ok(())
}

#[tokio::test]
async fn a_version_that_fails_with_what_it_is_used_for_is_refused() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("some", guest("refuse-config")?)).await?;
    scene.client.plugin_active("some").await?;
    scene.endpoint_with("/a", "some", json!({ "expr": "1 +" })).await?;
    let refused = push(&scene.client, "some", fs::read(plugin("cel-filter")?)?).await?;
    refused.expect_problem(422, "with a configuration that is in use (tenant `default`)")?;
    scene.client.send("a", &json!(1)).await?;
    scene.receiver.wait_for("/a", 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_said_and_files_still_come_in_the_other_way() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("tagger", guest("switchable-v1")?)).await?;
    scene.client.plugin_active("tagger").await?;
    // Root may write anywhere, but not a file over a directory.
    fs::create_dir(scene.gateway.plugins_dir().join("other.wasm"))?;
    let refused = push(&scene.client, "other", tagger(1)?).await?;
    ensure!(refused.expect_problem(409, "cannot be written")?.body["code"] == "plugins_dir_not_writable");
    install(&guest("switchable-v2")?, &scene.gateway.plugins_dir(), "tagger")?;
    let newest = async || {
        let all = versions(&scene.client, "tagger").await?;
        Ok((all.len() == 2 && all[0]["live"] == true).then_some(all))
    };
    let all = eventually("the file is a version like any other", newest).await?;
    ensure!(all.iter().all(|one| one["origin"] == "file" && one["key"].is_null()), "{all:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_and_roll_backs_under_load_lose_and_double_nothing() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("tagger", guest("switchable-v1")?)).await?;
    let first = text(&scene.client.plugin_active("tagger").await?["version"])?;
    scene.endpoint("/a", json!({ "plugins": [{ "plugin": "tagger" }] })).await?;
    let load = Load::start(&scene.client, 8);
    for _ in 0..5 {
        push(&scene.client, "tagger", tagger(2)?).await?.expect(StatusCode::OK)?;
        load.reached(load.count() + 50).await?;
        let back = format!("/v1/plugins/tagger/versions/{first}/rollback");
        scene.client.post(&back, &json!({})).await?.expect(StatusCode::OK)?;
        load.reached(load.count() + 50).await?;
    }
    let accepted = load.finish().await?;
    let requests = all_arrive(&scene.receiver, "/a", &accepted).await?;
    let version = |one: &Received| one.json().map(|body| body["v"].clone()).unwrap_or_default();
    for expected in [1, 2] {
        ensure!(requests.iter().any(|one| version(one) == expected), "version {expected} did its work");
    }
    ensure!(requests.iter().all(|one| version(one) == 1 || version(one) == 2), "an event skipped the plugin");
    none_twice(&requests)
}

/// Pushes one version after the other until the gateway does not answer any more.
async fn push_on(client: Client, done: watch::Sender<usize>) -> Result<()> {
    let bytes = [tagger(1)?, tagger(2)?];
    for number in 0_usize.. {
        let manifest = format!("topics = [\"a\"] # {number}");
        let parts: [(&str, &[u8]); 2] =
            [("component", &bytes[number % 2]), ("manifest", manifest.as_bytes())];
        let answer = push_form(&client, "tagger", &parts).await;
        if !answer.is_ok_and(|answer| answer.status.is_success()) {
            break;
        }
        done.send_modify(|done| *done += 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_directory_history_and_what_is_live_agree_and_the_audit_log_is_whole() -> Result<()> {
    let mut scene = Scene::start().await?;
    for round in 0..KILLS {
        let (done, mut seen) = watch::channel(0);
        let pushing = tokio::spawn(push_on(scene.client.clone(), done));
        within("pushes", seen.wait_for(|&pushed| pushed >= 3 + round)).await?.context("pushes")?;
        scene.gateway.kill().await?;
        within("the pusher noticed", pushing).await???;
        let answered = *seen.borrow();
        scene.gateway.restart().await?;
        let live = scene.client.plugin_active("tagger").await?;
        let all = versions(&scene.client, "tagger").await?;
        ensure!(all[0]["live"] == true && all[0]["version"] == live["version"], "round {round}: {all:?}");
        ensure!(all[0]["origin"] == "upload", "round {round}: both files or none: {}", all[0]);
        ensure!(all.len() >= answered.min(10), "round {round}: {answered} were answered: {all:?}");
        let chain = scene.client.get("/v1/audit/verify").await?.expect(StatusCode::OK)?.body;
        ensure!(chain["intact"] == true, "round {round}: {chain}");
        let names: Vec<_> = fs::read_dir(scene.gateway.plugins_dir())?.collect();
        ensure!(names.len() == 2, "round {round}: a component and its manifest: {names:?}");
        let files: usize = all.iter().map(|one| usize::from(one["manifest"].is_string())).sum();
        ensure!(kept(&scene)?.len() == files + 2, "round {round}: two components and {files} manifests");
    }
    Ok(())
}
