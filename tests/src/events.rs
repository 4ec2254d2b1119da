//! Events to send: recorded ones of a large platform if they lie beside the workspace, else a set of our own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::workspace;

/// Recorded events, one `{"event","data"}` per line, relative to the workspace.
const RECORDED: &str = "../shared/data/github-events.ndjson";
/// How many events the set of our own has: about as many as there are recorded ones.
const OWN: u64 = 320;

/// An order, byte for byte as the payload example of the README prints it.
pub const ORDER_CREATED: &str = r#"{"event":"orders/created","event_id":"evt_a1b2c3d4","timestamp":"2024-03-15T14:30:00Z","data":{"order_id":"ord_9x8y7z","items":3,"merchant":"Acme Corp"}}"#;

/// Where the recorded events would be.
#[must_use]
pub fn recorded() -> PathBuf {
    workspace().join(RECORDED)
}

/// The events of a file with one JSON object per line; those of our own if there is no such file.
///
/// # Errors
/// The file cannot be read, or a line is not JSON.
pub fn load(path: &Path) -> Result<Vec<Value>> {
    if !path.is_file() {
        return Ok(own());
    }
    let text = fs::read_to_string(path).with_context(|| format!("{} could not be read", path.display()))?;
    parse(&text).with_context(|| format!("{} is not NDJSON", path.display()))
}

/// A set of our own with the fields that the recorded ones share: action, sender, repository.
#[must_use]
pub fn own() -> Vec<Value> {
    let kinds = ["issues/opened", "issues/closed", "pull_request/opened", "push", "release/published"];
    (0..OWN).zip(kinds.iter().cycle()).map(|(number, topic)| own_event(number, topic)).collect()
}

fn own_event(number: u64, topic: &str) -> Value {
    let action = topic.split('/').nth(1);
    let owner = if number.is_multiple_of(3) { "octo-org" } else { "Codertocat" };
    json!({
        "event": topic,
        "data": {
            "action": action,
            "number": number,
            "sender": { "login": owner, "type": "User" },
            "repository": {
                "full_name": format!("{owner}/Hello-World"),
                "private": number.is_multiple_of(4),
                "open_issues_count": number % 17,
            },
        },
    })
}

fn parse(text: &str) -> Result<Vec<Value>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(at, line)| serde_json::from_str(line).with_context(|| format!("line {}", at + 1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_back_to_a_set_of_our_own() {
        let events = load(Path::new("/nonexistent/events.ndjson")).unwrap();
        assert_eq!(events.len(), 320);
        for event in events {
            assert!(
                event["event"].is_string() && event["data"]["repository"]["private"].is_boolean(),
                "{event}"
            );
        }
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = format!("{:#}", parse("{}\n\n{").unwrap_err());
        assert!(error.starts_with("line 3"), "{error}");
        assert_eq!(parse("{}\n\n{}\n").unwrap().len(), 2);
    }

    #[test]
    fn the_example_is_json() {
        let order: Value = serde_json::from_str(ORDER_CREATED).unwrap();
        assert_eq!(order["data"]["merchant"], "Acme Corp");
    }
}
