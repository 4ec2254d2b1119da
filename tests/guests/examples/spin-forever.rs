//! A filter that never comes back when the event is poison.

use hookway_guests::is_poison;
use hookway_plugin::{Endpoint, Error, Event, Filter, NoConfig, Verdict};

struct SpinForever;

impl Filter for SpinForever {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn filter(&self, event: &Event, _to: &Endpoint) -> Result<Verdict, Error> {
        if is_poison(event) {
            loop {
                std::hint::black_box(());
            }
        }
        Ok(Verdict::Deliver)
    }
}

hookway_plugin::export!(filter: SpinForever);
