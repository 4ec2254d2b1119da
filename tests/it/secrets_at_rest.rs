//! Secrets on disk: never in clear, lost without their key, sealed anew after a rotation.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use hookway_tests::client::Endpoint;
use hookway_tests::gateway::Setup;
use hookway_tests::patience::eventually;
use serde_json::json;
use standardwebhooks::Webhook;

use crate::scene::Scene;

/// Known values, so that they can be looked for. The second is the value in all endpoints but the first.
const PLANTED: [&str; 2] =
    ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"];
const SECOND_KEY: &str = "second ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=";

async fn planted() -> Result<(Scene, Vec<Endpoint>)> {
    let scene = Scene::with(Setup::default().set("log.level=trace")).await?;
    let mut endpoints = Vec::new();
    for (n, secret) in PLANTED.iter().enumerate() {
        endpoints.push(scene.endpoint(&format!("/{n}"), json!({ "secret": secret })).await?);
    }
    Ok((scene, endpoints))
}

fn keys_file(scene: &Scene) -> PathBuf {
    scene.gateway.home().join("data/secrets.keys")
}

/// All files below a folder.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

/// The forms in which a secret could lie somewhere: as shown, as the bytes, as hex, as JSON of bytes.
pub(crate) fn forms(secret: &str) -> Result<Vec<Vec<u8>>> {
    let encoded = secret.strip_prefix("whsec_").context("a secret has a prefix")?;
    let bytes = base64_decoded(encoded);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let json = bytes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    Ok(vec![encoded.into(), bytes.clone(), hex.into(), json.into(), format!("{bytes:?}").into()])
}

fn base64_decoded(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| ALPHABET.iter().position(|known| *known == byte));
    let bits: Vec<bool> =
        digits.flat_map(|digit| (0..6).rev().map(move |bit| digit >> bit & 1 == 1)).collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | u8::from(*bit))).collect()
}

fn hits(scene: &Scene) -> Result<Vec<String>> {
    let mut hits = Vec::new();
    for path in files(scene.gateway.home())? {
        let bytes = fs::read(&path)?;
        for secret in PLANTED {
            for (n, form) in forms(secret)?.iter().enumerate() {
                if bytes.windows(form.len()).any(|window| window == form) {
                    hits.push(format!("form {n} of {secret} in {}", path.display()));
                }
            }
        }
    }
    Ok(hits)
}

/// An event to every endpoint, whose signatures hold.
async fn deliver(scene: &Scene, round: usize) -> Result<()> {
    scene.client.send("a", &json!(round)).await?;
    for (n, secret) in PLANTED.iter().enumerate() {
        let requests = scene.receiver.wait_for(&format!("/{n}"), round).await?;
        let last = requests.last().context("a request came")?;
        Webhook::new(secret)?.verify(&last.body, &last.headers)?;
    }
    Ok(())
}

#[tokio::test]
async fn no_secret_is_found_in_clear_in_any_file_or_in_the_log() -> Result<()> {
    let (mut scene, endpoints) = planted().await?;
    deliver(&scene, 1).await?;
    let path = format!("/v1/endpoints/{}/secrets", endpoints[0].id);
    scene.client.post(&path, &json!({ "value": PLANTED[0] })).await?.expect_refusal("already")?;
    scene.client.post(&path, &json!({ "value": PLANTED[1] })).await?;
    assert_eq!(hits(&scene)?, Vec::<String>::new());
    scene.gateway.kill().await?;
    scene.gateway.restart().await?;
    deliver(&scene, 2).await?;
    scene.gateway.stop().await?;
    assert_eq!(hits(&scene)?, Vec::<String>::new());
    fs::write(scene.gateway.home().join("control"), format!("x{}", PLANTED[1]))?;
    assert_eq!(hits(&scene)?.len(), 1, "what is there is found");
    Ok(())
}

#[tokio::test]
async fn without_its_key_the_gateway_refuses_to_start_and_leaves_the_store_alone() -> Result<()> {
    let (mut scene, _) = planted().await?;
    scene.gateway.stop().await?;
    let file = keys_file(&scene);
    let keys = fs::read_to_string(&file)?;
    assert_eq!(fs::metadata(&file)?.permissions().mode() & 0o777, 0o600);
    let id = keys.lines().last().and_then(|line| line.split(' ').next()).context("a key has an id")?;
    let store = scene.gateway.home().join("data/hookway.redb");
    let before = fs::read(&store)?;
    fs::remove_file(&file)?;
    let log = scene.gateway.refuses_to_start().await?;
    ensure!(log.contains(&format!("`{id}`")) && log.contains("secrets.keys_file"), "{log}");
    ensure!(!file.exists(), "no new key is made for a store that needs an old one");
    fs::write(&file, SECOND_KEY)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    ensure!(scene.gateway.refuses_to_start().await?.contains(&format!("`{id}`")));
    fs::write(&file, &keys)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    ensure!(scene.gateway.refuses_to_start().await?.contains("chmod 600"));
    ensure!(fs::read(&store)? == before, "the store was changed");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    scene.gateway.restart().await?;
    deliver(&scene, 1).await
}

#[tokio::test]
async fn after_a_rotation_the_old_key_can_be_taken_away() -> Result<()> {
    let (mut scene, _) = planted().await?;
    deliver(&scene, 1).await?;
    scene.gateway.stop().await?;
    let file = keys_file(&scene);
    let old = fs::read_to_string(&file)?;
    fs::write(&file, format!("{SECOND_KEY}\n{old}"))?;
    scene.gateway.restart().await?;
    deliver(&scene, 2).await?;
    eventually("the log says that the old key is not needed", || async {
        let log = fs::read_to_string(scene.gateway.home().join("gateway.log"))?;
        Ok(log.contains("no longer needed").then_some(()))
    })
    .await?;
    scene.gateway.kill().await?;
    fs::write(&file, SECOND_KEY)?;
    scene.gateway.restart().await?;
    deliver(&scene, 3).await?;
    scene.gateway.stop().await?;
    fs::write(&file, old)?;
    ensure!(scene.gateway.refuses_to_start().await?.contains("`second`"));
    Ok(())
}
