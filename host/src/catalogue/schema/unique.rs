//! `uniqueItems`, over sets whose hash nobody can foresee.
//!
//! The library's own hashes arrays by their leaves alone, so a payload of differently nested arrays (`[[1]]`, `[[[1]]]`)
//! makes it compare each element with each: half a minute for a megabyte.

use std::collections::HashSet;

use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError};
use serde_json::{Map, Number, Value};

/// The keyword.
pub(super) const KEYWORD: &str = "uniqueItems";

struct UniqueItems {
    is_asked: bool,
}

/// Makes the keyword; that its value is a boolean was checked before.
pub(super) fn keyword<'a>(
    _: &'a Map<String, Value>,
    value: &'a Value,
    _: Location,
) -> Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>> {
    Ok(Box::new(UniqueItems { is_asked: value.as_bool().unwrap_or(false) }))
}

impl<'i> Keyword<'i> for UniqueItems {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if Keyword::is_valid(self, instance) {
            return Ok(());
        }
        Err(ValidationError::custom("the value has an element twice"))
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        !self.is_asked || instance.as_array().is_none_or(|elements| all_differ(elements))
    }
}

fn all_differ(elements: &[Value]) -> bool {
    let mut seen = HashSet::with_capacity(elements.len());
    elements.iter().all(|element| {
        let mut text = String::new();
        write(element, &mut text);
        seen.insert(text)
    })
}

/// One text for values that are equal (JSON Schema, section 4.2.2): the order of keys and the spelling of a number do not
/// matter.
fn write(value: &Value, to: &mut String) {
    match value {
        Value::Number(number) => to.push_str(&canonical(number)),
        Value::Array(elements) => {
            to.push('[');
            for element in elements {
                write(element, to);
                to.push(',');
            }
            to.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            to.push('{');
            for (name, value) in sorted {
                to.push_str(&Value::from(name.as_str()).to_string());
                write(value, to);
            }
            to.push('}');
        }
        Value::Null | Value::Bool(_) | Value::String(_) => to.push_str(&value.to_string()),
    }
}

/// A float without a fraction has the digits of the whole number that it is; `-0.0` is `0`.
fn canonical(number: &Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) if float.fract() == 0.0 => format!("{:.0}", float + 0.0),
        Some(_) | None => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn elements_are_compared_by_value() {
        for twice in [
            json!([1, 1.0]),
            json!([0, -0.0]),
            json!([{ "a": 1, "b": [2] }, { "b": [2.0], "a": 1 }]),
            json!(["x", "y", "x"]),
            json!([9_007_199_254_740_993_u64, 9_007_199_254_740_993_u64]),
        ] {
            assert!(!all_differ(twice.as_array().unwrap()), "{twice}");
        }
        for once in [
            json!([]),
            json!([1, "1", [1], [[1]], { "1": 1 }, true, null, "null"]),
            json!([["a", "b"], ["a,b"], [["a"], "b"]]),
            json!([9_007_199_254_740_993_u64, 9_007_199_254_740_992_u64]),
            json!([0.1, 0.2]),
        ] {
            assert!(all_differ(once.as_array().unwrap()), "{once}");
        }
    }
}
