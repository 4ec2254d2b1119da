//! Clients that public generators make of the document work: create an endpoint, send an event, read the delivery.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookway_tests::toolbox::{OPENAPI, PYTHON};
use tokio::process::Command;

use crate::scene::Scene;

/// To generate, compile and run a client; a busy machine takes half of it.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn the_generated_python_client_sends_an_event_and_reads_its_delivery() -> Result<()> {
    let Some(tools) = OPENAPI.find("the generated Python client")? else { return Ok(()) };
    let scene = Scene::start().await?;
    let folder = tempfile::tempdir()?;
    let python = tools.join(PYTHON).join("bin");
    // The tools that it runs to format what it made are beside it.
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", python.display());
    let document = format!("{}/openapi.json", scene.gateway.base());
    let mut generate = Command::new(python.join("openapi-python-client"));
    generate.args(["generate", "--url", &document, "--meta", "none"]);
    generate.args(["--output-path", "hookway_client"]).env("PATH", &path).current_dir(folder.path());
    let said = run("openapi-python-client", &mut generate).await?;
    // It has no functions for bodies that are not JSON, and says so. It has to have everything else.
    let count = |word: &str| said.lines().filter(|line| line.starts_with(word)).count();
    ensure!(count("WARNING") == count("Unsupported content type"), "{said}");
    let mut smoke = Command::new(python.join("python"));
    smoke.arg(OPENAPI.sources().join("smoke.py")).env("PYTHONPATH", folder.path());
    arrives(&scene, "/python", &mut smoke).await
}

#[tokio::test]
async fn the_generated_typescript_client_sends_an_event_and_reads_its_delivery() -> Result<()> {
    let Some(tools) = OPENAPI.find("the generated TypeScript client")? else { return Ok(()) };
    let scene = Scene::start().await?;
    let folder = tempfile::tempdir()?;
    let modules = tools.join("node_modules");
    std::os::unix::fs::symlink(&modules, folder.path().join("node_modules"))?;
    std::fs::copy(OPENAPI.sources().join("smoke.ts"), folder.path().join("smoke.ts"))?;
    std::fs::write(folder.path().join("package.json"), r#"{ "type": "module" }"#)?;
    let mut generate = node(&modules, "openapi-typescript", folder.path());
    generate.args([&format!("{}/openapi.json", scene.gateway.base()), "-o", "hookway.d.ts"]);
    run("openapi-typescript", &mut generate).await?;
    let mut compile = node(&modules, "tsc", folder.path());
    compile.args([
        "--strict",
        "--target",
        "es2022",
        "--module",
        "nodenext",
        "--lib",
        "es2022,dom",
        "smoke.ts",
    ]);
    run("tsc", &mut compile).await?;
    let mut smoke = Command::new("node");
    smoke.arg("smoke.js").current_dir(folder.path());
    arrives(&scene, "/typescript", &mut smoke).await
}

/// Runs a smoke test with the address, the key and a URL of the receiver, and looks at what arrived there.
async fn arrives(scene: &Scene, path: &str, smoke: &mut Command) -> Result<()> {
    smoke.args([&scene.gateway.base(), scene.gateway.key(), &scene.receiver.url(path)]);
    let said = run(&format!("the smoke test of {path}"), smoke).await?;
    let request = scene.receiver.wait_for(path, 1).await?.remove(0);
    ensure!(said.trim() == format!("delivered {} 200", request.id()), "it says {said:?}");
    Ok(())
}

fn node(modules: &Path, program: &str, folder: &Path) -> Command {
    let mut command = Command::new("node");
    command.arg(modules.join(".bin").join(program)).current_dir(folder);
    command
}

async fn run(what: &str, command: &mut Command) -> Result<String> {
    let command = command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output
        .with_context(|| format!("{what} does not end"))?
        .with_context(|| format!("{what} does not start"))?;
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{what} failed:\n{said}\n{failed}");
    Ok(said.into_owned())
}
