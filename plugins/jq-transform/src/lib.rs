//! Rewrites the body with a jq program: the body is the input, the first output is the new body.
//!
//! Integers of any length survive, decimals that the program does not touch stay as they were written. No output
//! drops the delivery; more than one, or one that JSON cannot say (`nan`, binary strings, keys that are not strings), is
//! an error: a wrong body is never sent.
//!
//! A program that reads a few members of an event gets only these: parsing the rest would cost more than all else.

mod part;
mod program;
mod reads;

use hookway_plugin::{Endpoint, Error, Event, Outcome, Transform};
use jaq_json::{Val, read, write};
use program::Program;
use reads::Reads;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The parser and the interpreter recurse; this is the depth that `serde_json` accepts, too.
const MAX_DEPTH: usize = 128;

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The jq program.
    program: String,
}

/// The transform.
pub struct JqTransform {
    program: Program,
    reads: Reads,
}

impl Transform for JqTransform {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        let program = Program::compile(&config.program)?;
        Ok(Self { program, reads: Reads::of(&config.program) })
    }

    fn transform(&self, event: &Event, _to: &Endpoint) -> Result<Outcome, Error> {
        let body = event.body();
        if !self.reads.is_whole()
            && let Some(input) = part::input(&self.reads, &body, &event.data())
        {
            match self.output(input)? {
                None => return Ok(nothing()),
                // It may be equal to the input, of which only parts are at hand.
                Some(output) if part::is_envelope_like(&output) => {}
                Some(output) => return to_json(&output).map(Outcome::body),
            }
        }
        self.transform_whole(&body)
    }
}

impl JqTransform {
    fn transform_whole(&self, body: &[u8]) -> Result<Outcome, Error> {
        if depth(body) > MAX_DEPTH {
            return Err(Error::Invalid(format!("the body is nested deeper than {MAX_DEPTH} levels")));
        }
        let input = read::parse_single(body)
            .map_err(|error| Error::Invalid(format!("the body is not JSON, which jq needs: {error}")))?;
        let Some(output) = self.output(input.clone())? else { return Ok(nothing()) };
        let text = to_json(&output)?;
        // Equal values may still be written differently, `1.0` and `1` or another order of keys.
        let unchanged = output == input && to_json(&input)? == text;
        Ok(if unchanged { Outcome::Unchanged } else { Outcome::body(text) })
    }

    /// The one output for an input, if there is one.
    fn output(&self, input: Val) -> Result<Option<Val>, Error> {
        let mut outputs = self.program.run(input);
        let Some(output) = outputs.next() else { return Ok(None) };
        let output = output.map_err(|error| Error::Invalid(format!("the jq program failed: {error}")))?;
        if outputs.next().is_some() {
            return Err(Error::invalid(
                "the jq program gave more than one output, and a delivery has one body: collect them with `[...]` \
                 or take `first(...)`",
            ));
        }
        Ok(Some(output))
    }
}

fn nothing() -> Outcome {
    Outcome::drop("the jq program gave no output")
}

/// `value` as JSON without spaces.
fn to_json(value: &Val) -> Result<String, Error> {
    let mut bytes = Vec::new();
    write::write(&mut bytes, &write::Pp::default(), 0, value)
        .map_err(|error| Error::Invalid(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| not_json("it has a string that is not UTF-8"))?;
    serde_json::from_str::<IgnoredAny>(&text).map_err(|error| not_json(&error.to_string()))?;
    Ok(text)
}

fn not_json(why: &str) -> Error {
    Error::Invalid(format!("the jq program gave an output that JSON cannot say: {why}"))
}

/// How deep the brackets of a JSON text are nested.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

hookway_plugin::export!(transform: JqTransform);

#[cfg(test)]
mod same_tests;
#[cfg(test)]
mod tests;
