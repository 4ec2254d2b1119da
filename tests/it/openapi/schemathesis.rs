//! Schemathesis asks the real server what its document invites to, and what it does not: no 5xx, no answer that is not
//! described, none that is not as described, and nothing taken that the schemas forbid.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::toolbox::{OPENAPI, PYTHON};
use serde_json::json;
use tokio::process::Command;

use crate::scene::Scene;

/// It ends by itself after this many seconds, or sooner; this many more are for its start and its last request.
const SECONDS: u64 = 60;
const GRACE: u64 = 120;
/// A run that fails should fail again.
const SEED: &str = "7400";
/// It asks some thousand times in that time; a few are no test.
const LEAST: usize = 300;
/// What is looked at in each answer. Left out is `positive_data_acceptance`: what a schema cannot say (a URL that may be
/// delivered to, a topic that is not reserved, a time to come) is refused; and `ensure_resource_availability`, which takes the name of
/// a topic for one segment of `Location`.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,negative_data_rejection,missing_required_header,unsupported_method,\
                      allow_header_conformance,ignored_auth,use_after_free";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_answers_as_its_document_says_whatever_it_is_asked() -> Result<()> {
    let Some(tools) = OPENAPI.find("the test by schemathesis")? else { return Ok(()) };
    // It makes endpoints with any URL. No name resolves, so whatever is sent goes to loopback or nowhere.
    let scene = Scene::with(Setup::default().set(r#"deliver.dns_servers=["127.0.0.1:9"]"#)).await?;
    scene.endpoint("/a", json!({})).await?;
    scene.client.send("a/b", &json!({ "n": 1 })).await?;
    scene.receiver.wait_for("/a", 1).await?;
    let folder = tempfile::tempdir()?;
    let mut child = Command::new(tools.join(PYTHON).join("bin/st"))
        .arg("run")
        .arg(format!("{}/openapi.json", scene.gateway.base()))
        .args(["--header", &format!("Authorization: Bearer {}", scene.gateway.key())])
        // Its libraries parse Python in Python, which some versions of Python fail at in several threads.
        .args(["--checks", CHECKS, "--max-time", &SECONDS.to_string(), "--workers", "1", "--seed", SEED])
        // The key that it asks with must last. What else is revoked or made here is looked at by other tests.
        .args(["--exclude-operation-id", "delete_key"])
        // An answer that goes on is never over.
        .args(["--exclude-operation-id", "follow_deliveries"])
        .args(["--suppress-health-check", "all", "--generation-database", "none", "--no-color"])
        .current_dir(folder.path())
        // Bodies that are not JSON.
        .env("SCHEMATHESIS_HOOKS", OPENAPI.sources().join("hooks.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("schemathesis does not start")?;
    drop(child.stdin.take());
    let patience = Duration::from_secs(SECONDS + GRACE);
    let output =
        tokio::time::timeout(patience, child.wait_with_output()).await.context("it does not end")??;
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{said}\n{failed}");
    let summary = said.lines().find_map(|line| line.trim().split_once(" generated, "));
    let asked: usize = summary.context("it says how often it asked")?.0.parse()?;
    ensure!(asked >= LEAST, "it asked only {asked} times:\n{said}");
    eprintln!("schemathesis asked {asked} times");
    Ok(())
}
