//! Bytes that are the same for values that are equal, and for no others: what equality is, for hashes.

use super::Value;
use super::number::Canonical;

/// Stands where a value could, after the last one of an array or object.
const END: u8 = 0xff;

impl Value<'_> {
    /// Gives its canonical bytes to `sink`, part by part. Every part says how long it is, so no two values have the same.
    pub fn canonical(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(&[self.kind()]);
        match self {
            Self::Null => {}
            Self::Bool(value) => sink(&[u8::from(*value)]),
            Self::Number(text) => {
                let Canonical { sign, point, digits } = Canonical::of(text);
                sink(&sign.to_be_bytes());
                sink(&point.to_be_bytes());
                counted(&digits, sink);
            }
            Self::Text(text) => counted(text.as_bytes(), sink),
            Self::Array(inside) => {
                inside.elements().for_each(|element| element.canonical(sink));
                sink(&[END]);
            }
            Self::Object(inside) => {
                for (key, value) in inside.members() {
                    value.canonical(sink);
                    counted(key.as_bytes(), sink);
                }
                sink(&[END]);
            }
        }
    }
}

fn counted(bytes: &[u8], sink: &mut dyn FnMut(&[u8])) {
    sink(&(bytes.len() as u64).to_be_bytes());
    sink(bytes);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::super::Document;

    fn canonical(json: &str) -> Vec<u8> {
        let document = Document::new(Bytes::copy_from_slice(json.as_bytes()));
        let mut bytes = Vec::new();
        document.value().unwrap().canonical(&mut |part| bytes.extend_from_slice(part));
        bytes
    }

    #[test]
    fn spelling_is_without_meaning() {
        for (a, b) in [
            ("10", "1.0e1"),
            ("0", "-0.00"),
            ("-1.50", "-15e-1"),
            (r#""\u00fc""#, r#""ü""#),
            (r#"{"a": 1, "b": [true, null]}"#, r#"{"b":[true,null],"a":1.0}"#),
        ] {
            assert_eq!(canonical(a), canonical(b), "{a} and {b}");
        }
    }

    #[test]
    fn different_values_have_different_bytes() {
        let different = [
            "null",
            "false",
            "true",
            "0",
            "1",
            "-1",
            "10",
            "0.1",
            "12",
            "1e400",
            "\"\"",
            "\"1\"",
            "\"null\"",
            "[]",
            "[[]]",
            "[1]",
            "[1,2]",
            "[12]",
            "[[1],2]",
            "[[1,2]]",
            "{}",
            r#"{"a":1}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":{},"b":1}"#,
            r#"["a"]"#,
            r#"["a","b"]"#,
            r#"["ab"]"#,
        ];
        for (n, a) in different.iter().enumerate() {
            for b in &different[..n] {
                assert_ne!(canonical(a), canonical(b), "{a} and {b}");
            }
        }
    }

    proptest! {
        #[test]
        fn numbers_have_the_same_bytes_if_they_are_equal_and_only_then(
            a in "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?(e-?[0-3])?",
            b in "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?(e-?[0-3])?",
        ) {
            let document = |text: &str| Document::new(Bytes::copy_from_slice(text.as_bytes()));
            let equal = document(&a).value() == document(&b).value();
            prop_assert_eq!(canonical(&a) == canonical(&b), equal);
        }
    }
}
