//! What a condition asks of a value. All tests are positive; negations are the opposite of one.

use std::cmp::Ordering;
use std::sync::Arc;

use bytes::Bytes;
use regex::Regex;

use super::explain::shown;
use super::{WORK_PER_SEARCHED_BYTE, Work};
use crate::json::{Document, Value};

/// A test of one value.
#[derive(Debug)]
pub(super) enum Test {
    /// `$exists`.
    Exists,
    /// `$eq`.
    Equal(Literal),
    /// `$gt`, `$gte`, `$lt`, `$lte`, with a number or a text.
    Ordered(Relation, Literal),
    /// `$in`: sorted.
    OneOf(Vec<Literal>),
    /// `$startsWith`.
    StartsWith(Box<str>),
    /// `$endsWith`.
    EndsWith(Box<str>),
    /// `$regex`.
    Matches(Regex),
}

/// A value of the filter itself.
#[derive(Debug, Clone)]
pub(super) struct Literal(Arc<Document>);

#[derive(Debug, Clone, Copy)]
pub(super) enum Relation {
    Greater,
    AtLeast,
    Less,
    AtMost,
}

impl Test {
    /// What of the value is accepted: the whole of it or, of an array, one of its elements.
    pub(super) fn accepted<'a>(&self, value: &Value<'a>, work: &Work) -> Option<Value<'a>> {
        if self.accepts(value, work) {
            return Some(value.clone());
        }
        let Value::Array(inside) = value else { return None };
        inside.elements().take_while(|_| work.spend(1)).find(|element| self.accepts(element, work))
    }

    fn accepts(&self, value: &Value<'_>, work: &Work) -> bool {
        match self {
            Self::Exists => true,
            Self::Equal(literal) => *value == literal.value(),
            Self::Ordered(relation, literal) => relation.holds(value, &literal.value()),
            Self::OneOf(list) => list.binary_search_by(|literal| literal.value().cmp(value)).is_ok(),
            Self::StartsWith(start) => matches!(value, Value::Text(text) if text.starts_with(&**start)),
            Self::EndsWith(end) => matches!(value, Value::Text(text) if text.ends_with(&**end)),
            Self::Matches(pattern) => {
                matches!(value, Value::Text(text)
                    if work.spend(text.len() * WORK_PER_SEARCHED_BYTE) && pattern.is_match(text))
            }
        }
    }

    /// `is not >= 100`: what follows the value in a sentence.
    pub(super) fn words(&self, holds: bool) -> String {
        let be = if holds { "is" } else { "is not" };
        let does = |positive: &str, negative: &str| if holds { positive } else { negative }.to_owned();
        match self {
            Self::Exists => does("is there", "is missing"),
            Self::Equal(literal) => format!("{be} {}", shown(&literal.value())),
            Self::Ordered(relation, literal) => {
                format!("{be} {} {}", relation.sign(), shown(&literal.value()))
            }
            Self::OneOf(list) => {
                let first: Vec<_> = list.iter().take(5).map(|literal| shown(&literal.value())).collect();
                let more = if list.len() > first.len() { ", ..." } else { "" };
                format!("{be} one of {}{more}", first.join(", "))
            }
            Self::StartsWith(start) => {
                format!("{} {start:?}", does("starts with", "does not start with"))
            }
            Self::EndsWith(end) => format!("{} {end:?}", does("ends with", "does not end with")),
            Self::Matches(pattern) => format!("{} /{pattern}/", does("matches", "does not match")),
        }
    }
}

impl Literal {
    /// The value in this JSON text.
    pub(super) fn new(json: &str) -> Self {
        Self(Arc::new(Document::new(Bytes::copy_from_slice(json.as_bytes()))))
    }

    /// The value.
    pub(super) fn value(&self) -> Value<'_> {
        self.0.value().unwrap_or(Value::Null)
    }
}

impl Relation {
    /// Only numbers are ordered with numbers, and texts with texts.
    fn holds(self, value: &Value<'_>, than: &Value<'_>) -> bool {
        let comparable =
            matches!((value, than), (Value::Number(_), Value::Number(_)) | (Value::Text(_), Value::Text(_)));
        comparable && self.accepts(value.cmp(than))
    }

    const fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Greater => order.is_gt(),
            Self::AtLeast => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
        }
    }

    const fn sign(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Less => "<",
            Self::AtMost => "<=",
        }
    }
}
