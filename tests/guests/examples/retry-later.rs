//! A filter that answers `error.retry` to everything.

use hookway_plugin::{Endpoint, Error, Event, Filter, NoConfig, Verdict};

struct RetryLater;

impl Filter for RetryLater {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn filter(&self, _event: &Event, _to: &Endpoint) -> Result<Verdict, Error> {
        Err(Error::retry("the moon is not full"))
    }
}

hookway_plugin::export!(filter: RetryLater);
