//! Rewrites the body with a JSON Patch ([RFC 6902](https://www.rfc-editor.org/rfc/rfc6902)).
//!
//! - A patch is applied whole or not at all: where an operation finds nothing at its path, the event is refused, unless the
//!   configuration says that such an operation is left out.
//! - Numbers stay as they were written, whatever their length; members of objects come out sorted by name.

mod exact;

use std::slice;

use hookway_plugin::{Endpoint, Error, Event, Outcome, Transform};
use json_patch::{PatchError, PatchErrorKind, PatchOperation, patch};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The operations.
    patch: Vec<Box<RawValue>>,
    /// What happens where there is nothing at a path.
    #[serde(default)]
    on_missing: OnMissing,
    /// What happens where a `test` does not hold.
    #[serde(default)]
    on_test_failed: OnTestFailed,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnMissing {
    /// The event is refused.
    #[default]
    Refuse,
    /// The operation is left out.
    Skip,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnTestFailed {
    /// The event is refused.
    #[default]
    Refuse,
    /// The event goes out as if there were no patch.
    Unchanged,
    /// The event is not delivered.
    Drop,
}

/// The transform.
#[derive(Debug)]
pub struct JsonPatch {
    operations: Vec<PatchOperation>,
    on_missing: OnMissing,
    on_test_failed: OnTestFailed,
}

impl Transform for JsonPatch {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        let Config { patch, on_missing, on_test_failed } = config;
        if patch.is_empty() {
            return Err(
                r#"`patch` has no operation: give at least one, such as {"op": "remove", "path": "/data/card"}"#.into(),
            );
        }
        let operations = patch.iter().enumerate().map(|(index, text)| {
            let operation = exact::read(text.get()).and_then(serde_json::from_value);
            operation.map_err(|error| format!("`patch[{index}]` is no operation of RFC 6902: {error}"))
        });
        Ok(Self { operations: operations.collect::<Result<_, _>>()?, on_missing, on_test_failed })
    }

    fn transform(&self, event: &Event, _to: &Endpoint) -> Result<Outcome, Error> {
        let body = event.body();
        let text = String::from_utf8_lossy(&body);
        let mut document = exact::read(&text).map_err(|error| {
            Error::Invalid(format!("the body is not JSON, so it cannot be patched: {error}"))
        })?;
        let mut is_changed = false;
        for (index, operation) in self.operations.iter().enumerate() {
            match patch(&mut document, slice::from_ref(operation)) {
                Ok(()) => is_changed |= !matches!(operation, PatchOperation::Test(_)),
                Err(PatchError { kind: PatchErrorKind::TestFailed, .. }) => {
                    let failed =
                        || format!("`patch[{index}]`: there is another value at `{}`", operation.path());
                    match self.on_test_failed {
                        OnTestFailed::Refuse => return Err(Error::Invalid(failed())),
                        OnTestFailed::Unchanged => return Ok(Outcome::Unchanged),
                        OnTestFailed::Drop => return Ok(Outcome::Drop(failed())),
                    }
                }
                Err(_) if self.on_missing == OnMissing::Skip => {}
                Err(error) => return Err(Error::Invalid(missing(index, operation, &error))),
            }
        }
        Ok(if is_changed { Outcome::body(exact::write(&document)) } else { Outcome::Unchanged })
    }
}

/// Why an operation cannot be applied.
fn missing(index: usize, operation: &PatchOperation, error: &PatchError) -> String {
    let path = match (&error.kind, operation) {
        (PatchErrorKind::InvalidFromPointer, PatchOperation::Move(it)) => &it.from,
        (PatchErrorKind::InvalidFromPointer, PatchOperation::Copy(it)) => &it.from,
        _ => operation.path(),
    };
    format!(
        "`patch[{index}]` finds no place at `{path}` in the body, so nothing of the patch is applied: correct it, or set \
         `on_missing` to `skip`"
    )
}

hookway_plugin::export!(transform: JsonPatch);

#[cfg(test)]
mod tests;
