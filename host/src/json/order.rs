//! The order of values: kinds first, then by value. Equality is of the same making.

use std::cmp::Ordering;

use super::Value;
use super::number::compare;

impl Ord for Value<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => compare(a, b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Array(a), Self::Array(b)) => a.elements().cmp(b.elements()),
            (Self::Object(a), Self::Object(b)) => a.members().cmp(b.members()),
            (a, b) => a.kind().cmp(&b.kind()),
        }
    }
}

impl PartialOrd for Value<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value<'_> {}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::Document;

    fn document(json: &'static str) -> Document {
        Document::new(Bytes::from_static(json.as_bytes()))
    }

    #[test]
    fn objects_and_arrays_compare_deeply_and_keys_have_no_order() {
        let equal = [
            (r#"{"a": 1, "b": {"c": [1, 2]}}"#, r#"{"b":{"c":[1.0,2e0]},"a":1}"#),
            (r#""\u00fc""#, r#""ü""#),
            ("[]", " [ ] "),
            (r#"{"a": 1, "a": 2}"#, r#"{"a": 2}"#),
        ];
        for (a, b) in equal {
            assert_eq!(document(a).value(), document(b).value(), "{a} and {b}");
        }
        let different = [("[1,2]", "[2,1]"), ("[1]", "[1,1]"), (r#"{"a":1}"#, r#"{"b":1}"#), ("1", r#""1""#)];
        for (a, b) in different {
            assert_ne!(document(a).value(), document(b).value(), "{a} and {b}");
        }
    }

    #[test]
    fn kinds_come_in_order() {
        let ascending = ["null", "false", "true", "-1", "2", r#""""#, r#""a""#, "[]", "[0]", "{}"];
        for pair in ascending.windows(2) {
            assert!(document(pair[0]).value() < document(pair[1]).value(), "{pair:?}");
        }
    }
}
