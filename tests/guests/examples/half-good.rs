//! Passes every event as a filter and, as a transform, puts `"v":3` into its body or panics when it is poison.

use hookway_guests::{is_poison, tagged};
use hookway_plugin::{Endpoint, Error, Event, Filter, Outcome, Transform, Verdict};

/// Whatever is bound.
#[derive(serde::Deserialize)]
struct Config {}

struct HalfGood;

impl Filter for HalfGood {
    type Config = Config;

    fn new(_config: Config) -> Result<Self, String> {
        Ok(Self)
    }

    fn filter(&self, _event: &Event, _to: &Endpoint) -> Result<Verdict, Error> {
        Ok(Verdict::Deliver)
    }
}

impl Transform for HalfGood {
    type Config = Config;

    fn new(_config: Config) -> Result<Self, String> {
        Ok(Self)
    }

    fn transform(&self, event: &Event, _to: &Endpoint) -> Result<Outcome, Error> {
        assert!(!is_poison(event), "this event is poison");
        Ok(Outcome::body(tagged(event, 3)))
    }
}

hookway_plugin::export!(filter: HalfGood, transform: HalfGood);
