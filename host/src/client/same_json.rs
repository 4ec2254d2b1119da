//! Whether two texts of JSON say the same.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// The JSON with its keys in order and without white space: one text for each meaning. Numbers stay as they were
/// written, so that none loses a digit.
pub(super) fn normal(json: &RawValue) -> String {
    let text = json.get();
    let parts = match text.as_bytes().first() {
        Some(b'{') => serde_json::from_str::<BTreeMap<String, &RawValue>>(text).map(|members| {
            let member = |(name, value): (&String, &&RawValue)| format!("{}:{}", quoted(name), normal(value));
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
        }),
        Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(text)
            .map(|elements| format!("[{}]", elements.into_iter().map(normal).collect::<Vec<_>>().join(","))),
        Some(b'"') => serde_json::from_str::<String>(text).map(|text| quoted(&text)),
        _ => return text.to_owned(),
    };
    // It was read as JSON before, so it can be read.
    parts.unwrap_or_else(|_| text.to_owned())
}

/// Whether both say the same.
pub(super) fn is_same(a: &RawValue, b: &RawValue) -> bool {
    a.get() == b.get() || normal(a) == normal(b)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        is_same(&raw(a), &raw(b))
    }

    #[test]
    fn layout_order_and_escapes_say_nothing() {
        assert!(same(r#"{"b": [1.0, "ä"], "a": {}}"#, "{\"a\":{},\"b\":[1.0,\"\\u00e4\"]}"));
        assert!(same("[ ]", "[]") && same("null", "null"));
    }

    #[test]
    fn every_digit_and_the_order_of_a_list_count() {
        for (a, b) in [
            ("12345678901234567890123", "12345678901234567890124"),
            ("1", "1.0"),
            ("[1,2]", "[2,1]"),
            ("1", r#""1""#),
            (r#"{"a":null}"#, "{}"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }
}
