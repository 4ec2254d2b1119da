//! JSON that is parsed one level at a time, where somebody looks.
//!
//! A node is a slice of the original bytes; its members are found at the first visit and kept. So the first look into
//! an event costs one pass over the levels on the way, every later one a search in the keys, whatever the size of
//! the rest, and numbers of any length and the order of keys survive.

use std::sync::OnceLock;

use bytes::Bytes;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Real documents nest a few levels. Each level on the way may cost one pass over the rest of the document, inside a
/// host call that no deadline interrupts, so the way is bounded.
const MAX_DEPTH: usize = 32;

/// A JSON document.
#[derive(Debug)]
pub(super) struct Document {
    bytes: Bytes,
    root: Node,
}

/// What a pointer found. Objects and arrays come as their text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Json(&'a str),
}

#[derive(Debug)]
struct Node {
    start: u32,
    end: u32,
    members: OnceLock<Members>,
}

#[derive(Debug)]
enum Members {
    /// Sorted by key; of keys that are there twice, the last.
    Object(Box<[(Box<str>, Node)]>),
    Array(Box<[Node]>),
    None,
}

impl Document {
    /// The document in `bytes`. Bytes that are not JSON have no values.
    pub(super) fn new(bytes: Bytes) -> Self {
        let before = bytes.len() - bytes.trim_ascii_start().len();
        let root = Node::new(before, before + bytes.trim_ascii().len());
        Self { bytes, root }
    }

    /// The value at an RFC 6901 pointer. None if there is none, if the pointer is malformed or has more than 32 steps.
    pub(super) fn get(&self, pointer: &str) -> Option<Found<'_>> {
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return None;
        }
        let mut node = &self.root;
        for (depth, token) in pointer.split('/').skip(1).enumerate() {
            node = (depth < MAX_DEPTH).then(|| node.child(&self.bytes, token))??;
        }
        node.value(&self.bytes)
    }
}

impl Node {
    fn new(start: usize, end: usize) -> Self {
        // A document beyond 4 GiB is never accepted; an empty node has no value.
        let (start, end) = (u32::try_from(start).unwrap_or(0), u32::try_from(end).unwrap_or(0));
        Self { start, end, members: OnceLock::new() }
    }

    fn text<'a>(&self, bytes: &'a Bytes) -> Option<&'a str> {
        std::str::from_utf8(&bytes[self.start as usize..self.end as usize]).ok()
    }

    fn child(&self, bytes: &Bytes, token: &str) -> Option<&Self> {
        let members = self.members.get_or_init(|| self.parse(bytes).unwrap_or(Members::None));
        match members {
            Members::Object(members) if token.contains('~') => find(members, &unescape(token)?),
            Members::Object(members) => find(members, token),
            Members::Array(elements) => elements.get(index(token)?),
            Members::None => None,
        }
    }

    fn parse(&self, bytes: &Bytes) -> Option<Members> {
        let text = self.text(bytes)?;
        let node = |raw: &RawValue| {
            let offset = raw.get().as_ptr().addr() - text.as_ptr().addr() + self.start as usize;
            Self::new(offset, offset + raw.get().len())
        };
        match text.as_bytes().first()? {
            b'{' => {
                let members = serde_json::Deserializer::from_str(text).deserialize_map(Pairs).ok()?;
                let mut members: Vec<_> =
                    members.into_iter().rev().map(|(key, raw)| (key, node(raw))).collect();
                members.sort_by(|a, b| a.0.cmp(&b.0));
                members.dedup_by(|later, kept| later.0 == kept.0);
                Some(Members::Object(members.into()))
            }
            b'[' => {
                let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                Some(Members::Array(elements.into_iter().map(node).collect()))
            }
            _ => None,
        }
    }

    fn value<'a>(&self, bytes: &'a Bytes) -> Option<Found<'a>> {
        let text = self.text(bytes)?;
        match text.as_bytes().first()? {
            b'{' | b'[' => Some(Found::Json(text)),
            b'"' => string(text).map(Found::Text),
            b't' => Some(Found::Bool(true)),
            b'f' => Some(Found::Bool(false)),
            b'n' => Some(Found::Null),
            _ => text.parse().ok().map(Found::Number),
        }
    }
}

fn find<'a>(members: &'a [(Box<str>, Node)], key: &str) -> Option<&'a Node> {
    let at = members.binary_search_by(|(name, _)| name.as_ref().cmp(key)).ok()?;
    Some(&members[at].1)
}

fn string(text: &str) -> Option<String> {
    if text.contains('\\') {
        return serde_json::from_str(text).ok();
    }
    Some(text.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

/// `~1` is `/` and `~0` is `~`; any other `~` is a malformed pointer.
fn unescape(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut key = parts.next()?.to_owned();
    for part in parts {
        let (escaped, rest) = (part.chars().next()?, part.get(1..)?);
        key.push(match escaped {
            '0' => '~',
            '1' => '/',
            _ => return None,
        });
        key.push_str(rest);
    }
    Some(key)
}

/// Digits without leading zeros. `-`, the element after the last, never exists.
fn index(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with('0');
    (canonical && token.bytes().all(|b| b.is_ascii_digit())).then(|| token.parse().ok())?
}

/// Reads an object as pairs in their order, values unparsed.
struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(Box<str>, &'de RawValue)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(json: &'static str, pointer: &str) -> Option<String> {
        let document = Document::new(Bytes::from_static(json.as_bytes()));
        let found = document.get(pointer);
        assert_eq!(found, document.get(pointer), "a second look finds the same");
        found.map(|found| format!("{found:?}"))
    }

    fn expect(json: &'static str, pointer: &str, found: &Found<'_>) {
        assert_eq!(get(json, pointer), Some(format!("{found:?}")), "{pointer} in {json}");
    }

    #[test]
    fn finds_what_rfc_6901_says() {
        let doc = r#" {"foo": ["bar", "baz"], "": 0, "a/b": 1, "m~n": 8, "k\"l": 6, " ": 7, "~1": 9} "#;
        expect(doc, "/foo", &Found::Json(r#"["bar", "baz"]"#));
        expect(doc, "/foo/0", &Found::Text("bar".into()));
        for (pointer, number) in
            [("/", 0.0), ("/a~1b", 1.0), ("/m~0n", 8.0), ("/k\"l", 6.0), ("/ ", 7.0), ("/~01", 9.0)]
        {
            expect(doc, pointer, &Found::Number(number));
        }
        expect(doc, "", &Found::Json(doc.trim()));
    }

    #[test]
    fn what_is_not_there_or_malformed_is_none() {
        let doc = r#"{"a": [1, {"b": null}], "t": "x"}"#;
        for pointer in
            ["a", "/b", "/a/2", "/a/-", "/a/01", "/a/+1", "/a/1/c", "/t/0", "/a~", "/a~2", "/a/", "/~ü", "//"]
        {
            assert_eq!(get(doc, pointer), None, "{pointer}");
        }
        expect(doc, "/a/1/b", &Found::Null);
        for bad in ["", "{", "{\"a\":", "[1,", "nonsense"] {
            assert_eq!(get(bad, "/a"), None, "{bad}");
        }
    }

    #[test]
    fn long_numbers_and_the_order_of_keys_survive() {
        let doc = r#"{"z": {"n": 123456789012345678901234567890, "b": 1, "a": 1.50}, "esc": "\u00fc\n"}"#;
        expect(doc, "/z", &Found::Json(r#"{"n": 123456789012345678901234567890, "b": 1, "a": 1.50}"#));
        expect(doc, "/esc", &Found::Text("ü\n".into()));
    }

    #[test]
    fn of_duplicate_keys_the_last_wins() {
        expect(r#"{"a": 1, "b": 2, "a": {"c": true}, "a": {"c": false}}"#, "/a/c", &Found::Bool(false));
    }

    #[test]
    fn a_deep_way_ends() {
        let deep = format!("{}1{}", "[".repeat(1_000), "]".repeat(1_000));
        let document = Document::new(Bytes::from(deep));
        assert!(document.get(&"/0".repeat(MAX_DEPTH)).is_some());
        assert_eq!(document.get(&"/0".repeat(MAX_DEPTH + 1)), None);
    }
}
