//! Answers: those to what was done, and the problems of what was not.

use std::collections::BTreeMap;

use http::StatusCode;
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::Refusal;
use super::content::Content;

/// The media type of every error (RFC 9457).
const PROBLEM: &str = "application/problem+json";

/// An answer to a request that was done.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) description: &'static str,
    pub(super) content: Vec<Content>,
    pub(super) location: Option<&'static str>,
}

impl Answer {
    /// The Response Object of OpenAPI.
    pub(super) fn document(&self, generator: &mut SchemaGenerator) -> Value {
        let mut response = json!({ "description": self.description });
        if !self.content.is_empty() {
            response["content"] = contents(&self.content, generator);
        }
        if let Some(description) = self.location {
            response["headers"] = json!({ "Location": header(description, "string") });
        }
        response
    }
}

/// The forms of a body by their media type.
pub(super) fn contents(all: &[Content], generator: &mut SchemaGenerator) -> Value {
    all.iter()
        .map(|content| (content.media.to_owned(), content.document(generator)))
        .collect::<Map<_, _>>()
        .into()
}

/// The Response Objects of these refusals by their status. The names of the examples are the codes.
pub(super) fn problems(refusals: &[Refusal]) -> Map<String, Value> {
    let mut by_status = BTreeMap::<u16, BTreeMap<&str, &Refusal>>::new();
    for refusal in refusals {
        by_status.entry(refusal.status.as_u16()).or_default().insert(refusal.code, refusal);
    }
    by_status.into_iter().map(|(status, refusals)| (status.to_string(), problem(status, &refusals))).collect()
}

fn problem(status: u16, refusals: &BTreeMap<&str, &Refusal>) -> Value {
    let sentences = refusals.iter().map(|(code, refusal)| format!("`{code}`: {}.", refusal.when));
    let examples = refusals.keys().map(|code| ((*code).to_owned(), json!({ "$ref": example_path(code) })));
    let mut response = json!({
        "description": sentences.collect::<Vec<_>>().join(" "),
        "content": { PROBLEM: {
            "schema": { "$ref": "#/components/schemas/Problem" },
            "examples": examples.collect::<Map<_, _>>(),
        }},
    });
    match status {
        401 => response["headers"] = json!({ "WWW-Authenticate": header("`Bearer`", "string") }),
        503 => {
            let description = "Seconds to wait before the same request is sent again";
            response["headers"] = json!({ "Retry-After": header(description, "integer") });
        }
        _ => {}
    }
    response
}

/// The Example Object of a refusal, which all routes share.
pub(super) fn example(refusal: &Refusal) -> Value {
    json!({ "summary": refusal.when, "value": refusal.example() })
}

fn example_path(code: &str) -> String {
    format!("#/components/examples/{code}")
}

fn header(description: &str, kind: &str) -> Value {
    json!({ "description": description, "schema": { "type": kind } })
}
