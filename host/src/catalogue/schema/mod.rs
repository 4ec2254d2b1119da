//! JSON Schemas of topics: compiled with bounds, checked within them.
//!
//! What a check may cost is bounded before the first event: by the size and depth of the schema, by the number of
//! schemas that it is when every reference is written out ([`cost`]), by what regular expressions may compile to, and by
//! the size of an event. There are no cycles, nothing is fetched, and regular expressions run in linear time. So a check
//! takes at most time in proportion to schemas x bytes of the payload; a payload for which that product is large is
//! checked off the async threads ([`Schema::is_quick`]).
//!
//! `format` is an annotation, as draft 2020-12 says, and is not checked.

mod cost;
mod unique;

use std::fmt;

use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::Value;

use super::Refusal;

/// Bytes of a schema as JSON.
pub const MAX_SCHEMA_BYTES: usize = 64 * 1024;
/// Bytes of one compiled regular expression: about a thousand states, which is `[a-z0-9_-]{1,500}`.
const MAX_REGEX_BYTES: usize = 32 * 1024;
/// The cache of transitions of one regular expression, for each thread that uses it.
const MAX_REGEX_CACHE_BYTES: usize = 256 * 1024;
/// Schemas times bytes up to which a check takes milliseconds at most. It is also where failures are still explained: an
/// explanation of `anyOf` and `oneOf` gathers what fails in every branch, and takes memory in proportion.
const QUICK: u64 = 1 << 20;
/// Characters of a reason: a list of allowed values may be long.
const MAX_REASON_CHARS: usize = 300;

/// A compiled schema.
pub(super) struct Schema {
    validator: Validator,
    /// How many schemas it is when every reference is written out.
    schemas: u64,
}

impl Schema {
    /// The schema in this JSON text.
    ///
    /// # Errors
    /// What in it cannot be taken, by its pointer.
    pub(super) fn compile(text: &str) -> Result<Self, Refusal> {
        if text.len() > MAX_SCHEMA_BYTES {
            let reason = format!("a schema has at most {MAX_SCHEMA_BYTES} bytes; this has {}", text.len());
            return Err(Refusal::new("", reason));
        }
        let schema: Value = serde_json::from_str(text)
            .map_err(|error| Refusal::new("", format!("the schema cannot be read: {error}")))?;
        let schemas = cost::of(&schema)?;
        let patterns =
            PatternOptions::regex().size_limit(MAX_REGEX_BYTES).dfa_size_limit(MAX_REGEX_CACHE_BYTES);
        let validator = jsonschema::options()
            .with_draft(draft(&schema)?)
            .with_pattern_options(patterns)
            .with_keyword(unique::KEYWORD, unique::keyword)
            .should_validate_formats(false)
            .offline()
            .build(&schema)
            .map_err(|error| refusal(&error, "the schema is not valid"))?;
        Ok(Self { validator, schemas })
    }

    /// Whether a payload of this many bytes is checked within milliseconds, whatever is in it. Regular expressions that were
    /// written to be slow may take some hundred times that: administrators write them.
    pub(super) fn is_quick(&self, bytes: usize) -> bool {
        self.schemas.saturating_mul(bytes as u64) <= QUICK
    }

    /// Whether a JSON text satisfies the schema.
    ///
    /// # Errors
    /// What does not, by its pointer; of a text for which the check is not quick, only that something does not.
    pub(super) fn check(&self, json: &[u8]) -> Result<(), Refusal> {
        let value: Value = serde_json::from_slice(json).map_err(|error| {
            Refusal::new("", format!("this cannot be checked against the schema: {error}"))
        })?;
        if self.validator.is_valid(&value) {
            return Ok(());
        }
        let explained = self.is_quick(json.len()).then(|| self.validator.validate(&value));
        match explained {
            Some(Err(error)) => Err(refusal(&error, "this does not satisfy the schema of the topic")),
            Some(Ok(())) | None => Err(Refusal::new(
                "",
                "something in this does not satisfy the schema of the topic; it is too large to say where",
            )),
        }
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({} schemas)", self.schemas)
    }
}

fn draft(schema: &Value) -> Result<Draft, Refusal> {
    let named = schema.get("$schema").and_then(Value::as_str);
    let uri = named.map(|uri| uri.trim_end_matches('#').split_once("://").map_or(uri, |(_, rest)| rest));
    match uri {
        None | Some("json-schema.org/draft/2020-12/schema") => Ok(Draft::Draft202012),
        Some("json-schema.org/draft/2019-09/schema") => Ok(Draft::Draft201909),
        Some("json-schema.org/draft-07/schema") => Ok(Draft::Draft7),
        Some(_) => Err(Refusal::new(
            "/$schema",
            "`$schema` is `https://json-schema.org/draft/2020-12/schema` (as if left out), that of 2019-09, or \
             `http://json-schema.org/draft-07/schema#`",
        )),
    }
}

/// Values are left out of the sentence: they are the producer's, and may be long or secret.
fn refusal(error: &ValidationError<'_>, what: &str) -> Refusal {
    let reason = error.masked_with("the value").to_string();
    let short: String = reason.chars().take(MAX_REASON_CHARS).collect();
    let more = if short.len() < reason.len() { "..." } else { "" };
    Refusal::new(error.instance_path().as_str(), format!("{what}: {short}{more}"))
}

#[cfg(test)]
mod tests;
