//! Inside the gateway: the same events and endpoints through the contract, and what `export!` calls.

#[expect(missing_docs, unreachable_pub, reason = "generated from the contract")]
mod bindings;
pub(crate) mod http;
pub(crate) mod kv;

use std::cell::OnceCell;
use std::fmt;

use serde::de::DeserializeOwned;

pub use bindings::filter_world::export_filter;
pub use bindings::filter_world::exports::hookway::plugin::filter;
pub use bindings::imports::hookway::plugin::types;
pub use bindings::lifecycle_world::export_lifecycle;
pub use bindings::lifecycle_world::exports::hookway::plugin::lifecycle;
pub use bindings::matcher_world::export_matcher;
pub use bindings::matcher_world::exports::hookway::plugin::topic_matcher;
pub use bindings::transform_world::export_transform;
pub use bindings::transform_world::exports::hookway::plugin::transform;
pub use bindings::{filter_world, lifecycle_world, matcher_world, transform_world};

use crate::{Error, Filter, Outcome, Transform, Value, Verdict};

/// An event of the gateway, borrowed for one call.
pub(crate) struct Event<'a>(&'a types::Event);

/// An endpoint of the gateway, borrowed for one call.
pub(crate) struct Endpoint<'a>(&'a types::Endpoint);

impl Event<'_> {
    pub(crate) fn id(&self) -> String {
        self.0.id()
    }

    pub(crate) fn topic(&self) -> String {
        self.0.topic()
    }

    pub(crate) fn tenant(&self) -> String {
        self.0.tenant()
    }

    pub(crate) fn timestamp_ms(&self) -> u64 {
        self.0.timestamp_ms()
    }

    pub(crate) fn data(&self) -> Vec<u8> {
        self.0.data()
    }

    pub(crate) fn get(&self, pointer: &str) -> Option<Value> {
        self.0.get(pointer).map(Value::from)
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        self.0.body()
    }
}

impl Endpoint<'_> {
    pub(crate) fn id(&self) -> String {
        self.0.id()
    }

    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    pub(crate) fn metadata(&self, name: &str) -> Option<String> {
        self.0.metadata(name)
    }
}

/// Builds the plugin of this instance.
pub fn init<T, C: DeserializeOwned>(
    cell: &OnceCell<T>,
    config: &str,
    new: fn(C) -> Result<T, String>,
) -> Result<(), String> {
    let plugin = new(crate::config::parse(config)?)?;
    cell.set(plugin).map_err(|_| "`init` was called twice on one instance".into())
}

/// Answers `filter`.
pub fn run_filter<F: Filter>(
    plugin: Option<&F>,
    event: &types::Event,
    to: &types::Endpoint,
) -> Result<filter::Verdict, types::Error> {
    let plugin = plugin.ok_or_else(not_initialised)?;
    let verdict = plugin.filter(&crate::Event(Event(event)), &crate::Endpoint(Endpoint(to)))?;
    Ok(match verdict {
        Verdict::Deliver => filter::Verdict::Deliver,
        Verdict::Drop(reason) => filter::Verdict::Drop(reason),
    })
}

/// Answers `transform`.
pub fn run_transform<T: Transform>(
    plugin: Option<&T>,
    event: &types::Event,
    to: &types::Endpoint,
) -> Result<transform::Outcome, types::Error> {
    let plugin = plugin.ok_or_else(not_initialised)?;
    let outcome = plugin.transform(&crate::Event(Event(event)), &crate::Endpoint(Endpoint(to)))?;
    Ok(match outcome {
        Outcome::Unchanged => transform::Outcome::Unchanged,
        Outcome::Drop(reason) => transform::Outcome::Drop(reason),
        Outcome::Replace(request) => transform::Outcome::Replace(transform::Request {
            body: request.body,
            content_type: request.content_type,
            set_headers: request
                .set_headers
                .into_iter()
                .map(|(name, value)| transform::Header { name, value })
                .collect(),
            remove_headers: request.remove_headers,
        }),
    })
}

/// A line of the log.
pub(crate) fn log(level: crate::log::Level, message: &str) {
    use bindings::imports::hookway::plugin::log::{Level, log};
    let level = match level {
        crate::log::Level::Trace => Level::Trace,
        crate::log::Level::Debug => Level::Debug,
        crate::log::Level::Info => Level::Info,
        crate::log::Level::Warn => Level::Warn,
        crate::log::Level::Error => Level::Error,
    };
    log(level, message);
}

fn not_initialised() -> types::Error {
    types::Error::Invalid("the gateway did not call `lifecycle.init` on this instance".into())
}

impl From<types::Value> for Value {
    fn from(value: types::Value) -> Self {
        match value {
            types::Value::Null => Self::Null,
            types::Value::Boolean(value) => Self::Bool(value),
            types::Value::Number(value) => Self::Number(value),
            types::Value::Text(value) => Self::Text(value),
            types::Value::Json(value) => Self::Json(value),
        }
    }
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(message) => Self::Invalid(message),
            Error::Retry(message) => Self::Retry(message),
        }
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Event")
    }
}

impl fmt::Debug for Endpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endpoint")
    }
}
