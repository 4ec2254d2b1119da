//! A filter that logs one line of a mebibyte and then a million short ones when the event is poison.

use hookway_guests::is_poison;
use hookway_plugin::{Endpoint, Error, Event, Filter, NoConfig, Verdict, log};

const LONG: usize = 1 << 20;
const LINES: usize = 1_000_000;

struct LogWithoutEnd;

impl Filter for LogWithoutEnd {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn filter(&self, event: &Event, _to: &Endpoint) -> Result<Verdict, Error> {
        if is_poison(event) {
            log::info!("{}", "x".repeat(LONG));
            for n in 0..LINES {
                log::info!("line {n}");
            }
        }
        Ok(Verdict::Deliver)
    }
}

hookway_plugin::export!(filter: LogWithoutEnd);
