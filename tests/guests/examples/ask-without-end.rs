//! A filter that asks the gateway for the same member again and again when the event is poison: each call of the host is short.

use hookway_guests::is_poison;
use hookway_plugin::{Endpoint, Error, Event, Filter, NoConfig, Verdict};

struct AskWithoutEnd;

impl Filter for AskWithoutEnd {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn filter(&self, event: &Event, _to: &Endpoint) -> Result<Verdict, Error> {
        while is_poison(event) {}
        Ok(Verdict::Deliver)
    }
}

hookway_plugin::export!(filter: AskWithoutEnd);
