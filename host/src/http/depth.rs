//! How deep a JSON text nests, found without parsing it.
//!
//! `serde_json` stops at depth 128 on its own, but not where it only skips a value, and skipping is how the
//! payloads of events are kept byte for byte. Whoever reads them later should not meet a text that nests 100,000 deep.

/// Arrays and objects inside each other; real payloads have fewer than ten.
pub const MAX_DEPTH: usize = 64;

/// Whether the text opens more than `limit` arrays and objects inside each other.
///
/// One pass over the bytes, no memory. The text need not be valid JSON: what it says about invalid text is without
/// meaning, but it never panics.
#[must_use]
pub fn is_deeper_than(limit: usize, text: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    false
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn depth_of(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
            Value::Object(fields) => 1 + fields.values().map(depth_of).max().unwrap_or(0),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        }
    }

    #[test]
    fn counts_what_is_open_at_the_same_time() {
        assert!(!is_deeper_than(1, b"[] [] []"));
        assert!(!is_deeper_than(2, br#"{"a":[1,2],"b":{}}"#));
        assert!(is_deeper_than(1, br#"{"a":[1,2]}"#));
        assert!(is_deeper_than(64, "[".repeat(100_000).as_bytes()));
    }

    #[test]
    fn brackets_and_escaped_quotes_in_strings_do_not_count() {
        assert!(!is_deeper_than(1, br#"["[[[[", "\"[[[", "\\", "\\\"[["]"#));
        assert!(is_deeper_than(1, br#"["\\", []]"#));
    }

    #[test]
    fn text_that_is_no_json_is_survived() {
        for text in ["", "\"", "\"\\", "]]]]", "}{", "\\\""] {
            assert!(!is_deeper_than(2, text.as_bytes()), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_real_parser(text in r#"[\[\]{}:,"\\a1 ]{0,40}"#) {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let depth = depth_of(&value);
                prop_assert!(!is_deeper_than(depth, text.as_bytes()));
                prop_assert!(depth == 0 || is_deeper_than(depth - 1, text.as_bytes()));
            }
        }
    }
}
