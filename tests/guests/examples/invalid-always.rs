//! A transform that answers `error.invalid` to everything.

use hookway_plugin::{Endpoint, Error, Event, NoConfig, Outcome, Transform};

struct InvalidAlways;

impl Transform for InvalidAlways {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn transform(&self, _event: &Event, _to: &Endpoint) -> Result<Outcome, Error> {
        Err(Error::invalid("no event was ever good enough"))
    }
}

hookway_plugin::export!(transform: InvalidAlways);
