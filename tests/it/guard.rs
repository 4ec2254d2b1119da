//! What the environment of the process cannot change about where deliveries go and what leaves the process.

use std::io::ErrorKind;
use std::net::TcpListener;

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::Setup;
use serde_json::json;

use crate::scene::Scene;

const PROXY_VARIABLES: [&str; 6] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

#[tokio::test]
async fn proxies_in_the_environment_have_no_effect() -> Result<()> {
    let proxy = TcpListener::bind("127.0.0.1:0")?;
    proxy.set_nonblocking(true)?;
    let url = format!("http://{}", proxy.local_addr()?);
    let setup = PROXY_VARIABLES.iter().fold(Setup::default(), |setup, name| setup.env(name, &url));
    let scene = Scene::with(setup.env("NO_PROXY", "")).await?;
    scene.endpoint("/plain", json!({})).await?;
    let tls = scene.receiver.url("/tls").replacen("http:", "https:", 1);
    let tls = scene.endpoint("/tls", json!({ "url": tls })).await?;
    let id = scene.client.send("a", &json!(1)).await?;
    scene.receiver.wait_for("/plain", 1).await?;
    // The receiver does not speak TLS: that the attempt failed by that means that it was asked and nobody else.
    let failed = scene.client.delivery_in(&id, &tls.id, &["retrying", "failed"]).await?;
    let path = failed["id"].as_str().context("a delivery has an id")?;
    let class = &scene.client.delivery(path).await?["attempt_log"][0]["error"]["class"];
    ensure!(class == "tls", "{class}");
    let hit = proxy.accept().err().map(|error| error.kind());
    ensure!(hit == Some(ErrorKind::WouldBlock), "the proxy was asked");
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn what_it_writes_is_its_owners_alone() -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::start().await?;
    scene.client.send("a", &json!("what a customer sent")).await?;
    let data = scene.gateway.home().join("data");
    let mut paths = vec![data.clone()];
    paths.extend(std::fs::read_dir(&data)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?);
    ensure!(paths.len() > 3, "{paths:?}");
    for path in paths {
        let mode = path.metadata()?.permissions().mode();
        ensure!(mode & 0o077 == 0, "{} can be read by others: {mode:o}", path.display());
    }
    Ok(())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_process_leaves_no_core_dump_unless_it_is_told_to() -> Result<()> {
    let limit = |limits: String| {
        let line = limits.lines().find(|line| line.starts_with("Max core file size")).map(str::to_owned);
        line.context("/proc/PID/limits has the size of core files")
    };
    let strict = Setup::default().start().await?;
    let line = limit(strict.proc("limits")?)?;
    let sizes: Vec<_> = line.split_whitespace().skip(4).take(2).collect();
    ensure!(sizes == ["0", "0"], "{line}");
    let dumping = Setup::default().set("core_dumps=true").start().await?;
    let own = limit(std::fs::read_to_string("/proc/self/limits")?)?;
    ensure!(limit(dumping.proc("limits")?)? == own, "the limit that was inherited stays");
    Ok(())
}
