//! Values of a file as the JSON of the API.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// A value as JSON. Values with text keys always have that form.
pub(super) fn raw(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// JSON that stands in a text: it can say what TOML cannot, and keeps every digit.
///
/// # Errors
/// It is not JSON.
pub(super) fn embedded(text: String, place: &str) -> Result<Box<RawValue>, String> {
    RawValue::from_string(text).map_err(|error| {
        format!(
            "`{place}`: a text here holds JSON (a text as such is '\"text\"'), and this does not: {error}"
        )
    })
}
