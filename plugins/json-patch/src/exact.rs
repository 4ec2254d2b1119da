//! JSON text to JSON text in which every number survives [`serde_json::Value`] as it was written.
//!
//! A number that would be written otherwise (`1.10`, thirty digits) becomes a text behind a mark, and a number again at the end. The
//! mark begins with the character NUL; a text of the document that begins so gets a mark of its own, so nothing is mistaken.

use serde::de::IgnoredAny;
use serde_json::{Error, Number, Value};

/// What stands before a number.
const NUMBER: &str = r#""\u0000#"#;
/// What stands before a text that begins with NUL.
const TEXT: &str = r#""\u0000$"#;
/// How such a text begins. JSON has no other way to write the character.
const NUL: &str = r#""\u0000"#;

/// The document.
pub(crate) fn read(json: &str) -> Result<Value, Error> {
    // First, because what is no number must not become a text.
    serde_json::from_str::<IgnoredAny>(json)?;
    serde_json::from_str(&tokens(json, |token, out| {
        if token.starts_with(NUL) {
            out.push_str(TEXT);
            out.push_str(token.get(1..).unwrap_or_default());
        } else if token.starts_with('"') || is_kept(token) {
            out.push_str(token);
        } else {
            out.push_str(NUMBER);
            out.push_str(token);
            out.push('"');
        }
    }))
}

/// The document as text.
pub(crate) fn write(document: &Value) -> String {
    tokens(&document.to_string(), |token, out| {
        if let Some(number) = token.strip_prefix(NUMBER) {
            out.push_str(number.strip_suffix('"').unwrap_or(number));
        } else if let Some(text) = token.strip_prefix(TEXT) {
            out.push('"');
            out.push_str(text);
        } else {
            out.push_str(token);
        }
    })
}

/// Whether the number is written as it was read.
fn is_kept(token: &str) -> bool {
    serde_json::from_str::<Number>(token).is_ok_and(|number| number.to_string() == token)
}

/// The same text with its strings and numbers as `put` writes them.
fn tokens(json: &str, put: impl Fn(&str, &mut String)) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.find(|c: char| matches!(c, '"' | '-' | '0'..='9')) {
        let (before, from) = rest.split_at(start);
        let (token, after) = from.split_at(end(from));
        out.push_str(before);
        put(token, &mut out);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Where the string or number ends that the text begins with.
fn end(text: &str) -> usize {
    if !text.starts_with('"') {
        return text
            .find(|c: char| !matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9'))
            .unwrap_or(text.len());
    }
    let mut escaped = false;
    let is_last = |byte: u8| match byte {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        byte => byte == b'"',
    };
    text.bytes().skip(1).position(is_last).map_or(text.len(), |at| at + 2)
}
