//! A filter that calls itself without end when the event is poison.

use hookway_guests::is_poison;
use hookway_plugin::{Endpoint, Error, Event, Filter, NoConfig, Verdict};

struct OverflowStack;

impl Filter for OverflowStack {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn filter(&self, event: &Event, _to: &Endpoint) -> Result<Verdict, Error> {
        if is_poison(event) && dive(1) == 0 {
            return Ok(Verdict::drop("a stack without a bottom"));
        }
        Ok(Verdict::Deliver)
    }
}

/// Not a tail call, and its depth cannot be known while compiling. Ends after 2^32 calls, which no stack holds.
#[inline(never)]
fn dive(depth: u32) -> u32 {
    let below = if std::hint::black_box(depth) == 0 { 0 } else { dive(depth.wrapping_add(1)) };
    std::hint::black_box(below).wrapping_add(depth)
}

hookway_plugin::export!(filter: OverflowStack);
