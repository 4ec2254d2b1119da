//! The lanes as metrics: looked up when somebody reads.

use std::fmt;

use super::Lanes;
use super::schedule::{Seen, SoFar};
use crate::metrics::{Metrics, Readings};

impl Lanes {
    /// Has these metrics tell of the lanes.
    pub fn count_in(&self, metrics: &Metrics) {
        let lanes = self.clone();
        metrics.ask(move |readings| {
            let seen = lanes.inner.schedule().seen(lanes.inner.clock.now());
            tell(&seen, readings)
        });
    }
}

fn tell(seen: &Seen, readings: &mut Readings<'_>) -> fmt::Result {
    let number = |number: usize| number as f64;
    let help = "Lanes: with something to do, with a read of the store under way, of inactive endpoints";
    let states = [
        ("running", number(seen.running)),
        ("loading", number(seen.loading)),
        ("paused", number(seen.paused)),
    ];
    readings.gauges(("lanes", "state"), help, &states)?;
    let help = "Endpoints whose receiver is down: that are left alone, and that are probed";
    let states = [("open", number(seen.open)), ("half_open", number(seen.half_open))];
    readings.gauges(("lane_breakers", "state"), help, &states)?;
    let help = "Deliveries that wait in memory; all others wait in the store";
    readings.gauge("lane_deliveries", help, number(seen.waiting))?;
    let help = "Bytes of the deliveries that wait in memory, roughly";
    readings.gauge("lane_delivery_bytes", help, number(seen.waiting_bytes))?;
    readings.gauge("attempts_in_flight", "Attempts under way", number(seen.in_flight))?;
    let SoFar { loads, opened, closed } = seen.so_far;
    readings.counter("lane_loads", "Reads of the store for a lane", loads as f64)?;
    readings.counter("lane_breakers_opened", "Times that a receiver was found down", opened as f64)?;
    readings.counter("lane_breakers_closed", "Times that a receiver was found to be back", closed as f64)
}
