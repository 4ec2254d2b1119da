//! A filter that allocates without end when the event is poison, in steps of 1 MiB that it touches.

use hookway_guests::is_poison;
use hookway_plugin::{Endpoint, Error, Event, Filter, NoConfig, Verdict};

const STEP: usize = 1 << 20;

struct EatMemory;

impl Filter for EatMemory {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn filter(&self, event: &Event, _to: &Endpoint) -> Result<Verdict, Error> {
        let mut eaten: Vec<Vec<u8>> = Vec::new();
        while is_poison(event) {
            eaten.push(std::hint::black_box(vec![1; STEP]));
        }
        Ok(Verdict::Deliver)
    }
}

hookway_plugin::export!(filter: EatMemory);
