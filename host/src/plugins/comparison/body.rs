//! Two bodies: as JSON where both are, else as bytes.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::IgnoredAny;

use super::Sameness;
use super::json::{JsonChange, changes};
use crate::json::Document;

/// JSON that is nested deeper is compared as bytes: looking into it takes stack with every level.
const MAX_DEPTH: usize = 128;

/// How two bodies differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PluginBodyDifference")]
pub struct BodyDifference {
    /// In a sentence.
    pub sentence: String,
    /// Where both are JSON, what differs, at most 50 of it; places that take more than 512 bytes to name are left out.
    pub changes: Vec<JsonChange>,
    /// How many changes are left out.
    pub left_out: usize,
}

pub(super) fn compare(live: &Bytes, candidate: &Bytes) -> (Sameness, Option<BodyDifference>) {
    if live == candidate {
        return (Sameness::Same, None);
    }
    let (sameness, sentence, changes, left_out) = match (document(live), document(candidate)) {
        (Some(a), Some(b)) => {
            let (changes, left_out) = changes(&a, &b);
            let (sameness, sentence) = in_json(changes.len() + left_out);
            (sameness, sentence, changes, left_out)
        }
        (a, b) => (Sameness::Different, in_bytes(live, candidate, a.is_some(), b.is_some()), Vec::new(), 0),
    };
    (sameness, Some(BodyDifference { sentence, changes, left_out }))
}

fn in_json(changes: usize) -> (Sameness, String) {
    match changes {
        0 => {
            let sentence =
                "the same JSON in other bytes: receivers read the same, and the signature is another";
            (Sameness::Equivalent, sentence.to_owned())
        }
        1 => (Sameness::Different, "1 change in the JSON".to_owned()),
        many => (Sameness::Different, format!("{many} changes in the JSON")),
    }
}

fn in_bytes(live: &[u8], candidate: &[u8], live_is_json: bool, candidate_is_json: bool) -> String {
    let what = match (live_is_json, candidate_is_json) {
        (true, _) => "the live version's body is JSON and the candidate's is not",
        (_, true) => "the candidate's body is JSON and the live version's is not",
        _ => "the bodies are not JSON",
    };
    let same = live.iter().zip(candidate).take_while(|(a, b)| a == b).count();
    let (a, b) = (live.len(), candidate.len());
    format!(
        "{what}; they differ from byte {same} on, of {a} in the live version's and {b} in the candidate's"
    )
}

/// The JSON in `bytes`, if it is that and not nested too deeply.
fn document(bytes: &Bytes) -> Option<Document> {
    let is_json = serde_json::from_slice::<IgnoredAny>(bytes).is_ok() && std::str::from_utf8(bytes).is_ok();
    (is_json && depth(bytes) <= MAX_DEPTH).then(|| Document::new(bytes.clone()))
}

/// How deeply valid JSON is nested.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut is_escaped) = (false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
