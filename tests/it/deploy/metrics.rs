//! The dashboard and the alerts ask for metrics, labels and values that the gateway has.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::guests::plugin;
use http::StatusCode;
use regex_lite::Regex;
use serde_json::Value;

use super::read;
use crate::scene::Scene;

const DASHBOARD: &str = "deploy/grafana/hookway.json";
const ALERTS: &str = "deploy/prometheus/alerts.yaml";
const CASES: &str = "deploy/prometheus/alerts.test.yaml";
/// What Prometheus adds to what it reads.
const OF_PROMETHEUS: &[&str] = &["job", "instance", "le"];

/// What a gateway says of itself.
struct Exposition {
    /// The names that can be asked for.
    names: BTreeSet<String>,
    /// The values of each label.
    labels: BTreeMap<String, BTreeSet<String>>,
}

impl Exposition {
    /// Of a gateway with a plugin.
    async fn read() -> Result<Self> {
        let scene = Scene::with(Setup::default().plugin("judge", plugin("cel-filter")?)).await?;
        scene.client.plugin_active("judge").await?;
        let answer = scene.client.get("/metrics").await?.expect(StatusCode::OK)?;
        let text = answer.body.as_str().context("metrics are text")?;
        let mut names = BTreeSet::new();
        for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, kind) = line.split_once(' ').context("a name and a kind")?;
            let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            names.extend(suffixes.iter().map(|suffix| format!("{name}{suffix}")));
        }
        let mut labels: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for label in Regex::new(r#"(\w+)="([^"]*)""#)?.captures_iter(text) {
            labels.entry(label[1].to_owned()).or_default().insert(label[2].to_owned());
        }
        Ok(Self { names, labels })
    }

    /// Checks what an expression of PromQL asks for.
    fn has_all_of(&self, expression: &str) -> Result<()> {
        for name in Regex::new(r"\b(?:hookway|process)_\w+")?.find_iter(expression) {
            ensure!(self.names.contains(name.as_str()), "there is no metric {}", name.as_str());
        }
        for label in Regex::new(r#"(\w+)=~?"([^"]*)""#)?.captures_iter(expression) {
            let (name, wanted) = (&label[1], &label[2]);
            if OF_PROMETHEUS.contains(&name) {
                continue;
            }
            let values = self.labels.get(name).with_context(|| format!("no metric has the label {name}"))?;
            let variable = wanted.starts_with('$');
            for value in wanted.split('|').filter(|_| !variable) {
                ensure!(values.contains(value), "{name} is never {value:?}");
            }
        }
        for by in Regex::new(r"by \(([^)]*)\)|\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}")?.captures_iter(expression)
        {
            let names = by.get(1).or(by.get(2)).map_or("", |names| names.as_str());
            for name in names.split(',').map(str::trim) {
                let known = OF_PROMETHEUS.contains(&name) || self.labels.contains_key(name);
                ensure!(known, "no metric has the label {name}");
            }
        }
        Ok(())
    }
}

/// The texts at these keys, wherever they are.
fn texts<'a>(value: &'a Value, keys: &[&str], found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                found.extend(value.as_str().filter(|_| keys.contains(&key.as_str())));
                texts(value, keys, found);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| texts(element, keys, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn dashboard_and_alerts_ask_for_what_there_is() -> Result<()> {
    let exposition = Exposition::read().await?;
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)?)?;
    let alerts: Value = serde_saphyr::from_str(&read(ALERTS)?)?;
    for (file, content, keys) in [
        (DASHBOARD, &dashboard, &["expr", "definition", "legendFormat"][..]),
        (ALERTS, &alerts, &["expr", "summary", "description"][..]),
    ] {
        let mut expressions = Vec::new();
        texts(content, keys, &mut expressions);
        ensure!(expressions.len() >= 10, "{file} has only {expressions:?}");
        for expression in expressions {
            exposition.has_all_of(expression).with_context(|| format!("{file}: {expression}"))?;
        }
    }
    for wrong in
        [r"hookway_nothing_total", r#"up{nothing="x"}"#, r#"a{outcome=~"passed|never"}"#, "sum by (nope) (a)"]
    {
        ensure!(exposition.has_all_of(wrong).is_err(), "{wrong} passes");
    }
    Ok(())
}

#[test]
fn every_panel_and_every_alert_says_what_it_means() -> Result<()> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)?)?;
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().context("panels")? {
        ensure!(ids.insert(panel["id"].as_u64()), "two panels have the id of {panel}");
        let is_row = panel["type"] == "row";
        ensure!(panel["title"].is_string() && (is_row || panel["description"].is_string()), "{panel}");
    }
    let alerts: Value = serde_saphyr::from_str(&read(ALERTS)?)?;
    for rule in alerts["groups"][0]["rules"].as_array().context("rules")? {
        let severity = rule["labels"]["severity"].as_str().unwrap_or_default();
        ensure!(["critical", "warning"].contains(&severity), "{rule}");
        ensure!(rule["annotations"]["summary"].is_string(), "{rule}");
        ensure!(rule["annotations"]["description"].is_string(), "{rule}");
    }
    Ok(())
}

/// `promtool test rules` tries them; here none is forgotten.
#[test]
fn every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> Result<()> {
    let alerts: Value = serde_saphyr::from_str(&read(ALERTS)?)?;
    let cases: Value = serde_saphyr::from_str(&read(CASES)?)?;
    let tests = cases["tests"].as_array().context("tests")?.iter();
    let tests: Vec<_> = tests.flat_map(|test| test["alert_rule_test"].as_array()).flatten().collect();
    let (mut fire, mut rest) = (BTreeSet::new(), BTreeSet::new());
    for test in tests {
        let fires = test["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
        if fires { &mut fire } else { &mut rest }.insert(test["alertname"].as_str());
    }
    for rule in alerts["groups"][0]["rules"].as_array().context("rules")? {
        let name = rule["alert"].as_str();
        ensure!(fire.contains(&name) && rest.contains(&name), "{name:?} has no case, or only of one kind");
    }
    Ok(())
}
