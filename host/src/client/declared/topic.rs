//! A topic of a file.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Fields;
use super::file::Place;
use super::raw::{embedded, raw};

/// A topic as a file declares it.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) place: Place,
    /// What people call it.
    pub(super) name: String,
    /// Its name.
    pub(super) topic: String,
    /// All its fields.
    pub(super) fields: Fields,
}

impl Topic {
    /// What an object of a file declares.
    ///
    /// # Errors
    /// What cannot be meant. Everything else is for the gateway to say.
    pub(super) fn read(place: Place, object: Map<String, Value>) -> Result<Self, String> {
        let Some(Value::String(topic)) = object.get("topic") else {
            return Err(format!("{place}: `topic` is missing: its name, for example `orders/created`"));
        };
        let topic = topic.clone();
        let fields = object.into_iter().map(field).collect::<Result<_, _>>();
        let fields = fields.map_err(|mistake: String| format!("{place} ({topic}): {mistake}"))?;
        Ok(Self { place, name: format!("the topic {topic}"), topic, fields })
    }
}

fn field((name, value): (String, Value)) -> Result<(String, Box<RawValue>), String> {
    let value = match (name.as_str(), value) {
        ("schema", Value::String(text)) => embedded(text, "schema")?,
        ("examples", Value::Array(examples)) => {
            let example = |(index, value): (usize, Value)| {
                let Value::String(text) = value else { return Ok(raw(&value)) };
                embedded(text, &format!("examples[{index}]"))
            };
            raw(&examples.into_iter().enumerate().map(example).collect::<Result<Vec<_>, _>>()?)
        }
        (_, value) => raw(&value),
    };
    Ok((name, value))
}
