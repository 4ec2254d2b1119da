//! The fields of one event, each asked for at its first use.

use std::collections::HashMap;
use std::sync::OnceLock;

use cel::Value;
use cel::common::types::{CelBool, CelDouble, CelInt, CelNull, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::objects::Key;
use hookway_plugin::{Endpoint, Event, Value as Found};

use crate::expression::slot;
use crate::source::Source;

/// What is there; `None` is a field that the event does not have.
type Cell = OnceLock<Option<Box<dyn Val>>>;

pub(crate) struct Fields<'a> {
    sources: &'a [Source],
    cells: Vec<Cell>,
    event: &'a Event<'a>,
    to: &'a Endpoint<'a>,
    /// The first field that could not be read.
    failure: OnceLock<String>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(sources: &'a [Source], event: &'a Event<'a>, to: &'a Endpoint<'a>) -> Self {
        let cells = sources.iter().map(|_| Cell::new()).collect();
        Self { sources, cells, event, to, failure: OnceLock::new() }
    }

    /// Why a field that is there could not be read.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.get().cloned()
    }

    fn fetch(&self, source: &Source) -> Option<Box<dyn Val>> {
        let text = |text: String| -> Box<dyn Val> { Box::new(CelString::from(text)) };
        Some(match source {
            Source::Topic => text(self.event.topic()),
            Source::Id => text(self.event.id()),
            Source::Tenant => text(self.event.tenant()),
            Source::Timestamp => Box::new(CelInt::from(self.event.timestamp_ms().cast_signed())),
            Source::EndpointId => text(self.to.id()),
            Source::EndpointUrl => text(self.to.url()),
            Source::Metadata(name) => text(self.to.metadata(name)?),
            Source::HasMetadata(name) => Box::new(CelBool::from(self.to.metadata(name).is_some())),
            Source::HasData(pointer) => Box::new(CelBool::from(self.event.get(pointer).is_some())),
            Source::Data(pointer) => match self.event.get(pointer)? {
                Found::Null => Box::new(CelNull),
                Found::Bool(value) => Box::new(CelBool::from(value)),
                Found::Number(value) => Box::new(CelDouble::from(value)),
                Found::Text(value) => text(value),
                Found::Json(json) => match serde_json::from_str(&json).map(value).map(Box::try_from) {
                    Ok(Ok(value)) => value,
                    Ok(Err(error)) => return self.fail(source, &error.to_string()),
                    Err(error) => return self.fail(source, &error.to_string()),
                },
            },
        })
    }

    fn fail(&self, source: &Source, why: &str) -> Option<Box<dyn Val>> {
        self.failure.get_or_init(|| format!("`{source}` cannot be read: {why}"));
        None
    }
}

impl VariableResolver for Fields<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let slot = slot(variable)?;
        let source = self.sources.get(slot)?;
        self.cells.get(slot)?.get_or_init(|| self.fetch(source)).as_deref().map(CowVal::Borrowed)
    }
}

/// JSON as CEL sees it: every number is a double.
fn value(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(value) => Value::Float(value.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(value) => value.into(),
        serde_json::Value::Array(items) => items.into_iter().map(value).collect::<Vec<_>>().into(),
        serde_json::Value::Object(members) => members
            .into_iter()
            .map(|(key, json)| (Key::from(key), value(json)))
            .collect::<HashMap<_, _>>()
            .into(),
    }
}
