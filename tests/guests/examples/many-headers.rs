//! A transform that sets 33,000 headers when the event is poison: more than a map of headers can hold.

use hookway_guests::is_poison;
use hookway_plugin::{Endpoint, Error, Event, NoConfig, Outcome, Request, Transform};

const HEADERS: usize = 33_000;

struct ManyHeaders;

impl Transform for ManyHeaders {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn transform(&self, event: &Event, _to: &Endpoint) -> Result<Outcome, Error> {
        if !is_poison(event) {
            return Ok(Outcome::Unchanged);
        }
        let set_headers = (0..HEADERS).map(|n| (format!("x-{n}"), Vec::new())).collect();
        Ok(Outcome::Replace(Request { set_headers, ..Request::default() }))
    }
}

hookway_plugin::export!(transform: ManyHeaders);
