//! JSON that is parsed one level at a time, where somebody looks.
//!
//! A node is a slice of the original bytes; its members are found at the first visit and kept. So the first look into
//! an event costs one pass over the levels on the way, every later one a search in the keys, whatever the size of
//! the rest, and numbers of any length and the order of keys survive.

use std::borrow::Cow;
use std::sync::OnceLock;

use bytes::Bytes;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::pointer::{MAX_STEPS, index, unescape};

/// A JSON document.
#[derive(Debug)]
pub struct Document {
    bytes: Bytes,
    root: Node,
}

/// A value in a document. Numbers come as their text, arrays and objects as what they have inside.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it is written.
    Number(&'a str),
    /// A text without its escapes.
    Text(Cow<'a, str>),
    /// An array.
    Array(Inside<'a>),
    /// An object.
    Object(Inside<'a>),
}

/// The inside of an array or object.
#[derive(Debug, Clone, Copy)]
pub struct Inside<'a> {
    bytes: &'a Bytes,
    node: &'a Node,
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
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        let before = bytes.len() - bytes.trim_ascii_start().len();
        let root = Node::new(before, before + bytes.trim_ascii().len());
        Self { bytes, root }
    }

    /// The whole of it.
    #[must_use]
    pub fn value(&self) -> Option<Value<'_>> {
        Inside { bytes: &self.bytes, node: &self.root }.value()
    }

    /// How many levels were parsed; each is parsed once at most.
    #[cfg(test)]
    pub(crate) fn levels(&self) -> usize {
        fn below(node: &Node) -> usize {
            let Some(members) = node.members.get() else { return 0 };
            1 + match members {
                Members::Object(members) => members.iter().map(|(_, node)| below(node)).sum(),
                Members::Array(elements) => elements.iter().map(below).sum::<usize>(),
                Members::None => 0,
            }
        }
        below(&self.root)
    }

    /// The value at an RFC 6901 pointer. None if there is none, if the pointer is malformed or has more than 32 steps.
    #[must_use]
    pub fn get(&self, pointer: &str) -> Option<Value<'_>> {
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return None;
        }
        let mut value = self.value()?;
        for (depth, token) in pointer.split('/').skip(1).enumerate() {
            value = (depth < MAX_STEPS).then(|| value.step(&unescape(token)?))??;
        }
        Some(value)
    }
}

impl<'a> Value<'a> {
    /// What a token of a pointer (without its escapes) leads to: a member of an object, an element of an array.
    #[must_use]
    pub fn step(&self, token: &str) -> Option<Self> {
        match self {
            Self::Array(inside) | Self::Object(inside) => inside.step(token),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => None,
        }
    }

    /// What it is, in the order of kinds.
    pub(super) const fn kind(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Number(_) => 2,
            Self::Text(_) => 3,
            Self::Array(_) => 4,
            Self::Object(_) => 5,
        }
    }
}

impl<'a> Inside<'a> {
    /// Its text as it is written.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.node.text(self.bytes).unwrap_or_default()
    }

    /// The elements of an array; an object has none.
    pub fn elements(self) -> impl Iterator<Item = Value<'a>> {
        let elements = match self.node.members(self.bytes) {
            Members::Array(elements) => &**elements,
            Members::Object(_) | Members::None => &[],
        };
        elements.iter().filter_map(move |node| Inside { node, ..self }.value())
    }

    /// The members of an object, sorted by key; an array has none.
    pub fn members(self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        let members = match self.node.members(self.bytes) {
            Members::Object(members) => &**members,
            Members::Array(_) | Members::None => &[],
        };
        members.iter().filter_map(move |(key, node)| Some((&**key, Inside { node, ..self }.value()?)))
    }

    fn step(self, token: &str) -> Option<Value<'a>> {
        let node = match self.node.members(self.bytes) {
            Members::Object(members) => {
                let at = members.binary_search_by(|(key, _)| key.as_ref().cmp(token)).ok()?;
                &members[at].1
            }
            Members::Array(elements) => elements.get(index(token)?)?,
            Members::None => return None,
        };
        Inside { node, ..self }.value()
    }

    /// Looks at the first byte only, unless it is a scalar: going on from here costs nothing for what is passed by.
    fn value(self) -> Option<Value<'a>> {
        let text = || self.node.text(self.bytes);
        match self.bytes[self.node.range()].first()? {
            b'{' => Some(Value::Object(self)),
            b'[' => Some(Value::Array(self)),
            b'"' => string(text()?).map(Value::Text),
            b't' => Some(Value::Bool(true)),
            b'f' => Some(Value::Bool(false)),
            b'n' => Some(Value::Null),
            _ => text().map(Value::Number),
        }
    }
}

impl Node {
    fn new(start: usize, end: usize) -> Self {
        // A document beyond 4 GiB is never accepted; an empty node has no value.
        let (start, end) = (u32::try_from(start).unwrap_or(0), u32::try_from(end).unwrap_or(0));
        Self { start, end, members: OnceLock::new() }
    }

    const fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    fn text<'a>(&self, bytes: &'a Bytes) -> Option<&'a str> {
        std::str::from_utf8(&bytes[self.range()]).ok()
    }

    fn members(&self, bytes: &Bytes) -> &Members {
        self.members.get_or_init(|| self.parse(bytes).unwrap_or(Members::None))
    }

    fn parse(&self, bytes: &Bytes) -> Option<Members> {
        let text = self.text(bytes)?;
        let node = |raw: &RawValue| {
            let offset = raw.get().as_ptr().addr() - text.as_ptr().addr() + self.start as usize;
            Self::new(offset, offset + raw.get().len())
        };
        match text.as_bytes().first()? {
            b'{' => {
                let mut members: Vec<_> =
                    pairs(text)?.into_iter().rev().map(|(key, raw)| (key, node(raw))).collect();
                members.sort_by(|a, b| a.0.cmp(&b.0));
                members.dedup_by(|later, kept| later.0 == kept.0);
                Some(Members::Object(members.into()))
            }
            b'[' => Some(Members::Array(elements(text)?.into_iter().map(node).collect())),
            _ => None,
        }
    }
}

/// The keys and values of the object in this text, in their order, also those that are there twice. None if it is no
/// object.
#[must_use]
pub fn pairs(text: &str) -> Option<Vec<(Box<str>, &RawValue)>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let pairs = deserializer.deserialize_map(Pairs).ok()?;
    deserializer.end().ok().map(|()| pairs)
}

/// The elements of the array in this text. None if it is no array.
#[must_use]
pub fn elements(text: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(text).ok()
}

fn string(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('\\') {
        return serde_json::from_str(text).ok().map(Cow::Owned);
    }
    text.strip_prefix('"')?.strip_suffix('"').map(Cow::Borrowed)
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
        found.map(|found| shown(&found))
    }

    fn shown(value: &Value<'_>) -> String {
        match value {
            Value::Array(inside) | Value::Object(inside) => inside.text().to_owned(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => format!("{value:?}"),
        }
    }

    fn expect(json: &'static str, pointer: &str, found: &str) {
        assert_eq!(get(json, pointer).as_deref(), Some(found), "{pointer} in {json}");
    }

    #[test]
    fn finds_what_rfc_6901_says() {
        let doc = r#" {"foo": ["bar", "baz"], "": 0, "a/b": 1, "m~n": 8, "k\"l": 6, " ": 7, "~1": 9} "#;
        expect(doc, "/foo", r#"["bar", "baz"]"#);
        expect(doc, "/foo/0", r#"Text("bar")"#);
        for (pointer, number) in [("/", 0), ("/a~1b", 1), ("/m~0n", 8), ("/k\"l", 6), ("/ ", 7), ("/~01", 9)]
        {
            expect(doc, pointer, &format!("Number(\"{number}\")"));
        }
        expect(doc, "", doc.trim());
    }

    #[test]
    fn what_is_not_there_or_malformed_is_none() {
        let doc = r#"{"a": [1, {"b": null}], "t": "x"}"#;
        for pointer in
            ["a", "/b", "/a/2", "/a/-", "/a/01", "/a/+1", "/a/1/c", "/t/0", "/a~", "/a~2", "/a/", "/~ü", "//"]
        {
            assert_eq!(get(doc, pointer), None, "{pointer}");
        }
        expect(doc, "/a/1/b", "Null");
        for bad in ["", "{", "{\"a\":", "[1,", "nonsense"] {
            assert_eq!(get(bad, "/a"), None, "{bad}");
        }
    }

    #[test]
    fn long_numbers_and_the_order_of_keys_survive() {
        let doc = r#"{"z": {"n": 123456789012345678901234567890, "b": 1, "a": 1.50}, "esc": "\u00fc\n"}"#;
        expect(doc, "/z", r#"{"n": 123456789012345678901234567890, "b": 1, "a": 1.50}"#);
        expect(doc, "/esc", r#"Text("ü\n")"#);
    }

    #[test]
    fn of_duplicate_keys_the_last_wins() {
        expect(r#"{"a": 1, "b": 2, "a": {"c": true}, "a": {"c": false}}"#, "/a/c", "Bool(false)");
    }

    #[test]
    fn a_deep_way_ends() {
        let deep = format!("{}1{}", "[".repeat(1_000), "]".repeat(1_000));
        let document = Document::new(Bytes::from(deep));
        assert!(document.get(&"/0".repeat(MAX_STEPS)).is_some());
        assert!(document.get(&"/0".repeat(MAX_STEPS + 1)).is_none());
    }
}
