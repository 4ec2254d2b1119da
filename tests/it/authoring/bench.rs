//! `hookway plugin bench`: figures of calls with samples and with events of a file.

use anyhow::{Result, ensure};
use hookway_tests::guests::{guest, plugin};
use serde_json::{Value, json};

use super::project::Project;

const QUICK: [&str; 4] = ["--calls", "50", "--seconds", "1"];

#[tokio::test]
async fn calls_are_measured_on_fresh_and_on_reused_instances() -> Result<()> {
    let text = "topics = [\"orders/*\"]\n[[samples]]\nconfig = { mask = [\"/data/card\"] }\n\
                event = { topic = \"orders/created\", data = { card = 1 } }\nexpect = \"deliver\"\n";
    let project = Project::new("redact", &plugin("redact")?)?.manifest(text)?;
    let of_samples = project.json("bench", &QUICK).await?;
    assert_eq!((&of_samples["different_calls"], &of_samples["failures"]), (&json!(1), &json!([])));
    let events = project.path("events.ndjson").to_string_lossy().into_owned();
    let line = |topic: &str, total: u32| format!(r#"{{"event":"{topic}","data":{{"card":{total}}}}}"#);
    let lines = [line("orders/created", 1), line("orders/created", 123_456_789), line("users/created", 1)];
    std::fs::write(&events, lines.join("\n"))?;
    let given = [&QUICK[..], &["--events", &events, "--config", r#"{"mask":["/data/card"]}"#]].concat();
    let figures = project.json("bench", &given).await?;
    assert_eq!((&figures["different_calls"], &figures["left_out"]), (&json!(2), &json!(1)));
    for instance in ["fresh", "reused"] {
        let of = &figures[instance];
        ensure!(of["calls"] == 50 && of["calls_per_s"].as_f64() > Some(0.0), "{figures}");
        ensure!(of["p50_us"].as_f64() <= of["p99_us"].as_f64(), "{figures}");
    }
    let instructions = &figures["instructions"];
    ensure!(
        instructions["p50"].as_u64() < instructions["max"].as_u64(),
        "the longer one takes more: {figures}"
    );
    ensure!(figures["memory_bytes"].as_u64() > Some(64 << 10), "{figures}");
    let shown = project.run("bench", &given).await?.expect(0)?.says("INSTANCE")?.says("reused")?;
    shown.says("instructions of a call: p50 ")?.says("1 event of topics that the manifest leaves out")?;
    Ok(())
}

#[tokio::test]
async fn what_has_no_answer_is_told_and_not_measured() -> Result<()> {
    let project = Project::new("trap", &guest("trap")?)?;
    project.run("bench", &QUICK).await?.ends(1, "there is nothing to call it with: write samples")?;
    let events = project.path("events.ndjson").to_string_lossy().into_owned();
    let good = r#"{"event":"a","data":{"poison":false}}"#;
    let bad = r#"{"event":"a","data":{"poison":true}}"#;
    let given = [&QUICK[..], &["--events", &events]].concat();
    // More failures than a breaker stands.
    std::fs::write(&events, format!("{good}\n{}", format!("{bad}\n").repeat(8)))?;
    let figures = project.json("bench", &given).await?;
    let failures = figures["failures"].as_array().map(Vec::as_slice).unwrap_or_default();
    ensure!(figures["different_calls"] == 1 && failures.len() == 8, "{figures}");
    let message = failures[7]["message"].as_str().unwrap_or_default();
    ensure!(failures[7]["number"] == 9 && message.contains("trap::refuse_poison"), "{figures}");
    std::fs::write(&events, bad)?;
    let ran = project.run("bench", &given).await?;
    ran.ends(1, "no event has an answer, the first one like this: it hit `unreachable`")?;
    std::fs::write(&events, "{\"event\":\"a\",\"data\":1,\"typo\":1}")?;
    project.run("bench", &given).await?.ends(1, "line 1, `typo`: unknown field")?;
    std::fs::write(&events, good)?;
    let matcher = Project::new("mqtt-topics", &plugin("mqtt-topics")?)?;
    let ran = matcher.run("bench", &given).await?;
    ran.ends(1, "it exports neither `filter` nor `transform`, so it has nothing to say to an event")?;
    ensure!(figures["fresh"] != Value::Null, "{figures}");
    Ok(())
}
