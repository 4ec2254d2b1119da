//! Events of a file, in the form in which they are posted to a gateway: one JSON object a line.

use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Error;
use crate::model::{EventId, TenantId, Topic};
use crate::plugins::manifest::{Asked, Expected, JsonText, Sample, SampleEvent, read_json};

/// As `POST /v1/events` takes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    event: Topic,
    data: Box<RawValue>,
    event_id: Option<EventId>,
    timestamp: Option<jiff::Timestamp>,
    tenant: Option<TenantId>,
}

/// The events of a file, each as a question that any answer is right to, with this configuration.
///
/// # Errors
/// In a sentence, with the file, the line and the field.
pub(super) fn read(path: &Path, config: Option<&JsonText>) -> Result<Vec<Sample>, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
    parse(&text, config).map_err(Error::refused(path))
}

fn parse(text: &str, config: Option<&JsonText>) -> Result<Vec<Sample>, String> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let events = lines.map(|(number, line)| {
        let read = read_json(line.as_bytes()).map_err(|problem| format!("line {number}{problem}"))?;
        let Line { event, data, event_id, timestamp, tenant } = read;
        let event = SampleEvent { topic: event, data: JsonText::literal(&data), tenant, event_id, timestamp };
        let asked = Asked::Event { event, config: config.cloned(), expect: Expected::Deliver };
        Ok(Sample { name: None, asked })
    });
    let events = events.collect::<Result<Vec<_>, String>>()?;
    if events.is_empty() {
        return Err("there is no event: it has one JSON object a line".to_owned());
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_those_that_a_gateway_would_take() {
        let text = "{\"event\":\"a/b\",\"data\":{\"n\":1.00}}\n\n{\"event\":\"c\",\"data\":null,\"tenant\":\"acme\",\"event_id\":\"e1\"}\n";
        let events = parse(text, None).unwrap();
        let Asked::Event { event, .. } = &events[0].asked else { panic!() };
        assert_eq!((event.topic.as_str(), &*event.data.text()), ("a/b", "{\"n\":1.00}"));
        assert_eq!(events.len(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_named_by_line_and_field() {
        let refused = |text: &str| parse(text, None).unwrap_err();
        assert!(refused("").starts_with("there is no event"));
        let sentence = refused("{\"event\":\"a\",\"data\":1}\n{\"event\":\"a b\",\"data\":1}");
        assert!(sentence.starts_with("line 2, `event`: "), "{sentence}");
        assert!(refused("{\"event\":\"a\"}").contains("missing field `data`"));
        assert!(refused("{").starts_with("line 1: "), "{}", refused("{"));
    }
}
