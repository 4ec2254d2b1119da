//! Reads one field with `event.get` and parses nothing: the least that a useful filter does. Delivers when
//! `/repository/private` is `false` or not there. Used to measure the cost of a call.

use hookway_plugin::{Endpoint, Error, Event, Filter, NoConfig, Value, Verdict};

struct OneField;

impl Filter for OneField {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn filter(&self, event: &Event, _to: &Endpoint) -> Result<Verdict, Error> {
        Ok(match event.get("/repository/private") {
            Some(Value::Bool(true)) => Verdict::drop("the repository is private"),
            _ => Verdict::Deliver,
        })
    }
}

hookway_plugin::export!(filter: OneField);
