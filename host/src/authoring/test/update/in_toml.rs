//! A manifest with other expectations: comments, order and layout of everything else stay.

use serde_json::Value as Json;
use toml_edit::{Array, DocumentMut, InlineTable, Item, TableLike, Value};

use super::New;

/// The text of a manifest with what is expected of these samples from now on, by their numbers from 0.
///
/// # Errors
/// In a sentence: it has no such samples any more.
pub(super) fn with(text: &str, new: &[(usize, New)]) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.to_string())?;
    let samples = document.get_mut("samples").ok_or("it has no samples any more")?;
    for (number, new) in new {
        let sample =
            sample(samples, *number).ok_or_else(|| format!("it has no samples[{number}] any more"))?;
        match new {
            New::Word(word) => set(sample, "expect", Value::from(*word)),
            New::Text(body) => set(sample, "expect", body_of(Value::from(body.as_str()))),
            New::Value(body) => {
                // What TOML cannot say is written as the very bytes.
                let value = value(body).unwrap_or_else(|| Value::from(body.to_string()));
                set(sample, "expect", body_of(value));
            }
            New::Topics { accepts, rejects } => {
                for (key, topics) in [("accepts", accepts), ("rejects", rejects)] {
                    let topics: Array = topics.iter().map(|topic| topic.as_str()).collect();
                    set(sample, key, Value::Array(topics));
                }
            }
        }
    }
    Ok(document.to_string())
}

fn sample(samples: &mut Item, number: usize) -> Option<&mut dyn TableLike> {
    match samples {
        Item::ArrayOfTables(tables) => tables.get_mut(number).map(|table| table as &mut dyn TableLike),
        Item::Value(Value::Array(array)) => {
            array.get_mut(number)?.as_inline_table_mut().map(|table| table as &mut dyn TableLike)
        }
        Item::None | Item::Value(_) | Item::Table(_) => None,
    }
}

/// Replaces a value, with what stands around it.
fn set(sample: &mut dyn TableLike, key: &str, mut value: Value) {
    match sample.get_mut(key) {
        Some(Item::Value(old)) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        Some(other) => *other = Item::Value(value),
        None => {
            sample.insert(key, Item::Value(value));
        }
    }
}

fn body_of(body: Value) -> Value {
    Value::InlineTable([("body", body)].into_iter().collect::<InlineTable>())
}

/// JSON as TOML; none if TOML cannot say it.
fn value(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(truth) => Value::from(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::from(number),
            None if number.is_f64() => Value::from(number.as_f64()?),
            None => return None,
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(values) => Value::Array(values.iter().map(value).collect::<Option<Array>>()?),
        Json::Object(members) => {
            let members = members.iter().map(|(name, json)| Some((name.as_str(), value(json)?)));
            Value::InlineTable(members.collect::<Option<InlineTable>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = r#"# what comes out
topics = [ "a/*" ]   # all of them

[[samples]] # first
name = 'one'
event = { topic = "a", data = { n = 1 } }
expect   =   "deliver"   # for now

[[samples]]
event = { topic = "a", data = '{"n": null}' }
expect.body = { a = 1 }
[[samples]]
patterns = ["+"]
accepts = ["a", "b"] # two
"#;

    #[test]
    fn only_the_expectations_change() {
        assert_eq!(with(TEXT, &[]).unwrap(), TEXT);
        assert_eq!(
            with(TEXT, &[(0, New::Word("drop"))]).unwrap(),
            TEXT.replace("\"deliver\"   #", "\"drop\"   #")
        );
        let body = New::Value(json!({ "a": [1, 2.5, "x"], "b-c": true }));
        let changed = with(TEXT, &[(0, body)]).unwrap();
        let expected = r#"{ body = { a = [1, 2.5, "x"], b-c = true } }"#;
        assert_eq!(changed, TEXT.replace("\"deliver\"   #", &format!("{expected}   #")));
    }

    #[test]
    fn what_toml_cannot_say_is_written_as_text_and_dotted_keys_are_replaced() {
        let changed = with(TEXT, &[(1, New::Value(json!({ "a": null })))]).unwrap();
        let read: toml::Table = changed.parse().unwrap();
        assert_eq!(read["samples"][1]["expect"]["body"].as_str(), Some(r#"{"a":null}"#), "{changed}");
        assert_eq!(changed.matches("expect").count(), 2, "{changed}");
    }

    #[test]
    fn topics_move_and_inline_samples_are_found() {
        let topics = New::Topics { accepts: vec!["a".parse().unwrap()], rejects: vec!["b".parse().unwrap()] };
        let changed = with(TEXT, &[(2, topics)]).unwrap();
        let expected = "accepts = [\"a\"] # two\nrejects = [\"b\"]\n";
        assert_eq!(changed, TEXT.replace("accepts = [\"a\", \"b\"] # two\n", expected));
        let inline = "samples = [{ expect = \"drop\", event = { topic = \"a\", data = 1 } }]\n";
        let changed = with(inline, &[(0, New::Word("unchanged"))]).unwrap();
        assert_eq!(changed, inline.replace("\"drop\"", "\"unchanged\""));
        assert!(with(TEXT, &[(3, New::Word("drop"))]).unwrap_err().contains("samples[3]"));
    }
}
