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
        refuse_poison(event);
        Ok(Verdict::Deliver)
    }
}

/// A function of its own, so that the trap can name it.
#[inline(never)]
fn refuse_poison(event: &Event) {
    assert!(!is_poison(event), "this event is poison");
}

hookway_plugin::export!(filter: Trap);
