//! One object of the API for people: a line for each field, in the order of the API.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::line::{Line, Tone};
use super::pretty::on_one_line;

/// The fields of an object in their order, as they were written.
pub(super) struct InOrder(pub(super) OrderedFields);

/// Names and values, in an order of their own.
pub(super) type OrderedFields = Vec<(String, Box<RawValue>)>;

/// A line for each field; a text that is no object is one line.
pub(super) fn fields(json: &str) -> Vec<Line> {
    let Ok(InOrder(fields)) = serde_json::from_str(json) else { return vec![Line::from(json)] };
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): (String, Box<RawValue>)| {
        Line::new(Tone::Faint, format!("{name:width$}  ")).and(Tone::Plain, shown(value.get()))
    };
    fields.into_iter().map(line).collect()
}

/// A text without its quotes, a list of texts with commas, nothing as `-`; anything else as JSON.
fn shown(value: &str) -> String {
    if value == "null" || value == "[]" || value == "{}" || value == r#""""# {
        return "-".to_owned();
    }
    if let Ok(text) = serde_json::from_str::<String>(value) {
        return text;
    }
    serde_json::from_str::<Vec<String>>(value).map_or_else(|_| on_one_line(value), |texts| texts.join(", "))
}

impl<'de> Deserialize<'de> for InOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = InOrder;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(InOrder(fields))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stay_in_their_order_and_form() {
        let lines =
            fields(r#"{"url":"https://a","topics":["a","b"],"limit":1.0,"filter":null,"x":{"b":1,"a":2}}"#);
        let texts: Vec<_> = lines.iter().map(|line| line.render(false)).collect();
        assert_eq!(
            texts,
            ["url     https://a", "topics  a, b", "limit   1.0", "filter  -", r#"x       {"b":1,"a":2}"#]
        );
    }
}
