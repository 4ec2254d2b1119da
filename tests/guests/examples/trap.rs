//! A filter that panics, and so traps, when the event is poison.

use hookway_guests::is_poison;
use hookway_plugin::{Endpoint, Error, Event, Filter, NoConfig, Verdict};

struct Trap;

impl Filter for Trap {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn filter(&self, event: &Event, _to: &Endpoint) -> Result<Verdict, Error> {
        assert!(!is_poison(event), "this event is poison");
        Ok(Verdict::Deliver)
    }
}

hookway_plugin::export!(filter: Trap);
