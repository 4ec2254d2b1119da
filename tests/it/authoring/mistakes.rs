//! docs/plugin-mistakes.md: every mistake of the page is made, and the message is the one that the page says.
//!
//! The page is read, so that it cannot drift: a mistake that this test does not know fails it, and so does another message.

use anyhow::{Context, Result, bail, ensure};
use hookway_tests::command::Hookway;
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{guest, install, plugin};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::project::Project;
use crate::scene::Scene;

const PAGE: &str = include_str!("../../../docs/plugin-mistakes.md");
/// So many are promised.
const AT_LEAST: usize = 20;

/// A row of one of the tables.
struct Row {
    /// The heading above the table.
    section: &'static str,
    mistake: &'static str,
    message: &'static str,
}

fn rows() -> Result<Vec<Row>> {
    let (mut section, mut rows) = ("", Vec::new());
    for line in PAGE.lines() {
        section = line.strip_prefix("## ").unwrap_or(section);
        if !line.starts_with("| ") || line.starts_with("| mistake") {
            continue;
        }
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [mistake, _, message] = cells[..] else { bail!("a row has three cells: {line}") };
        let message = message.strip_prefix("``").and_then(|message| message.strip_suffix("``"));
        let message = message.with_context(|| format!("a message is quoted: {line}"))?.trim();
        rows.push(Row { section, mistake, message });
    }
    Ok(rows)
}

#[tokio::test]
async fn every_mistake_of_the_page_gives_the_message_that_the_page_says() -> Result<()> {
    let rows = rows()?;
    ensure!(rows.len() >= AT_LEAST, "the page has {} mistakes", rows.len());
    let gateway = Gateway::default();
    let mut wrong = Vec::new();
    for row in &rows {
        let Row { mistake, message, .. } = row;
        let told = make(row, &gateway).await.with_context(|| (*mistake).to_owned())?;
        if !is_told(message, &told)? {
            wrong.push(format!("{mistake}\n  page: {message}\n  told: {told}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Whether it is this message, in which `NAME` and `...` stand for anything.
fn is_told(message: &str, told: &str) -> Result<bool> {
    let parts: Vec<_> =
        message.split("NAME").flat_map(|part| part.split("...")).map(regex_lite::escape).collect();
    Ok(regex_lite::Regex::new(&format!("^{}$", parts.join("(?s:.+)")))?.is_match(told))
}

/// Makes a mistake; what is said of it.
async fn make(Row { section, mistake, .. }: &Row, gateway: &Gateway) -> Result<String> {
    match *section {
        "The file" => in_file(mistake).await,
        "What it imports and asks for" => in_imports(mistake, gateway).await,
        "The manifest" => in_manifest(mistake).await,
        "The configuration and the binding" => in_binding(mistake, gateway).await,
        "Calls" => in_call(mistake).await,
        other => unknown(other),
    }
}

fn unknown(what: &str) -> Result<String> {
    bail!("this test does not know {what:?}")
}

/// Of the component.
async fn in_file(mistake: &str) -> Result<String> {
    let start = |text: &str| mistake.starts_with(text);
    match mistake {
        _ if start("The file is something else") => checked("p", b"text", "").await,
        _ if start("A library for this machine") => checked("p", b"\x7fELF\x02\x01\x01", "").await,
        _ if start("The file breaks off") => {
            let whole = std::fs::read(guest("one-field")?)?;
            checked("p", &whole[..whole.len() / 2], "").await
        }
        _ if start("A core module that says nothing") => checked_wat("(module)").await,
        _ if start("Another world") => checked_wat("(component)").await,
        _ if start("Another version of the contract") => {
            checked_wat(r#"(component (instance $i) (export "hookway:plugin/filter@2.0.0" (instance $i)))"#)
                .await
        }
        _ if start("The functions have other types") => checked_wat(WRONG_TYPES).await,
        _ if start("The name of the file") => {
            checked("My Plugin", &std::fs::read(guest("one-field")?)?, "").await
        }
        other => unknown(other),
    }
}

/// Of what it wants.
async fn in_imports(mistake: &str, gateway: &Gateway) -> Result<String> {
    let start = |text: &str| mistake.starts_with(text);
    match mistake {
        _ if start("An import that does not exist") => {
            checked_wat(r#"(component (import "acme:cache/store@1.0.0" (instance)))"#).await
        }
        _ if start("Requests to others without") => checked_guest("http-caller", "").await,
        _ if start("`kv` without") => checked_guest("kv-user", "").await,
        _ if start("A variable that the manifest asks for") => gateway.refusal("asks").await,
        _ if start("Sockets instead") => behind("wasi:sockets/tcp@0.2.0").await,
        _ if start("Files") => behind("wasi:filesystem/types@0.2.0").await,
        other => unknown(other),
    }
}

/// Of what its author says.
async fn in_manifest(mistake: &str) -> Result<String> {
    let start = |text: &str| mistake.starts_with(text);
    match mistake {
        _ if start("A key that does not exist") => {
            checked_guest("one-field", "[limits]\ndedline_ms = 5").await
        }
        _ if start("A limit above") => checked_guest("one-field", "[limits]\ndeadline_ms = 60000").await,
        _ if start("A pattern that is none") => checked_guest("one-field", "topics = [\"orders//*\"]").await,
        _ if start("A sample that comes out otherwise") => {
            let sample = "[[samples]]\nname = \"a small order\"\nevent = { topic = \"a\", data = 1 }\nexpect = \"drop\"";
            checked_guest("one-field", sample).await
        }
        _ if start("A sample in a file") => {
            let project =
                Project::new("p", &guest("one-field")?)?.sample("bad", r#"{"event": {"topic": "a"}}"#)?;
            let told = project.run("test", &[]).await?.expect(1)?.err;
            Ok(told.trim().trim_start_matches("hookway: ").to_owned())
        }
        _ if start("JSON in quotes") => {
            tested("jq-transform", r#"{"program": "{a: 1} | tostring"}"#, r#"{"body": {"a": 1}}"#).await
        }
        other => unknown(other),
    }
}

/// Of its use.
async fn in_binding(mistake: &str, gateway: &Gateway) -> Result<String> {
    let start = |text: &str| mistake.starts_with(text);
    match mistake {
        _ if start("A configuration that the plugin refuses") => {
            gateway
                .unbindable(
                    json!({ "plugins": [{ "plugin": "refuse-config", "config": { "refuse": "x" } }] }),
                )
                .await
        }
        _ if start("No configuration where one is needed") => {
            gateway.unbindable(json!({ "plugins": [{ "plugin": "cel-filter" }] })).await
        }
        _ if start("`init` does not come back") => {
            gateway
                .unbindable(json!({ "plugins": [{ "plugin": "spin-in-init", "config": { "spin": true } }] }))
                .await
        }
        _ if start("A matcher bound as a filter") => {
            gateway.unbindable(json!({ "plugins": [{ "plugin": "mqtt-topics" }] })).await
        }
        _ if start("A filter named as a matcher") => {
            gateway.unbindable(json!({ "matcher": "cel-filter" })).await
        }
        _ if start("A plugin that is not there") => {
            gateway.unbindable(json!({ "plugins": [{ "plugin": "cel_filter" }] })).await
        }
        _ if start("A new version that refuses") => gateway.refused_version().await,
        _ if start("A plugin deleted") => gateway.kept().await,
        other => unknown(other),
    }
}

/// Of what it does.
async fn in_call(mistake: &str) -> Result<String> {
    let start = |text: &str| mistake.starts_with(text);
    match mistake {
        _ if start("A call that takes too long") => poisoned("spin-forever").await,
        _ if start("Too much memory") => poisoned("eat-memory").await,
        _ if start("Recursion without end") => poisoned("overflow-stack").await,
        _ if start("A panic") => poisoned("trap").await,
        _ if start("An output that is too large") => poisoned("huge-output").await,
        _ if start("A header that belongs") => poisoned("forbidden-header").await,
        other => unknown(other),
    }
}

/// A component whose filter has no parameters.
const WRONG_TYPES: &str = r#"(component
  (core module $m (func (export "filter") (result i32) i32.const 0))
  (core instance $i (instantiate $m))
  (func $filter (result u32) (canon lift (core func $i "filter")))
  (instance $filter (export "filter" (func $filter)))
  (export "hookway:plugin/filter@1.0.0" (instance $filter)))"#;

async fn checked_wat(text: &str) -> Result<String> {
    checked("p", &wat::parse_str(text)?, "").await
}

async fn checked_guest(name: &str, manifest: &str) -> Result<String> {
    checked(name, &std::fs::read(guest(name)?)?, manifest).await
}

/// Why `hookway plugin check` would not have the plugin loaded.
async fn checked(name: &str, component: &[u8], manifest: &str) -> Result<String> {
    let project = Project::of_bytes(name, component)?;
    let project = if manifest.is_empty() { project } else { project.manifest(manifest)? };
    let told = project.run("check", &[]).await?.expect(1)?.err;
    let path = format!("hookway: {}: ", project.path(&format!("{name}.wasm")).display());
    Ok(told.trim().strip_prefix(&path).context(told.clone())?.to_owned())
}

/// What is behind an import, in the list of what is denied.
async fn behind(import: &str) -> Result<String> {
    let component = wat::parse_str(format!(r#"(component (import "{import}" (instance)))"#))?;
    let report = Project::of_bytes("p", &component)?.json("check", &[]).await?;
    ensure!(report["imports"][0]["is_denied"] == true, "{report}");
    Ok(report["imports"][0]["gets"].as_str().unwrap_or_default().to_owned())
}

async fn poisoned(name: &str) -> Result<String> {
    // Beside a machine that is busy, all others would run past their deadline first.
    let manifest = if name == "spin-forever" { "" } else { "limits.deadline_ms = 1000" };
    let project = Project::new(name, &guest(name)?)?.manifest(manifest)?;
    problem_of(&project, r#"{"poison": true}"#, "{}", "\"deliver\"").await
}

async fn tested(name: &str, config: &str, expect: &str) -> Result<String> {
    problem_of(&Project::new(name, &plugin(name)?)?, "1", config, expect).await
}

/// What `hookway plugin test` finds wrong.
async fn problem_of(project: &Project, data: &str, config: &str, expect: &str) -> Result<String> {
    let text =
        format!(r#"{{"event": {{"topic": "a", "data": {data}}}, "config": {config}, "expect": {expect}}}"#);
    std::fs::create_dir_all(project.path("samples"))?;
    std::fs::write(project.path("samples/s.json"), text)?;
    let report = project.json("test", &["--no-instructions"]).await?;
    let problem = report["samples"][0]["problems"][0].as_str();
    Ok(problem.with_context(|| format!("nothing is wrong: {report}"))?.to_owned())
}

/// One for all that only a gateway tells.
#[derive(Default)]
struct Gateway(OnceCell<Scene>);

impl Gateway {
    async fn scene(&self) -> Result<&Scene> {
        let start = || async {
            let setup = Setup::default()
                .plugin("cel-filter", plugin("cel-filter")?)
                .plugin("mqtt-topics", plugin("mqtt-topics")?)
                .plugin("refuse-config", guest("refuse-config")?)
                .plugin("spin-in-init", guest("spin-in-init")?)
                .plugin("replaced", guest("one-field")?)
                .plugin("asks", guest("env-reader")?)
                .manifest("asks", "grants.env = [\"REGION\"]");
            Scene::with(setup).await
        };
        self.0.get_or_try_init(start).await
    }

    /// Why a plugin is not loaded.
    async fn refusal(&self, name: &str) -> Result<String> {
        let is_refused = |plugin: &Value| plugin["state"] == "degraded";
        let status = self.scene().await?.client.plugin_when(name, "it is refused", is_refused).await?;
        Ok(status["reason"].as_str().unwrap_or_default().to_owned())
    }

    /// Why an endpoint is not made.
    async fn unbindable(&self, with: Value) -> Result<String> {
        let scene = self.scene().await?;
        let refused =
            scene.client.post("/v1/endpoints", &scene.described("/a", with)).await?.expect_refusal("")?;
        Ok(refused.body["detail"].as_str().unwrap_or_default().to_owned())
    }

    /// Why a version that needs a configuration does not replace one that needs none.
    async fn refused_version(&self) -> Result<String> {
        let scene = self.scene().await?;
        scene.endpoint("/replaced", json!({ "plugins": [{ "plugin": "replaced" }] })).await?;
        install(&plugin("cel-filter")?, &scene.gateway.plugins_dir(), "replaced")?;
        self.refusal("replaced").await
    }

    /// Why a plugin is not deleted.
    async fn kept(&self) -> Result<String> {
        let scene = self.scene().await?;
        scene.endpoint("/kept", json!({ "matcher": "mqtt-topics", "topics": ["a"] })).await?;
        let ran = Hookway::of(&scene.gateway).run(&["plugin", "delete", "mqtt-topics"]).await?.expect(5)?;
        Ok(ran.err.trim().trim_start_matches("hookway: ").to_owned())
    }
}
