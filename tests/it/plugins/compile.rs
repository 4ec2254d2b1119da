//! Compiling happens in a process of its own: bombs end there, it has nothing of the gateway's, and it ends with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::{Gateway, Setup};
use hookway_tests::guests::{install_bytes, plugin};
use hookway_tests::patience::eventually;
use serde_json::Value;
use tokio::time::timeout;

use crate::load::{Load, all_arrive, none_twice};
use crate::scene::Scene;

/// The compiler gives way to everything else, and tests run beside each other: a second of it may take a while.
const FOR_A_COMPILER: Duration = Duration::from_mins(3);
/// What the gateway itself may need for reading and checking the largest bomb, of 7 MiB.
const MAY_GROW_KIB: u64 = 200 << 10;

/// A component that would be a plugin if somebody compiled this module.
fn with_module(module: &str) -> Result<Vec<u8>> {
    let text = format!(
        r#"(component (core module {module}) (instance $i) (export "hookway:plugin/filter@1.0.0" (instance $i)))"#
    );
    Ok(wat::parse_str(text)?)
}

fn locals(functions: usize, each: usize) -> Result<Vec<u8>> {
    let mut uses = String::new();
    for local in 0..each {
        uses += &format!("(local.set {local} (local.get {}))", (local + 1) % each);
    }
    with_module(&format!("(func (local {}) {uses})", "i32 ".repeat(each)).repeat(functions))
}

/// About 1.6 MiB: four functions that are nothing but loops.
fn loops() -> Result<Vec<u8>> {
    let body = "(loop $l (br_if $l (local.get 0)) (local.set 0 (i32.add (local.get 0) (i32.const 1))))";
    with_module(&format!("(func (param i32) {})", body.repeat(26_000)).repeat(4))
}

/// The bombs of the checklist and one that is just within the limits, each with a word of the sentence it ends in.
fn bombs() -> Result<Vec<(&'static str, Vec<u8>, &'static str)>> {
    Ok(vec![
        ("locals", locals(1, 50_000)?, "too many locals"),
        ("more-locals", locals(6, 50_000)?, "too many locals"),
        ("functions", with_module(&"(func)".repeat(100_000))?, "too many functions"),
        ("more-functions", with_module(&"(func)".repeat(900_000))?, "too many functions"),
        ("loops", loops()?, "compiling the component takes more than 1 s of processor time"),
        // Compiled, or not: within the limits that is a matter of seconds.
        ("within-limits", locals(300, 5_000)?, "the component"),
    ])
}

async fn refused(scene: &Scene, plugin: &str) -> Result<String> {
    let asking = async {
        loop {
            let status = scene.client.get(&format!("/v1/plugins/{plugin}")).await?.body;
            if status["state"] == "degraded" {
                return Ok::<_, anyhow::Error>(status["reason"].as_str().unwrap_or_default().to_owned());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(FOR_A_COMPILER, asking).await.with_context(|| format!("waited long for the end of {plugin}"))?
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compile_bombs_end_outside_of_the_gateway_and_events_flow_on() -> Result<()> {
    let scene = Scene::with(Setup::default().set("plugins.compile_cpu=1s")).await?;
    scene.endpoint("/a", serde_json::json!({})).await?;
    let load = Load::start(&scene.client, 4);
    load.reached(100).await?;
    let before = scene.gateway.resident_kib()?;
    for (name, bytes, word) in bombs()? {
        install_bytes(&bytes, &scene.gateway.plugins_dir(), name)?;
        let reason = refused(&scene, name).await?;
        ensure!(reason.contains(word), "{name}: {reason}");
        load.reached(load.count() + 50).await.with_context(|| format!("events flow after {name}"))?;
        let grown = scene.gateway.resident_kib()?.saturating_sub(before);
        ensure!(grown < MAY_GROW_KIB, "the gateway grew by {grown} KiB with {name}");
    }
    let accepted = load.finish().await?;
    none_twice(&all_arrive(&scene.receiver, "/a", &accepted).await?)
}

/// The process that compiles for a gateway, once it has limited itself.
async fn compiler_of(gateway: &Gateway) -> Result<PathBuf> {
    let parent = gateway.proc("status")?;
    let parent =
        parent.lines().find_map(|line| line.strip_prefix("Pid:")).context("it has a pid")?.trim().to_owned();
    eventually("a process compiles", || async {
        Ok(children(&parent)?.into_iter().find(|child| niceness(child) == Some(5)))
    })
    .await
}

fn children(parent: &str) -> Result<Vec<PathBuf>> {
    let processes = fs::read_dir("/proc")?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_child = |process: &PathBuf| {
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("PPid:").is_some_and(|pid| pid.trim() == parent))
    };
    Ok(processes.filter(is_child).collect())
}

fn niceness(process: &Path) -> Option<i32> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(16)?.parse().ok()
}

fn soft_limits(process: &Path) -> Result<BTreeMap<String, String>> {
    let limits = fs::read_to_string(process.join("limits"))?;
    let row = |line: &str| {
        Some((line.get(..26)?.trim().to_owned(), line.get(26..)?.split_whitespace().next()?.to_owned()))
    };
    Ok(limits.lines().skip(1).filter_map(row).collect())
}

async fn compiling(settings: &[&str]) -> Result<Scene> {
    let mut setup = Setup::default().env("PLANTED", "a secret of the gateway");
    for setting in settings {
        setup = setup.set(setting);
    }
    let scene = Scene::with(setup).await?;
    install_bytes(&loops()?, &scene.gateway.plugins_dir(), "loops")?;
    Ok(scene)
}

#[tokio::test]
async fn the_process_that_compiles_has_limits_and_nothing_of_the_gateway() -> Result<()> {
    let scene = compiling(&["plugins.compile_cpu=33s", "plugins.compile_memory_bytes=999999488"]).await?;
    let child = compiler_of(&scene.gateway).await?;
    let environment = String::from_utf8_lossy(&fs::read(child.join("environ"))?).into_owned();
    let names: Vec<_> =
        environment.split_terminator('\0').filter_map(|line| line.split('=').next()).collect();
    assert_eq!(names, ["RAYON_NUM_THREADS"]);
    let files: Vec<_> =
        fs::read_dir(child.join("fd"))?.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok()).collect();
    ensure!(
        files.iter().all(|file| file.to_string_lossy().starts_with("pipe:")),
        "pipes and nothing else: {files:?}"
    );
    assert_eq!(fs::read_link(child.join("cwd"))?, Path::new("/"));
    let limits = soft_limits(&child)?;
    for (name, limit) in [
        ("Max cpu time", "33"),
        ("Max address space", "999999488"),
        ("Max file size", "0"),
        ("Max core file size", "0"),
        ("Max open files", "16"),
    ] {
        assert_eq!(limits.get(name).map(String::as_str), Some(limit), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_compilation_ends_with_its_gateway_however_that_ends() -> Result<()> {
    for is_killed in [true, false] {
        let mut scene = compiling(&[]).await?;
        let child = compiler_of(&scene.gateway).await?;
        if is_killed {
            scene.gateway.kill().await?;
        } else {
            scene.gateway.stop().await?;
        }
        // A zombie has no memory map any more.
        eventually("the compilation ends", || async {
            let command = fs::read(child.join("cmdline")).unwrap_or_default();
            Ok(command.is_empty().then_some(()))
        })
        .await?;
    }
    Ok(())
}

fn compilations(gateway: &Gateway) -> Result<usize> {
    let log = fs::read_to_string(gateway.home().join("gateway.log"))?;
    Ok(log.matches("plugin is compiled").count())
}

#[tokio::test]
async fn a_restart_compiles_nothing_but_what_was_changed_in_the_cache() -> Result<()> {
    let setup = Setup::default().plugin("redact", plugin("redact")?).plugin("mqtt", plugin("mqtt-topics")?);
    let mut scene = Scene::with(setup).await?;
    let restart = async |scene: &mut Scene| -> Result<usize> {
        scene.gateway.stop().await?;
        scene.gateway.restart().await?;
        for name in ["redact", "mqtt"] {
            scene.client.plugin_active(name).await?;
        }
        compilations(&scene.gateway)
    };
    scene.client.plugin_active("mqtt").await?;
    scene.client.plugin_active("redact").await?;
    assert_eq!(compilations(&scene.gateway)?, 2);
    assert_eq!(restart(&mut scene).await?, 2, "both are in the cache");

    let cache = scene.gateway.home().join("data/plugin-cache");
    for file in fs::read_dir(&cache)? {
        let path = file?.path();
        if path.file_name().is_some_and(|name| name.len() == 64) {
            let mut code = fs::read(&path)?;
            let middle = code.len() / 2;
            code[middle] ^= 0x10;
            fs::write(&path, code)?;
        }
    }
    assert_eq!(restart(&mut scene).await?, 4, "both were changed");
    ensure!(scene.gateway.log_tail().contains("it does not carry the seal of this gateway"));
    assert_eq!(restart(&mut scene).await?, 4);
    Ok(())
}

#[tokio::test]
async fn a_gateway_whose_program_was_replaced_compiles_with_the_one_that_runs() -> Result<()> {
    let home = tempfile::tempdir()?;
    let program = home.path().join("hookway");
    fs::copy(hookway_tests::command::program()?, &program)?;
    let scene = Scene::with(Setup::default().binary(program.clone())).await?;
    fs::remove_file(&program)?;
    fs::write(&program, "another version")?;
    hookway_tests::guests::install(&plugin("redact")?, &scene.gateway.plugins_dir(), "redact")?;
    let active: Value = scene.client.plugin_active("redact").await?;
    assert_eq!(active["state"], "active");
    Ok(())
}
