//! `hookway plugin test`: samples of the manifest and of files, what is told of each, `--update`, budgets, JUnit.

use anyhow::{Result, ensure};
use hookway_tests::guests::{guest, plugin};
use serde_json::{Value, json};

use super::project::Project;

const SMALL: &str = r#"# what comes out
[[samples]]
name = "a small order"   # is dropped
config = { expr = "data.total >= 100" }
event = { topic = "orders/created", data = { total = 5 } }
expect = "drop" # always
"#;
const LARGE: &str = r#"{"event": {"topic": "orders/created", "data": {"total": 150}}, "config": {"expr": "data.total >= 100"}}"#;

fn sample<'a>(report: &'a Value, name: &str) -> &'a Value {
    let samples = report["samples"].as_array().map(Vec::as_slice).unwrap_or_default();
    samples.iter().find(|sample| sample["name"] == name).unwrap_or(&Value::Null)
}

/// The sample with this before the end of its object.
fn expecting(sample: &str, expect: &str) -> String {
    format!("{}{expect}}}", sample.strip_suffix('}').unwrap_or(sample))
}

#[tokio::test]
async fn samples_of_the_manifest_and_of_files_are_tried_and_measured() -> Result<()> {
    let project = Project::new("cel-filter", &plugin("cel-filter")?)?.manifest(SMALL)?;
    let project = project.sample("large", &expecting(LARGE, ", \"expect\": \"deliver\""))?;
    project.run("test", &[]).await?.expect(0)?.says("2 of 2 samples came out as expected")?;
    let report = project.json("test", &[]).await?;
    ensure!(report["failed"] == 0 && report["plugin"] == "cel-filter", "{report}");
    let (small, large) = (sample(&report, "a small order"), sample(&report, "large"));
    assert_eq!(
        (&small["verdict"], &large["verdict"]),
        (&json!("dropped: `expr` is false"), &json!("delivered as it is"))
    );
    assert_eq!(small["place"], "cel-filter.toml, samples[0]");
    for sample in [small, large] {
        ensure!(sample["passed"] == true, "{sample}");
        let memory = sample["memory_bytes"].as_u64();
        ensure!(memory > Some(64 << 10) && memory < Some(64 << 20), "{sample}");
        let (p50, p99) = (sample["p50_us"].as_f64(), sample["p99_us"].as_f64());
        ensure!(p50 > Some(0.0) && p50 <= p99, "{sample}");
        ensure!(sample["instructions"].as_u64() > Some(100), "{sample}");
    }
    let again = project.json("test", &[]).await?;
    assert_eq!(sample(&again, "large")["instructions"], large["instructions"], "the same on every machine");
    let without = project.json("test", &["--no-instructions"]).await?;
    assert_eq!(sample(&without, "large")["instructions"], Value::Null);
    Ok(())
}

#[tokio::test]
async fn a_sample_that_fails_shows_how_it_differs() -> Result<()> {
    let text = r#"
        [[samples]]
        name = "masked"
        config = { mask = ["/data/card"] }
        event = { topic = "a", event_id = "e", timestamp = 2026-01-31T12:00:00Z, data = { card = "4111", total = 5 } }
        expect = { body = { event = "a", event_id = "e", timestamp = "2026-01-31T12:00:00Z", data = { card = "x", total = 5 } } }
    "#;
    let project = Project::new("redact", &plugin("redact")?)?.manifest(text)?;
    let junit = project.path("results.xml").to_string_lossy().into_owned();
    let ran = project.run("test", &["--junit", &junit]).await?;
    let ran = ran.ends(1, "hookway: 1 of 1 sample failed: correct the plugin, or the sample")?;
    let ran = ran.says("FAIL")?.says("-     \"card\": \"x\"")?.says("+     \"card\": \"***\"")?;
    ran.says("masked (redact.toml, samples[0])")?;
    let results = project.read("results.xml")?;
    ensure!(results.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"), "{results}");
    ensure!(results.contains("tests=\"1\" failures=\"1\" errors=\"0\""), "{results}");
    let case = "<testcase name=\"masked\" classname=\"redact\" file=\"redact.toml, samples[0]\"";
    ensure!(results.contains(case), "{results}");
    ensure!(results.contains("<failure message=\"expects the body `{&quot;data&quot;"), "{results}");
    Ok(())
}

#[tokio::test]
async fn what_came_out_is_written_into_the_files_and_nothing_else_is_changed() -> Result<()> {
    let manifest = SMALL.replace("\"drop\"", "\"unchanged\"");
    let project =
        Project::new("cel-filter", &plugin("cel-filter")?)?.manifest(&manifest)?.sample("large", LARGE)?;
    let ran = project.run("test", &[]).await?.ends(1, "2 of 2 samples failed")?;
    ran.says("does not say in `expect` what is to come out")?;
    assert_eq!(project.read("cel-filter.toml")?, manifest, "nobody asked for a change");
    project.run("test", &["--update"]).await?.expect(0)?.says("2 samples updated")?;
    assert_eq!(project.read("cel-filter.toml")?, SMALL);
    let large = expecting(LARGE, ",\n  \"expect\": \"deliver\"\n");
    assert_eq!(project.read("samples/large.json")?, large);
    project.run("test", &["--update"]).await?.expect(0)?.says("2 of 2 samples came out as expected")?;
    Ok(())
}

#[tokio::test]
async fn a_failure_is_no_expectation() -> Result<()> {
    let text = "[[samples]]\nevent = { topic = \"a\", data = { poison = true } }\nexpect = \"deliver\"\n";
    let project = Project::new("trap", &guest("trap")?)?.manifest(text)?;
    let ran = project.run("test", &["--update"]).await?.ends(1, "1 of 1 sample failed")?;
    ran.says("in function `trap::refuse_poison`")?.says("log, warn: ")?.says("this event is poison")?;
    assert_eq!(project.read("trap.toml")?, text);
    Ok(())
}

#[tokio::test]
async fn a_sample_that_cannot_be_read_is_named() -> Result<()> {
    let project = Project::new("one-field", &guest("one-field")?)?;
    let nothing = project.run("test", &[]).await?;
    nothing.ends(1, "there are no samples: write `[[samples]]` into one-field.toml")?;
    let project = project.sample("bad", r#"{"event": {"topic": "a b", "data": 1}, "expect": "drop"}"#)?;
    project.run("test", &[]).await?.ends(1, "samples/bad.json, `event.topic`: ")?;
    let project = project.manifest("[[samples]]\nexpect = \"drop\"")?;
    project.run("test", &[]).await?.ends(1, "one-field.toml, line 1, `samples[0]`: missing field `event`")?;
    Ok(())
}

#[tokio::test]
async fn what_is_over_its_budget_fails() -> Result<()> {
    let text = "[[samples]]\nevent = { topic = \"a\", data = 1 }\nexpect = \"deliver\"\n";
    let project = Project::new("one-field", &guest("one-field")?)?.manifest(text)?;
    let budget = ["--max-instructions", "1000000", "--max-memory-mb", "64", "--max-p99-us", "10000000"];
    project.run("test", &budget).await?.expect(0)?;
    let ran = project.run("test", &["--max-instructions", "1"]).await?.ends(1, "1 of 1 sample failed")?;
    ran.says("instructions, and its budget is 1")?;
    project
        .run("test", &["--max-memory-mb", "0"])
        .await?
        .expect(1)?
        .says("of memory, and its budget is 0 bytes")?;
    project.run("test", &["--max-p99-us", "0"]).await?.expect(1)?.says("(p99), and its budget is 0.00 us")?;
    Ok(())
}

#[tokio::test]
async fn variables_are_given_and_requests_are_refused_unless_they_are_let_out() -> Result<()> {
    let text = "grants.env = [\"REGION\"]\n[[samples]]\nevent = { topic = \"a\", data = 1 }\n\
                expect.body = { env = { REGION = \"eu\" }, arguments = [] }\n";
    let project = Project::new("env-reader", &guest("env-reader")?)?.manifest(text)?;
    let missing = project.run("test", &[]).await?;
    missing.ends(
        1,
        "env-reader.toml asks for the variable `REGION`: give it a value with `--env REGION=VALUE`",
    )?;
    project.run("test", &["--env", "REGION=eu"]).await?.expect(0)?.says("log, info: variables: ")?;
    let other = project.run("test", &["--env", "REGION=eu", "--env", "ZONE=a"]).await?;
    other.ends(1, "`--env ZONE` is for nothing")?;

    let text = "grants.http = { hosts = [\"127.0.0.1:9\"] }\n[[samples]]\n\
                event = { topic = \"a\", data = { urls = [\"https://127.0.0.1:9/\"] } }\nexpect = \"unchanged\"\n";
    let project = Project::new("http-caller", &guest("http-caller")?)?.manifest(text)?;
    let report = project.json("test", &[]).await?;
    let body = report["samples"][0]["body"].as_str().unwrap_or_default();
    ensure!(body.contains("destination-IP-prohibited") || body.contains("error"), "{report}");
    ensure!(report["samples"][0]["log"].to_string().contains("there is no network here"), "{report}");
    let report = project.json("test", &["--http"]).await?;
    ensure!(report["samples"][0]["body"].as_str().unwrap_or_default().contains("error"), "{report}");
    ensure!(!report["samples"][0]["log"].to_string().contains("there is no network here"), "{report}");
    Ok(())
}

#[tokio::test]
async fn the_topics_of_a_matcher_are_sorted_into_those_that_it_accepts_and_the_others() -> Result<()> {
    let text = "[[samples]]\nname = \"one level\"\npatterns = [\"orders/+\"]\naccepts = [\"orders\", \"orders/a\"] # one\n";
    let project = Project::new("mqtt-topics", &plugin("mqtt-topics")?)?.manifest(text)?;
    let ran = project.run("test", &[]).await?.ends(1, "1 of 1 sample failed")?;
    ran.says("expects that `orders/+` accepts `orders`, but it does not")?;
    project.run("test", &["--update"]).await?.expect(0)?;
    let updated =
        text.replace("[\"orders\", \"orders/a\"] # one\n", "[\"orders/a\"] # one\nrejects = [\"orders\"]\n");
    assert_eq!(project.read("mqtt-topics.toml")?, updated);
    let report = project.json("test", &[]).await?;
    ensure!(report["failed"] == 0 && report["samples"][0]["instructions"].is_u64(), "{report}");
    let refused = project.manifest("[[samples]]\npatterns = [\"a/#/b\"]\naccepts = [\"a\"]")?;
    refused.run("test", &[]).await?.expect(1)?.says("it refused the patterns: ")?;
    Ok(())
}
