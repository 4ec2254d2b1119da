//! A transform that answers with a body of 10 MB when the event is poison.

use hookway_guests::is_poison;
use hookway_plugin::{Endpoint, Error, Event, NoConfig, Outcome, Transform};

const SIZE: usize = 10_000_000;

struct HugeOutput;

impl Transform for HugeOutput {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn transform(&self, event: &Event, _to: &Endpoint) -> Result<Outcome, Error> {
        Ok(if is_poison(event) { Outcome::body(vec![b'x'; SIZE]) } else { Outcome::Unchanged })
    }
}

hookway_plugin::export!(transform: HugeOutput);
