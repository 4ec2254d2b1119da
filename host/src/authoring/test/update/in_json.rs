//! A sample in a file of its own with another expectation: only the value that changes is written anew.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::json;
use serde_json::value::RawValue;

use super::New;

/// The text of a file with what is expected from now on.
///
/// # Errors
/// In a sentence: it is no object any more.
pub(super) fn with(text: &str, new: &New) -> Result<String, String> {
    Ok(match new {
        New::Word(word) => set(text, "expect", &json!(word).to_string())?,
        New::Text(body) => set(text, "expect", &format!("{:#}", json!({ "body": body })))?,
        New::Value(body) => set(text, "expect", &format!("{:#}", json!({ "body": body })))?,
        New::Topics { accepts, rejects } => {
            let text = set(text, "accepts", &json!(accepts).to_string())?;
            set(&text, "rejects", &json!(rejects).to_string())?
        }
    })
}

/// The text with this value of a member of its object, which is added at its end where it is not there.
fn set(text: &str, name: &str, value: &str) -> Result<String, String> {
    let members: BTreeMap<String, &RawValue> =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    let value = value.replace('\n', "\n  ");
    if let Some(place) = members.get(name).and_then(|old| place(text, old.get())) {
        return Ok(format!("{}{value}{}", &text[..place.start], &text[place.end..]));
    }
    let end = text.rfind('}').ok_or("it is no object")?;
    let (before, after) = text.split_at(end);
    let comma = if members.is_empty() { "" } else { "," };
    Ok(format!("{}{comma}\n  \"{name}\": {value}\n{after}", before.trim_end()))
}

/// Where a part of a text stands in it.
fn place(text: &str, part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let place = start..start + part.len();
    (text.get(place.clone()) == Some(part)).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_expectation_changes() {
        let text = "{\n    \"expect\" :  \"deliver\" ,\n\t\"event\": {\"topic\": \"a\", \"data\": {\"n\": 1.10}}\n}\n";
        let dropped = with(text, &New::Word("drop")).unwrap();
        assert_eq!(dropped, text.replace("\"deliver\"", "\"drop\""));
        let body = with(text, &New::Value(json!({ "a": [1, null] }))).unwrap();
        let expected = "{\n    \"body\": {\n      \"a\": [\n        1,\n        null\n      ]\n    }\n  }";
        assert_eq!(body, text.replace("\"deliver\"", expected));
        assert!(with("[]", &New::Word("drop")).is_err());
    }

    #[test]
    fn an_expectation_that_is_not_there_is_added() {
        let text = "{\n  \"event\": {\"topic\": \"a\", \"data\": 1}\n}\n";
        let dropped = with(text, &New::Word("drop")).unwrap();
        assert_eq!(dropped, "{\n  \"event\": {\"topic\": \"a\", \"data\": 1},\n  \"expect\": \"drop\"\n}\n");
        let topics = New::Topics { accepts: vec!["a/b".parse().unwrap()], rejects: Vec::new() };
        let matched = with("{\"patterns\": [\"+\"], \"accepts\": [\"c\"]}", &topics).unwrap();
        assert_eq!(matched, "{\"patterns\": [\"+\"], \"accepts\": [\"a/b\"],\n  \"rejects\": []\n}");
    }
}
