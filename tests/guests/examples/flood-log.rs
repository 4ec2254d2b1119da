//! A filter that writes 10,000 lines when the event is poison: long ones, ones with line breaks and ANSI escapes, and
//! some to stdout and stderr.

use std::io::Write;

use hookway_guests::is_poison;
use hookway_plugin::{Endpoint, Error, Event, Filter, NoConfig, Verdict, log};

const LINES: usize = 10_000;

struct FloodLog;

impl Filter for FloodLog {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn filter(&self, event: &Event, _to: &Endpoint) -> Result<Verdict, Error> {
        if is_poison(event) {
            flood().map_err(|error| Error::retry(error.to_string()))?;
        }
        Ok(Verdict::Deliver)
    }
}

fn flood() -> std::io::Result<()> {
    log::warn!("\u{1b}[31mred\u{1b}[0m\r\nINFO a line that the gateway never wrote\u{7}");
    writeln!(std::io::stdout(), "to stdout \u{1b}[2J")?;
    writeln!(std::io::stderr(), "to stderr \u{1b}[2J")?;
    let long = "x".repeat(4096);
    for n in 0..LINES {
        log::info!("{n} {long}");
    }
    Ok(())
}

hookway_plugin::export!(filter: FloodLog);
